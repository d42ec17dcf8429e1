//! The dialect's side of one WebSocket, and what it has published.
//!
//! While something is on its way into the engine, what came behind it waits, and nothing more is read: so a client is as
//! fast as the engine is, and what it says counts in the order in which it said it.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use actix_rt::task::JoinHandle;

use super::inbound::Step;
use crate::{
    access::Principal,
    connection::Connection,
    dialect::{Conversation, Effect},
    event::{Audience, Event},
    hub::HubHandle,
    id::ConnectionId,
    source::Publisher,
    websocket::codec::Message,
};

/// How long a busy engine is asked again to take what a client said; after that it is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// A conversation under way.
pub(super) struct Talk {
    conversation: Box<dyn Conversation>,
    publisher: Publisher,
    /// Whose the connection is, as the conversation was told.
    known: Option<Arc<Principal>>,
    publishing: Option<Publishing>,
}

/// Events on their way into the engine. They get there even if the client has gone.
struct Publishing {
    done: JoinHandle<()>,
    /// What waits for them.
    then: Vec<Step>,
}

impl Talk {
    pub(super) fn new(conversation: Box<dyn Conversation>, publisher: Publisher) -> Self {
        Self { conversation, publisher, known: None, publishing: None }
    }

    pub(super) fn begin(&mut self, connection: &Rc<Connection>, hub: &HubHandle) -> Vec<Effect> {
        self.know(connection, hub);
        self.conversation.begin(connection.id)
    }

    /// Tells the conversation whose the connection is, if that is news.
    pub(super) fn know(&mut self, connection: &Connection, hub: &HubHandle) {
        if let Some(principal) = hub.principal(connection) {
            self.tell(principal);
        }
    }

    fn tell(&mut self, principal: Arc<Principal>) {
        if !self.known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &principal)) {
            self.conversation.know(&principal);
            self.known = Some(principal);
        }
    }

    pub(super) fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        let effects = self.conversation.receive(message);
        for effect in &effects {
            if let Effect::Become(standing) = effect {
                self.tell(Arc::clone(&standing.filter.principal)); // what comes in the same read is already his
            }
        }
        effects
    }

    pub(super) fn is_publishing(&self) -> bool {
        self.publishing.is_some()
    }

    /// Publishes; `then` waits for it.
    pub(super) fn publish(&mut self, connection: ConnectionId, events: Vec<(Event, Audience)>, then: Vec<Step>) {
        self.publish_within(PATIENCE, connection, events, then);
    }

    fn publish_within(&mut self, patience: Duration, connection: ConnectionId, events: Vec<(Event, Audience)>, then: Vec<Step>) {
        let publisher = self.publisher.clone();
        let done = actix_rt::spawn(async move {
            let answers = publisher.publish_patiently(events.into_iter().map(Into::into).collect(), patience).await;
            let n_dropped = answers.iter().filter(|answer| answer.is_err()).count();
            if let Some(error) = answers.into_iter().find_map(Result::err) {
                tracing::debug!(%connection, events = n_dropped, %error, "what a client said was dropped");
            }
        });
        self.publishing = Some(Publishing { done, then });
    }

    /// Ready when nothing is on its way any more, with what waited for it.
    pub(super) fn poll_published(&mut self, task: &mut TaskContext<'_>) -> Poll<Vec<Step>> {
        let Some(publishing) = &mut self.publishing else { return Poll::Ready(Vec::new()) };
        // One that panicked is over as well.
        if Pin::new(&mut publishing.done).poll(task).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.publishing.take().map(|publishing| publishing.then).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::atomic::Ordering, time::Instant};

    use bytes::Bytes;

    use super::*;
    use crate::{event::EventKind, source::test_shard::TestShard};

    struct Silent;

    impl Conversation for Silent {
        fn receive(&mut self, _: Message<'_>) -> Vec<Effect> {
            Vec::new()
        }
    }

    const CONNECTION: ConnectionId = ConnectionId { worker: 0, slot: 0, generation: 1 };

    fn message(text: &str) -> Vec<(Event, Audience)> {
        let event = Event::parse(EventKind::Message, &format!(r#"{{"text":"{text}"}}"#)).expect("valid");
        let audience = event.audience();
        vec![(event, audience)]
    }

    fn a_full_shard() -> (Talk, Arc<TestShard>) {
        let shard = Arc::new(TestShard::default());
        shard.is_full.store(true, Ordering::Relaxed);
        (Talk::new(Box::new(Silent), shard.publisher()), shard)
    }

    #[actix::test]
    async fn what_follows_waits_until_there_is_room_for_what_was_said() {
        let (mut talk, shard) = a_full_shard();
        talk.publish(CONNECTION, message("one"), vec![Step::Reply(vec![Bytes::from_static(b"done")])]);
        let wait = tokio::time::sleep(Duration::from_millis(100));
        tokio::select! {
            biased;
            _ = poll_fn(|task| talk.poll_published(task)) => unreachable!("there is no room"),
            () = wait => {}
        }
        assert!(talk.is_publishing() && shard.taken.lock().is_empty());
        shard.is_full.store(false, Ordering::Relaxed);
        let waited = poll_fn(|task| talk.poll_published(task)).await;
        assert!(matches!(&waited[..], [Step::Reply(replies)] if replies.len() == 1));
        assert!(!talk.is_publishing());
        assert_eq!(*shard.taken.lock(), [r#"{"text":"one"}"#]);
    }

    #[actix::test]
    async fn what_a_busy_engine_does_not_take_in_time_is_dropped_and_the_client_goes_on() {
        let (mut talk, shard) = a_full_shard();
        let (began, patience) = (Instant::now(), Duration::from_millis(200));
        talk.publish_within(patience, CONNECTION, message("one"), Vec::new());
        poll_fn(|task| talk.poll_published(task)).await;
        assert!(began.elapsed() >= patience && !talk.is_publishing());
        shard.is_full.store(false, Ordering::Relaxed);
        talk.publish(CONNECTION, message("two"), Vec::new());
        poll_fn(|task| talk.poll_published(task)).await;
        assert_eq!(*shard.taken.lock(), [r#"{"text":"two"}"#]);
    }

    #[actix::test]
    async fn what_was_said_is_published_though_the_client_has_gone() {
        let (mut talk, shard) = a_full_shard();
        talk.publish(CONNECTION, message("last words"), Vec::new());
        tokio::task::yield_now().await;
        drop(talk);
        shard.is_full.store(false, Ordering::Relaxed);
        let taken = async {
            while shard.taken.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), taken).await.expect("it is taken");
    }
}
