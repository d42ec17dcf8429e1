//! Remote control: what one client is told to do by somebody at another one.

use super::{
    Who,
    body::{Abridgement, Body},
    field::{FieldError, Source, one_of, optional_integer, optional_number, optional_user, pick},
    json::{Text, Value},
};
use crate::id::{ConnectionId, UserId};

/// What a player is told to do with what it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum PlaystateCommand {
    Stop,
    Pause,
    Unpause,
    PlayPause,
    NextTrack,
    PreviousTrack,
    Seek,
    SeekRelative,
    Rewind,
    FastForward,
}

impl PlaystateCommand {
    const WORDS: [(&'static str, Self); 10] = [
        ("Stop", Self::Stop),
        ("Pause", Self::Pause),
        ("Unpause", Self::Unpause),
        ("PlayPause", Self::PlayPause),
        ("NextTrack", Self::NextTrack),
        ("PreviousTrack", Self::PreviousTrack),
        ("Seek", Self::Seek),
        ("SeekRelative", Self::SeekRelative),
        ("Rewind", Self::Rewind),
        ("FastForward", Self::FastForward),
    ];

    /// The word publishers write and clients read (wire notes on MediaBrowser, section 5.3).
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, command)| *command == self).map_or("", |(word, _)| word)
    }

    /// The command of that name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)).map(|(_, command)| *command)
    }
}

/// Where what is to be played goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlayCommand {
    /// It is played at once.
    Now,
    /// After what is played.
    Next,
    /// After everything that waits.
    Last,
}

impl PlayCommand {
    const WORDS: [(&'static str, Self); 3] = [("PlayNow", Self::Now), ("PlayNext", Self::Next), ("PlayLast", Self::Last)];

    /// The word publishers write and clients read (wire notes on MediaBrowser, section 5.3).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "PlayNow",
            Self::Next => "PlayNext",
            Self::Last => "PlayLast",
        }
    }
}

/// What is to be shown, as if somebody had gone there: `{id, type, name?, context?}`.
#[derive(Debug, Clone)]
pub struct Browse {
    /// The item.
    pub id: Text,
    /// What it is, `type`.
    pub kind: Text,
    /// Its name.
    pub name: Option<Text>,
    /// Where it is shown: `movies`, `tv`, `games` …
    pub context: Option<Text>,
}

