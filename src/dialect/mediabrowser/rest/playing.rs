//! Check-ins over HTTP. The session is the caller's, whatever the body or the path says of whose it is.

use super::{
    super::{
        check_in::{self, NoCheckIn},
        refusal::empty,
        report::{Moment, Report},
    },
    Asked, Reaction, done, status,
};

/// `POST /Sessions/Playing`.
pub(super) fn started(asked: &Asked<'_, '_>) -> Reaction {
    of_body(asked, Moment::Start)
}

/// `POST /Sessions/Playing/Progress`.
pub(super) fn progress(asked: &Asked<'_, '_>) -> Reaction {
    of_body(asked, Moment::Progress)
}

/// `POST /Sessions/Playing/Stopped`.
pub(super) fn stopped(asked: &Asked<'_, '_>) -> Reaction {
    of_body(asked, Moment::Stopped)
}

/// `POST /Sessions/Playing/Ping`.
pub(super) fn still(asked: &Asked<'_, '_>) -> Reaction {
    if let Some(session) = asked.session {
        let _ = asked.server.devices().still_plays(session, asked.now); // a session that plays nothing says nothing
    }
    done()
}

/// `POST /Users/{user}/PlayingItems/{item}`.
pub(super) fn item_started(asked: &Asked<'_, '_>) -> Reaction {
    of_query(asked, Moment::Start)
}

/// `POST /Users/{user}/PlayingItems/{item}/Progress`.
pub(super) fn item_progress(asked: &Asked<'_, '_>) -> Reaction {
    of_query(asked, Moment::Progress)
}

/// `DELETE /Users/{user}/PlayingItems/{item}`.
pub(super) fn item_stopped(asked: &Asked<'_, '_>) -> Reaction {
    of_query(asked, Moment::Stopped)
}

fn of_body(asked: &Asked<'_, '_>, moment: Moment) -> Reaction {
    match Report::of_json(&asked.body()) {
        Ok(report) => publish(asked, moment, &report),
        Err(_) => status(400),
    }
}

/// The old way: the item in the path, all else in the query. Nobody reports for somebody else.
fn of_query(asked: &Asked<'_, '_>, moment: Moment) -> Reaction {
    let own = asked.caller().and_then(|caller| caller.principal.user.as_ref());
    if !own.is_some_and(|own| asked.server.place().is_user(asked.part(0), own)) {
        return status(404);
    }
    let mut body = serde_json::json!({ "ItemId": asked.part(1) });
    for name in ["PositionTicks", "VolumeLevel", "AudioStreamIndex", "SubtitleStreamIndex"] {
        if let Some(number) = asked.parameter(name).and_then(|number| number.parse::<i64>().ok()) {
            body[name] = number.into();
        }
    }
    for name in ["IsPaused", "IsMuted", "CanSeek"] {
        if let Some(flag) = asked.flag(name) {
            body[name] = flag.into();
        }
    }
    for name in ["MediaSourceId", "PlayMethod", "RepeatMode", "LiveStreamId"] {
        if let Some(text) = asked.parameter(name) {
            body[name] = text.into();
        }
    }
    match Report::of_json(&body) {
        Ok(report) => publish(asked, moment, &report),
        Err(_) => status(400),
    }
}

fn publish(asked: &Asked<'_, '_>, moment: Moment, report: &Report) -> Reaction {
    let (Some(session), Some(caller)) = (asked.session, asked.caller()) else { return status(400) };
    match check_in::events((session, moment, report), &caller.principal, asked.server, asked.now) {
        Ok(events) => Reaction::Publish(events, empty(204)),
        Err(NoCheckIn::NotFound) => status(404),
        Err(NoCheckIn::Bad) => status(400),
    }
}
