//! `ScheduledTasksInfo`: what runs, and what has ended within the last minute, as far as one may see it.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{
    super::{
        server::{Server, is_somebody},
        task::Task,
    },
    shared::Frames,
};
use crate::{
    access::Principal,
    clock::Timestamp,
    event::{Envelope, Event, EventKind, KindSet, Level},
    topic::Topic,
};

const TASKS: KindSet = KindSet::of(&[EventKind::Scan, EventKind::Activity]);

pub(super) struct Tasks {
    server: Arc<Server>,
    frames: Frames<Principal>,
}

impl Tasks {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server, frames: Frames::new("ScheduledTasksInfo") }
    }
}

impl Topic for Tasks {
    fn name(&self) -> &'static str {
        "ScheduledTasksInfo"
    }

    fn version(&self) -> u64 {
        self.server.state.tasks_version()
    }

    fn frame(&self, principal: &Principal, version: u64, before: Option<&Bytes>, again: bool) -> Option<Bytes> {
        if !is_somebody(principal) {
            return None;
        }
        // Whoever sees all sees the same.
        let rights = if principal.admin { Principal { admin: true, ..Principal::default() } } else { principal.clone() };
        Some(self.frames.frame(rights, (version, version), (before, again), || all(principal, &self.server)))
    }
}

/// By name, as the real servers have them.
fn all(principal: &Principal, server: &Server) -> String {
    let envelopes = server.state.present(TASKS, |envelope| principal.is_in(&envelope.audience, None, None));
    let mut latest: BTreeMap<String, (Timestamp, &Arc<Envelope>)> = BTreeMap::new();
    for envelope in &envelopes {
        let Some(task) = Task::of(&envelope.event, server.place()) else { continue };
        // In the order of their shards, so the last one of a run is the latest, and the first one its beginning.
        latest.entry(task.id().to_owned()).or_insert((envelope.accepted, envelope)).1 = envelope;
    }
    let mut tasks: Vec<(String, String)> = Vec::with_capacity(latest.len());
    for (began, envelope) in latest.into_values() {
        if let Some(task) = Task::of(&envelope.event, server.place()) {
            tasks.push((task.name().to_owned(), task.info(began, envelope, sees_progress(principal, &envelope.event))));
        }
    }
    tasks.sort();
    let tasks: Vec<String> = tasks.into_iter().map(|(_, info)| info).collect();
    format!("[{}]", tasks.join(","))
}

/// Of a scan only administrators of the library are told how far it is and why it failed (event map, section 3).
fn sees_progress(principal: &Principal, event: &Event) -> bool {
    match event {
        Event::Scan(scan) => principal.has(&scan.library, Level::Admin),
        _ => true,
    }
}
