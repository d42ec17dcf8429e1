//! Publishing over HTTP, without the HTTP server: bodies in, status codes and answers out (event map, section 1).
//!
//! Batches: items are independent. NDJSON: one answer line per item, going on after a bad line.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    PublishError, Publisher,
    cloudevents::{BodyFormat, Draft, DraftError, read_body},
    lines::DraftLines,
};
use crate::{
    access::{Credential, Directory, Principal},
    event::Limits,
    metrics::{PublishApi, PublishRefusal},
    shard::Receipt,
};

/// How long a publisher waits for room before it is told that there is none.
const PATIENCE: Duration = Duration::from_secs(1);
/// Lines that go to the shards together.
const LINES_AT_ONCE: usize = 256;

/// A status code and a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, one JSON document.
    pub body: String,
}

impl Answer {
    fn error(status: u16, error: &str, path: Option<&str>) -> Self {
        Self { status, body: verdict(status, error, path).to_string() }
    }
}

/// One publisher's way in, with its rights and the limits it is under.
#[derive(Clone)]
pub struct Publishing {
    publisher: Publisher,
    directory: Arc<Directory>,
    credential: Credential,
    limits: Limits,
    batch_events: usize,
}

/// What became of one item.
type Verdict = Result<Receipt, (u16, serde_json::Value)>;

impl Publishing {
    /// A publisher's way in.
    #[must_use]
    pub fn new(publisher: Publisher, directory: Arc<Directory>, credential: Credential, limits: Limits, batch_events: usize) -> Self {
        Self { publisher, directory, credential, limits, batch_events }
    }

    /// Whether the body must be read line by line; other bodies are read whole.
    ///
    /// # Errors
    /// The answer to a content type that is none of ours.
    pub fn reads_lines<'h>(content_type: Option<&str>, headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> Result<bool, Answer> {
        match BodyFormat::of(content_type, headers) {
            Ok(format) => Ok(format == BodyFormat::Lines),
            Err(error) => Err(Answer::error(status_of(&error), &error.to_string(), None)),
        }
    }

    /// Publishes a whole body: one event, or a batch.
    pub async fn whole<'h>(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'h str, &'h str)> + Clone,
    ) -> Answer {
        let began = Instant::now();
        let is_batch = matches!(BodyFormat::of(content_type, headers.clone()), Ok(BodyFormat::Batch));
        let drafts = match read_body(body, content_type, headers, &self.limits) {
            Ok(drafts) => drafts,
            Err(error) => {
                self.publisher.refused(refusal_of(&error));
                return Answer::error(status_of(&error), &error.to_string(), None);
            }
        };
        if drafts.len() > self.batch_events {
            return Answer::error(413, &format!("a batch must have at most {} events", self.batch_events), None);
        }
        let verdicts = self.publish(drafts).await;
        self.publisher.answered(if is_batch { PublishApi::Batch } else { PublishApi::Event }, began);
        if is_batch { batch_answer(verdicts) } else { verdicts.into_iter().next().map_or_else(nothing_published, single_answer) }
    }

    /// Begins to read NDJSON.
    #[must_use]
    pub fn lines(self) -> Lines {
        Lines { lines: DraftLines::new(self.limits), publishing: self, busy: false }
    }

    async fn publish(&self, drafts: Vec<Result<Draft, DraftError>>) -> Vec<Verdict> {
        // Asked again for every part of a long body: rights that end, end for its later lines too.
        let principal = self.directory.current(&self.credential);
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(drafts.len());
        let mut submissions = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match draft.map_err(|error| self.draft_verdict(&error)).and_then(|draft| self.permitted(draft, principal.as_deref())) {
                Ok(draft) => {
                    submissions.push(draft.into());
                    verdicts.push(None);
                }
                Err(refused) => verdicts.push(Some(Err(refused))),
            }
        }
        let mut answers = self.publisher.publish_patiently(submissions, PATIENCE).await.into_iter().map(|answer| {
            answer.map_err(|error| match error {
                PublishError::Busy => busy(),
                PublishError::Stopped => (503, json!({"status": 503, "error": "stopping"})),
            })
        });
        verdicts.into_iter().filter_map(|verdict| verdict.or_else(|| answers.next())).collect()
    }

    fn permitted(&self, draft: Draft, principal: Option<&Principal>) -> Result<Draft, (u16, serde_json::Value)> {
        let Some(principal) = principal else {
            self.publisher.refused(PublishRefusal::Unauthorised);
            return Err((401, verdict(401, "the token has expired or was revoked", None)));
        };
        if principal.publish.allows(draft.event.kind(), draft.event.library()) {
            return Ok(draft);
        }
        self.publisher.refused(PublishRefusal::Forbidden);
        Err((403, verdict(403, &format!("this token may not publish `{}` here", draft.event.kind()), Some("type"))))
    }

    fn draft_verdict(&self, error: &DraftError) -> (u16, serde_json::Value) {
        self.publisher.refused(refusal_of(error));
        let status = status_of(error);
        let value = match error {
            DraftError::Field(field) => verdict(status, &field.to_string(), Some(&field.path)),
            other => verdict(status, &other.to_string(), None),
        };
        (status, value)
    }
}

