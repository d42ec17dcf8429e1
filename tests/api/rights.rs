//! Who gets what: every event type of document 002 for every kind of user, on the wire, with and without a filter.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{PEOPLE, Request, SILENCE, Server, Sse, medias, progress_of, token_of};

/// The people of the table, and what each may do in `lib1`.
pub(crate) const EVERYBODY: [&str; 7] = ["guest", "stranger", "reader", "owner", "writer", "libadmin", "root"];

/// Everybody who may read `lib1`.
const READERS: &[&str] = &["reader", "owner", "writer", "libadmin", "root"];

/// One row of the truth table.
pub(crate) struct Row {
    /// A name for messages; also the stream's event name up to the first blank.
    pub(crate) name: &'static str,
    pub(crate) data: Value,
    /// Who gets it.
    pub(crate) seen_by: &'static [&'static str],
    /// Whether it belongs to `lib1`, and so passes `libraries=lib1`.
    has_library: bool,
}

/// Event map, section 3, and the permission column of document 002.
pub(crate) fn table() -> Vec<Row> {
    let row = |name, seen_by, data| Row { name, data, seen_by, has_library: true };
    let item = |list: &str, one: &str, id: &str| json!({"library": "lib1", list: [{"action": "Updated", one: {"id": id, "name": id}}]});
    let episode = json!({"serie": "s1", "season": 1, "number": 2, "id": "e1", "name": "Two"});
    let library = json!({"id": "lib1", "name": "One"});
    let rating = json!({"mediaRef": "m1", "userRef": "owner", "rating": 4.5, "modified": 1});
    let backup =
        |library: Value| json!({"action": "Updated", "backup": {"backup": {"id": "b1", "name": "B", "library": library}, "status": null}});
    vec![
        row("library", READERS, json!({"action": "Updated", "library": library})),
        row("library-status", &["libadmin", "root"], json!({"message": "scan 1/2", "library": "lib1", "progress": 50})),
        row("medias", READERS, medias("lib1", "m1")["data"].clone()),
        row("upload_progress", READERS, json!({"library": "lib1", "mediaId": "m1", "progress": 10})),
        row("convert_progress", READERS, json!({"library": "lib1", "mediaId": "m1", "progress": 10, "status": "processing"})),
        row("episodes", READERS, json!({"library": "lib1", "episodes": [{"action": "Added", "episode": episode}]})),
        row("series", READERS, item("series", "serie", "s1")),
        row("movies", READERS, item("movies", "movie", "v1")),
        row("people", READERS, item("people", "person", "p1")),
        row("tags", READERS, item("tags", "tag", "t1")),
        row("backups of a library", &["libadmin", "root"], backup(json!("lib1"))),
        Row { has_library: false, ..row("backups of the server", &["root"], backup(Value::Null)) },
        row("backups-files of a library", &["root"], json!({"library": "lib1", "file": "m1", "progress": 42})),
        Row { has_library: false, ..row("backups-files of the server", &["root"], json!({"file": "m2", "progress": 42})) },
        row("media_progress", &["owner"], progress_of("owner", "m1")["data"].clone()),
        row("media_rating", &["owner"], json!({"library": "lib1", "rating": rating})),
    ]
}

/// The events that must be asked for by name and have a column for each reader in the event map, section 3.
fn named_table() -> Vec<Row> {
    let row = |name, seen_by, data| Row { name, data, seen_by, has_library: false };
    let of_library = |name, seen_by, data| Row { has_library: true, ..row(name, seen_by, data) };
    let playback = |more: Value| {
        let mut data = json!({"session": "s1", "user": "owner", "item": {"id": "m1"}, "state": "playing", "position": 1000});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        data
    };
    vec![
        row("playback", &["owner", "root"], playback(json!({}))),
        of_library("playback of an item of a library", &["owner", "root"], playback(json!({"library": "lib1"}))),
        row("playback that stops", &["owner", "root"], playback(json!({"state": "stopped"}))),
        row("transcode", &["owner", "root"], json!({"id": "t1", "user": "owner", "state": "start"})),
        row("activity of a user", &["owner", "root"], json!({"id": "a1", "user": "owner", "type": "t", "state": "started"})),
        row("activity of nobody", &["root"], json!({"id": "a2", "type": "t", "state": "started"})),
        of_library("activity about a library", &["root"], json!({"id": "a3", "type": "t", "state": "started", "library": "lib1"})),
        row("preference", &["root"], json!({"id": "FriendlyName", "value": "Den"})),
        row("reachability", &["root"], json!({"reachable": false})),
        row("background-queue", &["root"], json!({"queue": "1", "event": "queueRegenerated"})),
        row("playlists", &["owner"], json!({"user": "owner", "playlists": [{"action": "Added", "playlist": {"id": "p1"}}]})),
        of_library("collections", READERS, json!({"library": "lib1", "collections": [{"action": "Added", "collection": {"id": "c1"}}]})),
        row("notification", &["owner"], json!({"state": "added", "user": "owner", "notifications": [{"id": "n1"}]})),
        row("notification that is read", &["owner"], json!({"state": "read", "user": "owner", "notifications": [{"id": "n1"}]})),
        row("message to all", &["stranger", "reader", "owner", "writer", "libadmin", "root", "guest"], json!({"text": "t"})),
        row("message to a user", &["owner"], json!({"text": "t", "to": "user:owner"})),
        // Nobody has that connection: it is for one, and no admin's either.
        row("remote-control", &[], json!({"to": "session:7f-7f-7f", "playstate": {"command": "Pause"}})),
        of_library("scan that starts", READERS, json!({"library": "lib1", "state": "started"})),
        of_library("scan that goes on", &["libadmin", "root"], json!({"library": "lib1", "state": "progress", "progress": 5})),
        of_library("scan that ends", READERS, json!({"library": "lib1", "state": "finished"})),
    ]
}

