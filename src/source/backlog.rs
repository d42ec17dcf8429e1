//! Events the engine makes itself, for which there may be no room at the moment: tried again, in their order.

use std::{collections::VecDeque, time::Duration};

use super::{PublishError, Publisher};
use crate::shard::Submission;

/// What has to be published, from a plain thread.
pub struct Backlog {
    publisher: Publisher,
    waiting: VecDeque<Submission>,
    most: usize,
}

impl Backlog {
    /// One in which at most so many wait from one try to the next.
    #[must_use]
    pub fn new(publisher: Publisher, most: usize) -> Self {
        Self { publisher, waiting: VecDeque::new(), most }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Publishes what waits, waiting for room until the patience is over; what finds none is kept for the next time. Of more
    /// than may wait the oldest are lost: how many. Blocks, as [`Publisher::publish_blocking`] does.
    #[must_use]
    pub fn publish(&mut self, patience: Duration) -> usize {
        if self.waiting.is_empty() {
            return 0;
        }
        let submissions = self.waiting.iter().cloned().collect();
        let mut answers = self.publisher.publish_blocking(submissions, patience).into_iter();
        self.waiting.retain(|_| answers.next() == Some(Err(PublishError::Busy)));
        let n_lost = self.waiting.len().saturating_sub(self.most);
        self.waiting.drain(..n_lost);
        n_lost
    }
}

impl Extend<Submission> for Backlog {
    fn extend<T: IntoIterator<Item = Submission>>(&mut self, submissions: T) {
        self.waiting.extend(submissions);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering};

    use super::*;
    use crate::{
        event::{Event, EventKind},
        source::test_shard::TestShard,
    };

    fn messages(numbers: std::ops::Range<usize>) -> Vec<Submission> {
        let message = |n| Event::parse(EventKind::Message, &format!(r#"{{"text":"{n}"}}"#)).expect("valid");
        numbers.map(message).map(|event| (event.clone(), event.audience()).into()).collect()
    }

    async fn publish(mut backlog: Backlog) -> (Backlog, usize) {
        let published = tokio::task::spawn_blocking(move || {
            let n_lost = backlog.publish(Duration::ZERO);
            (backlog, n_lost)
        });
        published.await.expect("no panic")
    }

    #[actix::test]
    async fn what_finds_no_room_waits_in_its_order_and_only_of_that_too_much_is_lost() {
        let shard = Arc::new(TestShard::default());
        let mut backlog = Backlog::new(shard.publisher(), 3);
        backlog.extend(messages(0..10));
        let (mut backlog, n_lost) = publish(backlog).await;
        assert!(n_lost == 0 && backlog.is_empty(), "there is room, however many there are");
        shard.is_full.store(true, Ordering::Relaxed);
        backlog.extend(messages(10..15));
        let (backlog, n_lost) = publish(backlog).await;
        assert_eq!((n_lost, backlog.len()), (2, 3));
        shard.is_full.store(false, Ordering::Relaxed);
        let (backlog, n_lost) = publish(backlog).await;
        assert_eq!((n_lost, backlog.len()), (0, 0));
        let expected: Vec<_> = (0..10).chain(12..15).map(|n| format!(r#"{{"text":"{n}"}}"#)).collect();
        assert_eq!(*shard.taken.lock(), expected);
    }
}
