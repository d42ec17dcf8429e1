//! Changes of rights that nobody asked the directory for: what a back end answered when it was asked again, a key of signed tokens
//! that has gone, settings that were read again.
//!
//! A queue without an actor: whoever connects the parts waits on it and tells the hubs.

use std::{
    collections::HashSet,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use parking_lot::Mutex;

use crate::id::UserId;

/// Waits for changes of rights; made by [`Directory::changes`](super::Directory::changes).
#[derive(Debug)]
pub struct Changes(pub(super) Arc<ChangeQueue>);

impl Changes {
    /// The next user whose sessions must be checked again; `None` stands for every session without a user. Changes of one
    /// user that nobody has taken yet are one.
    pub async fn next(&mut self) -> Option<UserId> {
        poll_fn(|context| {
            let mut queue = self.0.0.lock();
            if let Some(user) = queue.changed.iter().next().cloned() {
                queue.changed.remove(&user);
                return Poll::Ready(user);
            }
            queue.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// What has changed and was not yet told.
#[derive(Debug, Default)]
pub(super) struct ChangeQueue(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// As many as there are users online at most: each stands here once.
    changed: HashSet<Option<UserId>>,
    waiting: Option<Waker>,
}

impl ChangeQueue {
    /// Sessions of that user (`None`: without a user) must be checked again.
    pub(super) fn tell(&self, user: Option<UserId>) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.changed.insert(user);
            queue.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}