/// What is to be played: `{items:[ID], command, position?, source?, audio?, subtitle?, start?}`.
#[derive(Debug, Clone)]
pub struct Play {
    /// The items, at least one.
    pub items: Vec<Text>,
    /// Where they go.
    pub command: PlayCommand,
    /// Where the first one begins, in milliseconds; may have a fraction.
    pub position_ms: Option<f64>,
    /// Which of its sources.
    pub source: Option<Text>,
    /// Which of its audio streams, by number.
    pub audio: Option<i64>,
    /// Which of its subtitles, by number; -1 is none.
    pub subtitle: Option<i64>,
    /// Which of the items comes first, from 0.
    pub start: Option<u64>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Command {
    /// `browse`.
    Browse(Browse),
    /// `play`.
    Play(Play),
    /// `playstate`: `{command, position?}`; the position, in milliseconds, goes with `Seek` and `SeekRelative`.
    Playstate {
        /// What.
        command: PlaystateCommand,
        /// Where to, in milliseconds; may have a fraction, and for `SeekRelative` be negative.
        position_ms: Option<f64>,
    },
    /// `general`: `{name, arguments?}`.
    General {
        /// Its name, `DisplayMessage` or `ToggleMute` for example.
        name: Text,
        /// Its arguments: names and texts, in their order.
        arguments: Vec<(Text, Text)>,
    },
}

/// `remote-control`: `{to, user?, browse | play | playstate | general}`, exactly one of these. One connection sees it.
///
/// `to` is `session:ID` with the id of a connection.
#[derive(Debug, Clone)]
pub struct RemoteControl {
    /// The connection that is told.
    pub to: ConnectionId,
    /// Who tells it, where that is a user.
    pub user: Option<UserId>,
    /// What.
    pub command: Command,
    pub(super) body: Body,
}

impl RemoteControl {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [to, user, browse, play, playstate, general] = pick(value, ["to", "user", "browse", "play", "playstate", "general"])?;
        let given = [("browse", browse), ("play", play), ("playstate", playstate), ("general", general)];
        let mut given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let (Some((name, command)), None) = (given.next(), given.next()) else {
            return Err(FieldError::new("", "must have exactly one of browse, play, playstate, general"));
        };
        Ok(Self {
            to: connection(source.optional_string(to, "to")?)?,
            user: optional_user(user, "user")?,
            command: Command::read(source, name, command).map_err(|error| error.inside(name))?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }
}

fn connection(to: Option<Text>) -> Result<ConnectionId, FieldError> {
    let who = to.and_then(|to| Who::parse_list(&to).ok()).filter(|who| who.len() == 1).and_then(|mut who| who.pop());
    match who {
        Some(Who::Session(connection)) => Ok(connection),
        _ => Err(FieldError::new("to", "is required and must be session:ID")),
    }
}

impl Command {
    fn read(source: Source<'_>, name: &str, value: Value<'_>) -> Result<Self, FieldError> {
        Ok(match name {
            "browse" => Self::Browse(Browse::read(source, value)?),
            "play" => Self::Play(Play::read(source, value)?),
            "playstate" => {
                let [command, position] = pick(value, ["command", "position"])?;
                let command = one_of(command, "command", &PlaystateCommand::WORDS)?;
                let least = if command == PlaystateCommand::SeekRelative { f64::MIN } else { 0.0 };
                let position_ms = optional_number(position, "position", least, f64::MAX)?;
                if command == PlaystateCommand::Seek && position_ms.is_none() {
                    return Err(FieldError::new("position", "is required to seek, in milliseconds"));
                }
                Self::Playstate { command, position_ms }
            }
            _ => {
                let [name, given] = pick(value, ["name", "arguments"])?;
                Self::General { name: source.id(name, "name")?, arguments: arguments(source, given)? }
            }
        })
    }
}

impl Browse {
    fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [id, kind, name, context] = pick(value, ["id", "type", "name", "context"])?;
        Ok(Self {
            id: source.id(id, "id")?,
            kind: source.string(kind, "type")?,
            name: source.optional_string(name, "name")?,
            context: source.optional_string(context, "context")?,
        })
    }
}

impl Play {
    fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [listed, command, position, media_source] = pick(value, ["items", "command", "position", "source"])?;
        let [audio, subtitle, start] = pick(value, ["audio", "subtitle", "start"])?;
        let mut items = Vec::new();
        for (index, item) in source.items(listed, "items")?.enumerate() {
            items.push(source.id(Some(item), "").map_err(|error| error.inside(&format!("items[{index}]")))?);
        }
        if items.is_empty() {
            return Err(FieldError::new("items", "must hold at least one id"));
        }
        Ok(Self {
            items,
            command: one_of(command, "command", &PlayCommand::WORDS)?,
            position_ms: optional_number(position, "position", 0.0, f64::MAX)?,
            source: source.optional_id(media_source, "source")?,
            audio: stream(audio, "audio")?,
            subtitle: stream(subtitle, "subtitle")?,
            start: optional_integer(start, "start")?,
        })
    }
}

/// The number of a stream, which may be -1: none.
fn stream(value: Option<Value<'_>>, path: &'static str) -> Result<Option<i64>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    let number = value.text().parse().ok().filter(|number| (-1..=i64::from(i32::MAX)).contains(number));
    number.map(Some).ok_or_else(|| FieldError::new(path, "must be a whole number from -1"))
}

