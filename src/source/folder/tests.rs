//! The folder source against real folders, the real watcher and a recording engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use tempfile::TempDir;

use super::{Announce, Announcement, Catalogue, FolderHandle, FolderSettings, FolderSource, Refused, Store};
use crate::id::LibraryId;

/// Far longer than anything here takes, on a busy machine too; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that writes down what it accepts.
#[derive(Default)]
struct Recorder {
    told: Mutex<Vec<(Instant, Announcement)>>,
    arrived: Condvar,
    /// Accepts no more `medias` messages than this; further ones are answered busy.
    room: Mutex<Option<usize>>,
}

impl Announce for Recorder {
    fn announce(&self, announcements: Vec<Announcement>) -> Result<(), Refused> {
        if let Some(room) = &mut *self.room.lock()
            && announcements.iter().any(|announcement| announcement.kind == "medias")
        {
            *room = room.checked_sub(1).ok_or(Refused::Busy)?;
        }
        self.told.lock().extend(announcements.into_iter().map(|announcement| (Instant::now(), announcement)));
        self.arrived.notify_all();
        Ok(())
    }
}

impl Recorder {
    fn messages(&self, kind: &str) -> Vec<Value> {
        let told = self.told.lock();
        let of_kind = told.iter().filter(|(_, announcement)| announcement.kind == kind);
        of_kind.map(|(_, announcement)| serde_json::from_str(&announcement.data).unwrap()).collect()
    }

    /// (action, media) of every element so far.
    fn items(&self) -> Vec<(String, Value)> {
        let messages = self.messages("medias");
        let items = messages.iter().flat_map(|message| message["medias"].as_array().unwrap().clone());
        items.map(|item| (item["action"].as_str().unwrap().to_owned(), item["media"].clone())).collect()
    }

    /// "Added a.jpg" and so on, in order.
    fn story(&self) -> Vec<String> {
        self.items().iter().map(|(action, media)| format!("{action} {}", media["path"].as_str().unwrap())).collect()
    }

    /// How many elements so far, without reading them.
    fn count(&self) -> usize {
        self.told.lock().iter().map(|(_, announcement)| announcement.data.matches(r#""action""#).count()).sum()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            let mut told = self.told.lock();
            let timed_out = self.arrived.wait_until(&mut told, deadline.min(Instant::now() + Duration::from_millis(50))).timed_out();
            drop(told);
            let timed_out = timed_out && Instant::now() >= deadline;
            assert!(
                !timed_out,
                "{what}; scans: {:?}; the first told: {:?}",
                self.messages("scan"),
                self.story().get(..20.min(self.story().len()))
            );
        }
    }

    fn wait_for_story(&self, story: &[&str]) {
        self.wait_for(&format!("waiting for {story:?}"), |recorder| recorder.story() == story);
    }

    fn wait_for_scan(&self, state: &str) -> Value {
        self.wait_for(state, |recorder| recorder.messages("scan").iter().any(|scan| scan["state"] == state));
        self.messages("scan").into_iter().rfind(|scan| scan["state"] == state).unwrap()
    }

    fn forget(&self) {
        self.told.lock().clear();
    }
}

/// A folder, a store and a source on them.
struct Bench {
    _temporary: TempDir,
    root: PathBuf,
    store: Arc<Store>,
    recorder: Arc<Recorder>,
    settings: FolderSettings,
    source: Option<FolderHandle>,
}

impl Bench {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("root");
        fs::create_dir(&root).unwrap();
        let store = Arc::new(Store::open(&temporary.path().join("media.redb")).unwrap());
        let mut settings = FolderSettings::new(library(), root.clone());
        settings.retry_first = Duration::from_millis(50);
        settings.retry_longest = Duration::from_millis(100);
        Self { _temporary: temporary, root, store, recorder: Arc::default(), settings, source: None }
    }

    fn start(&mut self) -> Value {
        self.begin();
        self.recorder.wait_for_scan("finished")
    }

    fn begin(&mut self) {
        let recorder: Arc<Recorder> = Arc::clone(&self.recorder);
        self.source = Some(FolderSource::start(self.settings.clone(), Arc::clone(&self.store), recorder).unwrap());
    }

