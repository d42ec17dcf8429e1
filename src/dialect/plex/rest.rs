//! The answers beside the streams: what the server is, and what goes on in it (wire notes on Plex, section 9).

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{
    Answer, Request,
    container::Element,
    encode::{Running, running},
    endpoint::{Call, Cancel, Endpoint, Method, Reaction},
    sections::Sections,
};
use crate::{
    access::{Filter, Principal, RawNames},
    event::{KindSet, json::Value},
    state::State,
};

static ROOT: Endpoint = Endpoint { method: Method::Get, path: "/", open: false };
static IDENTITY: Endpoint = Endpoint { method: Method::Get, path: "/identity", open: true };
static ACTIVITIES: Endpoint = Endpoint { method: Method::Get, path: "/activities", open: false };
static CANCEL: Endpoint = Endpoint { method: Method::Delete, path: "/activities/{id}", open: false };

/// Every endpoint.
pub(super) static ENDPOINTS: [&Endpoint; 4] = [&ROOT, &IDENTITY, &ACTIVITIES, &CANCEL];

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
    let Some(caller) = &call.caller else { return Reaction::Answer(super::refusal::unauthorised()) };
    if *call.endpoint == ACTIVITIES {
        return Reaction::Answer(activities(caller, call.state, sections).answer(json));
    }
    if *call.endpoint == CANCEL {
        return cancel(call.id, caller, call.state, sections);
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
fn activities(caller: &Arc<Principal>, state: &State, sections: &Sections) -> Element {
    let running = all_running(caller, state, sections);
    let container = Element::new("MediaContainer").number("size", running.len());
    running.iter().fold(container, |container, running| {
        let activity = Value::of_compact(&running.activity);
        let element = Element::new("Activity").fields(activity);
        container.child(match activity.field("Context") {
            Some(context) => element.child(Element::new("Context").fields(context)),
            None => element,
        })
    })
}

fn cancel(uuid: &str, caller: &Arc<Principal>, state: &State, sections: &Sections) -> Reaction {
    let running = all_running(caller, state, sections).into_iter().find(|running| running.uuid == uuid);
    match running.map(|running| running.cancel) {
        None => Reaction::Answer(plain(404)),
        Some(None) => Reaction::Answer(plain(400)),
        Some(Some(what)) if may_cancel(caller, &what) => Reaction::Cancel(what, plain(200)),
        Some(Some(_)) => Reaction::Answer(plain(403)),
    }
}

/// A server administrator may stop everything; a user what runs for him, which is all he sees here.
fn may_cancel(caller: &Principal, what: &Cancel) -> bool {
    caller.admin || matches!(what, Cancel::Activity(..))
}

/// What runs and this caller may know of, in the order it was last heard of.
fn all_running(caller: &Arc<Principal>, state: &State, sections: &Sections) -> Vec<Running> {
    let filter = everything(Arc::clone(caller));
    let present = state.present();
    let mut latest: HashMap<String, (usize, Running)> = HashMap::new();
    for (place, envelope) in present.iter().enumerate().filter(|(_, envelope)| filter.admits(envelope, None)) {
        if let Some(running) = running(&envelope.event, caller.admin, sections) {
            latest.insert(running.uuid.clone(), (place, running));
        }
    }
    let mut running: Vec<_> = latest.into_values().filter(|(_, running)| !running.over).collect();
    running.sort_by_key(|(place, _)| *place);
    running.into_iter().map(|(_, running)| running).collect()
}

fn everything(principal: Arc<Principal>) -> Filter {
    Filter {
        principal,
        dialect: super::encode::DIALECT,
        kinds: KindSet::all(),
        raw: RawNames::All,
        libraries: None,
        unscoped: true,
        connection: None,
    }
}

fn plain(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Bytes::new() }
}