pub(crate) fn name_of(row: &str) -> &str {
    row.split(' ').next().unwrap_or(row)
}

#[test]
fn every_event_type_reaches_exactly_those_the_table_names() {
    check_table(Sse::ask);
}

#[test]
fn a_stream_through_a_response_body_obeys_the_same_table() {
    check_table(Sse::ask_later);
}

fn check_table(ask: impl Fn(&Server, &Request) -> Sse) {
    check_table_on(&Server::start(PEOPLE), ask);
}

#[test]
fn an_event_asked_for_by_name_reaches_exactly_those_the_table_names() {
    let names: BTreeSet<_> = named_table().iter().map(|row| name_of(row.name)).collect();
    let names: Vec<_> = names.into_iter().collect();
    check_rows(&Server::start(PEOPLE), &named_table(), &format!("events=media_progress,{}", names.join(",")), Sse::ask);
}

/// The same on a server of that transport.
pub(crate) fn check_table_on(server: &Server, ask: impl Fn(&Server, &Request) -> Sse) {
    check_rows(server, &table(), "", ask);
}

fn check_rows(server: &Server, table: &[Row], events: &str, ask: impl Fn(&Server, &Request) -> Sse) {
    let mut streams = Vec::new();
    for who in EVERYBODY {
        for (query, filter) in [("", None), ("libraries=lib1", Some("lib1")), ("libraries=lib9", Some("lib9"))] {
            let path = format!("/sse?{query}&{events}");
            streams.push((who, filter, ask(server, &Request::new("GET", &path).bearer(&token_of(who)))));
        }
    }
    for row in table {
        server.publish_all(&[json!({"type": name_of(row.name), "data": row.data})]);
        // Each user's own event, which passes his filter, is the proof that nothing else is still on its way.
        for (library, marker) in [("lib1", "sentinel-1"), ("lib9", "sentinel-9")] {
            for who in EVERYBODY {
                let mut sentinel = progress_of(who, marker);
                sentinel["data"]["library"] = json!(library);
                server.publish_all(&[sentinel]);
            }
        }
        for (who, filter, sse) in &mut streams {
            let got = until_sentinels(sse, *filter);
            let expected = row.seen_by.contains(who) && (filter.is_none() || (*filter == Some("lib1") && row.has_library));
            let expected = if expected { vec![name_of(row.name).to_owned()] } else { Vec::new() };
            assert_eq!(got, expected, "`{}` for {who} with libraries={filter:?}", row.name);
        }
    }
    for (_, _, sse) in &mut streams {
        sse.expect_nothing(std::time::Duration::from_millis(20));
    }
}

/// The names of the events before the last sentinel that this filter lets pass.
fn until_sentinels(sse: &mut Sse, filter: Option<&str>) -> Vec<String> {
    let sentinels: &[&str] = match filter {
        None => &["sentinel-1", "sentinel-9"],
        Some("lib1") => &["sentinel-1"],
        Some(_) => &["sentinel-9"],
    };
    sentinels.iter().flat_map(|sentinel| sse.before(sentinel)).map(|event| event.name).collect()
}

#[test]
fn the_table_has_every_name_of_document_002() {
    let table = table();
    let names: BTreeSet<_> = table.iter().map(|row| name_of(row.name)).collect();
    assert_eq!(names.len(), 14, "{names:?}");
}

#[test]
fn nobody_without_credentials_gets_a_stream_whatever_he_asks_for() {
    let server = Server::start(PEOPLE);
    for path in ["/sse", "/sse?libraries=lib1", "/sse?events=medias", "/sse?spelling=server"] {
        assert_eq!(Request::new("GET", path).send(&server).status, 401, "{path}");
    }
}

#[test]
fn a_publish_token_reads_nothing_of_what_it_publishes() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::ask(&server, &Request::new("GET", "/sse").bearer(&token_of("publisher")));
    server.publish_all(&[medias("lib1", "m1")]);
    // It may be refused, or get a silent stream: the documents only say that it reads nothing.
    if sse.head().status == 200 {
        sse.expect_nothing(SILENCE);
    } else {
        assert!(matches!(sse.head().status, 401 | 403), "{}", sse.head().status);
    }
}

#[test]
fn naming_a_type_in_the_query_gives_no_right_to_it() {
    let server = Server::start(PEOPLE);
    let types = "/sse?events=library-status,backups,backups-files,log,presence,media_progress,stats";
    let mut reader = Sse::open(&server, types, &token_of("reader"));
    let rows: Vec<_> = table().into_iter().filter(|row| !row.seen_by.contains(&"reader")).collect();
    for row in rows {
        server.publish_all(&[json!({"type": name_of(row.name), "data": row.data})]);
    }
    server.publish_all(&[progress_of("reader", "sentinel")]);
    assert_eq!(reader.before("sentinel"), Vec::new());
}
