//! The only way into the shards: checks are done, an event gets its shard, and the publisher its answer.
//!
//! Accepted means stamped and queued for every hub. Works from any thread and any runtime, except where a method says so.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    event::{Audience, Event},
    metrics::{PublishApi, PublishMetrics, PublishRefusal},
    shard::{Accept, Accepted, Busy, Receipt, Shards, Submission},
};

use super::{cloudevents::Draft, gate::Gate};

/// How long to wait at most before asking a busy shard again, if nothing tells that credit came back.
const RETRY: Duration = Duration::from_millis(5);

/// Events that go to a shard at once: a part must fit into a hub's credit.
const PART_EVENTS: usize = 256;

/// Why an event was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no room at the moment. Nothing was kept; try again.
    #[error("no room for more events at the moment")]
    Busy,
    /// The engine has stopped, or begun to: nothing was kept.
    #[error("the engine has stopped")]
    Stopped,
}

/// A handle on all shards.
#[derive(Clone)]
pub struct Publisher {
    shards: Shards,
    metrics: Arc<PublishMetrics>,
    gate: Gate,
}

impl From<Draft> for Submission {
    fn from(draft: Draft) -> Self {
        Self { event: draft.event, audience: draft.audience, id: draft.id, source: draft.source }
    }
}

/// What a client's words or deeds lead to: without an id of its own.
impl From<(Event, Audience)> for Submission {
    fn from((event, audience): (Event, Audience)) -> Self {
        Self { event, audience, id: None, source: None }
    }
}

/// Submissions that go to one shard together, and where their answers belong.
struct Part {
    shard: usize,
    places: Vec<usize>,
    submissions: Vec<Submission>,
}

/// The answers to a batch, in its order.
pub type Answers = Vec<Result<Receipt, PublishError>>;

impl Publisher {
    /// A publisher for these shards.
    #[must_use]
    pub fn new(shards: Shards, metrics: Arc<PublishMetrics>) -> Self {
        Self { shards, metrics, gate: Gate::default() }
    }

    /// Another way to the same shards, which is closed by itself.
    #[must_use]
    pub fn with_a_gate_of_its_own(&self) -> Self {
        Self { gate: Gate::default(), ..self.clone() }
    }

    /// From now on every event of this publisher and its clones is answered [`PublishError::Stopped`].
    pub fn close(&self) {
        self.gate.close();
    }

