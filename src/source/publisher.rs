//! The only way into the shards: checks are done, an event gets its shard, and the publisher its answer.
//!
//! Accepted means stamped and queued for every hub. Works from any thread and any runtime, except where a method says so.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    metrics::{PublishMetrics, PublishRefusal},
    shard::{Accept, Busy, Receipt, Shards, Submission},
};

use super::cloudevents::Draft;

/// How long to wait at most before asking a busy shard again, if nothing tells that credit came back.
const RETRY: Duration = Duration::from_millis(5);

/// Why an event was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no room at the moment. Nothing was kept; try again.
    #[error("no room for more events at the moment")]
    Busy,
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

/// A handle on all shards.
#[derive(Clone)]
pub struct Publisher {
    shards: Shards,
    metrics: Arc<PublishMetrics>,
}

impl From<Draft> for Submission {
    fn from(draft: Draft) -> Self {
        Self { event: draft.event, audience: draft.audience, id: draft.id, source: draft.source }
    }
}

/// Submissions that go to one shard together, and where their answers belong.
struct Part {
    shard: usize,
    places: Vec<usize>,
    submissions: Vec<Submission>,
}

/// The answers to a batch, in its order.
type Answers = Vec<Result<Receipt, PublishError>>;

impl Publisher {
    /// A publisher for these shards.
    #[must_use]
    pub fn new(shards: Shards, metrics: Arc<PublishMetrics>) -> Self {
        Self { shards, metrics }
    }

    /// Publishes; a shard without room answers [`PublishError::Busy`] at once.
    pub async fn publish(&self, submissions: Vec<Submission>) -> Answers {
        let mut answers = vec![Err(PublishError::Stopped); submissions.len()];
        let mut waiting = Vec::new();
        // Every shard gets its part before any answer is waited for.
        for Part { shard, places, submissions } in self.parts(submissions) {
            match self.send(shard, submissions) {
                Ok(reply) => waiting.push((places, reply)),
                Err(Refused::Busy(_)) => fill(&mut answers, &places, Err((Busy, Vec::new()))),
                Err(Refused::Stopped) => {}
            }
        }
        for (places, reply) in waiting {
            if let Ok(outcome) = reply.await {
                fill(&mut answers, &places, outcome);
            }
        }
        self.count_busy(&answers);
        answers
    }

    /// Publishes, trying again as credit returns until the patience is over. Needs a tokio runtime for its clock.
    pub async fn publish_patiently(&self, submissions: Vec<Submission>, patience: Duration) -> Answers {
        let mut answers = vec![Err(PublishError::Stopped); submissions.len()];
        let deadline = Instant::now() + patience;
        for mut part in self.parts(submissions) {
            loop {
                let returned = Arc::clone(&self.shards.get(part.shard).returned);
                let mut credit = pin!(returned.notified());
                credit.as_mut().enable(); // before trying: credit that returns in between is not missed
                match self.try_part(part.shard, std::mem::take(&mut part.submissions)).await {
                    Ok(receipts) => fill(&mut answers, &part.places, Ok(receipts)),
                    Err(Refused::Busy(submissions)) if Instant::now() < deadline => {
                        part.submissions = submissions;
                        // Whether told or timed out, it is tried again.
                        let _ = tokio::time::timeout(RETRY, credit).await;
                        continue;
                    }
                    Err(Refused::Busy(_)) => fill(&mut answers, &part.places, Err((Busy, Vec::new()))),
                    Err(Refused::Stopped) => {}
                }
                break;
            }
        }
        self.count_busy(&answers);
        answers
    }

    /// Publishes from a plain thread, waiting for room until the patience is over. Must not be called inside an
    /// asynchronous runtime: it blocks.
    pub fn publish_blocking(&self, submissions: Vec<Submission>, patience: Duration) -> Answers {
        let mut answers = vec![Err(PublishError::Stopped); submissions.len()];
        let deadline = Instant::now() + patience;
        for Part { shard, places, mut submissions } in self.parts(submissions) {
            loop {
                let outcome = self.send(shard, submissions).and_then(|reply| match reply.blocking_recv() {
                    Ok(Ok(receipts)) => Ok(receipts),
                    Ok(Err((Busy, submissions))) => Err(Refused::Busy(submissions)),
                    Err(_) => Err(Refused::Stopped),
                });
                match outcome {
                    Ok(receipts) => fill(&mut answers, &places, Ok(receipts)),
                    Err(Refused::Busy(back)) if Instant::now() < deadline => {
                        submissions = back;
                        std::thread::park_timeout(RETRY);
                        continue;
                    }
                    Err(Refused::Busy(_)) => fill(&mut answers, &places, Err((Busy, Vec::new()))),
                    Err(Refused::Stopped) => {}
                }
                break;
            }
        }
        self.count_busy(&answers);
        answers
    }

    /// Counts an event that was refused before it came here.
    pub(super) fn refused(&self, why: PublishRefusal) {
        self.metrics.refused(why, 1);
    }

    fn count_busy(&self, answers: &Answers) {
        let n_busy = answers.iter().filter(|answer| matches!(answer, Err(PublishError::Busy))).count();
        self.metrics.refused(PublishRefusal::Busy, n_busy as u64);
    }

    async fn try_part(&self, shard: usize, submissions: Vec<Submission>) -> Result<Vec<Receipt>, Refused> {
        match self.send(shard, submissions)?.await {
            Ok(Ok(receipts)) => Ok(receipts),
            Ok(Err((Busy, submissions))) => Err(Refused::Busy(submissions)),
            Err(_) => Err(Refused::Stopped),
        }
    }

    fn send(&self, shard: usize, submissions: Vec<Submission>) -> Result<Reply, Refused> {
        let (reply, answer) = oneshot::channel();
        match self.shards.get(shard).accept.try_send(Accept { submissions, reply }) {
            Ok(()) => Ok(answer),
            Err(actix::prelude::SendError::Full(accept)) => Err(Refused::Busy(accept.submissions)),
            Err(actix::prelude::SendError::Closed(_)) => Err(Refused::Stopped),
        }
    }

    /// Sorts a batch by shard; the order within each shard stays.
    fn parts(&self, submissions: Vec<Submission>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (place, submission) in submissions.into_iter().enumerate() {
            let shard = self.shards.index_of(&submission.event.shard_key());
            let part = match parts.iter_mut().find(|part| part.shard == shard) {
                Some(part) => part,
                None => {
                    parts.push(Part { shard, places: Vec::new(), submissions: Vec::new() });
                    parts.last_mut().unwrap_or_else(|| unreachable!("pushed on the line above"))
                }
            };
            part.places.push(place);
            part.submissions.push(submission);
        }
        parts
    }
}

type Reply = oneshot::Receiver<Result<Vec<Receipt>, (Busy, Vec<Submission>)>>;

enum Refused {
    Busy(Vec<Submission>),
    Stopped,
}

fn fill(answers: &mut Answers, places: &[usize], outcome: Result<Vec<Receipt>, (Busy, Vec<Submission>)>) {
    match outcome {
        Ok(receipts) => {
            for (place, receipt) in places.iter().zip(receipts) {
                answers[*place] = Ok(receipt);
            }
        }
        Err(_) => {
            for place in places {
                answers[*place] = Err(PublishError::Busy);
            }
        }
    }
}