fn arguments(source: Source<'_>, value: Option<Value<'_>>) -> Result<Vec<(Text, Text)>, FieldError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if !value.is_object() {
        return Err(FieldError::new("arguments", "must be an object of texts"));
    }
    let mut arguments: Vec<(Text, Text)> = Vec::new();
    for field in value.fields() {
        let problem = |message| FieldError::new("arguments", message);
        let text = source.optional_string(Some(field.value), "arguments").map_err(|_| problem("must be an object of texts"))?;
        if arguments.iter().any(|(name, _)| name.as_str() == &*field.name) {
            return Err(problem("must not hold a name twice"));
        }
        if arguments.len() == source.limits.event_items {
            return Err(problem("holds too many arguments"));
        }
        arguments.push((Text::from(field.name.into_owned()), text.unwrap_or_else(|| Text::from(String::new()))));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind};

    fn read(fields: &str) -> Result<RemoteControl, String> {
        match Event::parse(EventKind::RemoteControl, &format!(r#"{{"to":"session:1-a-2f",{fields}}}"#)) {
            Ok(Event::RemoteControl(event)) => Ok(event),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn it_is_for_one_connection_and_says_who_told_it() {
        let event = read(r#""user":"bob","playstate":{"command":"Seek","position":1234.5678}"#).expect("valid");
        let to = ConnectionId { worker: 1, slot: 10, generation: 47 };
        assert_eq!((event.to, event.user.as_ref().map(UserId::as_str)), (to, Some("bob")));
        assert!(matches!(event.command, Command::Playstate { command: PlaystateCommand::Seek, position_ms: Some(at) } if at == 1234.5678));
        assert_eq!(Event::RemoteControl(event).audience().only, [Who::Session(to)]);
    }

    #[test]
    fn each_command_has_its_fields() {
        let Command::Play(play) =
            read(r#""play":{"items":["a","b"],"command":"PlayLast","position":0,"subtitle":-1,"start":1}"#).expect("valid").command
        else {
            panic!("plays")
        };
        assert_eq!(
            (play.items.len(), play.command.name(), play.position_ms, play.subtitle, play.start),
            (2, "PlayLast", Some(0.0), Some(-1), Some(1))
        );
        let Command::Browse(browse) = read(r#""browse":{"id":"a","type":"Movie"}"#).expect("valid").command else { panic!("browses") };
        assert_eq!((browse.id.as_str(), browse.kind.as_str(), browse.name), ("a", "Movie", None));
        let Command::General { name, arguments } =
            read(r#""general":{"name":"SetVolume","arguments":{"Volume":"5","a\u0062":""}}"#).expect("valid").command
        else {
            panic!("a general one")
        };
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((name.as_str(), arguments), ("SetVolume", vec![("Volume", "5"), ("ab", "")]));
        for command in PlaystateCommand::WORDS {
            assert_eq!(PlaystateCommand::from_name(&command.0.to_lowercase()), Some(command.1));
            assert_eq!(command.1.name(), command.0);
        }
        assert!(read(r#""playstate":{"command":"SeekRelative","position":-5000}"#).is_ok());
    }

    #[test]
    fn a_bad_field_is_named() {
        for (fields, expected) in [
            (r#""user":"bob""#, "`data` must have exactly one of browse, play, playstate, general"),
            (r#""play":{"items":["a"],"command":"PlayNow"},"browse":{"id":"a","type":"b"}"#, "`data` must have exactly one of"),
            (r#""play":{"items":[],"command":"PlayNow"}"#, "`data.play.items` must hold at least one id"),
            (r#""play":{"items":["a",1],"command":"PlayNow"}"#, "`data.play.items[1]` must be a string"),
            (r#""play":{"items":["a"],"command":"PlayShuffle"}"#, "`data.play.command` must be one of PlayNow, PlayNext, PlayLast"),
            (r#""play":{"items":["a"],"command":"PlayNow","audio":-2}"#, "`data.play.audio` must be a whole number from -1"),
            (r#""playstate":{"command":"Seek"}"#, "`data.playstate.position` is required to seek"),
            (r#""playstate":{"command":"Seek","position":-1}"#, "`data.playstate.position` must be a number of at least 0"),
            (r#""general":{"arguments":{}}"#, "`data.general.name` is required"),
            (r#""general":{"name":"a","arguments":{"b":1}}"#, "`data.general.arguments` must be an object of texts"),
            (r#""general":{"name":"a","arguments":[]}"#, "`data.general.arguments` must be an object of texts"),
            (r#""general":{"name":"a","arguments":{"b":"","b":""}}"#, "`data.general.arguments` must not hold a name twice"),
        ] {
            let error = read(fields).expect_err(fields);
            assert!(error.starts_with(expected), "{error}");
        }
        for to in ["", "all", "user:bob", "session:1-2-3,all"] {
            let error =
                Event::parse(EventKind::RemoteControl, &format!(r#"{{"to":"{to}","browse":{{"id":"a","type":"b"}}}}"#)).expect_err(to);
            assert_eq!(error.to_string(), "`data.to` is required and must be session:ID");
        }
    }
}
