//! The exact text of what is told to those who asked for it, and of the two messages of keepalive.
//!
//! The golden file holds what must go over the wire. `FANFARE_GOLDEN=write` writes it anew: read the difference before it is committed.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    super::{
        super::About,
        check_in, message,
        report::{self, Report},
        server::{Server, seen},
    },
    Topics,
};
use crate::{
    access::{Caller, Device, Directory, Principal},
    clock::Timestamp,
    config,
    event::{Audience, Envelope, Event, EventKind},
    id::UserId,
    state::{
        State,
        devices::{Capabilities, Moment, SessionId, Viewing},
    },
};

const TIME: Timestamp = Timestamp(1_768_600_000_000);

struct World {
    server: Arc<Server>,
    topics: Topics,
    now: Moment,
}

fn world() -> World {
    let state = Arc::new(State::default());
    let directory = Arc::new(Directory::of_people(""));
    let about = About { name: "Here", id: "0123456789abcdef", libraries: &[], users: &[], port: 80, state: &state, directory: &directory };
    let server = Server::new(&config::MediaBrowser::default(), &about);
    World { topics: Topics::new(&server), server, now: Moment { wall: TIME, ..Moment::now() } }
}

fn principal(user: &str, admin: bool) -> Arc<Principal> {
    let user = Some(UserId::parse(user).expect("an id"));
    let libraries = config::LibraryRights::Every(crate::event::Level::Read);
    Arc::new(Principal { user, member: true, admin, libraries, ..Principal::default() })
}

impl World {
    fn fold(&self, (event, audience): (Event, Audience)) {
        let mut envelope = Envelope::new(event, audience, "e".into(), 0, 1);
        envelope.accepted = TIME;
        self.server.state.fold(&Arc::new(envelope));
    }

    fn publish(&self, kind: EventKind, data: &str) {
        let event = Event::parse(kind, data).expect("valid");
        let audience = event.audience();
        self.fold((event, audience));
    }

    fn log_in(&self, principal: &Arc<Principal>, id: &str) -> SessionId {
        let caller = Caller { principal: Arc::clone(principal), ..Caller::default() };
        let device = Device { client: "Web".into(), id: id.into(), name: "Firefox \"at home\"".into(), version: "1.0".into() };
        self.server.devices().seen(&seen(&caller, &device, "10.0.0.5".parse().ok()), self.now).session
    }

    fn check_in(&self, session: SessionId, moment: report::Moment, text: &str, principal: &Principal) {
        let report = Report::of_text(moment, text).expect("a position");
        for event in check_in::events((session, moment, &report), principal, &self.server, self.now).expect("a check-in") {
            self.fold(event);
        }
    }

    fn told(&self, name: &str, principal: &Principal) -> String {
        let topic = self.topics.get(name).expect("a topic");
        topic.frame(principal, None, false).map(|frame| text(&frame)).unwrap_or_else(|| format!("nothing of {name}\n"))
    }
}

/// The payload of a frame on a line, its id replaced.
fn text(frame: &Bytes) -> String {
    let begin = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let text = std::str::from_utf8(&frame[begin..]).expect("text");
    let (before, rest) = text.split_once(",\"MessageId\":\"").expect("an id");
    let _whole: serde_json::Value = serde_json::from_str(text).expect("JSON");
    format!("{before},\"MessageId\":\"ID{}\n", &rest[32..])
}

#[test]
fn what_subscribers_are_told_is_written_exactly_so() {
    let (world, bob, root) = (world(), principal("bob", false), principal("root", true));
    let mut all =
        text(&message::message("ForceKeepAlive", Some(message::KEEP_ALIVE_SECONDS))) + &text(&message::message("KeepAlive", None));
    let session = world.log_in(&bob, "d1");
    all += &world.told("Sessions", &bob);
    let can = Capabilities {
        playable_media_types: vec!["Video".into()],
        supported_commands: vec!["Mute".into()],
        supports_media_control: true,
        more: String::new(),
    };
    world.server.devices().set_capabilities(session, can).expect("not too large");
    let viewing = Viewing { item_type: "Movie".into(), item_id: "f1".into(), item_name: "F".into(), context: "movies".into() };
    world.server.devices().set_viewing(session, Some(viewing)).expect("not too large");
    world.check_in(session, report::Moment::Progress, "f1|610000000|true|true|s|70|1|-1", &bob);
    world.publish(
        EventKind::Playback,
        r#"{"session":"12","user":"eve","client":{"id":"tv","name":"TV","product":"Plex"},"item":{"id":"900","name":"A song","type":"track"},"state":"paused","position":1000,"duration":2000}"#,
    );
    all += &world.told("Sessions", &bob);
    all += &world.told("Sessions", &root);
    all += &world.told("Sessions", &Principal { member: true, ..Principal::default() });
    world.publish(EventKind::Scan, r#"{"library":"films","name":"Films","state":"started"}"#);
    world.publish(EventKind::Scan, r#"{"library":"films","state":"progress","progress":12.5}"#);
    world.publish(EventKind::Activity, r#"{"id":"a1","state":"ended","type":"media.generate.bif","title":"Previews"}"#);
    all += &world.told("ScheduledTasksInfo", &bob);
    all += &world.told("ScheduledTasksInfo", &root);
    all += &world.told("ActivityLogEntry", &root);
    all += &world.told("ActivityLogEntry", &bob);
    all += &["Sessions", "ScheduledTasksInfo"].map(|name| world.told(name, &Principal::default())).concat();
    if std::env::var("FANFARE_GOLDEN").as_deref() == Ok("write") {
        let path = format!("{}/src/dialect/mediabrowser/golden/topics.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &all).expect("written");
        return;
    }
    assert_eq!(all, include_str!("../golden/topics.txt"));
}

#[test]
fn a_line_of_the_log_is_a_nudge_of_its_own() {
    let (world, root) = (world(), principal("root", true));
    let topic = world.topics.get("activitylogentry").expect("a topic");
    let frame = || topic.frame(&root, None, false).expect("an administrator");
    let first = frame();
    assert_eq!(frame().as_ptr(), first.as_ptr());
    world.publish(EventKind::Log, r#"{"level":"info","message":"m"}"#);
    assert_ne!(frame(), first);
}

#[test]
fn what_another_user_does_leaves_ones_frame_as_it_is() {
    let (world, bob, eve) = (world(), principal("bob", false), principal("eve", false));
    world.log_in(&bob, "d1");
    let topic = world.topics.get("Sessions").expect("a topic");
    let before = topic.frame(&bob, None, false).expect("a user");
    let session = world.log_in(&eve, "device-of-eve");
    world.check_in(session, report::Moment::Start, "f1", &eve);
    assert_eq!(topic.frame(&bob, None, false).expect("a user").as_ptr(), before.as_ptr());
    assert!(!text(&before).contains("device-of-eve"));
}