    fn stop(&mut self) {
        self.source.take().unwrap().stop();
        self.recorder.forget();
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.root.join(from), self.root.join(to)).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).unwrap();
    }

    /// path → media, as a client would sync it, in pages of `limit`.
    fn pages(&self, limit: usize) -> BTreeMap<String, Value> {
        let catalogue = Catalogue::new(Arc::clone(&self.store));
        let (mut all, mut after) = (BTreeMap::new(), None);
        loop {
            let page = catalogue.page(&library(), after.as_deref(), limit).unwrap();
            assert!(page.medias.len() <= limit);
            for media in page.medias {
                let media: Value = serde_json::from_str(&media).unwrap();
                assert!(all.insert(media["path"].as_str().unwrap().to_owned(), media).is_none());
            }
            let Some(next) = page.next else { return all };
            after = Some(next);
        }
    }
}

fn library() -> LibraryId {
    LibraryId::parse("films").unwrap()
}

fn sorted(mut story: Vec<String>) -> Vec<String> {
    story.sort();
    story
}

#[test]
fn the_first_scan_announces_every_file_and_counts_them() {
    let mut bench = Bench::new();
    bench.write("a.jpg", "x");
    bench.write("deep/er/b.mkv", "yy");
    for ignored in [".hidden.jpg", "c.part", "d~", ".git/e.jpg"] {
        bench.write(ignored, "z");
    }
    std::os::unix::fs::symlink(&bench.root, bench.root.join("cycle")).unwrap();
    let finished = bench.start();
    assert_eq!(finished["results"]["added"], 2);
    assert_eq!((&finished["progress"], &finished["library"]), (&100.into(), &"films".into()));
    let scans = bench.recorder.messages("scan");
    assert_eq!(scans[0]["state"], "started");
    assert!(scans.iter().all(|scan| scan["id"] == finished["id"]), "one run, one id: {scans:?}");
    assert_eq!(sorted(bench.recorder.story()), ["Added a.jpg", "Added deep/er/b.mkv"]);
    let pages = bench.pages(1);
    assert_eq!((&pages["a.jpg"]["type"], &pages["a.jpg"]["mimetype"]), (&"photo".into(), &"image/jpeg".into()));
    assert_eq!((&pages["deep/er/b.mkv"]["name"], &pages["deep/er/b.mkv"]["size"]), (&"b.mkv".into(), &2.into()));
    for (_, media) in bench.recorder.items() {
        assert_eq!(media, pages[media["path"].as_str().unwrap()], "pages and events show the same object");
    }
}

