//! The actor of one shard: takes batches, stamps them, and sends one message per worker.
//!
//! Thin: order and credit here, idempotency in `window`, conflation in `conflate`. Never waits for a hub.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler, Recipient};

use super::{Accept, Accepted, Busy, Conflator, Credit, EventKey, FromShard, Receipt, Submission, Window};
use crate::{
    event::{Audience, Envelope, Event, EventKind},
    id::LibraryId,
    metrics::ShardMetrics,
    state::State,
};

/// How often a hub that lost its say is looked at.
const RETURN_CHECK: Duration = Duration::from_secs(1);

/// How one dispatcher is set up.
pub struct DispatcherSettings {
    /// Its number.
    pub shard: u16,
    /// Batches its mailbox holds.
    pub mailbox: usize,
    /// A hub that stands still for longer loses its say.
    pub hub_stall: Duration,
    /// How long an idempotency key is remembered, and how many.
    pub idempotency: (Duration, usize),
    /// What given ids begin with: unique per process.
    pub id_prefix: Arc<str>,
    /// Libraries whose events are counted by name.
    pub libraries: Arc<[LibraryId]>,
    /// Batches in its mailbox.
    pub waiting: Arc<AtomicUsize>,
}

/// One hub, as a shard sees it.
pub struct HubLink {
    /// The hub's mailbox: one long-lived sender.
    pub hub: Recipient<FromShard>,
    /// What it may still be sent.
    pub credit: Arc<Credit>,
    /// Since when it stands still with no credit left, and what it had given back by then.
    exhausted: Option<(Instant, u64)>,
    /// What it misses, once it has lost its say.
    missed: Option<HashMap<Alike, (Arc<Envelope>, u64)>>,
}

/// Everything a filter asks of an event: whoever may see and wants one of these sees and wants them all.
#[derive(PartialEq, Eq, Hash)]
struct Alike {
    kind: EventKind,
    audience: Audience,
    library: Option<LibraryId>,
    /// A raw event's dialect and name.
    raw: Option<(&'static str, Box<str>)>,
}

impl Alike {
    fn of(envelope: &Envelope) -> Self {
        let raw = match &envelope.event {
            Event::Raw(raw) => Some((raw.dialect, (*raw.name).into())),
            _ => None,
        };
        Self { kind: envelope.kind(), audience: envelope.audience.clone(), library: envelope.library().cloned(), raw }
    }
}

impl HubLink {
    /// A hub in good standing.
    #[must_use]
    pub fn new(hub: Recipient<FromShard>, credit: Arc<Credit>) -> Self {
        Self { hub, credit, exhausted: None, missed: None }
    }

    /// Whether a batch of that size may be accepted as far as this hub is concerned.
    fn lets_pass(&mut self, n_events: usize, now: Instant, hub_stall: Duration) -> bool {
        if self.missed.is_some() {
            self.try_return();
        }
        if self.missed.is_some() || self.credit.has(n_events) {
            self.exhausted = None;
            return true;
        }
        if self.credit.outstanding() == 0 {
            return false; // a batch larger than all credit: no hub stands still for that
        }
        let progress = self.credit.progress();
        match self.exhausted {
            Some((since, then)) if then == progress => {
                if now.saturating_duration_since(since) >= hub_stall {
                    self.missed = Some(HashMap::new()); // it has lost its say: nobody waits for it any longer
                }
            }
            _ => self.exhausted = Some((now, progress)),
        }
        self.missed.is_some()
    }

    /// A hub that moves again is told what it missed, and is in good standing once more.
    fn try_return(&mut self) {
        if !self.credit.has(1) {
            return;
        }
        if let Some(missed) = self.missed.take() {
            let missed = FromShard::Missed(missed.into_values().collect());
            if self.hub.try_send(missed).is_err() {
                // Only a dead hub refuses: its mailbox is sized for all credit and one of these per shard. Its sessions
                // are gone with it, so nobody is owed the count.
                self.missed = Some(HashMap::new());
            }
        }
    }

