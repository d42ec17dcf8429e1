//! Who is sent what: every event for every kind of user, and items by tags and the explicit flag.

use serde_json::{Value, json};

use super::{Client, people, publish, sentinel, start};
use crate::harness::{PATIENCE, SILENCE, Server, eventually};

/// The columns of the table.
const EVERYBODY: [&str; 5] = ["guest", "stranger", "owner", "libadmin", "root"];

const ALL: [bool; 5] = [true; 5];
const READERS: [bool; 5] = [false, false, true, true, true];
const OWNER: [bool; 5] = [false, false, true, false, false];
const ROOT: [bool; 5] = [false, false, false, false, true];

type Row = (Value, &'static [&'static str], [bool; 5]);

fn of_library(kind: &str, list: &str, one: &str, action: &str) -> Value {
    json!({"type": kind, "data": {"library": "lib1", list: [{"action": action, one: {"id": "x1", "name": "X"}}]}})
}

fn scan(state: &str) -> Value {
    json!({"type": "scan", "data": {"library": "lib1", "state": state}})
}

/// Event map, section 3, and the wire notes on Audiobookshelf, sections 4 and 5.
fn table() -> Vec<Row> {
    let user = |action: &str| json!({"type": "user", "data": {"action": action, "user": {"id": "owner", "name": "Owner"}}});
    let playback = |state: &str, position: u32| json!({"type": "playback", "data": {"session": "s", "user": "owner", "item": {"id": "b1"}, "state": state, "position": position}});
    let transcode = |state: &str| json!({"type": "transcode", "data": {"id": "t1", "user": "owner", "state": state, "progress": 5}});
    let activity =
        |state: &str| json!({"type": "activity", "data": {"id": "a1", "user": "owner", "type": "t", "state": state, "progress": 5}});
    let library = |action: &str| json!({"type": "library", "data": {"action": action, "library": {"id": "lib1", "name": "Books"}}});
    let playlist = json!({"type": "playlists", "data": {"user": "owner", "playlists": [{"action": "Added", "playlist": {"id": "p1"}}]}});
    let notification = json!({"type": "notification", "data": {"state": "added", "user": "owner", "notifications": [{"id": "n1"}]}});
    let progress =
        json!({"type": "media_progress", "data": {"library": "lib1", "progress": {"mediaRef": "b1", "userRef": "owner", "progress": 5}}});
    let convert = json!({"type": "convert_progress", "data": {"library": "lib1", "mediaId": "b1", "progress": 5, "status": "x"}});
    let two = json!({"type": "medias", "data": {"library": "lib1", "medias": [{"action": "Added", "media": {"id": "b1"}}, {"action": "Added", "media": {"id": "b2"}}]}});
    let raw = |audience: &str| json!({"type": "raw", "audience": audience, "data": {"dialect": "audiobookshelf", "name": "rss_feed_open", "payload": {"id": "1"}}});
    vec![
        (library("Added"), &["library_added"], READERS),
        (library("Updated"), &["library_updated"], READERS),
        (library("Deleted"), &["library_removed"], READERS),
        (of_library("medias", "medias", "media", "Added"), &["item_added"], READERS),
        (of_library("medias", "medias", "media", "Updated"), &["item_updated"], READERS),
        (of_library("medias", "medias", "media", "Deleted"), &["item_removed"], READERS),
        (two, &["items_added"], READERS),
        (of_library("series", "series", "serie", "Added"), &["series_added"], READERS),
        (of_library("people", "people", "person", "Updated"), &["author_updated"], READERS),
        (of_library("collections", "collections", "collection", "Added"), &["collection_added"], READERS),
        (playlist, &["playlist_added"], OWNER),
        (progress, &["user_item_progress_updated"], OWNER),
        (convert, &["task_progress"], ROOT),
        (scan("started"), &["task_started", "scan_start"], READERS),
        (scan("progress"), &[], READERS),
        (scan("finished"), &["task_finished", "scan_complete"], READERS),
        (activity("started"), &["task_started"], [false, false, true, false, true]),
        (activity("updated"), &["task_progress"], ROOT),
        (activity("ended"), &["task_finished"], [false, false, true, false, true]),
        (playback("playing", 0), &["user_stream_update"], ROOT),
        (playback("playing", 10), &[], ROOT),
        (playback("stopped", 20), &["user_stream_update"], ROOT),
        (transcode("start"), &["stream_open"], OWNER),
        (transcode("update"), &["stream_progress"], OWNER),
        (transcode("end"), &["stream_closed"], OWNER),
        (user("Added"), &["user_added"], ROOT),
        (user("Updated"), &["user_updated"], OWNER),
        (user("Deleted"), &["user_removed"], ROOT),
        (notification, &["notifications_updated"], OWNER),
        (json!({"type": "message", "data": {"text": "t"}}), &["admin_message"], ALL),
        (json!({"type": "message", "data": {"text": "t", "to": "user:owner"}}), &["admin_message"], OWNER),
        (json!({"type": "log", "data": {"level": "error", "message": "m"}}), &[], ALL),
        (raw("all"), &["rss_feed_open"], ALL),
        (raw("admin"), &["rss_feed_open"], ROOT),
        (json!({"type": "preference", "data": {"id": "x", "value": 1}}), &[], ALL),
    ]
}

