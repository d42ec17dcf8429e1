//! The answers beside the streams: what the server is, and what goes on in it (wire notes on Plex, section 9).

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Answer, Request,
    container::Element,
    encode::{DIALECT, activity_object, playing_item, shown_uuid, transcode_item},
    endpoint::{Call, Callers, Cancelled, Endpoint, Method, Reaction},
    sections::Sections,
    types::{NoticeType, types_in},
};
use crate::{
    access::Principal,
    event::{Envelope, Event, Playback, Transcode, json::Value},
    state::State,
};

static ROOT: Endpoint = Endpoint { method: Method::Get, path: "/", callers: Callers::Known };
static IDENTITY: Endpoint = Endpoint { method: Method::Get, path: "/identity", callers: Callers::Anybody };
static ACTIVITIES: Endpoint = Endpoint { method: Method::Get, path: "/activities", callers: Callers::Known };
static SESSIONS: Endpoint = Endpoint { method: Method::Get, path: "/status/sessions", callers: Callers::Known };
static CANCEL: Endpoint = Endpoint { method: Method::Delete, path: "/activities/{id}", callers: Callers::Known };

/// Every endpoint.
pub(super) static ENDPOINTS: [&Endpoint; 5] = [&ROOT, &IDENTITY, &ACTIVITIES, &CANCEL, &SESSIONS];

/// What the server says it is.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) name: String,
    /// 40 hexadecimal digits, the same for ever.
    pub(super) machine: String,
    /// When it started, seconds since the epoch.
    pub(super) started: i64,
}

/// Answers a call.
pub(super) fn answer(call: &Call<'_>, identity: &Identity, sections: &Sections) -> Reaction {
    let json = wants_json(call.request);
    if *call.endpoint == IDENTITY {
        return Reaction::Answer(who(identity).answer(json));
    }
    let Some(caller) = call.caller.map(|caller| caller.principal.as_ref()) else { return Reaction::Answer(super::refusal::unauthorised()) };
    if *call.endpoint == ACTIVITIES {
        return Reaction::Answer(activities(caller, call.state, sections).answer(json));
    }
    if *call.endpoint == CANCEL {
        return cancel(call.parts.first().map_or("", String::as_str), caller, call.state);
    }
    if *call.endpoint == SESSIONS {
        return Reaction::Answer(sessions(caller, call.state, sections).answer(json));
    }
    Reaction::Answer(root(identity, caller).answer(json))
}

/// XML is the default: a client that cannot read JSON calls `/` before anything else, without saying so.
fn wants_json(request: &Request<'_>) -> bool {
    (request.header)("accept").is_some_and(|accept| accept.to_ascii_lowercase().contains("application/json"))
}

fn root(identity: &Identity, caller: &Principal) -> Element {
    Element::new("MediaContainer")
        .number("size", 0)
        .text("friendlyName", &identity.name)
        .text("machineIdentifier", &identity.machine)
        .text("version", env!("CARGO_PKG_VERSION"))
        .text("platform", platform())
        .text("platformVersion", "")
        .flag("myPlex", false)
        .flag("eventStream", true)
        .flag("multiuser", true)
        .flag("allowSharing", caller.admin)
        .number("transcoderActiveVideoSessions", 0)
        .number("updatedAt", identity.started)
}

fn who(identity: &Identity) -> Element {
    Element::new("MediaContainer")
        .number("size", 0)
        .flag("claimed", true)
        .text("machineIdentifier", &identity.machine)
        .text("version", env!("CARGO_PKG_VERSION"))
}

const fn platform() -> &'static str {
    if cfg!(target_os = "macos") { "MacOSX" } else { "Linux" }
}

/// Administrators see everything, other users what is theirs.
fn activities(caller: &Principal, state: &State, sections: &Sections) -> Element {
    let running = state.activities(|envelope| is_for(caller, envelope));
    let objects: Vec<String> = running.iter().filter_map(|envelope| activity_object(&envelope.event, caller.admin, sections)).collect();
    let container = Element::new("MediaContainer").number("size", objects.len());
    objects.iter().fold(container, |container, object| {
        let activity = Value::of_compact(object);
        let element = Element::new("Activity").fields(activity);
        container.child(match activity.field("Context") {
            Some(context) => element.child(Element::new("Context").fields(context)),
            None => element,
        })
    })
}

