//! Check-ins become events: `playback`, which everybody's clients see, and `media_progress`, which is kept for the user.

use serde_json::json;

use super::{
    encode::CHECK_IN,
    report::{Moment, Report},
    server::Server,
    values,
};
use crate::{
    access::Principal,
    event::{Audience, Event, EventKind, Playback},
    id::UserId,
    state::{
        Item,
        devices::{self, CheckIn, Session, SessionId},
    },
};

/// Why a check-in is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCheckIn {
    /// The session, or the item: there is none, or it may not be seen.
    NotFound,
    /// It says what cannot be.
    Bad,
}

/// The events of a check-in, and beside them what only the session shows.
///
/// `principal` has the rights of this moment: what is played of a library that he may not read is none of his.
pub(super) fn events(
    (session, moment, report): (SessionId, Moment, &Report),
    principal: &Principal,
    server: &Server,
    now: devices::Moment,
) -> Result<Vec<(Event, Audience)>, NoCheckIn> {
    let session = server.devices().find(session, now).ok_or(NoCheckIn::NotFound)?;
    let user = session.user.clone().filter(|user| principal.reads_as(user)).ok_or(NoCheckIn::NotFound)?;
    let played = session.playing.as_ref().and_then(|playing| match &playing.told.event {
        Event::Playback(playback) => Some((playback, playing.position_ms)),
        _ => None,
    });
    let item = Played::find(&report.item, played.map(|(playback, _)| playback), principal, server)?;
    let same = played.filter(|(playback, _)| *playback.item.id == *item.id);
    let last = same.map(|(playback, position)| position.unwrap_or(playback.position_ms));
    let duration = report.duration_ms.or_else(|| same.and_then(|(playback, _)| playback.duration_ms));
    let position = report.position_ms.or(last.filter(|_| moment != Moment::Start)).unwrap_or(0);
    if moment != Moment::Stopped {
        let position_known = report.position_ms.is_some() || moment == Moment::Start;
        let check_in = CheckIn { item: item.id.clone(), position_known, more: report.more.clone() };
        // Too much to be shown is not shown; that it is played counts all the same.
        let _ = server.devices().check_in(session.id, check_in, now);
    }
    let playback = playback(&session, (&user, server.place().user_name(&user)), &item, (moment, report.paused), (position, duration))?;
    let mut events = vec![playback];
    events.extend(progress(&user, &item, (moment, report.position_ms), (position, duration), now));
    Ok(events
        .into_iter()
        .map(|event| {
            let audience = event.audience();
            (event, audience)
        })
        .collect())
}

/// What is played, as the events name it.
struct Played {
    id: String,
    name: Option<String>,
    kind: Option<String>,
    library: Option<String>,
}

impl Played {
    /// The item behind the id a client sends; one that no event has told of is called as the client calls it.
    fn find(sent: &str, played: Option<&Playback>, principal: &Principal, server: &Server) -> Result<Self, NoCheckIn> {
        let may_read = |item: &Item| principal.has(&item.library, crate::event::Level::Read);
        if sent.is_empty() {
            return played.map(Self::again).ok_or(NoCheckIn::Bad);
        }
        let shown = values::sent(sent);
        if let Some(item) = server.state.items().find(&shown, may_read) {
            let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
            let library = Some(item.library.as_str().to_owned());
            return Ok(Self { id: item.id.to_string(), name: text(&item.name), kind: text(&item.kind), library });
        }
        if server.state.items().find(&shown, |_| true).is_some() {
            return Err(NoCheckIn::NotFound);
        }
        // What is played already may have been told of long ago.
        match played.filter(|playback| values::names(&shown, &playback.item.id)) {
            Some(playback) => Ok(Self::again(playback)),
            None => Ok(Self { id: shown, name: None, kind: None, library: None }),
        }
    }

    fn again(playback: &Playback) -> Self {
        let item = &playback.item;
        Self {
            id: item.id.to_string(),
            name: item.name.as_ref().map(ToString::to_string),
            kind: item.kind.as_ref().map(ToString::to_string),
            library: playback.library.as_ref().map(|library| library.as_str().to_owned()),
        }
    }
}

fn playback(
    session: &Session,
    (user, name): (&UserId, &str),
    item: &Played,
    (moment, paused): (Moment, bool),
    (position, duration): (u64, Option<u64>),
) -> Result<Event, NoCheckIn> {
    let state = match moment {
        Moment::Stopped => "stopped",
        Moment::Start | Moment::Progress if paused => "paused",
        Moment::Start | Moment::Progress => "playing",
    };
    let device = session.device.as_ref();
    let mut told = json!({
        "session": session.id.to_string(),
        "user": { "id": user.as_str(), "name": name },
        "client": { "id": device.id, "name": device.name, "product": device.client, "version": device.version },
        "item": { "id": item.id, "name": item.name, "type": item.kind },
        "state": state,
        "position": position,
        "duration": duration,
        "library": item.library,
    });
    told[CHECK_IN] = moment.name().into();
    Event::from_value(EventKind::Playback, &told).map_err(|_| NoCheckIn::Bad)
}

/// Where the user is in the item, when that is known and there is a library to keep it for. An end without a position means
/// that it was played to its end; anywhere else such a report says nothing.
fn progress(
    user: &UserId,
    item: &Played,
    (moment, said): (Moment, Option<u64>),
    (position, duration): (u64, Option<u64>),
    now: devices::Moment,
) -> Option<Event> {
    let library = item.library.as_ref()?;
    let finished = moment == Moment::Stopped && said.is_none();
    if said.is_none() && !finished {
        return None;
    }
    let mut progress = json!({
        "userRef": user.as_str(),
        "mediaRef": item.id,
        "progress": if finished { duration.unwrap_or(position) } else { position },
        "modified": now.wall.0,
        "duration": duration,
        "state": moment.name(),
    });
    if finished {
        progress["finished"] = true.into();
    }
    Event::from_value(EventKind::MediaProgress, &json!({ "library": library, "progress": progress })).ok()
}