#[test]
fn a_live_change_is_announced_within_a_second() {
    let mut bench = Bench::new();
    bench.start();
    let step = |change: &dyn Fn(), story: &[&str]| {
        change();
        let changed = Instant::now();
        bench.recorder.wait_for_story(story);
        let told = bench.recorder.told.lock().last().unwrap().0;
        assert!(told.duration_since(changed) < Duration::from_secs(1), "{story:?} took {:?}", told.duration_since(changed));
    };
    step(&|| bench.write("a.jpg", "x"), &["Added a.jpg"]);
    step(&|| bench.write("a.jpg", "xx"), &["Added a.jpg", "Updated a.jpg"]);
    step(&|| bench.remove("a.jpg"), &["Added a.jpg", "Updated a.jpg", "Deleted a.jpg"]);
    let ids: BTreeSet<_> = bench.recorder.items().iter().map(|(_, media)| media["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert!(bench.pages(10).is_empty());
}

#[test]
fn a_renamed_file_keeps_its_id_and_its_old_name_is_free_for_another() {
    let mut bench = Bench::new();
    bench.write("a.jpg", "first");
    bench.start();
    let id = bench.pages(9)["a.jpg"]["id"].clone();
    bench.rename("a.jpg", "b.jpg");
    bench.recorder.wait_for_story(&["Added a.jpg", "Updated b.jpg"]);
    bench.write("a.jpg", "second");
    bench.recorder.wait_for_story(&["Added a.jpg", "Updated b.jpg", "Added a.jpg"]);
    let pages = bench.pages(9);
    assert_eq!(pages["b.jpg"]["id"], id);
    assert_ne!(pages["a.jpg"]["id"], id);
}

#[test]
fn a_download_appears_under_its_final_name_only() {
    let mut bench = Bench::new();
    bench.start();
    bench.write("film.mkv.part", "half");
    bench.write("film.mkv.part", "half and half");
    bench.rename("film.mkv.part", "film.mkv");
    bench.recorder.wait_for_story(&["Added film.mkv"]);
}

#[test]
fn a_renamed_folder_renames_its_files_and_a_removed_one_deletes_them() {
    let mut bench = Bench::new();
    bench.write("old/a.jpg", "a");
    bench.write("old/sub/b.jpg", "b");
    bench.start();
    let before = bench.pages(9);
    bench.recorder.forget();
    bench.rename("old", "new");
    bench.recorder.wait_for("renames", |recorder| sorted(recorder.story()) == ["Updated new/a.jpg", "Updated new/sub/b.jpg"]);
    let after = bench.pages(9);
    assert_eq!(after["new/sub/b.jpg"]["id"], before["old/sub/b.jpg"]["id"]);
    bench.recorder.forget();
    // The renamed folders are still watched under their new names.
    bench.write("new/sub/c.jpg", "c");
    bench.recorder.wait_for_story(&["Added new/sub/c.jpg"]);
    bench.recorder.forget();
    fs::remove_dir_all(bench.root.join("new")).unwrap();
    let gone = ["Deleted new/a.jpg", "Deleted new/sub/b.jpg", "Deleted new/sub/c.jpg"];
    bench.recorder.wait_for("deletions", |recorder| sorted(recorder.story()) == gone);
}

#[test]
fn a_restart_reports_exactly_what_changed_while_it_was_off() {
    let mut bench = Bench::new();
    for name in ["changed", "deleted", "kept", "moved"] {
        bench.write(&format!("{name}.jpg"), name);
    }
    bench.start();
    let before = bench.pages(9);
    bench.stop();
    bench.write("changed.jpg", "changed indeed");
    bench.remove("deleted.jpg");
    bench.rename("moved.jpg", "Moved to a name before.jpg");
    bench.write("new.jpg", "new");
    let finished = bench.start();
    let story = ["Added new.jpg", "Deleted deleted.jpg", "Updated Moved to a name before.jpg", "Updated changed.jpg"];
    assert_eq!(sorted(bench.recorder.story()), story);
    let counts = serde_json::json!({"added": 1, "updated": 2, "deleted": 1, "unchanged": 1, "unreadable": 0});
    assert_eq!(finished["results"], counts);
    assert_eq!(bench.pages(2)["Moved to a name before.jpg"]["id"], before["moved.jpg"]["id"]);
}

#[test]
fn a_folder_that_vanishes_is_reported_and_its_files_are_not_deleted() {
    let mut bench = Bench::new();
    bench.write("a.jpg", "a");
    bench.write("b.jpg", "b");
    bench.start();
    bench.recorder.forget();
    let away = bench.root.with_file_name("away");
    fs::rename(&bench.root, &away).unwrap();
    let failed = bench.recorder.wait_for_scan("failed");
    assert!(failed["error"].as_str().unwrap().contains("root"), "{failed}");
    fs::remove_file(away.join("b.jpg")).unwrap();
    fs::rename(&away, &bench.root).unwrap();
    let finished = bench.recorder.wait_for_scan("finished");
    assert_eq!((&finished["results"]["unchanged"], &finished["results"]["deleted"]), (&1.into(), &1.into()));
    assert_eq!(bench.recorder.story(), ["Deleted b.jpg"]);
}

#[test]
fn a_mount_point_without_its_disk_is_not_taken_for_emptied() {
    let mut bench = Bench::new();
    bench.write("a.jpg", "a");
    bench.start();
    bench.stop();
    // As if the last scan had seen another disk there.
    bench.store.set_device(&library(), u64::MAX).unwrap();
    bench.remove("a.jpg");
    bench.begin();
    let failed = bench.recorder.wait_for_scan("failed");
    assert!(failed["error"].as_str().unwrap().contains("not mounted"), "{failed}");
    assert!(bench.recorder.story().is_empty());
}

#[test]
fn what_cannot_be_read_is_counted_and_not_taken_for_deleted() {
    let mut bench = Bench::new();
    bench.write("a.jpg", "a");
    // A folder whose path is longer than the system takes: unreadable to everybody, root included.
    let long = |letter: &str, parts: usize| -> PathBuf { std::iter::repeat_n(letter.repeat(200), parts).collect() };
    fs::create_dir_all(bench.root.join(long("x", 12))).unwrap();
    fs::create_dir_all(bench.root.join("y").join(long("y", 12))).unwrap();
    fs::rename(bench.root.join("y"), bench.root.join(long("x", 12)).join("y")).unwrap();
    let finished = bench.start();
    assert_eq!((&finished["results"]["added"], &finished["results"]["unreadable"]), (&1.into(), &1.into()));
    assert!(finished["error"].as_str().unwrap().contains("cannot be read"), "{finished}");
}

#[test]
fn a_cancelled_scan_ends_at_once_and_the_next_one_goes_on_from_there() {
    let mut bench = Bench::new();
    for n in 0..300 {
        bench.write(&format!("{n}.jpg"), "x");
    }
    bench.settings.batch_items = NonZeroUsize::new(10).unwrap();
    *bench.recorder.room.lock() = Some(5);
    bench.begin();
    bench.recorder.wait_for("five messages", |recorder| recorder.messages("medias").len() == 5);
    let source = bench.source.take().unwrap();
    let run = bench.recorder.messages("scan")[0]["id"].as_str().unwrap().to_owned();
    let (control, other) = (source.scan_control(), LibraryId::parse("another").unwrap());
    assert!(!control.cancel(&bench.settings.library, "another run") && !control.cancel(&other, &run));
    assert!(control.cancel(&bench.settings.library, &run));
    *bench.recorder.room.lock() = None;
    let cancelled = bench.recorder.wait_for_scan("cancelled");
    assert!(cancelled["results"]["added"].as_u64().unwrap() < 300, "{cancelled}");
    assert!(!source.is_scanning() && !source.cancel_scan());
    assert_eq!(cancelled["id"].as_str(), Some(&*run));
    source.rescan();
    assert_ne!(bench.recorder.wait_for_scan("finished")["id"].as_str(), Some(&*run));
    let story = bench.recorder.story();
    assert_eq!((story.len(), story.into_iter().collect::<BTreeSet<_>>().len()), (300, 300));
}

#[test]
fn stopping_is_prompt_even_while_the_engine_is_busy() {
    let mut bench = Bench::new();
    bench.write("a.jpg", "a");
    *bench.recorder.room.lock() = Some(0);
    bench.begin();
    bench.recorder.wait_for_scan("started");
    let asked = Instant::now();
    bench.stop();
    assert!(asked.elapsed() < Duration::from_secs(1));
    *bench.recorder.room.lock() = None;
    bench.start();
    assert_eq!(bench.recorder.story(), ["Added a.jpg"]);
}

#[test]
fn names_that_are_not_text_are_announced_and_kept_apart() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let mut bench = Bench::new();
    for name in [b"\xff.jpg".as_slice(), b"\xfe.jpg", b"line\nbreak\x01.jpg"] {
        fs::write(bench.root.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    bench.start();
    let ids: BTreeSet<_> = bench.recorder.items().iter().map(|(_, media)| media["id"].to_string()).collect();
    assert_eq!(ids.len(), 3);
    bench.stop();
    assert_eq!(bench.start()["results"]["unchanged"], 3);
}

#[test]
fn an_unwatched_folder_is_rescanned_without_announcing_the_scans() {
    let mut bench = Bench::new();
    bench.settings.watch = false;
    bench.settings.rescan_every = Duration::from_millis(100);
    let finished = bench.start();
    assert!(finished["error"].as_str().unwrap().contains("watch"), "{finished}");
    bench.write("a.jpg", "a");
    bench.recorder.wait_for_story(&["Added a.jpg"]);
    assert_eq!(bench.recorder.messages("scan").len(), 2);
}

#[test]
fn many_files_come_in_bounded_messages_with_changes_made_meanwhile() {
    const FILES: usize = 10_000;
    let mut bench = Bench::new();
    for folder in 0..20 {
        let folder = bench.root.join(folder.to_string());
        fs::create_dir(&folder).unwrap();
        for n in 0..FILES / 20 {
            fs::File::create(folder.join(format!("{n}.jpg"))).unwrap();
        }
    }
    bench.begin();
    bench.recorder.wait_for_scan("started");
    bench.write("meanwhile.jpg", "x");
    bench.recorder.wait_for_scan("finished");
    bench.recorder.wait_for("the late one", |recorder| recorder.count() == FILES + 1);
    for (_, message) in &*bench.recorder.told.lock() {
        assert!(message.data.len() <= 256 * 1024 && message.data.matches(r#""action""#).count() <= 200);
    }
    assert_eq!(Catalogue::new(Arc::clone(&bench.store)).count(&library()).unwrap(), FILES as u64 + 1);
}

#[test]
fn a_store_that_cannot_be_opened_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let path: &Path = &temporary.path().join("media.redb");
    let first = Store::open(path).unwrap();
    let error = Store::open(path).unwrap_err().to_string();
    assert!(error.contains("media.redb"), "{error}");
    drop(first);
    fs::write(path, "this is no store".repeat(1000)).unwrap();
    let error = Store::open(path).unwrap_err().to_string();
    assert!(error.contains("media.redb"), "{error}");
}
