//! Clients that connect and stay, for whoever has something else in mind than a measured run.

use super::{Target, check, plan, settled, swarms::Swarms};
use crate::args::RunArgs;
use crate::client::{ClientRecord, Shared};
use crate::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Clients at work, every one with a stream.
pub(crate) struct Crowd {
    swarms: Swarms,
    shared: Arc<Shared>,
}

impl Crowd {
    /// Connects the steady clients of a run; every one must be accepted.
    pub(crate) fn connect(args: &RunArgs) -> Result<Self, Failure> {
        let args = settled(args);
        check(&args)?;
        let plan = Arc::new(plan(&args, &Target::open(&args)?)?);
        let shared = Arc::new(Shared::new());
        let swarms = Swarms::start(&args, &plan, &shared)?;
        swarms.connect_at_once(&args)?;
        let refused = shared.failed.load(Relaxed);
        if refused > 0 {
            let reason = shared.first_failure().unwrap_or_default();
            return Err(Failure::new(format!("{refused} of {} clients got no stream: {reason}", args.connections())));
        }
        Ok(Self { swarms, shared })
    }

    /// Clients whose stream has not ended.
    pub(crate) fn live(&self) -> u64 {
        self.shared.live.load(Relaxed)
    }

    /// What each has seen.
    pub(crate) fn finish(self) -> Result<Vec<ClientRecord>, Failure> {
        Ok(self.swarms.stop()?.into_iter().flat_map(|result| result.records).collect())
    }
}
