//! What administrators see of the engine, and the settings read again while it runs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use serde_json::json;

use super::live_limits::LiveLimits;
use crate::{
    access::Directory,
    clock::Timestamp,
    config::{self, ConfigError, Difference, Settings},
    event::{Envelope, Event, EventKind, KindSet},
    id::{LibraryId, UserId},
    metrics::{ReloadMetrics, ShardMetrics, WorkerReading},
    server::{Administration, Crew, LibraryReport, NotReloaded, Reloaded, ScanReport, ShardReport, Tls, WorkerReport},
    state::State,
};

/// Reads the settings as at the start: the same file, variables and flags.
pub type ReadSettings = Arc<dyn Fn() -> Result<Settings, ConfigError> + Send + Sync>;

/// Sets what is logged, in the syntax of `server.log`.
pub type SetLog = Arc<dyn Fn(&str) + Send + Sync>;

/// Is told the file of the certificate that is used from now on, as the settings name it.
pub type TellCertificate = Arc<dyn Fn(&Path) + Send + Sync>;

/// Where a reload reads from, and what it changes beside the engine.
#[derive(Clone, Default)]
pub(super) struct ReloadWays {
    pub(super) read: Option<ReadSettings>,
    pub(super) log: Option<SetLog>,
    pub(super) certificate: Option<TellCertificate>,
}

/// The engine's parts, as far as administrators are concerned.
pub(super) struct Operations {
    pub(super) crew: Arc<Crew>,
    pub(super) shards: Vec<Arc<ShardMetrics>>,
    /// Batches in each shard's mailbox.
    pub(super) waiting: Vec<Arc<AtomicUsize>>,
    pub(super) settings: RwLock<Settings>,
    pub(super) limits: LiveLimits,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) ways: ReloadWays,
    pub(super) metrics: Arc<ReloadMetrics>,
    /// Held during a reload: there is one at a time.
    pub(super) reloading: Mutex<()>,
}

impl Operations {
    fn directory(&self) -> &Arc<Directory> {
        &self.crew.directory
    }

    fn state(&self) -> &State {
        &self.crew.state
    }

    fn scan_of(&self, library: &LibraryId) -> Option<ScanReport> {
        let is_its = |envelope: &Envelope| matches!(&envelope.event, Event::Scan(scan) if scan.library == *library);
        let latest = self.state().present(KindSet::of(&[EventKind::Scan]), is_its).pop()?;
        let Event::Scan(scan) = &latest.event else { return None };
        Some(ScanReport { state: scan.state.name(), progress: scan.progress })
    }

    fn put_in_force(&self) -> Result<Reloaded, NotReloaded> {
        let read = self.ways.read.as_ref().ok_or(NotReloaded::NoSource)?;
        let next = read().map_err(|error| NotReloaded::Broken(error.to_string()))?;
        let running = self.settings.read().clone();
        let Difference { live: mut changed, after_restart } = running.difference(&next);
        let next = running.reloaded(&next);
        // The only thing that can still fail, so it comes first.
        if let Some((tls, (cert, key))) = self.tls.as_ref().zip(next.tls.pair()) {
            let is_other = tls.read_from(cert, key).map_err(|error| NotReloaded::Broken(error.to_string()))?;
            changed.extend(is_other.then(|| "tls: certificate".to_owned()));
            if let Some(tell) = self.ways.certificate.as_ref().filter(|_| running.tls.cert != next.tls.cert) {
                tell(cert);
            }
        }
        self.limits.set(&next.limits);
        self.directory().reload(&next);
        if next.limits.connections != running.limits.connections {
            super::raise_descriptor_limit(&next, self.directory());
        }
        if let Some(set) = self.ways.log.as_ref().filter(|_| next.server.log != running.server.log) {
            set(&next.server.log);
        }
        *self.settings.write() = next;
        Ok(Reloaded { changed, needs_restart: after_restart })
    }
}

impl Administration for Operations {
    fn libraries(&self) -> Vec<LibraryReport> {
        let settings = self.settings.read();
        let declared = settings.libraries.iter().map(|library| LibraryReport {
            id: library.id.clone(),
            name: library.name().to_owned(),
            kind: library.kind.as_str(),
            path: library.path.as_ref().map(|path| path.display().to_string()),
            watched: library.path.is_some(),
            scan: self.scan_of(&library.id),
        });
        let mut reports: Vec<LibraryReport> = declared.collect();
        for envelope in self.state().present(KindSet::of(&[EventKind::Scan]), |_| true) {
            let Event::Scan(scan) = &envelope.event else { continue };
            if reports.iter().any(|report| report.id == scan.library) {
                continue;
            }
            let name = scan.name.as_deref().unwrap_or(scan.library.as_str()).to_owned();
            let (id, scan) = (scan.library.clone(), self.scan_of(&scan.library));
            reports.push(LibraryReport { id, name, kind: config::LibraryKind::default().as_str(), path: None, watched: false, scan });
        }
        reports
    }

    fn shards(&self) -> Vec<ShardReport> {
        let engine = self.settings.read().engine.clone();
        let report = |(shard, (metrics, waiting)): (usize, (&Arc<ShardMetrics>, &Arc<AtomicUsize>))| ShardReport {
            shard,
            waiting: waiting.load(Ordering::Relaxed),
            capacity: engine.shard_mailbox,
            outstanding: self.crew.credits.iter().filter_map(|credits| credits.get(shard)).map(|credit| credit.outstanding()).sum(),
            credit: engine.credit,
            published: metrics.n_published_in_all(),
            duplicates: metrics.n_duplicates(),
            credit_exhausted: metrics.n_credit_exhausted(),
        };
        self.shards.iter().zip(&self.waiting).enumerate().map(report).collect()
    }

    fn workers(&self) -> Vec<WorkerReport> {
        let readings = self.crew.counters.iter().map(|counters| WorkerReading::of(counters)).enumerate();
        readings.map(|(worker, reading)| WorkerReport { worker, reading }).collect()
    }

    fn name_of(&self, user: &UserId) -> Option<String> {
        let configured = self.settings.read().users.iter().find(|own| own.id == *user).map(|own| own.name.clone());
        configured.or_else(|| self.directory().name_told(user).map(|name| name.to_string()))
    }

    fn settings(&self) -> serde_json::Value {
        let reload = json!({"at": self.metrics.succeeded_at_millis(), "ok": self.metrics.is_successful()});
        json!({"settings": self.settings.read().shown(), "reload": reload})
    }

    fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let _one_at_a_time = self.reloading.lock();
        let outcome = self.put_in_force();
        match &outcome {
            Ok(Reloaded { changed, needs_restart }) => {
                self.metrics.succeeded(Timestamp::now().0);
                tracing::info!(changed = changed.join(", "), "settings reloaded");
                if !needs_restart.is_empty() {
                    tracing::warn!(settings = needs_restart.join(", "), "these settings have changed and count only after a restart");
                }
            }
            Err(error) => {
                self.metrics.failed();
                tracing::error!("settings not reloaded, nothing has changed: {error}");
            }
        }
        outcome
    }
}
