//! Changes summed up: what clients of MediaBrowser are told of a library's changes, as the raw events they are.

use std::{net::TcpStream, path::PathBuf, sync::Arc, time::Instant};

use bytes::Bytes;
use fanfare::{
    access::{Caller, Filter, RawNames},
    app::{self, Publish},
    config::Settings,
    dialect::{Answer, Dialect, Opening, Refusal, Refused, Request, Transport, websocket_goodbye},
    event::{Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, IdForm, KindSet, MAX_FORMATS},
    frame::Notices,
    websocket::frame,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    PATIENCE,
    client::{Client, handshake},
};

const PEOPLE: &str = r#"
[[users]]
id = "root"
admin = true
token = "token-of-root"

[[users]]
id = "bob"
token = "token-of-bob"
libraries = { films = "read", photos = "admin" }

[[users]]
id = "eve"
token = "token-of-eve"
libraries = { shows = "read" }
"#;

struct Server {
    handle: app::Handle,
    folder: TempDir,
}

/// Somebody who is told.
struct Told(Client);

impl Server {
    fn start(quiet: &str) -> Self {
        Self::with(quiet, "")
    }

    fn watching(quiet: &str) -> Self {
        Self::with(quiet, "path = \"PHOTOS\"")
    }

    fn with(quiet: &str, path: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("photos")).expect("a folder");
        let (data, photos) = (folder.path().join("data"), folder.path().join("photos"));
        let path = path.replace("PHOTOS", &photos.display().to_string());
        let server =
            format!("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {data:?}\ndrain_window = \"1s\"\n");
        let spoken = format!("[dialects.mediabrowser]\nenabled = false\nlibrary_quiet = \"{quiet}\"\nlibrary_cap = \"1h\"\n");
        let given = "a".repeat(32);
        let library = format!("[[libraries]]\nid = \"photos\"\n{path}\nids = {{ mediabrowser = \"{given}\" }}\n");
        let settings = Settings::parse(&format!("{server}{spoken}{library}{PEOPLE}")).expect("valid settings");
        let handle = app::spawn_speaking(settings, vec![Arc::new(Raws)]).expect("it starts");
        Self { handle, folder }
    }

    fn photos(&self) -> PathBuf {
        self.folder.path().join("photos")
    }

    fn open(&self, name: &str) -> Told {
        let socket = TcpStream::connect(self.handle.address()).expect("it listens");
        Told(Client::over(socket.into(), handshake("/:/raws", &format!("token-of-{name}")).as_bytes()))
    }

    fn publish(&self, kind: EventKind, data: &Value) {
        self.handle.engine().publish_blocking(Publish::new(kind, data).expect("valid"), PATIENCE).expect("accepted");
    }

    fn movie(&self, action: &str, id: &str) {
        self.publish(EventKind::Movies, &json!({"library": "films", "movies": [{"action": action, "movie": {"id": id}}]}));
    }

    /// Everybody's last word, which proves that nothing else is on its way.
    fn rate(&self) {
        for user in ["root", "bob", "eve"] {
            let rating = json!({"userRef": user, "mediaRef": "m1", "rating": 4});
            self.publish(EventKind::MediaRating, &json!({"library": "films", "rating": rating}));
        }
    }
}

impl Told {
    fn next(&mut self) -> (String, Value) {
        let frame = self.0.next_but_pings();
        let mut told: Value = serde_json::from_slice(&frame.payload).expect("JSON");
        (told["name"].as_str().expect("a name").to_owned(), told["payload"].take())
    }

    fn expect(&mut self, name: &str) -> Value {
        let (told, payload) = self.next();
        assert_eq!(told, name, "{payload}");
        payload
    }
}

fn hex(id: &str) -> Value {
    json!(IdForm::Hex32.derive(id))
}

#[test]
fn changes_reach_the_readers_of_the_library_once_and_nobody_else_and_no_ids_of_what_was_removed() {
    let server = Server::start("300ms");
    let [mut root, mut bob, mut eve] = ["root", "bob", "eve"].map(|name| server.open(name));
    for (action, id) in [("Added", "f1"), ("Updated", "f1"), ("Deleted", "f2")] {
        server.movie(action, id);
    }
    for reader in [&mut root, &mut bob] {
        let changed = reader.expect("LibraryChanged");
        assert_eq!((&changed["ItemsAdded"], &changed["ItemsRemoved"]), (&json!([hex("f1")]), &json!([hex("f2")])));
        assert_eq!((&changed["ItemsUpdated"], &changed["CollectionFolders"]), (&json!([]), &json!([hex("films")])));
    }
    server.rate();
    for (name, told) in [("root", &mut root), ("bob", &mut bob), ("eve", &mut eve)] {
        assert_eq!(told.expect("UserDataChanged")["UserId"], hex(name), "his own, and nothing before it");
    }
    server.handle.stop();
}

