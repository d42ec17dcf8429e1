//! Refusals that are held back for a while.
//!
//! Some clients come again without any pause when their WebSocket is refused (wire notes on MediaBrowser, section 1): the
//! later they are told, the less they cost. Only addresses that have shown too many bad tokens wait, and only as many as cost
//! little themselves.

use std::{cell::Cell, time::Duration};

use tokio::time::sleep;

/// How long a refusal is held back.
const PAUSE: Duration = Duration::from_secs(1);
/// How many of one worker's clients may wait; further ones are told at once.
const AT_MOST: usize = 256;

/// How many of a worker's clients wait for their refusal.
#[derive(Debug, Default)]
pub(super) struct HeldBack(Cell<usize>);

impl HeldBack {
    /// Waits, if there is room to.
    pub(super) async fn wait(&self) {
        if self.0.get() < AT_MOST {
            self.0.set(self.0.get() + 1);
            let _place = Place(&self.0); // free again also when nobody waits any more
            sleep(PAUSE).await;
        }
    }
}

struct Place<'a>(&'a Cell<usize>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::Pin, task::Poll, time::Instant};

    use super::*;

    #[actix::test]
    async fn as_many_wait_as_there_is_room_for_and_who_leaves_makes_room() {
        let held = HeldBack::default();
        let mut waiting: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for _ in 0..AT_MOST {
            waiting.push(Box::pin(held.wait()));
        }
        poll_fn(|task| {
            assert!(waiting.iter_mut().all(|wait| wait.as_mut().poll(task).is_pending()));
            Poll::Ready(())
        })
        .await;
        let began = Instant::now();
        held.wait().await;
        assert!(began.elapsed() < PAUSE, "no room: at once");
        drop(waiting);
        assert_eq!(held.0.get(), 0);
        held.wait().await;
        assert!(began.elapsed() >= PAUSE);
    }
}
