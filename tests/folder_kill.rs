//! A process killed in the middle of a scan: what it announced before and what the next one announces after are together
//! exactly the truth. At most the one message in flight is said twice.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    num::NonZeroUsize,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use fanfare::{
    id::LibraryId,
    source::folder::{Announce, Announcement, FolderHandle, FolderSettings, FolderSource, Refused, Store},
};
use serde_json::Value;

const FOLDER: &str = "FANFARE_TEST_KILLED_FOLDER";
const FILES: usize = 1000;
const BATCH: usize = 50;
const MESSAGES_BEFORE_THE_KILL: usize = 8;

fn start(temporary: &Path, announce: Arc<dyn Announce>) -> FolderHandle {
    let store = Arc::new(Store::open(&temporary.join("media.redb")).unwrap());
    let mut settings = FolderSettings::new(LibraryId::parse("films").unwrap(), temporary.join("root"));
    settings.batch_items = NonZeroUsize::new(BATCH).unwrap();
    FolderSource::start(settings, store, announce).unwrap()
}

/// In the killed process: prints what it accepts. The last message is accepted but its call never returns, so that the kill
/// always hits between acceptance and recording.
struct Printer {
    printed: std::sync::atomic::AtomicUsize,
}

impl Announce for Printer {
    fn announce(&self, announcements: Vec<Announcement>) -> Result<(), Refused> {
        for medias in announcements.iter().filter(|announcement| announcement.kind == "medias") {
            let mut out = std::io::stdout().lock();
            writeln!(out, "\n{}", medias.data).and_then(|()| out.flush()).unwrap();
            if self.printed.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == MESSAGES_BEFORE_THE_KILL {
                drop(out);
                wait_to_be_killed();
            }
        }
        Ok(())
    }
}

fn wait_to_be_killed() {
    let (_sender, receiver) = mpsc::channel::<()>();
    // Ends by itself should the other process have died first.
    assert!(receiver.recv_timeout(Duration::from_secs(20)).is_err());
}

struct Sender(mpsc::Sender<Announcement>);

impl Announce for Sender {
    fn announce(&self, announcements: Vec<Announcement>) -> Result<(), Refused> {
        announcements.into_iter().try_for_each(|announcement| self.0.send(announcement)).map_err(|_| Refused::Closed)
    }
}

/// What a client knows: path by id, and how often it was told `Added` for what it had already.
#[derive(Default)]
struct Client {
    medias: BTreeMap<String, (String, u64)>,
    twice: usize,
    /// The paths of the first message.
    recorded: Vec<String>,
    /// Medias of the last message.
    n_last: usize,
}

impl Client {
    fn hear(&mut self, message: &str) {
        let message: Value = serde_json::from_str(message).unwrap();
        let items = message["medias"].as_array().unwrap();
        self.n_last = items.len();
        for item in items {
            let media = &item["media"];
            let id = media["id"].as_str().unwrap().to_owned();
            if item["action"] == "Deleted" {
                assert!(self.medias.remove(&id).is_some(), "deleted what was never told: {media}");
                continue;
            }
            let known = (media["path"].as_str().unwrap().to_owned(), media["size"].as_u64().unwrap());
            if self.recorded.len() < BATCH {
                self.recorded.push(known.0.clone());
            }
            let before = self.medias.insert(id, known);
            self.twice += usize::from(before.is_some() && item["action"] == "Added");
        }
    }

    fn knows(&self) -> BTreeMap<String, u64> {
        self.medias.values().cloned().collect()
    }
}

/// Does nothing unless it is the process started by the test below.
#[test]
fn the_process_that_is_killed() {
    if let Some(temporary) = std::env::var_os(FOLDER) {
        let _source = start(Path::new(&temporary), Arc::new(Printer { printed: 0.into() }));
        wait_to_be_killed();
    }
}

fn scan_and_be_killed(temporary: &Path, client: &mut Client) {
    let mut killed = Command::new(std::env::current_exe().unwrap())
        .args(["the_process_that_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, temporary)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(killed.stdout.take().unwrap()).lines().map(Result::unwrap);
    for message in lines.filter(|line| line.starts_with('{')).take(MESSAGES_BEFORE_THE_KILL) {
        client.hear(&message);
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
}

#[test]
fn after_a_kill_the_next_scan_reports_exactly_the_difference() {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().join("root");
    fs::create_dir(&root).unwrap();
    for n in 0..FILES {
        fs::write(root.join(format!("{n}.jpg")), "x").unwrap();
    }
    let mut client = Client::default();
    scan_and_be_killed(temporary.path(), &mut client);
    // On a busy machine a message goes before it is full.
    let n_certain = client.medias.len() - client.n_last;
    assert!((3..=(MESSAGES_BEFORE_THE_KILL - 1) * BATCH).contains(&n_certain), "{n_certain}");

    // While it is off, of what is recorded for certain one goes, one grows and one moves; something new comes, something untold goes.
    let told = client.knows();
    let untold = (0..FILES).map(|n| format!("{n}.jpg")).find(|name| !told.contains_key(name)).unwrap();
    fs::remove_file(root.join(&untold)).unwrap();
    fs::remove_file(root.join(&client.recorded[0])).unwrap();
    fs::write(root.join(&client.recorded[1]), "grown").unwrap();
    fs::rename(root.join(&client.recorded[2]), root.join("moved.jpg")).unwrap();
    fs::write(root.join("new.jpg"), "new").unwrap();

    let (sender, receiver) = mpsc::channel();
    let source = start(temporary.path(), Arc::new(Sender(sender)));
    let finished = loop {
        let announcement = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        if announcement.kind == "medias" {
            client.hear(&announcement.data);
        } else if announcement.data.contains(r#""finished""#) {
            break announcement.data;
        }
    };
    source.stop();

    let on_disk = fs::read_dir(&root).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
    });
    assert_eq!(client.knows(), on_disk.collect());
    assert!(client.twice <= BATCH, "{} were announced twice", client.twice);
    let finished: Value = serde_json::from_str(&finished).unwrap();
    assert_eq!(finished["results"]["unchanged"], n_certain - 3);
    assert_eq!((&finished["results"]["updated"], &finished["results"]["deleted"]), (&2.into(), &1.into()));
}
