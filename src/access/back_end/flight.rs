//! One question under way, for everybody who waits for its answer.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use parking_lot::Mutex;

use crate::access::{Denied, credential::Held};

/// What came of a question.
pub(super) type Landed = Result<Arc<Held>, Denied>;

/// A question under way.
#[derive(Debug, Default)]
pub(super) struct Flight(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    landed: Option<Landed>,
    waiting: Vec<Waker>,
}

impl Flight {
    /// Waits for the answer, on whatever runs futures.
    pub(super) async fn wait(&self) -> Landed {
        poll_fn(|context| {
            let mut state = self.0.lock();
            if let Some(landed) = &state.landed {
                return Poll::Ready(landed.clone());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// The first answer counts.
    pub(super) fn land(&self, landed: Landed) {
        let waiting = {
            let mut state = self.0.lock();
            state.landed.get_or_insert(landed);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}