    fn send(&mut self, shard: u16, envelopes: &Arc<[Arc<Envelope>]>) {
        if let Some(missed) = &mut self.missed {
            for envelope in envelopes.iter() {
                missed.entry(Alike::of(envelope)).or_insert_with(|| (Arc::clone(envelope), 0)).1 += 1;
            }
            return;
        }
        self.credit.take(envelopes.len());
        if self.hub.try_send(FromShard::Deliver { shard, envelopes: Arc::clone(envelopes) }).is_err() {
            // A dead hub, whose sessions are gone with it. Nothing replaces it: its shards only stop waiting for it.
            self.missed = Some(HashMap::new());
        }
    }
}

/// The dispatcher actor.
pub struct Dispatcher {
    settings: DispatcherSettings,
    hubs: Vec<HubLink>,
    state: Arc<State>,
    metrics: Arc<ShardMetrics>,
    order: u64,
    window: Window,
    conflator: Conflator,
}

impl Dispatcher {
    /// A dispatcher that will send to these hubs.
    #[must_use]
    pub fn new(settings: DispatcherSettings, hubs: Vec<HubLink>, state: Arc<State>, metrics: Arc<ShardMetrics>) -> Self {
        let window = Window::new(settings.idempotency.0, settings.idempotency.1);
        Self { settings, hubs, state, metrics, order: 0, window, conflator: Conflator::default() }
    }

    /// Accepts a batch whole, or refuses it whole.
    fn accept(&mut self, submissions: Vec<Submission>, now: Instant) -> Accepted {
        let mut room = true;
        for hub in &mut self.hubs {
            room &= hub.lets_pass(submissions.len(), now, self.settings.hub_stall);
        }
        if !room {
            self.metrics.credit_exhausted();
            return Err((Busy, submissions));
        }
        let mut envelopes = Vec::with_capacity(submissions.len());
        let receipts = submissions.into_iter().map(|submission| self.stamp(submission, now, &mut envelopes)).collect();
        let envelopes: Arc<[Arc<Envelope>]> = envelopes.into();
        if !envelopes.is_empty() {
            for hub in &mut self.hubs {
                hub.send(self.settings.shard, &envelopes);
            }
            // Marked only now: whoever skips the older one has the newer one queued behind it.
            for envelope in envelopes.iter() {
                self.conflator.accept(envelope);
            }
        }
        Ok(receipts)
    }

    fn stamp(&mut self, submission: Submission, now: Instant, envelopes: &mut Vec<Arc<Envelope>>) -> Receipt {
        let Submission { event, audience, id, source } = submission;
        let key = id.clone().zip(source).map(|(id, source)| EventKey { id, source });
        if let Some(key) = &key
            && let Some(order) = self.window.first_order(key, now)
        {
            self.metrics.duplicate();
            return Receipt { id: key.id.clone(), order, duplicate: true };
        }
        self.order += 1;
        let order = self.order;
        let id = id.unwrap_or_else(|| format!("{}-{:x}-{order:x}", self.settings.id_prefix, self.settings.shard).into());
        if let Some(key) = key {
            self.window.remember(key, order, now);
        }
        self.metrics.published(event.kind() as usize, event.message().len());
        if let Some(place) = event.library().and_then(|library| self.settings.libraries.iter().position(|known| known == library)) {
            self.metrics.published_in(place);
        }
        let envelope = Arc::new(Envelope::new(event, audience, id.clone(), self.settings.shard, order));
        self.state.fold(&envelope);
        envelopes.push(envelope);
        Receipt { id, order, duplicate: false }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.settings.mailbox);
        // A hub that moves again is told what it missed even if nobody publishes any more.
        ctx.run_interval(RETURN_CHECK, |dispatcher, _| {
            for hub in &mut dispatcher.hubs {
                hub.try_return();
            }
        });
    }
}

impl Handler<Accept> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Accept { submissions, reply }: Accept, _: &mut Self::Context) {
        self.settings.waiting.fetch_sub(1, Ordering::Relaxed);
        let began = Instant::now();
        let answer = self.accept(submissions, began);
        self.metrics.handled(began.elapsed(), self.window.n_bytes());
        // A publisher that no longer waits has gone; what it sent was accepted all the same.
        let _ = reply.send(answer);
    }
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;
