//! The list of sessions, and what a client says of its own.

use super::{
    super::{
        session_info,
        topics::{shown_to, visible},
    },
    Asked, Reaction, done, field, json, parts, status, values,
};
use crate::{
    access::Principal,
    state::devices::{Capabilities, Session, SessionId, Viewing},
};

/// `GET /Sessions`: all of them to administrators, his own to a user.
pub(super) fn list(asked: &Asked<'_, '_>) -> Reaction {
    let Some(principal) = asked.caller().map(|caller| caller.principal.as_ref()) else { return status(401) };
    let (devices, others) = visible(principal, asked.server);
    let device = asked.parameter("deviceId");
    let controllable = asked.parameter("controllableByUserId");
    let only_controllable = controllable.is_some() || asked.flag("SupportsRemoteControl") == Some(true);
    let within = asked.parameter("activeWithinSeconds").and_then(|seconds| seconds.parse::<i64>().ok());
    let since = within.map(|seconds| asked.now.wall.0.saturating_sub(seconds.saturating_mul(1000)));
    let wanted = |session: &&Session| {
        device.as_ref().is_none_or(|device| session.device.id == *device)
            && (!only_controllable || session_info::is_controllable(session))
            && controllable
                .as_ref()
                .is_none_or(|user| principal.admin || session.user.as_ref().is_some_and(|own| asked.server.place().is_user(user, own)))
            && since.is_none_or(|since| session.last_activity.0 >= since)
    };
    let shown = devices.iter().filter(wanted).map(|session| session_info::of_device(session, asked.server));
    let others = others.into_iter().filter(|_| device.is_none() && !only_controllable);
    json(format!("[{}]", shown.chain(others).collect::<Vec<_>>().join(",")))
}

/// `GET /Sessions/{id}`.
pub(super) fn one(asked: &Asked<'_, '_>) -> Reaction {
    match asked.caller().zip(controlled(asked)) {
        Some((caller, session)) => json(session_info::of_device(&shown_to(&caller.principal, session), asked.server)),
        None => status(404),
    }
}

/// The session in the path, if the caller may control it: his own, and to administrators any. To whoever may not there is none.
pub(super) fn controlled(asked: &Asked<'_, '_>) -> Option<Session> {
    let principal = asked.caller()?.principal.as_ref();
    let id: SessionId = values::sent(asked.part(0)).parse().ok()?;
    asked.server.devices().find(id, asked.now).filter(|session| may_control(principal, session))
}

fn may_control(principal: &Principal, session: &Session) -> bool {
    let mut users = session.user.iter().chain(&session.additional_users);
    principal.admin || users.any(|user| principal.reads_as(user))
}

/// `POST /Sessions/Capabilities?PlayableMediaTypes=a,b&…`.
pub(super) fn capabilities(asked: &Asked<'_, '_>) -> Reaction {
    let said = Capabilities {
        playable_media_types: asked.list("PlayableMediaTypes"),
        supported_commands: asked.list("SupportedCommands"),
        supports_media_control: asked.flag("SupportsMediaControl").unwrap_or(false),
        more: String::new(),
    };
    set(asked, said)
}

/// `POST /Sessions/Capabilities/Full`: lists may be texts with commas, and there may be no body.
pub(super) fn full_capabilities(asked: &Asked<'_, '_>) -> Reaction {
    let body = asked.body();
    let list = |name: &str| match field(&body, name) {
        Some(serde_json::Value::String(text)) => parts(text),
        Some(serde_json::Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let said = Capabilities {
        playable_media_types: list("PlayableMediaTypes"),
        supported_commands: list("SupportedCommands"),
        supports_media_control: field(&body, "SupportsMediaControl").and_then(serde_json::Value::as_bool).unwrap_or(false),
        more: String::new(),
    };
    set(asked, said)
}

fn set(asked: &Asked<'_, '_>, said: Capabilities) -> Reaction {
    // Without a device there is no session, and nothing to remember.
    match asked.session.map(|session| asked.server.devices().set_capabilities(session, said)) {
        Some(Err(_)) => status(400),
        _ => done(),
    }
}

/// `POST /Sessions/Viewing`: what the caller's own client shows.
pub(super) fn own_viewing(asked: &Asked<'_, '_>) -> Reaction {
    let text = |name: &str| asked.parameter(name).unwrap_or_default();
    let viewing = Viewing { item_type: text("itemType"), item_id: text("itemId"), item_name: text("itemName"), context: text("context") };
    match asked.session.map(|session| asked.server.devices().set_viewing(session, (!viewing.item_id.is_empty()).then_some(viewing))) {
        Some(Err(_)) => status(400),
        _ => done(),
    }
}

/// `POST /Sessions/{id}/User/{userId}`: somebody else uses the device too. It shows him, and gives nobody anything of his.
pub(super) fn add_user(asked: &Asked<'_, '_>) -> Reaction {
    change_users(asked, |asked, session| {
        asked.server.place().user(asked.part(1)).is_some_and(|named| asked.server.devices().add_user(session, &named.id))
    })
}

/// `DELETE` of the same.
pub(super) fn remove_user(asked: &Asked<'_, '_>) -> Reaction {
    change_users(asked, |asked, session| {
        asked.server.place().user(asked.part(1)).is_some_and(|named| asked.server.devices().remove_user(session, &named.id))
    })
}

fn change_users(asked: &Asked<'_, '_>, change: impl FnOnce(&Asked<'_, '_>, SessionId) -> bool) -> Reaction {
    match controlled(asked) {
        Some(session) if change(asked, session.id) => done(),
        _ => status(404),
    }
}
