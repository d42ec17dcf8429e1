//! The command line of what works on reports that are there already.

use crate::compare::Limit;
use clap::Args;
use std::path::PathBuf;

/// A report to make other files of.
#[derive(Clone, Debug, Args)]
pub(crate) struct RenderArgs {
    /// JSON of `bench`, or of a run.
    pub(crate) report: PathBuf,
    /// Write one HTML page with plots to this file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
    /// Write an HdrHistogram log to this file.
    #[arg(long)]
    pub(crate) hlog: Option<PathBuf>,
}

/// Two files to compare.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArgs {
    /// Report of `bench`, or of a run, to compare with.
    pub(crate) old: PathBuf,
    /// Report of the same load that may have changed.
    pub(crate) new: PathBuf,
    /// How much worse a figure may have become before the exit code is 1: `p99=10%,total_cpu=5%`; `p99/floor=10%` counts against the floor.
    #[arg(long, value_delimiter = ',')]
    pub(crate) fail_over: Vec<Limit>,
}