/// Finds the engine's activity behind the id its clients know.
fn cancel(uuid: &str, caller: &Principal, state: &State) -> Reaction {
    let is_it =
        |envelope: &Envelope| shown_uuid(&envelope.event) == uuid && types_in(&envelope.event, caller.admin).contains(NoticeType::Activity);
    let found = state.activities(|envelope| is_for(caller, envelope) && is_it(envelope));
    match found.first().and_then(|envelope| envelope.event.activity_id()) {
        Some(id) => Reaction::Cancel(id.into_owned(), cancelled),
        None => Reaction::Answer(cancelled(Cancelled::Unknown)),
    }
}

fn cancelled(outcome: Cancelled) -> Answer {
    let status = match outcome {
        Cancelled::Taken => 200,
        Cancelled::NotCancellable => 400,
        Cancelled::NotAllowed => 403,
        Cancelled::Unknown => 404,
        Cancelled::Busy => 503,
    };
    Answer { status, headers: Vec::new(), body: Bytes::new() }
}

/// What is being played: to administrators all of it, to other users what they play themselves.
fn sessions(caller: &Principal, state: &State, sections: &Sections) -> Element {
    let playing = state.playing(|envelope| is_for(caller, envelope));
    let transcodes = state.transcodes(|envelope| is_for(caller, envelope));
    let sessions: Vec<_> = playing.iter().filter_map(|envelope| session(&envelope.event, &transcodes, sections)).collect();
    let container = Element::new("MediaContainer").number("size", sessions.len());
    sessions.into_iter().fold(container, Element::child)
}

fn session(event: &Event, transcodes: &[Arc<Envelope>], sections: &Sections) -> Option<Element> {
    let Event::Playback(playback) = event else { return None };
    let item = playing_item(playback);
    let item = Value::of_compact(&item);
    let text = |name: &str| item.field(name).and_then(Value::string).unwrap_or_default().into_owned();
    let kind = playback.item.kind.as_deref().unwrap_or("clip");
    let name = if matches!(kind, "track" | "song" | "audio" | "music") { "Track" } else { "Video" };
    let mut element = Element::new(name)
        .text("sessionKey", text("sessionKey"))
        .text("ratingKey", text("ratingKey"))
        .text("key", text("key"))
        .text("title", playback.item.name.as_deref().unwrap_or_default())
        .text("type", kind)
        .number("viewOffset", playback.position_ms);
    if let Some(duration) = playback.duration_ms {
        element = element.number("duration", duration);
    }
    if let Some(library) = &playback.library {
        element = element.text("librarySectionID", sections.key(library)).text("librarySectionTitle", sections.name(library));
    }
    let user = playback.user.shown_id(DIALECT).text;
    let element = element
        .child(Element::new("User").text("id", user).text("title", playback.user.name().map_or(playback.user.id.as_str(), |name| name)))
        .child(player(playback))
        .child(Element::new("Session").text("id", &*playback.session));
    // Administrators see everybody's: an id counts within its user.
    let is_own = |own: &Transcode| playback.transcode.as_deref() == Some(&*own.id) && own.user.id == playback.user.id;
    let transcode = transcodes.iter().find_map(|envelope| match &envelope.event {
        Event::Transcode(transcode) if is_own(transcode) => Some(transcode_item(transcode)),
        _ => None,
    });
    Some(match transcode {
        Some(item) => element.child(Element::new("TranscodeSession").fields(Value::of_compact(&item))),
        None => element,
    })
}

fn player(playback: &Playback) -> Element {
    let client = playback.client.as_ref();
    let said = |name: &str| client.and_then(|client| client.field(name)).and_then(Value::string).unwrap_or_default().into_owned();
    Element::new("Player")
        .text("machineIdentifier", client.map_or("", |client| &client.id))
        .text("title", client.and_then(|client| client.name.as_deref()).unwrap_or_default())
        .text("product", said("product"))
        .text("platform", said("platform"))
        .text("state", playback.state.name())
}

fn is_for(caller: &Principal, envelope: &Envelope) -> bool {
    caller.is_in(&envelope.audience, None, None)
}
