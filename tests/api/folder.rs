//! A watched folder from end to end: a file appears, and who may read the library hears of it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Answer, PATIENCE, PEOPLE, Request, SILENCE, Server, Sse, eventually, progress_of, token_of};

/// A server that watches a folder as `lib1`, whose changes it tells after a short quiet time.
fn watching(folder: &Path) -> Server {
    Server::start(&format!(
        "{PEOPLE}\n[folder]\nquiet = \"50ms\"\n[[libraries]]\nid = \"lib1\"\nname = \"Photos\"\nkind = \"photos\"\npath = {folder:?}\n"
    ))
}

fn folder_with(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in names {
        fs::write(folder.path().join(name), name).expect("written");
    }
    folder
}

/// The changes of one event, as `(action, name)`.
fn changes(sse: &mut Sse) -> Vec<(String, String)> {
    let message = sse.expect("medias").json();
    let items = message["Medias"]["medias"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.map(|item| (text(&item["action"]), text(&item["media"]["name"]))).collect()
}

fn page(server: &Server, who: &str, query: &str) -> Answer {
    Request::new("GET", &format!("/api/libraries/lib1/medias{query}")).bearer(&token_of(who)).send(server)
}

/// The names on all pages of that size.
fn all_names(server: &Server, limit: usize) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let answer = page(server, "reader", &format!("?limit={limit}{after}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        let medias = answer["medias"].as_array().expect("a list");
        assert!(medias.len() <= limit, "{answer}");
        names.extend(medias.iter().map(|media| media["name"].as_str().expect("a name").to_owned()));
        let Some(next) = answer["next"].as_str() else { return names };
        after = format!("&after={next}");
    }
}

fn set(names: &[String]) -> BTreeSet<&str> {
    names.iter().map(String::as_str).collect()
}

/// Waits until the store holds exactly these.
fn holds(server: &Server, expected: &[&str]) {
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    eventually("the scan is recorded", PATIENCE, || (set(&all_names(server, 1000)) == expected).then_some(()));
}

#[test]
fn a_file_copied_into_the_folder_is_announced_within_a_second_to_readers_only() {
    let folder = folder_with(&[]);
    let elsewhere = folder_with(&["holiday.jpg"]);
    let server = watching(folder.path());
    let mut reader = Sse::open(&server, "/sse?events=medias", &token_of("reader"));
    let mut stranger = Sse::open(&server, "/sse", &token_of("stranger"));
    let mut elsewhere_only = Sse::open(&server, "/sse?libraries=lib2", &token_of("reader"));
    // The first scan has ended when its end was told; only then is the time from change to event what is measured.
    let mut admin = Sse::open(&server, "/sse?events=scan", &token_of("libadmin"));
    while server.metric("fanfare_events_published_total") < 2.0 {
        let _started_or_finished_or_told_before_we_came = admin.next_event(Duration::from_millis(50));
    }
    let copied = Instant::now();
    fs::copy(elsewhere.path().join("holiday.jpg"), folder.path().join("holiday.jpg")).expect("copied");
    let media = reader.expect("medias").json()["Medias"].clone();
    assert!(copied.elapsed() < Duration::from_secs(1), "{:?}", copied.elapsed());
    assert_eq!((&media["library"], &media["medias"][0]["action"]), (&"lib1".into(), &"Added".into()));
    assert_eq!((&media["medias"][0]["media"]["name"], &media["medias"][0]["media"]["type"]), (&"holiday.jpg".into(), &"photo".into()));
    let id = media["medias"][0]["media"]["id"].clone();
    fs::write(folder.path().join("holiday.jpg"), "grown larger").expect("written");
    let updated = reader.expect("medias").json()["Medias"]["medias"][0].clone();
    assert_eq!((&updated["action"], &updated["media"]["id"]), (&"Updated".into(), &id));
    fs::remove_file(folder.path().join("holiday.jpg")).expect("removed");
    let deleted = reader.expect("medias").json()["Medias"]["medias"][0].clone();
    assert_eq!((&deleted["action"], &deleted["media"]["id"]), (&"Deleted".into(), &id));
    server.publish_all(&[progress_of("stranger", "sentinel")]);
    assert_eq!(stranger.before("sentinel"), Vec::new());
    elsewhere_only.expect_nothing(SILENCE);
}

#[test]
fn what_a_library_holds_comes_in_pages_to_those_who_may_read_it() {
    let names: Vec<String> = (0..25).map(|n| format!("{n:02}.jpg")).collect();
    let folder = folder_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let server = watching(folder.path());
    holds(&server, &names.iter().map(String::as_str).collect::<Vec<_>>());
    for limit in [1, 7, 25, 1000] {
        let paged = all_names(&server, limit);
        assert_eq!(paged.len(), names.len(), "each once, in pages of {limit}");
        assert_eq!(set(&paged), set(&names), "in pages of {limit}");
    }
    assert_eq!(Request::new("GET", "/api/libraries/lib1/medias").send(&server).status, 401);
    for who in ["stranger", "guest", "publisher"] {
        let answer = page(&server, who, "");
        assert_eq!(answer.status, 403, "{who}: {}", answer.body);
        assert!(!answer.body.contains(".jpg"), "{}", answer.body);
    }
    let unwatched = Request::new("GET", "/api/libraries/lib9/medias").bearer(&token_of("root")).send(&server);
    assert_eq!(unwatched.status, 404, "{}", unwatched.body);
    assert_eq!(page(&server, "reader", "?limit=none").status, 400);
}

/// Changes the folder while nobody watches: one goes, one comes, one grows.
fn change(folder: &Path) {
    fs::remove_file(folder.join("gone.jpg")).expect("removed");
    fs::write(folder.join("new.jpg"), "new").expect("written");
    fs::write(folder.join("grown.jpg"), "grown larger").expect("written");
}

/// Tells the first scan's three files apart from what a later scan tells.
fn reports_only_differences(stop_and_start: impl FnOnce(&mut Server, &Path)) {
    let folder = folder_with(&["gone.jpg", "grown.jpg", "same.jpg"]);
    let mut server = watching(folder.path());
    holds(&server, &["gone.jpg", "grown.jpg", "same.jpg"]);
    let ids = |server: &Server| page(server, "reader", "").json()["medias"].as_array().expect("a list").clone();
    let same_before = ids(&server).into_iter().find(|media| media["name"] == "same.jpg");
    stop_and_start(&mut server, folder.path());
    holds(&server, &["grown.jpg", "new.jpg", "same.jpg"]);
    assert_eq!(ids(&server).into_iter().find(|media| media["name"] == "same.jpg"), same_before, "what did not change keeps its id");
    // A stream opens after the server is ready, so it may come after the scan; the count of what was told cannot.
    let told = server.metrics();
    let medias = told.lines().find(|line| line.starts_with("fanfare_events_published_total{type=\"medias\"}"));
    let n_events: u32 = medias.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("medias were told");
    assert!((1..=3).contains(&n_events), "three changes, and none of what stayed: {n_events}");
    let mut reader = Sse::open(&server, "/sse", &token_of("reader"));
    fs::write(folder.path().join("later.jpg"), "later").expect("written");
    let told = changes(&mut reader);
    assert_eq!(told, [("Added".to_owned(), "later.jpg".to_owned())], "only what is new after that");
}

#[test]
fn a_restart_tells_only_what_changed_meanwhile() {
    reports_only_differences(|server, folder| {
        assert!(server.stop().success());
        change(folder);
        server.restart_stopped();
    });
}

#[test]
fn a_killed_server_comes_back_and_tells_only_what_changed_meanwhile() {
    reports_only_differences(|server, folder| server.kill_and_restart(|| change(folder)));
}
