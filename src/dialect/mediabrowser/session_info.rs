//! `SessionInfo`: a session as its clients read one, deep for those of today and flat for those of document 004 (wire notes on
//! MediaBrowser, section 5.4).

use super::{encode::DIALECT, item, server::Server, values};
use crate::{
    clock::Timestamp,
    event::{
        Envelope, Event, Object, Playback, PlaybackState,
        json::{ObjectWriter, Value, quote},
    },
    state::devices::{Capabilities, NowPlaying, Session},
};

/// A client that has said what it plays by no event of its own: a time that no client takes for recent.
const NEVER: Timestamp = Timestamp(-62_135_596_800_000);

/// What a player is like when nobody has said otherwise.
const STILL: &str = r#"{"CanSeek":false,"IsPaused":false,"IsMuted":false,"RepeatMode":"RepeatNone","PlaybackOrder":"Default"}"#;

/// A session of a device, as JSON text.
pub(super) fn of_device(session: &Session, server: &Server) -> String {
    let mut out = String::with_capacity(1024);
    let mut info = ObjectWriter::open(&mut out);
    let can = session.capabilities.as_deref();
    let playing = session.playing.as_ref();
    let now = playing.and_then(|playing| playback(&playing.told).map(|playback| (playing, playback)));
    match now {
        Some((playing, playback)) => {
            let position = playing.position_ms;
            info.field("PlayState", &play_state(playback.state == PlaybackState::Paused, position, said(playing)));
        }
        None => drop(info.field("PlayState", STILL)),
    }
    info.field("AdditionalUsers", &additional(session, server)).field("Capabilities", &capabilities(can));
    if let Some(address) = session.address {
        info.field("RemoteEndPoint", &quote(&address.to_string()));
    }
    let (types, commands) = (list(can.map(|can| &can.playable_media_types)), list(can.map(|can| &can.supported_commands)));
    info.field("PlayableMediaTypes", &types).field("Id", &quote(&session.id.to_string()));
    match &session.user {
        Some(user) => {
            info.field("UserId", &quote(&server.place().user_id(user))).field("UserName", &quote(server.place().user_name(user)));
        }
        None => drop(info.field("UserId", &quote(values::NOBODY))),
    }
    info.field("Client", &quote(&session.device.client)).field("LastActivityDate", &quote(&values::date(session.last_activity)));
    info.field("LastPlaybackCheckIn", &quote(&values::date(session.last_check_in.unwrap_or(NEVER))));
    info.field("DeviceName", &quote(&session.device.name)).field("DeviceId", &quote(&session.device.id));
    info.field("ApplicationVersion", &quote(&session.device.version));
    if let Some((playing, playback)) = now {
        now_playing(playback, playing.position_ms, said(playing), &mut info);
    }
    viewing(session, &mut info);
    let controllable = can.is_some_and(|can| can.supports_media_control);
    info.field("IsActive", "true").field("SupportsMediaControl", flag(controllable));
    info.field("SupportsRemoteControl", flag(is_controllable(session))).field("HasCustomDeviceName", "false");
    info.field("NowPlayingQueue", now.and_then(|(playing, _)| said(playing)?.field("NowPlayingQueue")).map_or("[]", Value::text));
    info.field("ServerId", &quote(&server.place().server)).field("SupportedCommands", &commands);
    info.close();
    out
}

/// Whether commands reach it. Clients of document 004 say nothing of what they can: an open socket is all there is.
pub(super) fn is_controllable(session: &Session) -> bool {
    session.n_sockets > 0 && session.capabilities.as_deref().is_none_or(|can| can.supports_media_control)
}

/// Something that is played elsewhere and not by a device of this dialect; `None`: the event tells of nothing such.
pub(super) fn of_playback(envelope: &Envelope, server: &Server) -> Option<String> {
    let playback = playback(envelope)?;
    let mut out = String::with_capacity(768);
    let mut info = ObjectWriter::open(&mut out);
    let client = playback.client.as_ref();
    let told = |name: &str| client.and_then(|client| client.field(name)).and_then(Value::string).unwrap_or_default().into_owned();
    let session = playback.shown_session(DIALECT).text;
    let date = quote(&values::date(envelope.accepted));
    info.field("PlayState", &play_state(playback.state == PlaybackState::Paused, Some(playback.position_ms), None));
    info.field("AdditionalUsers", "[]").field("Capabilities", &capabilities(None)).field("PlayableMediaTypes", "[]");
    info.field("Id", &quote(&session)).field("UserId", &quote(&server.place().person_id(&playback.user)));
    info.field("UserName", &quote(playback.user.name().map_or_else(|| server.place().user_name(&playback.user.id), |name| name.as_str())));
    let product = told("product");
    info.field("Client", &quote(if product.is_empty() { "Player" } else { &product }));
    info.field("LastActivityDate", &date).field("LastPlaybackCheckIn", &date);
    let name = client.and_then(|client| client.name.as_deref()).unwrap_or_default();
    info.field("DeviceName", &quote(name)).field("DeviceId", &quote(client.map_or(&session, |client| &client.id)));
    info.field("ApplicationVersion", &quote(&told("version")));
    now_playing(playback, Some(playback.position_ms), None, &mut info);
    info.field("IsActive", "true").field("SupportsMediaControl", "false").field("SupportsRemoteControl", "false");
    info.field("HasCustomDeviceName", "false").field("NowPlayingQueue", "[]");
    info.field("ServerId", &quote(&server.place().server)).field("SupportedCommands", "[]");
    info.close();
    Some(out)
}

