//! Remote control: a command for one session, sent to the socket of it that was heard last (event map, section 7).

use serde_json::{Value, json};

use super::{
    super::{encode::is_general_command, values::TICKS_PER_MS},
    Asked, Reaction, done, empty, field,
    sessions::controlled,
    status, values,
};
use crate::event::{Event, EventKind, PlayCommand, PlaystateCommand, Rule};

/// `POST /Sessions/{id}/Viewing?ItemType&ItemId&ItemName[&Context]`.
pub(super) fn viewing(asked: &Asked<'_, '_>) -> Reaction {
    let (Some(id), Some(kind)) = (asked.parameter("ItemId"), asked.parameter("ItemType")) else { return unless_hidden(asked, 400) };
    let browse = json!({
        "id": values::sent(&id), "type": kind, "name": asked.parameter("ItemName"), "context": asked.parameter("Context"),
    });
    send(asked, "browse", browse)
}

/// `POST /Sessions/{id}/Playing?ItemIds=a,b&PlayCommand=PlayNow[&…]`.
pub(super) fn play(asked: &Asked<'_, '_>) -> Reaction {
    let command = asked.parameter("PlayCommand").unwrap_or_else(|| "PlayNow".to_owned());
    let items: Vec<String> = asked.list("ItemIds").iter().map(|item| values::sent(item)).collect();
    let Some(command) = play_command(&command).filter(|_| !items.is_empty()) else { return unless_hidden(asked, 400) };
    let number = |name: &str| asked.parameter(name).and_then(|number| number.parse::<i64>().ok());
    let play = json!({
        "items": items,
        "command": command.name(),
        "position": number("StartPositionTicks").map(millis),
        "source": asked.parameter("MediaSourceId"),
        "audio": number("AudioStreamIndex"),
        "subtitle": number("SubtitleStreamIndex"),
        "start": number("StartIndex"),
    });
    send(asked, "play", play)
}

/// The last two are resolved by whoever knows the items: here they are played at once.
fn play_command(name: &str) -> Option<PlayCommand> {
    let is = |known: &&(&str, PlayCommand)| known.0.eq_ignore_ascii_case(name);
    let known = [
        ("PlayNow", PlayCommand::Now),
        ("PlayNext", PlayCommand::Next),
        ("PlayLast", PlayCommand::Last),
        ("PlayShuffle", PlayCommand::Now),
        ("PlayInstantMix", PlayCommand::Now),
    ];
    known.iter().find(is).map(|(_, command)| *command)
}

/// `POST /Sessions/{id}/Playing/{Command}[?SeekPositionTicks]`.
pub(super) fn playstate(asked: &Asked<'_, '_>) -> Reaction {
    let Some(command) = PlaystateCommand::from_name(asked.part(1)) else { return unless_hidden(asked, 400) };
    let position = asked.parameter("SeekPositionTicks").and_then(|ticks| ticks.parse::<i64>().ok()).map(millis);
    if command == PlaystateCommand::Seek && position.is_none() {
        return unless_hidden(asked, 400);
    }
    send(asked, "playstate", json!({ "command": command.name(), "position": position }))
}

/// `POST /Sessions/{id}/System/{Command}` and `POST /Sessions/{id}/Command/{Command}`.
pub(super) fn named(asked: &Asked<'_, '_>) -> Reaction {
    let body = asked.body();
    general(asked, asked.part(1), field(&body, "Arguments"))
}

/// `POST /Sessions/{id}/Command`.
pub(super) fn command(asked: &Asked<'_, '_>) -> Reaction {
    let body = asked.body();
    let name = field(&body, "Name").and_then(Value::as_str).unwrap_or_default();
    general(asked, name, field(&body, "Arguments"))
}

/// `POST /Sessions/{id}/Message`.
pub(super) fn message(asked: &Asked<'_, '_>) -> Reaction {
    let body = asked.body();
    let said = |name: &str| field(&body, name).map(text).or_else(|| asked.parameter(name)).filter(|text| !text.is_empty());
    let Some(message) = said("Text") else { return unless_hidden(asked, 400) };
    let mut arguments = json!({ "Header": said("Header").unwrap_or_else(|| "Message from Server".to_owned()), "Text": message });
    if let Some(time) = said("TimeoutMs") {
        arguments["TimeoutMs"] = time.into();
    }
    general(asked, "DisplayMessage", Some(&arguments))
}

/// A command by name, in any case where it is a known one. Clients in wide use send numbers and `null` as arguments: what goes over the wire
/// are texts.
fn general(asked: &Asked<'_, '_>, name: &str, arguments: Option<&Value>) -> Reaction {
    if name.is_empty() {
        return unless_hidden(asked, 400);
    }
    let name = is_general_command(name).unwrap_or(name);
    let given = arguments.and_then(Value::as_object).into_iter().flatten();
    let texts: serde_json::Map<String, Value> =
        given.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value).into())).collect();
    send(asked, "general", json!({ "name": name, "arguments": texts }))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Ticks as milliseconds with a fraction.
fn millis(ticks: i64) -> f64 {
    ticks as f64 / TICKS_PER_MS as f64
}

/// Whoever may not control the session learns nothing of it, not even that a command was wrong.
fn unless_hidden(asked: &Asked<'_, '_>, code: u16) -> Reaction {
    status(if controlled(asked).is_some() { code } else { 404 })
}

/// Sends a command to the session in the path. One without an open socket hears nothing, and that is no error.
fn send(asked: &Asked<'_, '_>, kind: &str, command: Value) -> Reaction {
    let Some(session) = controlled(asked) else { return status(404) };
    let Some(socket) = asked.server.devices().latest_socket(session.id) else { return done() };
    let user = asked.caller().and_then(|caller| caller.principal.user.as_ref());
    let mut told = json!({ "to": format!("session:{socket}"), "user": user });
    told[kind] = without_nulls(command);
    match Event::from_value(EventKind::RemoteControl, &told) {
        Ok(event) => {
            let mut audience = event.audience();
            if let Some(owner) = session.user {
                audience.rule = Rule::User(owner); // a guest too is told what is for his own socket, and it is still his
            }
            Reaction::Publish(vec![(event, audience)], empty(204))
        }
        Err(_) => status(400),
    }
}

fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}
