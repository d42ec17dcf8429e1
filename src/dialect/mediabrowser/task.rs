//! Tasks: scans and activities as its clients read them (wire notes on MediaBrowser, section 5.5).

use super::{place::Place, values};
use crate::{
    clock::Timestamp,
    event::{
        ActivityState, Envelope, Event, ScanState,
        json::{ObjectWriter, quote},
    },
};

/// A scan or an activity.
pub(super) struct Task<'a> {
    id: String,
    key: &'a str,
    name: String,
    category: &'static str,
    state: TaskState,
    progress: Option<f64>,
    error: Option<&'a str>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskState {
    /// It began, or goes on.
    Running {
        /// This is its beginning.
        begins: bool,
    },
    /// It is over, so.
    Ended(&'static str),
}

impl<'a> Task<'a> {
    /// What the event tells of; `None`: no task.
    pub(super) fn of(event: &'a Event, place: &Place) -> Option<Self> {
        let id = values::shown(&event.activity_id()?);
        Some(match event {
            Event::Scan(scan) => Self {
                id,
                key: "RefreshLibrary",
                name: format!("Scan {}", scan.name.as_deref().unwrap_or_else(|| place.library_name(&scan.library))),
                category: "Library",
                state: match scan.state {
                    ScanState::Started => TaskState::Running { begins: true },
                    ScanState::Progress => TaskState::Running { begins: false },
                    ScanState::Finished => TaskState::Ended("Completed"),
                    ScanState::Cancelled => TaskState::Ended("Cancelled"),
                    ScanState::Failed => TaskState::Ended("Failed"),
                },
                progress: scan.progress,
                error: scan.error.as_deref(),
            },
            Event::Activity(activity) => Self {
                id,
                key: &activity.kind,
                name: activity.title.as_deref().unwrap_or(&activity.kind).to_owned(),
                category: "Application",
                state: match activity.state {
                    ActivityState::Started => TaskState::Running { begins: true },
                    ActivityState::Updated => TaskState::Running { begins: false },
                    ActivityState::Ended => TaskState::Ended("Completed"),
                },
                progress: activity.progress,
                error: None,
            },
            _ => return None, // an upload is no task
        })
    }

    pub(super) const fn state(&self) -> TaskState {
        self.state
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// `TaskResult`; `None` while it runs.
    pub(super) fn result(&self, began: Timestamp, ended: Timestamp) -> Option<String> {
        let TaskState::Ended(status) = self.state else { return None };
        let mut out = String::with_capacity(256);
        let mut result = ObjectWriter::open(&mut out);
        result.field("StartTimeUtc", &quote(&values::date(began))).field("EndTimeUtc", &quote(&values::date(ended)));
        result
            .field("Status", &quote(status))
            .field("Name", &quote(&self.name))
            .field("Key", &quote(self.key))
            .field("Id", &quote(&self.id));
        if let Some(error) = self.error {
            result.field("ErrorMessage", &quote(error));
        }
        result.close();
        Some(out)
    }

    /// `TaskInfo`. `with_progress`: progress and errors are for administrators of the library, the rest for its
    /// readers (event map, section 3).
    pub(super) fn info(&self, began: Timestamp, told: &Envelope, with_progress: bool) -> String {
        let mut out = String::with_capacity(384);
        let mut info = ObjectWriter::open(&mut out);
        let running = matches!(self.state, TaskState::Running { .. });
        info.field("Name", &quote(&self.name)).field("State", if running { "\"Running\"" } else { "\"Idle\"" });
        if let Some(progress) = self.progress.filter(|_| running && with_progress) {
            info.field("CurrentProgressPercentage", &format!("{progress:?}"));
        }
        info.field("Id", &quote(&self.id));
        let seen = Self { error: self.error.filter(|_| with_progress), name: self.name.clone(), id: self.id.clone(), ..*self };
        if let Some(result) = seen.result(began, told.accepted) {
            info.field("LastExecutionResult", &result);
        }
        info.field("Triggers", "[]").field("Description", "\"\"").field("Category", &quote(self.category));
        info.field("IsHidden", "false").field("Key", &quote(self.key));
        info.close();
        out
    }
}
