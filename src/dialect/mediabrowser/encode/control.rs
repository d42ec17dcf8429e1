//! Messages to read and remote control (wire notes on MediaBrowser, sections 5.3 and 5.8).
//!
//! Document 004 and its time have a message for each command; later all but `Play` and `Playstate` became a `GeneralCommand`.

use bytes::BytesMut;

use super::{
    super::{generation::Generation, message::put, place::Place, values},
    overlay,
};
use crate::event::{
    Browse, Command, Event, Message, Play, PlaystateCommand, RemoteControl,
    json::{ObjectWriter, Text, quote},
};

/// What clients show above a message that has no heading.
const HEADER: &str = "Message from Server";

/// The commands of the `SystemCommand` of 2013.
const SYSTEM: [&str; 7] = ["GoHome", "GoToSettings", "VolumeUp", "VolumeDown", "Mute", "Unmute", "ToggleMute"];

/// The names Jellyfin's clients know; some of them fail at another one.
pub(in super::super) const GENERAL: [&str; 42] = [
    "MoveUp",
    "MoveDown",
    "MoveLeft",
    "MoveRight",
    "PageUp",
    "PageDown",
    "PreviousLetter",
    "NextLetter",
    "ToggleOsd",
    "ToggleContextMenu",
    "Select",
    "Back",
    "TakeScreenshot",
    "SendKey",
    "SendString",
    "GoHome",
    "GoToSettings",
    "VolumeUp",
    "VolumeDown",
    "Mute",
    "Unmute",
    "ToggleMute",
    "SetVolume",
    "SetAudioStreamIndex",
    "SetSubtitleStreamIndex",
    "ToggleFullscreen",
    "DisplayContent",
    "GoToSearch",
    "DisplayMessage",
    "SetRepeatMode",
    "ChannelUp",
    "ChannelDown",
    "Guide",
    "ToggleStats",
    "PlayMediaSource",
    "PlayTrailers",
    "SetShuffleQueue",
    "PlayState",
    "PlayNext",
    "ToggleOsdMenu",
    "Play",
    "SetMaxStreamingBitrate",
];

/// One more of Jellyfin's, which came late.
pub(in super::super) const SET_PLAYBACK_ORDER: &str = "SetPlaybackOrder";

/// Whether clients of that generation know the command.
pub(super) fn is_known(control: &RemoteControl, generation: Generation) -> bool {
    match &control.command {
        Command::General { name, .. } => !generation.is_strict() || GENERAL.contains(&name.as_str()) || *name == SET_PLAYBACK_ORDER,
        Command::Playstate { command, .. } => !generation.is_strict() || *command != PlaystateCommand::SeekRelative,
        Command::Browse(_) | Command::Play(_) => true,
    }
}

/// The spelling of a known command that is written in any case.
pub(in super::super) fn known_command(name: &str) -> Option<&'static str> {
    GENERAL.into_iter().chain([SET_PLAYBACK_ORDER]).find(|known| known.eq_ignore_ascii_case(name))
}

/// A message for people.
pub(super) fn put_message(message: &Message, event: &Event, generation: Generation, out: &mut BytesMut) {
    let header = message.header.as_deref().unwrap_or(HEADER);
    let arguments = [("Header", header), ("Text", &message.text)];
    let arguments: Vec<_> = arguments.into_iter().map(|(name, text)| (name, text.to_owned())).collect();
    if generation == Generation::Identity {
        return put(out, "MessageCommand", Some(&overlay::overlaid(texts(&arguments), event)));
    }
    put(out, "GeneralCommand", Some(&overlay::overlaid(general("DisplayMessage", values::NOBODY, &arguments), event)));
}

/// A command for one client.
pub(super) fn put_control(control: &RemoteControl, event: &Event, (generation, place): (Generation, &Place), out: &mut BytesMut) {
    let user = control.user.as_ref().map_or_else(|| values::NOBODY.to_owned(), |user| place.user_id(user));
    let data = |data: String| overlay::overlaid(data, event);
    let is_identity = generation == Generation::Identity;
    match &control.command {
        Command::Play(command) => put(out, "Play", Some(&data(play(command, &user)))),
        Command::Playstate { command, position_ms } => {
            let text = data(playstate(*command, *position_ms, &user));
            put(out, "Playstate", Some(&text));
            if is_identity {
                put(out, "UpdatePlaystate", Some(&text)); // document 004's name; no client was found that hears both
            }
        }
        Command::Browse(command) if is_identity => put(out, "Browse", Some(&data(browse(command)))),
        Command::Browse(command) => put(out, "GeneralCommand", Some(&data(general("DisplayContent", &user, &content(command))))),
        Command::General { name, arguments } => put_general(name, arguments, &user, is_identity, &data, out),
    }
}

