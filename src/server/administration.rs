//! What administrators ask of the whole engine. The routes know this contract; whoever holds the engine's parts keeps it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    id::{LibraryId, UserId},
    metrics::WorkerReading,
};

/// The engine, as its administrators see it. Nothing here is for the delivery path.
pub trait Administration: Send + Sync {
    /// The libraries of the settings, and those that are being scanned.
    fn libraries(&self) -> Vec<LibraryReport>;
    /// The shards, in the order of their numbers.
    fn shards(&self) -> Vec<ShardReport>;
    /// The workers, in the order of their numbers. Reads `/proc`.
    fn workers(&self) -> Vec<WorkerReport>;
    /// What a user is called, where anybody has said so.
    fn name_of(&self, user: &UserId) -> Option<String>;
    /// The settings in force, without secrets, and how the last reload went.
    fn settings(&self) -> serde_json::Value;
    /// Reads the settings again and puts in force what can be. Blocks: it reads files and writes some.
    ///
    /// # Errors
    /// [`NotReloaded`]; then nothing has changed.
    fn reload(&self) -> Result<Reloaded, NotReloaded>;
}

/// A library.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LibraryReport {
    /// Its id.
    #[schema(value_type = String)]
    pub id: LibraryId,
    /// The name people read.
    pub name: String,
    /// What it holds, in the settings' word; `other` where they do not name it.
    pub kind: &'static str,
    /// Its watched folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether a folder of it is watched.
    pub watched: bool,
    /// The scan under way, or one that has ended within a minute.
    pub scan: Option<ScanReport>,
}

/// How far a scan is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScanReport {
    /// `started`, `progress`, `finished`, `cancelled` or `failed`.
    pub state: &'static str,
    /// 0 to 100, where it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
}

/// A shard.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShardReport {
    /// Its number.
    pub shard: usize,
    /// Batches in its mailbox.
    pub waiting: usize,
    /// Batches its mailbox holds.
    pub capacity: usize,
    /// Events accepted and not yet flushed by every worker.
    pub outstanding: usize,
    /// Events that may be so, at one worker.
    pub credit: usize,
    /// Events accepted since the start.
    pub published: u64,
    /// Repeats recognised since the start.
    pub duplicates: u64,
    /// Batches refused because a worker had no credit left, since the start.
    pub credit_exhausted: u64,
}

/// A worker.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct WorkerReport {
    /// Its number.
    pub worker: usize,
    /// What it holds and has used.
    #[serde(flatten)]
    pub reading: WorkerReading,
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reloaded {
    /// The settings that were put in force, by their keys.
    pub changed: Vec<String>,
    /// The settings that have changed and count only after a restart.
    pub needs_restart: Vec<String>,
}

/// Why nothing was reloaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReloaded {
    /// The program that runs the engine has given no settings to read again.
    #[error("this server was started without settings that can be read again")]
    NoSource,
    /// The settings are broken; the text names the file and the field.
    #[error("{0}")]
    Broken(String),
}
