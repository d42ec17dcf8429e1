//! Digests, on a time of their own.

use serde_json::{Value, json};

use super::*;
use crate::event::{Action, Level, Rule, Who};

/// Digests whose time is moved on by hand.
struct World {
    digests: Digests,
    items: Items,
    now: Instant,
}

/// A digest as its readers see it.
#[derive(Debug)]
struct Told {
    name: String,
    data: Value,
    library: Option<String>,
    audience: Audience,
}

fn library(id: &str) -> LibraryId {
    LibraryId::parse(id).expect("an id")
}

fn hex(id: &str) -> String {
    IdForm::Hex32.derive(id)
}

fn readers(id: &str) -> Audience {
    Rule::Library(library(id), Level::Read).into()
}

impl World {
    fn new() -> Self {
        let library_ids = BTreeMap::from([(library("films"), "f".repeat(32)), (library("bad"), "7".to_owned())]);
        let user_ids = BTreeMap::from([(crate::id::UserId::parse("eve").expect("an id"), "e".repeat(32))]);
        let settings = DigestSettings { quiet: Duration::from_secs(5), cap: Duration::from_secs(30), library_ids, user_ids, watched: None };
        Self { digests: Digests::new(settings), items: Items::default(), now: Instant::now() }
    }

    fn publish_for(&mut self, kind: EventKind, only: Vec<Who>, data: &Value) {
        let event = Event::from_value(kind, data).expect("valid");
        let audience = Audience { only, ..event.audience() };
        self.digests.take(&Envelope::new(event, audience, "1".into(), 0, 1), &self.items, self.now);
    }

    fn publish(&mut self, kind: EventKind, data: &Value) {
        self.publish_for(kind, Vec::new(), data);
    }

    fn movies(&mut self, in_library: &str, changes: &[(Action, &str)]) {
        let movies: Vec<_> = changes.iter().map(|(action, id)| json!({"action": action.name(), "movie": {"id": id}})).collect();
        self.publish(EventKind::Movies, &json!({"library": in_library, "movies": movies}));
    }

    fn wait(&mut self, millis: u64) -> Vec<Told> {
        self.now += Duration::from_millis(millis);
        told(self.digests.due(self.now))
    }

    /// The only one told after that time.
    fn only(&mut self, millis: u64) -> Told {
        let mut told = self.wait(millis);
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    }
}

fn told(digests: Vec<Digest>) -> Vec<Told> {
    let told = digests.into_iter().map(|digest| {
        let Event::Raw(raw) = digest.event else { panic!("a raw event") };
        assert_eq!(raw.dialect, "mediabrowser");
        let data = serde_json::from_str(&raw.payload).expect("JSON");
        Told { name: raw.name.to_string(), data, library: raw.library.map(|id| id.to_string()), audience: digest.audience }
    });
    told.collect()
}

use Action::{Added, Deleted, Updated};

#[test]
fn changes_of_a_library_are_told_once_when_it_rests_with_all_seven_fields() {
    let mut world = World::new();
    world.movies("films", &[(Added, "a"), (Updated, "b"), (Deleted, "c")]);
    assert!(world.wait(4000).is_empty());
    world.movies("films", &[(Added, "a"), (Updated, "b")]);
    assert!(world.wait(4999).is_empty(), "every change begins the rest anew");
    let told = world.only(1);
    assert_eq!((told.name.as_str(), told.library.as_deref(), &told.audience), ("LibraryChanged", Some("films"), &readers("films")));
    let films = "f".repeat(32);
    assert_eq!(
        told.data,
        json!({"FoldersAddedTo": [films], "FoldersRemovedFrom": [films], "ItemsAdded": [hex("a")], "ItemsRemoved": [hex("c")],
            "ItemsUpdated": [hex("b")], "CollectionFolders": [films], "IsEmpty": false})
    );
    assert!(world.wait(60_000).is_empty() && world.digests.is_empty(), "once");
}

#[test]
fn changes_that_go_on_are_told_after_the_cap() {
    let mut world = World::new();
    for n in 0..29 {
        world.movies("films", &[(Updated, &n.to_string())]);
        assert!(world.wait(1000).is_empty(), "{n}");
    }
    world.movies("films", &[(Updated, "last")]);
    let told = world.only(1000);
    assert_eq!(told.data["ItemsUpdated"].as_array().map(Vec::len), Some(30));
    assert_eq!((&told.data["FoldersAddedTo"], &told.data["CollectionFolders"]), (&json!([]), &json!([])), "updates move nothing");
}

