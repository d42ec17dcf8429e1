//! Hears from the operating system which paths changed (`notify`) and leaves them in the inbox. It looks at no file.

use std::{path::Path, sync::Arc};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, Flag, ModifyKind, RenameMode},
};

use super::inbox::{Inbox, Shared};

/// Watches a folder and everything below until dropped.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Starts watching. A watch that cannot see everything (the system's limit is reached) is returned with the reason.
    pub(super) fn start(root: &Path, shared: &Arc<Shared>) -> Result<(Self, Option<String>), notify::Error> {
        let inbox = Arc::clone(shared);
        let handler = move |event: notify::Result<Event>| match event {
            Ok(event) => heard(&inbox, event),
            Err(error) => inbox.leave(|inbox| inbox.watch_error = Some(reason(&error))),
        };
        // Symbolic links are not followed: what they point to may lie outside the root, or contain it.
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(handler, config)?;
        let blind = watcher.watch(root, RecursiveMode::Recursive).err().map(|error| reason(&error));
        Ok((Self { _watcher: watcher }, blind))
    }
}

fn reason(error: &notify::Error) -> String {
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => "the system's limit of watched folders is reached (fs.inotify.max_user_watches)".into(),
        _ => error.to_string(),
    }
}

fn heard(shared: &Shared, event: Event) {
    if event.need_rescan() || event.attrs.flag() == Some(Flag::Rescan) {
        shared.leave(|inbox| inbox.rescan = true);
    }
    match event.kind {
        // Opening and reading, ours above all, change nothing.
        EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write) => {}
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => shared.leave(|inbox| renamed(inbox, event)),
        _ => shared.leave(|inbox| inbox.changed.extend(event.paths)),
    }
}

fn renamed(inbox: &mut Inbox, event: Event) {
    let mut paths = event.paths.into_iter();
    if let (Some(from), Some(to)) = (paths.next(), paths.next()) {
        inbox.renamed.push((from, to));
    }
}
