//! How long does a folder take, and how much memory? Scans it once and prints what was announced; run it again for the
//! difference.
//!
//! ```text
//! cargo build --release --example folder_scan
//! /usr/bin/time -v target/release/examples/folder_scan FOLDER STORE.redb
//! ```
#![allow(clippy::print_stdout, reason = "an example's output")]

use std::{
    error::Error,
    path::Path,
    sync::{Arc, mpsc},
    time::Instant,
};

use fanfare::{
    id::LibraryId,
    source::folder::{Announce, Announcement, FolderSettings, FolderSource, Refused, Store},
};

/// An engine with room for four messages: the source waits when they are not taken.
struct Engine(mpsc::SyncSender<Announcement>);

impl Announce for Engine {
    fn announce(&self, announcements: Vec<Announcement>) -> Result<(), Refused> {
        announcements.into_iter().try_for_each(|announcement| self.0.send(announcement)).map_err(|_| Refused::Closed)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), Some(store)) = (arguments.next(), arguments.next()) else {
        return Err("usage: folder_scan FOLDER STORE.redb".into());
    };
    let started = Instant::now();
    let (sender, receiver) = mpsc::sync_channel(4);
    let store = Arc::new(Store::open(Path::new(&store))?);
    let source = FolderSource::start(FolderSettings::new(LibraryId::parse("scanned")?, folder.into()), store, Arc::new(Engine(sender)))?;
    let (mut messages, mut bytes, mut longest) = (0, 0, 0);
    for announcement in &receiver {
        if announcement.kind == "medias" {
            messages += 1;
            bytes += announcement.data.len();
            longest = longest.max(announcement.data.len());
            continue;
        }
        println!("{:>8.3} s {}", started.elapsed().as_secs_f64(), announcement.data);
        if [r#""finished""#, r#""failed""#].iter().any(|end| announcement.data.contains(end)) {
            break;
        }
    }
    println!("{messages} messages, {bytes} bytes, the longest {longest}");
    drop(receiver);
    source.stop();
    Ok(())
}