/// NDJSON on its way in: chunks are taken, answer lines come out.
pub struct Lines {
    publishing: Publishing,
    lines: DraftLines,
    /// An earlier line found no room: no later one may overtake it.
    busy: bool,
}

impl Lines {
    /// Takes a chunk of the body and reads the lines it completes.
    pub fn take(&mut self, chunk: &[u8]) {
        self.lines.take(chunk);
    }

    /// Whether enough lines were read to publish them before any more.
    #[must_use]
    pub fn has_enough(&self) -> bool {
        self.lines.n_read() >= LINES_AT_ONCE
    }

    /// The body is over: the last line needs no newline.
    pub async fn finish(&mut self) -> String {
        self.lines.finish();
        self.publish().await
    }

    /// Publishes the lines read so far and returns their answers, one line each.
    pub async fn publish(&mut self) -> String {
        let began = Instant::now();
        let drafts = self.lines.drafts();
        let mut answers = String::new();
        if drafts.is_empty() {
            return answers;
        }
        if self.busy {
            for _ in drafts {
                answers.push_str(&busy().1.to_string());
                answers.push('\n');
            }
            return answers;
        }
        let verdicts = self.publishing.publish(drafts).await;
        self.publishing.publisher.answered(PublishApi::Lines, began);
        for verdict in verdicts {
            self.busy |= matches!(verdict, Err((503, _)));
            match verdict {
                Ok(receipt) => answers.push_str(&line_of(&receipt)),
                Err((_, value)) => answers.push_str(&value.to_string()),
            }
            answers.push('\n');
        }
        answers
    }
}

fn line_of(receipt: &Receipt) -> String {
    serde_json::to_string(receipt).unwrap_or_default()
}

fn busy() -> (u16, serde_json::Value) {
    (503, json!({"status": 503, "error": "busy"}))
}

fn single_answer(verdict: Verdict) -> Answer {
    match verdict {
        Ok(receipt) => Answer { status: 200, body: line_of(&receipt) },
        Err((status, value)) => Answer { status, body: value.to_string() },
    }
}

fn nothing_published() -> Answer {
    Answer::error(400, "the body holds no event", None)
}

/// 200 all, 207 some, 422 none.
fn batch_answer(verdicts: Vec<Verdict>) -> Answer {
    let n_accepted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    let all_busy = !verdicts.is_empty() && verdicts.iter().all(|verdict| matches!(verdict, Err((503, _))));
    let status = match n_accepted {
        n if n == verdicts.len() => 200,
        0 if all_busy => 503,
        0 => 422,
        _ => 207,
    };
    let items: Vec<serde_json::Value> = verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Ok(receipt) => serde_json::to_value(receipt).unwrap_or_default(),
            Err((_, value)) => value,
        })
        .collect();
    Answer { status, body: serde_json::Value::Array(items).to_string() }
}

fn verdict(status: u16, error: &str, path: Option<&str>) -> serde_json::Value {
    match path {
        Some(path) => json!({"status": status, "error": error, "path": path}),
        None => json!({"status": status, "error": error}),
    }
}

fn status_of(error: &DraftError) -> u16 {
    match error {
        DraftError::Syntax(_) | DraftError::Encoding(_) | DraftError::Shape(_) => 400,
        DraftError::Field(_) => 422,
        DraftError::TooLarge { .. } => 413,
        DraftError::ContentType => 415,
    }
}

fn refusal_of(error: &DraftError) -> PublishRefusal {
    match error {
        DraftError::Syntax(_) | DraftError::Encoding(_) | DraftError::Shape(_) => PublishRefusal::Unparsable,
        DraftError::Field(_) => PublishRefusal::Invalid,
        DraftError::TooLarge { .. } => PublishRefusal::TooLarge,
        DraftError::ContentType => PublishRefusal::ContentType,
    }
}
