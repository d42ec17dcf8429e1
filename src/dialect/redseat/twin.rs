//! RedSeat's twin over Socket.IO: the same events under the same names and rights, bare, without a wrapper (wire notes on
//! RedSeat, section 7).

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{Query, Spelling, encode, request::Wanted};
use crate::{
    access::{Filter, Principal},
    config::{Library, User},
    event::{
        Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Level, Visibility,
        json::{ObjectWriter, quote},
    },
    id::{LibraryId, UserId},
    socketio::{Place, RESERVED, frame},
};

/// What it tells its clients of the server and of themselves.
#[derive(Debug)]
pub(crate) struct Twin {
    /// Id, name and kind of the configured libraries.
    libraries: Vec<(LibraryId, String, &'static str)>,
    users: Vec<(UserId, String)>,
}

impl Twin {
    /// The twin beside these libraries and users.
    pub(crate) fn new(libraries: &[Library], users: &[User]) -> Self {
        let libraries = libraries.iter().map(|library| (library.id.clone(), library.name().to_owned(), library.kind.as_str()));
        Self { libraries: libraries.collect(), users: users.iter().map(|user| (user.id.clone(), user.name.clone())).collect() }
    }

    /// What a client of that principal is sent, and how: what `/sse` sends without a wish of its own.
    pub(crate) fn stream(&self, principal: Arc<Principal>) -> (Filter, FormatPair) {
        let filter = Wanted::read(Query(""), Spelling::Document).into_filter(principal);
        (filter, FormatPair { abridged: &ABRIDGED, full: &FULL })
    }

