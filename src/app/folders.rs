//! Joins the watched folders to the engine.

use std::{io, num::NonZeroUsize, sync::Arc, time::Duration};

use crate::{
    config::Settings,
    event::{Event, EventKind, Limits},
    server::Shared,
    shard::Submission,
    source::{
        PublishError, Publisher,
        folder::{Announce, Announcement, FolderHandle, FolderSettings, FolderSource, Refused, Store},
    },
};

/// How long a folder waits for room at a time; it tries again, and can be stopped in between.
const PATIENCE: Duration = Duration::from_millis(500);

/// A folder's way into the engine.
struct IntoEngine {
    publisher: Publisher,
    limits: Limits,
}

impl Announce for IntoEngine {
    fn announce(&self, events: Vec<Announcement>) -> Result<(), Refused> {
        let submissions = events.into_iter().map(|event| self.read(event)).collect::<Result<Vec<_>, _>>()?;
        let mut answers = self.publisher.publish_blocking(submissions, PATIENCE).into_iter();
        match answers.find_map(Result::err) {
            None => Ok(()),
            Some(PublishError::Busy) => Err(Refused::Busy),
            Some(PublishError::Stopped) => Err(Refused::Closed),
        }
    }
}

impl IntoEngine {
    fn read(&self, Announcement { kind, data }: Announcement) -> Result<Submission, Refused> {
        let kind = EventKind::from_name(kind).ok_or_else(|| Refused::Rejected(format!("no event is called {kind}")))?;
        let event = Event::parse_with(kind, &data, &self.limits).map_err(|error| Refused::Rejected(error.to_string()))?;
        Ok(Submission { audience: event.audience(), event, id: None, source: None })
    }
}

/// Starts a source for every library with a folder.
pub(super) fn start(settings: &Settings, store: Option<Arc<Store>>, shared: &Shared) -> io::Result<Vec<FolderHandle>> {
    let Some(store) = store else { return Ok(Vec::new()) };
    // A message of many medias is larger than a published event may be: the batch is what bounds it.
    let limits = Limits { event_bytes: usize::MAX, event_items: settings.folder.batch, ..shared.limits().event };
    let announce: Arc<dyn Announce> = Arc::new(IntoEngine { publisher: shared.publisher.clone(), limits });
    let watched = settings.libraries.iter().filter_map(|library| Some((library, library.path.clone()?)));
    watched
        .map(|(library, path)| {
            let mut folder = FolderSettings::new(library.id.clone(), path);
            library.name().clone_into(&mut folder.name);
            folder.quiet = settings.folder.quiet;
            folder.batch_items = NonZeroUsize::new(settings.folder.batch).unwrap_or(NonZeroUsize::MIN);
            FolderSource::start(folder, Arc::clone(&store), Arc::clone(&announce))
        })
        .collect()
}