#[test]
fn of_several_changes_of_one_item_the_last_word_counts() {
    for (changes, expected) in [
        (&[Added, Updated][..], "ItemsAdded"),
        (&[Added, Added], "ItemsAdded"),
        // A client may have seen it in between.
        (&[Added, Deleted], "ItemsRemoved"),
        (&[Updated, Deleted], "ItemsRemoved"),
        (&[Deleted, Added], "ItemsAdded"),
        (&[Deleted, Added, Updated], "ItemsAdded"),
        (&[Added, Deleted, Updated], "ItemsUpdated"),
    ] {
        let mut world = World::new();
        for action in changes {
            world.movies("films", &[(*action, "a")]);
        }
        let data = world.only(5000).data;
        for list in ["ItemsAdded", "ItemsRemoved", "ItemsUpdated"] {
            let ids = if list == expected { json!([hex("a")]) } else { json!([]) };
            assert_eq!(data[list], ids, "{list} after {changes:?}");
        }
    }
}

#[test]
fn each_library_and_audience_has_a_digest_of_its_own() {
    let mut world = World::new();
    world.movies("films", &[(Added, "a")]);
    world.movies("secret", &[(Added, "b")]);
    let bob = vec![Who::parse_list("user:bob").expect("valid").remove(0)];
    let data = json!({"library": "films", "movies": [{"action": "Added", "movie": {"id": "c"}}]});
    world.publish_for(EventKind::Movies, bob.clone(), &data);
    let mut told = world.wait(5000);
    told.sort_by_key(|told| (told.library.clone(), told.audience.only.len()));
    let seen: Vec<_> = told.iter().map(|told| (told.audience.clone(), told.data["ItemsAdded"][0].clone())).collect();
    let for_bob = Audience { only: bob, ..readers("films") };
    assert_eq!(seen, [(readers("films"), json!(hex("a"))), (for_bob, json!(hex("c"))), (readers("secret"), json!(hex("b")))]);
}

#[test]
fn a_playlist_is_told_to_its_owner_alone() {
    let mut world = World::new();
    world.publish(EventKind::Playlists, &json!({"user": "bob", "playlists": [{"action": "Added", "playlist": {"id": "p"}}]}));
    let told = world.only(5000);
    assert_eq!(told.audience, Rule::User(crate::id::UserId::parse("bob").expect("an id")).into());
    assert_eq!((&told.data["ItemsAdded"], &told.data["CollectionFolders"], told.library), (&json!([hex("p")]), &json!([]), None));
}

#[test]
fn a_change_of_a_library_names_it_as_the_only_folder() {
    let mut world = World::new();
    let given = "0123456789abcdef0123456789abcdef";
    world.publish(EventKind::Library, &json!({"action": "Updated", "library": {"id": "shows", "ids": {"mediabrowser": given}}}));
    let data = world.only(5000).data;
    assert_eq!((&data["CollectionFolders"], &data["ItemsUpdated"]), (&json!([given]), &json!([given])));
    world.movies("shows", &[(Added, "a")]);
    assert_eq!(world.only(5000).data["FoldersAddedTo"], json!([given]), "what was given is remembered");
    world.movies("bad", &[(Added, "a")]);
    assert_eq!(world.only(5000).data["FoldersAddedTo"], json!([hex("bad")]), "an id its clients could not read is not shown");
}

#[test]
fn a_large_digest_is_split_and_one_that_never_rests_is_told_in_between() {
    let mut world = World::new();
    for part in 0..41 {
        let ids: Vec<String> = (0..500).map(|n| format!("{part}-{n}")).collect();
        world.movies("films", &ids.iter().map(|id| (Added, id.as_str())).collect::<Vec<_>>());
    }
    let told = world.wait(0);
    let mut ids: Vec<_> = told.iter().flat_map(|told| told.data["ItemsAdded"].as_array().expect("ids").clone()).collect();
    assert!(told.iter().all(|told| told.data["ItemsAdded"].as_array().is_some_and(|ids| ids.len() <= 2000)));
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!((told.len(), ids.len()), (11, 20_500));
}