    /// The argument of `auth`: who is connected, and what he may do.
    pub(crate) fn connected(&self, principal: &Principal) -> String {
        let Some(user) = &principal.user else {
            return if principal.admin { "\"serverAdmin\"" } else { "\"anonymous\"" }.to_owned();
        };
        let named = self.users.iter().find(|(id, _)| id == user);
        let who = format!(r#""id":{},"name":{}"#, quote(user.as_str()), quote(named.map_or(user.as_str(), |(_, name)| name)));
        if !principal.member {
            return format!(r#"{{"guest":{{{who}}}}}"#);
        }
        let role = if principal.admin { "admin" } else { "read" };
        let libraries: Vec<String> = self.libraries.iter().filter_map(|library| self.library(library, principal)).collect();
        format!(r#"{{"server":{{{who},"role":"{role}","preferences":{{"hiddenLibraries":[]}},"libraries":[{}]}}}}"#, libraries.join(","))
    }

    fn library(&self, (id, name, kind): &(LibraryId, String, &'static str), principal: &Principal) -> Option<String> {
        let roles = [(Level::Read, "\"read\""), (Level::Write, "\"write\""), (Level::Admin, "\"admin\"")];
        let roles: Vec<&str> = roles.into_iter().filter(|(level, _)| principal.has(id, *level)).map(|(_, role)| role).collect();
        if roles.is_empty() {
            return None;
        }
        let mut out = String::new();
        let mut library = ObjectWriter::open(&mut out);
        library.field("id", &quote(id.as_str())).field("name", &quote(name)).field("type", &quote(kind));
        library.field("roles", &format!("[{}]", roles.join(","))).field("limits", "{}");
        library.close();
        Some(out)
    }
}

static ABRIDGED: Bare = Bare { slot: 16, visibility: Visibility::Abridged };
static FULL: Bare = Bare { slot: 17, visibility: Visibility::Full };

struct Bare {
    slot: u8,
    visibility: Visibility,
}

impl FrameFormat for Bare {
    fn slot(&self) -> FormatSlot {
        FormatSlot(self.slot)
    }

    fn dialect(&self) -> &'static str {
        encode::DIALECT
    }

    /// Scans are told as a library's status, and that only admins of the library are told.
    fn carries(&self) -> KindSet {
        match self.visibility {
            Visibility::Abridged => encode::DEFAULT_KINDS.intersection(encode::ALL_BUT_SCAN),
            Visibility::Full => encode::DEFAULT_KINDS,
        }
    }

    /// A name that is free on the other stream may be none that a server of Socket.IO emits.
    fn cell(&self, event: &Event) -> Option<FormatSlot> {
        let is_reserved = matches!(event, Event::Raw(raw) if RESERVED.contains(&&*raw.name));
        (!is_reserved && self.carries().contains(event.kind())).then(|| self.slot())
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        let event = &envelope.event;
        match event {
            Event::Raw(raw) if raw.dialect == encode::DIALECT => Some(written(&raw.name, &raw.payload)),
            Event::Raw(_) => None,
            Event::Scan(scan) => {
                let status = encode::status_of(scan, Spelling::Document);
                (self.visibility == Visibility::Full).then(|| written(EventKind::LibraryStatus.name(), &status))
            }
            Event::Library(_)
            | Event::LibraryStatus(_)
            | Event::Medias(_)
            | Event::UploadProgress(_)
            | Event::ConvertProgress(_)
            | Event::Episodes(_)
            | Event::Series(_)
            | Event::Movies(_)
            | Event::People(_)
            | Event::Tags(_)
            | Event::Backups(_)
            | Event::BackupsFiles(_)
            | Event::MediaProgress(_)
            | Event::MediaRating(_) => Some(written(event.kind().name(), &self.message(event))),
            // Beyond the 14 names of document 002 its clients know nothing.
            Event::Collections(_)
            | Event::Playlists(_)
            | Event::Playback(_)
            | Event::Transcode(_)
            | Event::Activity(_)
            | Event::Preference(_)
            | Event::Reachability(_)
            | Event::BackgroundQueue(_)
            | Event::Log(_)
            | Event::Server(_)
            | Event::Message(_)
            | Event::User(_)
            | Event::Notification(_)
            | Event::RemoteControl(_)
            | Event::Presence(_)
            | Event::Request(_)
            | Event::Stats(_) => None,
        }
    }
}

impl Bare {
    fn message<'e>(&self, event: &'e Event) -> Cow<'e, str> {
        event.dialect_message(encode::DIALECT, self.visibility)
    }
}

fn written(name: &str, message: &str) -> Bytes {
    frame::event(Place { namespace: "/", ack: None }, name, &[message], &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{LibraryRights, Settings},
        event::{Encoded, samples::sample_event},
    };

    fn text(kind: EventKind, data: Option<&str>, format: &dyn FrameFormat) -> Option<String> {
        let event = data.map_or_else(|| sample_event(kind), |data| Event::parse(kind, data).expect("valid"));
        let audience = event.audience();
        match Envelope::new(event, audience, "e1".into(), 0, 1).frame(format) {
            Encoded::Frame(bytes) => {
                let start = if bytes[1] == 126 { 4 } else { 2 };
                Some(String::from_utf8(bytes[start..].to_vec()).expect("text"))
            }
            _ => None,
        }
    }

    #[test]
    fn the_fourteen_events_come_bare_under_their_names_and_nothing_else_does() {
        let carried: Vec<_> = EventKind::ALL.iter().filter(|kind| text(**kind, None, &ABRIDGED).is_some()).collect();
        assert_eq!(carried.len(), 15, "the fourteen, and what is raw: {carried:?}");
        for kind in carried.into_iter().filter(|kind| **kind != EventKind::Raw) {
            // Bare: the message itself, without a wrapper.
            let expected = format!("42[\"{kind}\",{}", &sample_event(*kind).dialect_message(encode::DIALECT, Visibility::Abridged)[..5]);
            let text = text(*kind, None, &ABRIDGED).expect("carried");
            assert!(text.starts_with(&expected), "{text}");
        }
        let media = r#"{"library":"l","medias":[{"action":"Added","media":{"id":"m","size":1.50}}]}"#;
        assert_eq!(text(EventKind::Medias, Some(media), &ABRIDGED).expect("carried"), format!("42[\"medias\",{media}]"));
    }

    #[test]
    fn a_raw_event_whose_name_would_make_its_clients_close_is_not_sent() {
        let raw = |name: &str| text(EventKind::Raw, Some(&format!(r#"{{"dialect":"redseat","name":"{name}","payload":1}}"#)), &ABRIDGED);
        assert_eq!(raw("own-name").as_deref(), Some(r#"42["own-name",1]"#));
        for name in RESERVED {
            assert_eq!(raw(name), None, "{name}");
        }
    }

    #[test]
    fn what_a_library_hides_and_its_scans_are_told_as_on_the_other_stream() {
        let library = Some(r#"{"action":"Added","library":{"id":"l","root":"/srv"}}"#);
        assert_eq!(
            text(EventKind::Library, library, &ABRIDGED).as_deref(),
            Some(r#"42["library",{"action":"Added","library":{"id":"l"}}]"#)
        );
        assert!(text(EventKind::Library, library, &FULL).is_some_and(|text| text.contains("/srv")));
        assert_eq!(text(EventKind::Scan, None, &ABRIDGED), None);
        assert!(text(EventKind::Scan, None, &FULL).is_some_and(|text| text.starts_with("42[\"library-status\",")));
    }

    #[test]
    fn a_client_is_told_who_it_is_and_which_libraries_it_may_read() {
        let settings = Settings::parse(
            "[[libraries]]\nid = \"films\"\nkind = \"movies\"\n[[libraries]]\nid = \"other\"\n[[users]]\nid = \"bob\"\nname = \"Bob\"\n",
        );
        let settings = settings.expect("valid");
        let twin = Twin::new(&settings.libraries, &settings.users);
        let user = |id: &str| Some(UserId::parse(id).expect("id"));
        let films = LibraryRights::Named([(LibraryId::parse("films").expect("id"), Level::Write)].into());
        let bob = Principal { user: user("bob"), member: true, libraries: films, ..Principal::default() };
        assert_eq!(
            twin.connected(&bob),
            r#"{"server":{"id":"bob","name":"Bob","role":"read","preferences":{"hiddenLibraries":[]},"libraries":[{"id":"films","name":"films","type":"movies","roles":["read","write"],"limits":{}}]}}"#
        );
        assert_eq!(twin.connected(&Principal { user: user("x"), ..Principal::default() }), r#"{"guest":{"id":"x","name":"x"}}"#);
        assert_eq!(twin.connected(&Principal { admin: true, ..Principal::default() }), "\"serverAdmin\"");
        assert_eq!(twin.connected(&Principal::default()), "\"anonymous\"");
    }
}
