//! Shards: each owns the keys that hash to it, keeps their order, and hands accepted events to every hub.
//!
//! This file is the handle publishers use; `dispatcher` is the actor behind it. Knows no session and no protocol.

mod conflate;
mod credit;
mod dispatcher;
mod window;

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
};

use actix::{Message, Recipient};
use tokio::sync::{Notify, oneshot};

pub use conflate::Conflator;
pub use credit::Credit;
pub use dispatcher::{Dispatcher, DispatcherSettings, HubLink};
pub use window::{EventKey, Window};

use crate::event::{Audience, Envelope, Event, ShardKey};

/// A checked event on its way into a shard.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The event.
    pub event: Event,
    /// Its rule, narrowed.
    pub audience: Audience,
    /// The publisher's id; without one the event is given one and has no idempotency key.
    pub id: Option<Box<str>>,
    /// The publisher's source.
    pub source: Option<Box<str>>,
}

/// What an accepted event is answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// The event's id: the publisher's, or the one it was given.
    pub id: Box<str>,
    /// Its place in its shard's order.
    pub order: u64,
    /// It had been accepted before, within the idempotency window, and is not delivered again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// There is no room: nothing of the batch was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for more events at the moment")]
pub struct Busy;

/// The answer to a batch: a receipt for each submission in order, or all of them back.
pub type Accepted = Result<Vec<Receipt>, (Busy, Vec<Submission>)>;

/// A batch of submissions for one shard. All are accepted (stamped and queued for every hub), or none.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Accept {
    /// In the order they are to be delivered.
    pub submissions: Vec<Submission>,
    /// Where the answer goes; a busy shard gives the submissions back.
    pub reply: oneshot::Sender<Accepted>,
}

/// What a shard sends a hub.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum FromShard {
    /// Accepted envelopes, in order.
    Deliver {
        /// The sending shard.
        shard: u16,
        /// The envelopes; their number is the credit they took.
        envelopes: Arc<[Arc<Envelope>]>,
    },
    /// What the hub missed while it had lost its say: one envelope of each kind and audience, and how many like it.
    Missed(Vec<(Arc<Envelope>, u64)>),
}

/// One shard, for publishers.
#[derive(Clone)]
pub struct ShardHandle {
    /// The dispatcher's bounded mailbox; the one long-lived sender, never cloned to send.
    pub accept: Arc<Recipient<Accept>>,
    /// Told when credit came back.
    pub returned: Arc<Notify>,
    /// Batches in that mailbox: counted up by publishers, down by the dispatcher.
    pub waiting: Arc<AtomicUsize>,
}

/// All shards: the only way to a dispatcher. They join once, when every hub runs; until then nothing is taken.
#[derive(Clone)]
pub struct Shards {
    count: NonZeroUsize,
    handles: Arc<OnceLock<Vec<ShardHandle>>>,
}

impl Shards {
    /// So many shards, not yet joined.
    #[must_use]
    pub fn new(count: NonZeroUsize) -> Self {
        Self { count, handles: Arc::default() }
    }

    /// The dispatchers run: from here on events are taken. `handles` are in the order of the shards' numbers.
    pub fn join(&self, handles: Vec<ShardHandle>) {
        debug_assert_eq!(handles.len(), self.count.get());
        // Shards join once; a second set of dispatchers for the same handles cannot be made.
        let _ = self.handles.set(handles);
    }

    /// The number of the shard that owns the key.
    #[must_use]
    pub fn index_of(&self, key: &ShardKey) -> usize {
        usize::try_from(stable_hash(key) % self.count.get() as u64).unwrap_or_default()
    }

    /// The shard of that number, once it has joined.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&ShardHandle> {
        self.handles.get()?.get(index)
    }
}

/// FNV-1a over the key's text: the same shard for the same key on every run and every node.
fn stable_hash(key: &ShardKey) -> u64 {
    let (prefix, text) = match key {
        ShardKey::Library(library) => (b'l', library.as_str()),
        ShardKey::User(user) => (b'u', user.as_str()),
        ShardKey::Server => (b's', ""),
    };
    std::iter::once(prefix)
        .chain(text.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
