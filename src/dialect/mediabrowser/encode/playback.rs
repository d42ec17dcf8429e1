//! `PlaybackStart`, `PlaybackStopped` and `SessionEnded`, which clients that say `Identity` listened for (wire notes on
//! MediaBrowser, section 5.8). All others see what is played in `Sessions`.

use std::borrow::Cow;

use bytes::BytesMut;

use super::{
    super::{item, message::put, place::Place, values},
    DIALECT, overlay,
};
use crate::event::{
    Envelope, Event, Playback, PlaybackState,
    json::{ObjectWriter, Value, quote},
};

/// The field in which a check-in of this dialect's clients says at which point it is, beside those every publisher knows.
pub(in super::super) const CHECK_IN: &str = "checkIn";

/// Whether it is a beginning or an end; of what lies between nobody is told.
///
/// Publishers tell of a playback again and again: the beginning is what says so, or stands at the beginning.
pub(super) fn is_told(playback: &Playback, event: &Event) -> bool {
    match playback.state {
        PlaybackState::Stopped => true,
        PlaybackState::Playing => check_in(event).map_or(playback.position_ms == 0, |moment| moment == "started"),
        PlaybackState::Paused | PlaybackState::Buffering => false,
    }
}

fn check_in(event: &Event) -> Option<Cow<'_, str>> {
    Value::of_compact(event.message()).field(CHECK_IN)?.string()
}

pub(super) fn put_playback(playback: &Playback, envelope: &Envelope, place: &Place, out: &mut BytesMut) {
    let over = playback.state == PlaybackState::Stopped;
    let session = overlay::overlaid(session(playback, envelope, place), &envelope.event);
    put(out, if over { "PlaybackStopped" } else { "PlaybackStart" }, Some(&session));
    // A device's session lasts; that of a publisher is over with what it played.
    if over && check_in(&envelope.event).is_none() {
        put(out, "SessionEnded", Some(&session));
    }
}

/// A `SessionInfo` with what the event tells, flat and deep alike (section 5.4).
fn session(playback: &Playback, envelope: &Envelope, place: &Place) -> String {
    let mut out = String::with_capacity(512);
    let mut session = ObjectWriter::open(&mut out);
    let client = playback.client.as_ref();
    let said = |name: &str| client.and_then(|client| client.field(name)).and_then(Value::string).unwrap_or_default().into_owned();
    let paused = if playback.state == PlaybackState::Paused { "true" } else { "false" };
    let position = values::ticks(playback.position_ms).to_string();
    session.field("Id", &quote(&playback.shown_session(DIALECT).text));
    session.field("UserId", &quote(&place.person_id(&playback.user)));
    session.field("UserName", &quote(playback.user.name().map_or(playback.user.id.as_str(), |name| name)));
    session.field("Client", &quote(&said("product"))).field("ApplicationVersion", &quote(&said("version")));
    session.field("DeviceId", &quote(client.map_or("", |client| &client.id)));
    session.field("DeviceName", &quote(client.and_then(|client| client.name.as_deref()).unwrap_or_default()));
    session.field("LastActivityDate", &quote(&values::date(envelope.accepted))).field("IsPaused", paused);
    session.field("NowPlayingPositionTicks", &position);
    session.field("PlayState", &format!("{{\"PositionTicks\":{position},\"IsPaused\":{paused}}}"));
    let item = &playback.item;
    let mut now = ObjectWriter::open(session.name("NowPlayingItem"));
    now.field("Id", &quote(&item.shown_id(DIALECT).text)).field("Name", &quote(item.name.as_deref().unwrap_or_default()));
    now.field("Type", &quote(item::type_name(item.kind.as_deref())));
    if let Some(duration) = playback.duration_ms {
        now.field("RunTimeTicks", &values::ticks(duration).to_string());
    }
    now.close();
    session.field("ServerId", &quote(&place.server));
    session.close();
    out
}