fn playback(envelope: &Envelope) -> Option<&Playback> {
    match &envelope.event {
        Event::Playback(playback) => Some(playback),
        _ => None,
    }
}

/// What the client said of how it plays: the object that [`super::check_in`] has written.
fn said(playing: &NowPlaying) -> Option<Value<'_>> {
    playing.check_in.as_ref().map(|said| said.more.as_str()).filter(|more| !more.is_empty()).map(Value::of_compact)
}

fn play_state(paused: bool, position_ms: Option<u64>, said: Option<Value<'_>>) -> String {
    const OTHERWISE: [(&str, &str); 4] =
        [("CanSeek", "true"), ("IsMuted", "false"), ("RepeatMode", "\"RepeatNone\""), ("PlaybackOrder", "\"Default\"")];
    const OPTIONAL: [&str; 6] = ["VolumeLevel", "AudioStreamIndex", "SubtitleStreamIndex", "MediaSourceId", "PlayMethod", "LiveStreamId"];
    let mut out = String::with_capacity(256);
    let mut state = ObjectWriter::open(&mut out);
    let field = |name: &str| said.and_then(|said| said.field(name)).map(Value::text);
    if let Some(position) = position_ms {
        state.field("PositionTicks", &values::ticks(position).to_string());
    }
    state.field("IsPaused", flag(paused));
    for (name, otherwise) in OTHERWISE {
        state.field(name, field(name).unwrap_or(otherwise));
    }
    for name in OPTIONAL {
        if let Some(value) = field(name) {
            state.field(name, value);
        }
    }
    state.close();
    out
}

/// `NowPlayingItem`, which must be absent when nothing is played, and the flat fields of 2013.
fn now_playing(playback: &Playback, position_ms: Option<u64>, said: Option<Value<'_>>, info: &mut ObjectWriter<'_>) {
    write_item(&playback.item, playback.duration_ms, info.name("NowPlayingItem"));
    if let Some(position) = position_ms {
        info.field("NowPlayingPositionTicks", &values::ticks(position).to_string());
    }
    info.field("IsPaused", flag(playback.state == PlaybackState::Paused));
    let said = |name: &str, otherwise| said.and_then(|said| said.field(name)).map_or(otherwise, Value::text);
    info.field("IsMuted", said("IsMuted", "false")).field("CanSeek", said("CanSeek", "true"));
    info.field("QueueableMediaTypes", said("QueueableMediaTypes", "[]"));
}

fn write_item(played: &Object, duration_ms: Option<u64>, out: &mut String) {
    let kind = item::type_name(played.kind.as_deref());
    let mut item = ObjectWriter::open(out);
    let id = played.shown_id(DIALECT).text;
    item.field("Id", &quote(&id)).field("Name", &quote(played.name.as_deref().unwrap_or(&id)));
    item.field("Type", &quote(kind)).field("MediaType", &quote(item::media_type(kind)));
    if let Some(duration) = duration_ms {
        item.field("RunTimeTicks", &values::ticks(duration).to_string());
    }
    item.close();
}

fn viewing(session: &Session, info: &mut ObjectWriter<'_>) {
    let Some(viewing) = &session.viewing else { return };
    info.field("NowViewingItemType", &quote(&viewing.item_type)).field("NowViewingItemId", &quote(&viewing.item_id));
    info.field("NowViewingItemName", &quote(&viewing.item_name)).field("NowViewingContext", &quote(&viewing.context));
    let mut item = ObjectWriter::open(info.name("NowViewingItem"));
    item.field("Id", &quote(&viewing.item_id)).field("Name", &quote(&viewing.item_name)).field("Type", &quote(&viewing.item_type));
    item.close();
}

fn capabilities(can: Option<&Capabilities>) -> String {
    let mut out = String::with_capacity(192);
    let mut object = ObjectWriter::open(&mut out);
    let (types, commands) = (list(can.map(|can| &can.playable_media_types)), list(can.map(|can| &can.supported_commands)));
    object.field("PlayableMediaTypes", &types).field("SupportedCommands", &commands);
    object.field("SupportsMediaControl", flag(can.is_some_and(|can| can.supports_media_control)));
    object.field("SupportsPersistentIdentifier", "true");
    object.close();
    out
}

fn additional(session: &Session, server: &Server) -> String {
    let user =
        |user| format!("{{\"UserId\":{},\"UserName\":{}}}", quote(&server.place().user_id(user)), quote(server.place().user_name(user)));
    let users: Vec<String> = session.additional_users.iter().map(user).collect();
    format!("[{}]", users.join(","))
}

fn list(texts: Option<&Vec<String>>) -> String {
    let texts: Vec<String> = texts.into_iter().flatten().map(|text| quote(text)).collect();
    format!("[{}]", texts.join(","))
}

const fn flag(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
