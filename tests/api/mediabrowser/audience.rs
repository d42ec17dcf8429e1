//! Who is told what, on the wire: users of each kind, and keys, which are nobody.

use serde_json::{Value, json};

use super::{Device, Socket, publish, restart_required, sentinel, start, types};

/// Of the server's administrator, an administrator of `lib1`, a reader of it (whom the table is about), another reader, a user without
/// libraries, a key that reads `lib1`, and an administrator's key.
const EVERYBODY: [&str; 7] = ["root", "libadmin", "reader", "owner", "guest", "key", "admin-key"];

const NOBODY: [bool; 7] = [false; 7];
const ALL: [bool; 7] = [true; 7];
const READER: [bool; 7] = [false, false, true, false, false, false, false];
const ADMIN: [bool; 7] = [true, false, false, false, false, false, false];
const READER_AND_ADMIN: [bool; 7] = [true, false, true, false, false, false, false];
const READERS: [bool; 7] = [true, true, true, true, false, false, false];

/// What is published, as which message it arrives at clients of Emby and of Jellyfin (empty: not at all), and where.
fn table() -> Vec<(Value, [&'static str; 2], [bool; 7])> {
    let event = |kind: &str, data: Value| json!({"type": kind, "data": data});
    let raw = |name: &str, audience: &str| json!({"type": "raw", "audience": audience, "data": {"dialect": "mediabrowser", "name": name, "payload": {}}});
    let scan = |state: &str| event("scan", json!({"library": "lib1", "state": state}));
    let both = |name| [name, name];
    vec![
        (event("server", json!({"state": "restarting"})), both("ServerRestarting"), ALL),
        (event("server", json!({"state": "update"})), both(""), NOBODY),
        (event("user", json!({"action": "Updated", "user": {"id": "reader"}})), both("UserUpdated"), READER_AND_ADMIN),
        (event("user", json!({"action": "Added", "user": {"id": "reader"}})), both(""), NOBODY),
        (event("message", json!({"text": "t"})), both("GeneralCommand"), ALL),
        (event("message", json!({"text": "t", "to": "user:reader"})), both("GeneralCommand"), READER),
        (
            event("notification", json!({"state": "added", "user": "reader", "notifications": [{"id": "n"}]})),
            ["NotificationAdded", ""],
            READER,
        ),
        (scan("started"), both(""), NOBODY),
        (scan("finished"), both("ScheduledTaskEnded"), ADMIN),
        (event("activity", json!({"id": "a", "user": "reader", "type": "t", "state": "ended"})), both("ScheduledTaskEnded"), ADMIN),
        (
            event("playback", json!({"session": "s", "user": "reader", "item": {"id": "1"}, "state": "playing", "position": 0})),
            both(""),
            NOBODY,
        ),
        (event("log", json!({"level": "info", "message": "m"})), both(""), NOBODY),
        (event("tags", json!({"library": "lib1", "tags": [{"action": "Updated", "tag": {"id": "1"}}]})), both(""), NOBODY),
        (raw("LibraryChanged", "library:lib1"), both("LibraryChanged"), READERS),
        (raw("UserDataChanged", "user:reader"), both("UserDataChanged"), READER),
        (raw("RefreshProgress", "library-admin:lib1"), both("RefreshProgress"), [true, true, false, false, false, false, false]),
        (raw("SyncPlayGroupUpdate", "library:lib1"), both("SyncPlayGroupUpdate"), [true, true, true, true, false, true, true]),
        (raw("AnythingElse", "all"), ["AnythingElse", ""], ALL),
        (raw("PackageInstalling", "admin"), both("PackageInstalling"), ADMIN),
    ]
}

#[test]
fn everybody_is_told_what_is_theirs_and_keys_only_what_is_for_all() {
    let server = start();
    let sockets = |path: &str| EVERYBODY.map(|who| Device::new(&server, who, path).socket(path));
    let mut of_path = [sockets("/embywebsocket"), sockets("/socket")];
    for (event, names, told) in table() {
        publish(&server, std::slice::from_ref(&event));
        for (sockets, name) in of_path.iter_mut().zip(names) {
            for ((socket, who), told) in sockets.iter_mut().zip(EVERYBODY).zip(told) {
                if told && !name.is_empty() {
                    assert_eq!(next_but_digests(socket, who)["MessageType"], name, "{who}: {event}");
                }
            }
        }
    }
    // What nobody should have been told would stand before this.
    publish(&server, &[restart_required()]);
    for sockets in &mut of_path {
        for (socket, who) in sockets.iter_mut().zip(EVERYBODY) {
            assert_eq!(next_but_digests(socket, who)["MessageType"], "RestartRequired", "{who}");
        }
    }
}

/// The next message. What the engine sums up of the table's events comes when it comes: it is passed over, where it may be told.
fn next_but_digests(socket: &mut Socket, who: &str) -> Value {
    loop {
        let message = socket.next();
        let told = match message["MessageType"].as_str() {
            Some("LibraryChanged") => READERS,
            Some("RefreshProgress") => [true, true, false, false, false, false, false],
            _ => return message,
        };
        if message["Data"] == json!({}) {
            return message; // one of the table's own
        }
        let may = EVERYBODY.iter().zip(told).any(|(one, told)| *one == who && told);
        assert!(may, "{who}: {message}");
    }
}

#[test]
fn a_library_that_changes_is_told_to_its_readers_with_their_ids_and_to_nobody_else() {
    let server = super::Server::start(&format!("{}\n[dialects.mediabrowser]\nlibrary_quiet = \"100ms\"\n", super::people()));
    let mut sockets: [Socket; 4] = ["reader", "root", "stranger", "key"].map(|who| Device::new(&server, who, "d").socket("/socket"));
    let [added, gone] = ["a", "b"].map(|digit| digit.repeat(32));
    let movies = json!([{"action": "Added", "movie": {"id": added}}, {"action": "Deleted", "movie": {"id": gone}}]);
    publish(&server, &[json!({"type": "movies", "data": {"library": "lib1", "movies": movies}})]);
    for socket in &mut sockets[..2] {
        let changed = socket.expect("LibraryChanged")["Data"].take();
        assert_eq!(
            (&changed["ItemsAdded"], &changed["ItemsRemoved"], &changed["IsEmpty"]),
            (&json!([added]), &json!([gone]), &json!(false))
        );
        for field in ["FoldersAddedTo", "FoldersRemovedFrom", "ItemsUpdated", "CollectionFolders"] {
            assert!(changed[field].is_array(), "{changed}");
        }
    }
    publish(&server, &[sentinel()]);
    let before = sockets[2].before_sentinel();
    assert_eq!(types(&before), Vec::<&str>::new(), "not even the ids of what is gone");
    publish(&server, &[restart_required()]);
    sockets[3].expect("RestartRequired");
}