#[test]
fn of_what_was_missed_the_place_is_told() {
    let mut world = World::new();
    world.digests.missed((library("films"), readers("films")), world.now);
    let data = world.only(5000).data;
    assert_eq!((&data["CollectionFolders"], &data["ItemsUpdated"]), (&json!(["f".repeat(32)]), &json!(["f".repeat(32)])));
}

#[test]
fn items_are_remembered_until_they_are_gone() {
    let mut world = World::new();
    let movie = json!({"id": "a", "name": "Film", "type": "movie", "ids": {"mediabrowser": "a".repeat(32)}});
    world.publish(EventKind::Movies, &json!({"library": "films", "movies": [{"action": "Added", "movie": movie}]}));
    let found = world.items.find(&"a".repeat(32), |_| true).expect("remembered");
    assert_eq!(
        (&*found.id, found.library.as_str(), found.name.as_deref(), found.kind.as_deref()),
        ("a", "films", Some("Film"), Some("movie"))
    );
    world.publish(EventKind::MediaRating, &json!({"library": "films", "rating": {"userRef": "bob", "mediaRef": "a", "rating": 4}}));
    world.publish(EventKind::MediaRating, &json!({"library": "films", "rating": {"userRef": "bob", "mediaRef": "b", "rating": 4}}));
    assert_eq!(world.items.find(&"a".repeat(32), |_| true), Some(found), "naming it makes nobody forget it");
    assert_eq!(world.items.find(&hex("b"), |_| true).expect("at least where it is").library, library("films"));
    let told = world.only(500).data["UserDataList"].clone();
    assert_eq!((&told[0]["ItemId"], &told[1]["ItemId"]), (&json!(hex("b")), &json!("a".repeat(32))), "by the id that was given");
    let gone = json!({"action": "Deleted", "movie": {"id": "a", "ids": {"mediabrowser": "a".repeat(32)}}});
    world.publish(EventKind::Movies, &json!({"library": "films", "movies": [gone]}));
    assert_eq!(world.items.find(&"a".repeat(32), |_| true), None);
}

fn progress(user: &str, media: &str, more: Value) -> Value {
    let mut progress = json!({"userRef": user, "mediaRef": media, "progress": 90_000, "modified": 1_708_457_186_000_i64});
    progress.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({"library": "films", "progress": progress})
}

#[test]
fn what_a_user_did_is_told_to_him_in_one_message_with_every_required_field() {
    let mut world = World::new();
    world.publish(EventKind::MediaProgress, &progress("bob", "m1", json!({"duration": 180_000})));
    assert!(world.wait(499).is_empty());
    world.publish(EventKind::MediaProgress, &progress("bob", "m2", json!({"finished": true, "isFavorite": true})));
    world.publish(EventKind::MediaProgress, &progress("eve", "m1", json!({})));
    let told = world.wait(500);
    // Eve's id is the one the settings give her here.
    let [bob, eve] =
        [hex("bob"), "e".repeat(32)].map(|user| told.iter().find(|told| told.data["UserId"] == json!(user)).expect("one each"));
    assert_eq!((told.len(), bob.name.as_str(), &bob.library), (2, "UserDataChanged", &None));
    assert_eq!(bob.audience, Rule::User(crate::id::UserId::parse("bob").expect("an id")).into());
    let of = |media: &str| {
        let list = bob.data["UserDataList"].as_array().expect("a list");
        list.iter().find(|item| item["ItemId"] == json!(hex(media))).expect("told").clone()
    };
    assert_eq!(
        of("m1"),
        json!({"PlaybackPositionTicks": 900_000_000, "PlayCount": 0, "IsFavorite": false, "Played": false, "Key": hex("m1"),
            "ItemId": hex("m1"), "PlayedPercentage": 50, "LastPlayedDate": "2024-02-20T19:26:26.0000000Z"})
    );
    assert_eq!((&of("m2")["Played"], &of("m2")["PlayCount"], &of("m2")["PlaybackPositionTicks"]), (&json!(true), &json!(1), &json!(0)));
    assert_eq!((&of("m2")["IsFavorite"], eve.data["UserDataList"].as_array().map(Vec::len)), (&json!(true), Some(1)));
}

#[test]
fn a_rating_does_not_reset_the_position_and_many_changes_are_told_after_two_seconds() {
    let mut world = World::new();
    for _ in 0..4 {
        world.publish(EventKind::MediaProgress, &progress("bob", "m1", json!({})));
        assert!(world.wait(400).is_empty());
    }
    world.publish(EventKind::MediaRating, &json!({"library": "films", "rating": {"userRef": "bob", "mediaRef": "m1", "rating": 4.5}}));
    let item = world.only(400).data["UserDataList"][0].clone();
    assert_eq!((&item["Rating"], &item["PlaybackPositionTicks"]), (&json!(4.5), &json!(900_000_000)));
}