fn put_general(
    name: &str,
    arguments: &[(Text, Text)],
    user: &str,
    is_identity: bool,
    data: &impl Fn(String) -> String,
    out: &mut BytesMut,
) {
    let arguments: Vec<_> = arguments.iter().map(|(name, text)| (name.as_str(), text.to_string())).collect();
    if is_identity && SYSTEM.contains(&name) {
        put(out, "SystemCommand", Some(&quote(name)));
    } else if is_identity && name == "DisplayMessage" {
        put(out, "MessageCommand", Some(&data(texts(&arguments))));
    } else {
        put(out, "GeneralCommand", Some(&data(general(name, user, &arguments))));
    }
}

/// Values are texts, and `Arguments` is there even when it holds nothing.
fn general(name: &str, user: &str, arguments: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(192);
    let mut command = ObjectWriter::open(&mut out);
    command.field("Name", &quote(name)).field("ControllingUserId", &quote(user));
    let mut object = ObjectWriter::open(command.name("Arguments"));
    for (name, text) in arguments {
        object.lexeme(&quote(name)).push_str(&quote(text));
    }
    object.close();
    command.close();
    out
}

/// The arguments of a message as the object itself; a time is a number there.
fn texts(arguments: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(128);
    let mut object = ObjectWriter::open(&mut out);
    for (name, text) in arguments {
        let is_number = *name == "TimeoutMs" && text.parse::<u64>().is_ok();
        object.lexeme(&quote(name)).push_str(&if is_number { text.clone() } else { quote(text) });
    }
    object.close();
    out
}

fn content(browse: &Browse) -> Vec<(&'static str, String)> {
    let name = browse.name.as_deref().unwrap_or_default();
    vec![("ItemId", values::shown(&browse.id)), ("ItemName", name.to_owned()), ("ItemType", browse.kind.to_string())]
}

fn browse(browse: &Browse) -> String {
    let mut out = String::with_capacity(128);
    let mut item = ObjectWriter::open(&mut out);
    item.field("ItemType", &quote(&browse.kind)).field("ItemId", &quote(&values::shown(&browse.id)));
    item.field("ItemName", &quote(browse.name.as_deref().unwrap_or_default()));
    item.field("Context", &quote(browse.context.as_deref().unwrap_or_default()));
    item.close();
    out
}

fn play(play: &Play, user: &str) -> String {
    let items: Vec<String> = play.items.iter().map(|item| quote(&values::shown(item))).collect();
    let mut out = String::with_capacity(192);
    let mut request = ObjectWriter::open(&mut out);
    request.field("ItemIds", &format!("[{}]", items.join(",")));
    if let Some(position) = play.position_ms {
        request.field("StartPositionTicks", &values::ticks_of(position).to_string());
    }
    request.field("PlayCommand", &quote(play.command.name())).field("ControllingUserId", &quote(user));
    if let Some(subtitle) = play.subtitle {
        request.field("SubtitleStreamIndex", &subtitle.to_string());
    }
    if let Some(audio) = play.audio {
        request.field("AudioStreamIndex", &audio.to_string());
    }
    if let Some(source) = &play.source {
        request.field("MediaSourceId", &quote(source));
    }
    if let Some(start) = play.start {
        request.field("StartIndex", &start.to_string());
    }
    request.close();
    out
}

fn playstate(command: PlaystateCommand, position_ms: Option<f64>, user: &str) -> String {
    let mut out = String::with_capacity(128);
    let mut request = ObjectWriter::open(&mut out);
    request.field("Command", &quote(command.name()));
    if let Some(position) = position_ms {
        request.field("SeekPositionTicks", &values::ticks_of(position).to_string());
    }
    request.field("ControllingUserId", &quote(user));
    request.close();
    out
}