#[test]
fn everybody_is_told_what_is_theirs_and_nothing_else() {
    let server = start();
    let mut clients = EVERYBODY.map(|who| Client::of(&server, who));
    for (event, names, told) in table() {
        publish(&server, &event);
        for ((client, who), told) in clients.iter_mut().zip(EVERYBODY).zip(told) {
            for name in names.iter().filter(|_| told) {
                let _ = (client.expect(name), who);
            }
        }
    }
    // What somebody should not have been told would stand before this.
    publish(&server, &sentinel());
    for (client, who) in clients.iter_mut().zip(EVERYBODY) {
        assert_eq!(client.names_before_sentinel(), Vec::<String>::new(), "{who}");
    }
}

#[test]
fn what_a_scan_found_is_for_administrators_of_the_library() {
    let server = start();
    let mut clients = ["reader", "libadmin"].map(|who| Client::of(&server, who));
    publish(&server, &json!({"type": "scan", "data": {"library": "lib1", "state": "finished", "results": {"added": 2}}}));
    let found = clients.each_mut().map(|client| client.expect("task_finished")["data"]["scanResults"]["added"].clone());
    assert_eq!(found, [Value::Null, json!(2)]);
}

#[test]
fn items_are_shown_by_library_tags_and_the_explicit_flag_of_each_user() {
    let more = r#"
        [[libraries]]
        id = "lib2"
        kind = "podcasts"
        [[users]]
        id = "kid"
        token = "token-of-kid-0123456789abcdef0123456789"
        libraries = { lib1 = "read" }
        tags = ["kids"]
        explicit = false
        [[users]]
        id = "prude"
        token = "token-of-prude-0123456789abcdef0123456789"
        libraries = { lib1 = "read", lib2 = "read" }
        explicit = false
    "#;
    let server = Server::start(&format!("{}{more}", people()));
    let mut clients = ["reader", "kid", "prude", "root"].map(|who| Client::of(&server, who));
    let added = |id: &str, more: Value| {
        let mut media = json!({"id": id, "name": id});
        media.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"action": "Added", "media": media})
    };
    let items =
        json!([added("k", json!({"tags": ["kids"]})), added("x", json!({"tags": ["kids"], "explicit": true})), added("n", json!({}))]);
    publish(&server, &json!({"type": "medias", "data": {"library": "lib1", "medias": items}}));
    publish(&server, &json!({"type": "medias", "data": {"library": "lib2", "medias": [added("p", json!({}))]}}));
    publish(&server, &sentinel());
    let titles = |client: &mut Client| {
        let mut titles = Vec::new();
        loop {
            let (name, argument) = client.next();
            let items = match name.as_str() {
                "sentinel" => return titles.join(" "),
                "items_added" => argument.as_array().expect("a list").clone(),
                "item_added" => vec![argument],
                _ => Vec::new(),
            };
            titles.extend(items.iter().map(|item| item["media"]["metadata"]["title"].as_str().expect("a title").to_owned()));
        }
    };
    let shown: Vec<String> = clients.iter_mut().map(titles).collect();
    assert_eq!(shown, ["k x n", "k", "k n p", "k x n p"]);
}

#[test]
fn photos_and_films_reach_no_typed_client_unless_their_publisher_gives_them_a_shape() {
    let server = Server::start(&people().replace("kind = \"books\"", "kind = \"photos\""));
    let mut client = Client::of(&server, "reader");
    let shape = json!({"audiobookshelf": {"mediaType": "book"}});
    for media in [json!({"id": "photo"}), json!({"id": "book", "dialects": shape})] {
        publish(&server, &json!({"type": "medias", "data": {"library": "lib1", "medias": [{"action": "Added", "media": media}]}}));
    }
    assert_eq!(client.expect("item_added")["media"]["metadata"]["title"].as_str().map(str::len), Some(36), "its id, for want of a name");
    client.expect_nothing();
}

#[test]
fn administrators_see_who_comes_and_goes_in_any_dialect_and_what_he_plays() {
    let server = start();
    let mut root = Client::of(&server, "root");
    let played = json!({"session": "s", "user": "reader", "item": {"id": "b1", "name": "A Book"}, "state": "playing", "position": 1500, "duration": 3000});
    publish(&server, &json!({"type": "playback", "data": played}));
    let stream = crate::harness::Sse::open(&server, "/sse", &crate::harness::token_of("reader"));
    let told = |root: &mut Client, name: &str| {
        eventually(name, PATIENCE, || {
            let (told, user) = root.next();
            (told == name && user["username"] == "reader").then_some(user)
        })
    };
    let online = told(&mut root, "user_online");
    assert_eq!((&online["session"]["displayTitle"], &online["session"]["currentTime"]), (&json!("A Book"), &json!(1.5)));
    assert_eq!((&online["mostRecent"]["progress"], &online["type"]), (&json!(0.5), &json!("user")));
    drop(stream);
    root.0.next_frame(SILENCE);
    told(&mut root, "user_offline");
}