#[test]
fn a_position_on_the_way_is_told_with_the_next_thing_that_counts_only() {
    let mut world = World::new();
    world.publish(EventKind::MediaProgress, &progress("bob", "m1", json!({"state": "started", "progress": 0})));
    assert_eq!(world.only(500).data["UserDataList"][0]["PlayCount"], json!(1));
    world.publish(EventKind::MediaProgress, &progress("bob", "m1", json!({"state": "playing"})));
    assert!(world.wait(10_000).is_empty());
    world.publish(EventKind::MediaProgress, &progress("bob", "m1", json!({"state": "stopped", "progress": 95_000})));
    let item = world.only(500).data["UserDataList"][0].clone();
    assert_eq!((&item["PlayCount"], &item["PlaybackPositionTicks"]), (&json!(1), &json!(950_000_000)));
}

#[test]
fn what_the_publisher_knows_of_the_dialect_is_merged_over() {
    let mut world = World::new();
    let mut data = progress("bob", "m1", json!({}));
    data["dialects"] = json!({"mediabrowser": {"PlayCount": 7, "UnplayedItemCount": 105}});
    world.publish(EventKind::MediaProgress, &data);
    let item = world.only(500).data["UserDataList"][0].clone();
    assert_eq!((&item["PlayCount"], &item["UnplayedItemCount"]), (&json!(7), &json!(105)));
}

#[test]
fn a_scan_is_told_of_once_a_second_but_for_its_beginning_and_its_end() {
    let mut world = World::new();
    let scan = |state: &str, progress: f64| json!({"library": "films", "state": state, "progress": progress});
    world.publish(EventKind::Scan, &scan("started", 0.0));
    let told = world.only(0);
    assert_eq!((told.name.as_str(), &told.data), ("RefreshProgress", &json!({"ItemId": "f".repeat(32), "Progress": "0"})));
    assert_eq!(told.audience, Rule::Library(library("films"), Level::Admin).into(), "also of what readers see");
    for percent in 1..10 {
        world.publish(EventKind::Scan, &scan("progress", f64::from(percent) + 0.5));
        assert!(world.wait(100).is_empty(), "{percent}");
    }
    assert_eq!(world.only(100).data["Progress"], json!("9.5"), "the latest");
    world.publish(EventKind::Scan, &scan("progress", 50.0));
    world.publish(EventKind::Scan, &scan("finished", 100.0));
    assert_eq!(world.only(0).data["Progress"], json!("100"), "and nothing older after it");
    assert!(world.wait(5000).is_empty());
    world.publish(EventKind::LibraryStatus, &json!({"library": "films", "message": "no number"}));
    assert!(world.wait(5000).is_empty());
    world.publish(EventKind::LibraryStatus, &json!({"library": "films", "message": "m", "progress": 42.5}));
    assert_eq!(world.only(0).data["Progress"], json!("42.5"));
    assert!(world.wait(61_000).is_empty() && world.digests.is_empty());
}

#[test]
fn a_scan_that_ends_at_once_is_told_of_twice() {
    let mut world = World::new();
    for state in ["started", "failed"] {
        world.publish(EventKind::Scan, &json!({"library": "films", "state": state}));
    }
    let told: Vec<_> = world.wait(0).iter().map(|told| told.data["Progress"].clone()).collect();
    assert_eq!(told, [json!("0"), json!("100")]);
}

#[test]
fn nothing_that_waits_is_lost_at_the_end() {
    let mut world = World::new();
    world.movies("films", &[(Added, "a")]);
    world.publish(EventKind::MediaProgress, &progress("bob", "m1", json!({})));
    world.publish(EventKind::Scan, &json!({"library": "films", "state": "progress", "progress": 5}));
    world.publish(EventKind::Scan, &json!({"library": "films", "state": "progress", "progress": 6}));
    let names: Vec<_> = told(world.digests.all()).into_iter().map(|told| told.name).collect();
    assert_eq!(names, ["LibraryChanged", "UserDataChanged", "RefreshProgress", "RefreshProgress"]);
    assert!(world.digests.is_empty());
}