    /// It is closed, and everything that was on its way has its answer.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.gate.is_quiet()
    }

    /// Publishes; a shard without room answers [`PublishError::Busy`] at once. Works on any runtime.
    pub async fn publish(&self, submissions: Vec<Submission>) -> Answers {
        self.publish_parts(submissions, async |part| self.try_part(part.shard, std::mem::take(&mut part.submissions)).await).await
    }

    /// Publishes, trying again as credit returns until the patience is over. Needs a tokio runtime for its clock.
    pub async fn publish_patiently(&self, submissions: Vec<Submission>, patience: Duration) -> Answers {
        let deadline = Instant::now() + patience;
        self.publish_parts(submissions, async |part| self.insist(part, deadline).await).await
    }

    async fn publish_parts(
        &self,
        submissions: Vec<Submission>,
        mut try_one: impl AsyncFnMut(&mut Part) -> Result<Vec<Receipt>, Refused>,
    ) -> Answers {
        let mut answers = vec![Err(PublishError::Stopped); submissions.len()];
        let Some(_inside) = self.gate.enter() else { return answers };
        let mut busy_shards = Vec::new();
        for mut part in self.parts(submissions) {
            // What follows a refused part must not overtake it.
            let outcome = if busy_shards.contains(&part.shard) { Err(Refused::Busy(Vec::new())) } else { try_one(&mut part).await };
            if matches!(outcome, Err(Refused::Busy(_))) {
                busy_shards.push(part.shard);
            }
            fill(&mut answers, &part.places, outcome);
        }
        self.count_busy(&answers);
        answers
    }

    /// Tries one part until it is taken or the deadline has passed.
    async fn insist(&self, part: &mut Part, deadline: Instant) -> Result<Vec<Receipt>, Refused> {
        loop {
            let Some(shard) = self.shards.get(part.shard) else { return Err(Refused::Busy(Vec::new())) };
            let mut credit = pin!(shard.returned.notified());
            credit.as_mut().enable(); // before trying: credit that returns in between is not missed
            match self.try_part(part.shard, std::mem::take(&mut part.submissions)).await {
                Err(Refused::Busy(submissions)) if Instant::now() < deadline => part.submissions = submissions,
                outcome => return outcome,
            }
            // Whether told or timed out, it is tried again.
            let _ = tokio::time::timeout(RETRY, credit).await;
        }
    }

    /// Publishes from a plain thread, waiting for room until the patience is over. Must not be called inside an
    /// asynchronous runtime: it blocks.
    pub fn publish_blocking(&self, submissions: Vec<Submission>, patience: Duration) -> Answers {
        let began = Instant::now();
        let deadline = began + patience;
        let mut answers = vec![Err(PublishError::Stopped); submissions.len()];
        let Some(_inside) = self.gate.enter() else { return answers };
        let mut busy_shards = Vec::new();
        for part in self.parts(submissions) {
            let Part { shard, places, mut submissions } = part;
            let outcome = loop {
                if busy_shards.contains(&shard) {
                    break Err(Refused::Busy(Vec::new()));
                }
                let outcome = self.send(shard, submissions).and_then(|reply| received(reply.blocking_recv()));
                match outcome {
                    Err(Refused::Busy(back)) if Instant::now() < deadline => {
                        submissions = back;
                        std::thread::park_timeout(RETRY);
                    }
                    outcome => break outcome,
                }
            };
            if matches!(outcome, Err(Refused::Busy(_))) {
                busy_shards.push(shard);
            }
            fill(&mut answers, &places, outcome);
        }
        self.count_busy(&answers);
        self.answered(PublishApi::Thread, began);
        answers
    }

    /// What was published by that way from an instant on has its answer.
    pub(super) fn answered(&self, api: PublishApi, began: Instant) {
        self.metrics.answered(api, began.elapsed());
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
        received(self.send(shard, submissions)?.await)
    }

    fn send(&self, shard: usize, submissions: Vec<Submission>) -> Result<Reply, Refused> {
        let (reply, answer) = oneshot::channel();
        let Some(shard) = self.shards.get(shard) else { return Err(Refused::Busy(submissions)) };
        shard.waiting.fetch_add(1, Ordering::Relaxed);
        let refused = match shard.accept.try_send(Accept { submissions, reply }) {
            Ok(()) => return Ok(answer),
            Err(actix::prelude::SendError::Full(accept)) => {
                self.metrics.shard_full();
                Refused::Busy(accept.submissions)
            }
            Err(actix::prelude::SendError::Closed(_)) => Refused::Stopped,
        };
        shard.waiting.fetch_sub(1, Ordering::Relaxed);
        Err(refused)
    }

    /// Sorts a batch by shard, in parts of bounded size; the order within each shard stays.
    fn parts(&self, submissions: Vec<Submission>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (place, submission) in submissions.into_iter().enumerate() {
            let shard = self.shards.index_of(&submission.event.shard_key());
            let open = parts.iter().position(|part| part.shard == shard && part.places.len() < PART_EVENTS);
            let part = open.unwrap_or_else(|| {
                parts.push(Part { shard, places: Vec::new(), submissions: Vec::new() });
                parts.len() - 1
            });
            let part = &mut parts[part];
            part.places.push(place);
            part.submissions.push(submission);
        }
        parts
    }
}

type Reply = oneshot::Receiver<Accepted>;

enum Refused {
    Busy(Vec<Submission>),
    Stopped,
}

fn received(reply: Result<Accepted, oneshot::error::RecvError>) -> Result<Vec<Receipt>, Refused> {
    match reply {
        Ok(Ok(receipts)) => Ok(receipts),
        Ok(Err((Busy, submissions))) => Err(Refused::Busy(submissions)),
        Err(_) => Err(Refused::Stopped),
    }
}

fn fill(answers: &mut Answers, places: &[usize], outcome: Result<Vec<Receipt>, Refused>) {
    match outcome {
        Ok(receipts) => {
            for (place, receipt) in places.iter().zip(receipts) {
                answers[*place] = Ok(receipt);
            }
        }
        Err(Refused::Busy(_)) => {
            for place in places {
                answers[*place] = Err(PublishError::Busy);
            }
        }
        Err(Refused::Stopped) => {} // as every answer begins
    }
}