#[test]
fn files_copied_into_a_watched_folder_are_told_of_with_the_given_id_of_their_library() {
    let server = Server::watching("500ms");
    let [mut bob, mut eve] = ["bob", "eve"].map(|name| server.open(name));
    for n in 0..5 {
        std::fs::write(server.photos().join(format!("{n}.jpg")), b"a picture").expect("written");
    }
    let (mut ids, began) = (Vec::new(), Instant::now());
    while ids.len() < 5 {
        assert!(began.elapsed() < PATIENCE, "{ids:?}");
        // Those scans of the folder are none of these changes.
        let (name, payload) = bob.next();
        if name == "LibraryChanged" {
            assert_eq!(payload["FoldersAddedTo"], json!(["a".repeat(32)]));
            ids.extend(payload["ItemsAdded"].as_array().expect("ids").clone());
        } else {
            assert_eq!((name.as_str(), &payload["ItemId"]), ("RefreshProgress", &json!("a".repeat(32))));
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 5, "each once");
    server.rate();
    assert_eq!(eve.expect("UserDataChanged")["UserId"], hex("eve"), "and nothing of what he may not read");
    server.handle.stop();
}

#[test]
fn a_scan_is_told_to_admins_of_the_library_only() {
    let server = Server::start("1h");
    let [mut root, mut bob] = ["root", "bob"].map(|name| server.open(name));
    for state in ["started", "finished"] {
        server.publish(EventKind::Scan, &json!({"library": "films", "state": state}));
    }
    server.rate();
    let told: Vec<_> = [root.next(), root.next()].map(|(name, payload)| (name, payload["Progress"].clone())).to_vec();
    assert_eq!(told, [("RefreshProgress".to_owned(), json!("0")), ("RefreshProgress".to_owned(), json!("100"))]);
    bob.expect("UserDataChanged");
    server.handle.stop();
}

#[test]
fn what_changed_just_before_the_stop_is_told_before_the_goodbye() {
    let server = Server::start("1h");
    let mut bob = server.open("bob");
    server.movie("Added", "f1");
    server.handle.stop();
    assert_eq!(bob.expect("LibraryChanged")["ItemsAdded"], json!([hex("f1")]));
}

/// A dialect that tells raw events as they are.
struct Raws;

impl Dialect for Raws {
    fn name(&self) -> &'static str {
        "mediabrowser"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/:/raws"]
    }

    fn guide(&self) -> &'static str {
        ""
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        (request.header)("authorization").map(str::to_owned)
    }

    fn open(&self, _: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let filter = Filter {
            principal: Arc::clone(&caller.principal),
            dialect: "mediabrowser",
            kinds: KindSet::of(&[EventKind::Raw]),
            raw: RawNames::All,
            libraries: None,
            unscoped: true,
            connection: None,
        };
        Ok(Opening {
            transport: Transport::WebSocket,
            filter,
            formats: FormatPair { abridged: &Texts, full: &Texts },
            headers: Vec::new(),
            greeting: Bytes::new(),
            keepalive: None,
            notices: &Notices { gap: None, expiring: None, goodbye: Some(websocket_goodbye) },
            conversation: None,
            identify_within: None,
        })
    }

    fn refuse(&self, _: &Request<'_>, _: Refusal) -> Refused {
        Refused::Answer(Answer { status: 401, headers: Vec::new(), body: Bytes::new() })
    }
}

struct Texts;

impl FrameFormat for Texts {
    fn slot(&self) -> FormatSlot {
        FormatSlot(u8::try_from(MAX_FORMATS - 1).expect("few"))
    }

    fn dialect(&self) -> &'static str {
        "mediabrowser"
    }

    fn carries(&self) -> KindSet {
        KindSet::of(&[EventKind::Raw])
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        let Event::Raw(raw) = &envelope.event else { return None };
        Some(frame::text(&format!(r#"{{"name":"{}","payload":{}}}"#, raw.name, raw.payload.as_str())))
    }
}
