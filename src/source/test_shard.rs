//! A shard for tests, which takes nothing while it is full.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::{Actor, Context, Handler};
use parking_lot::Mutex;

use super::Publisher;
use crate::shard::{Accept, Busy, Receipt, ShardHandle, Shards};

/// What it was given, and whether it has room.
#[derive(Default)]
pub struct TestShard {
    /// It answers that it is busy.
    pub is_full: AtomicBool,
    /// The messages of what it has taken.
    pub taken: Mutex<Vec<String>>,
}

impl TestShard {
    /// A publisher for it alone, inside an actix system.
    pub fn publisher(self: &Arc<Self>) -> Publisher {
        let shards = Shards::new(NonZeroUsize::MIN);
        let accept = Arc::new(ShardActor(Arc::clone(self)).start().recipient());
        shards.join(vec![ShardHandle { accept, returned: Arc::default(), waiting: Arc::default() }]);
        Publisher::new(shards, Arc::default())
    }
}

struct ShardActor(Arc<TestShard>);

impl Actor for ShardActor {
    type Context = Context<Self>;
}

impl Handler<Accept> for ShardActor {
    type Result = ();

    fn handle(&mut self, Accept { submissions, reply }: Accept, _: &mut Self::Context) {
        let answer = if self.0.is_full.load(Ordering::Relaxed) {
            Err((Busy, submissions))
        } else {
            self.0.taken.lock().extend(submissions.iter().map(|submission| submission.event.message().to_owned()));
            Ok(submissions.iter().map(|_| Receipt { id: "1".into(), order: 1, duplicate: false }).collect())
        };
        assert!(reply.send(answer).is_ok(), "somebody waits for it");
    }
}
