//! The dialect's side of one WebSocket, what it has published, and what it has asked.
//!
//! While something is on its way into the engine, or somebody is asked whose a token is, what came behind it waits, and nothing
//! more is read: so a client is as fast as the engine is, and what it says counts in the order in which it said it.

use std::{
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
    time::{Duration, Instant},
};

use actix_rt::task::JoinHandle;

use super::inbound::{Listening, Step};
use crate::{
    access::{Asked, Caller, Principal, Secret},
    connection::Connection,
    dialect::{Conversation, Effect, NotAuthenticated},
    event::{Audience, Event},
    hub::HubHandle,
    id::ConnectionId,
    websocket::codec::Message,
};

/// How long a busy engine is asked again to take what a client said; after that it is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// A conversation under way.
pub(super) struct Talk {
    conversation: Box<dyn Conversation>,
    listening: Rc<Listening>,
    /// Whose the connection is, as the conversation was told.
    known: Option<Arc<Principal>>,
    under_way: Option<Box<UnderWay>>,
}

/// What is to be over before anything else is done.
struct UnderWay {
    what: What,
    /// What waits for it.
    then: Vec<Step>,
}

enum What {
    /// Events, or a wish, on their way into the engine. They get there even if the client has gone.
    Working(JoinHandle<()>),
    /// Somebody is asked whose a token is.
    Asking(JoinHandle<Answer>),
}

type Answer = Result<Caller, NotAuthenticated>;

/// Finds out whose a token is that was shown from that address.
pub type Authenticate = Arc<dyn Fn(Secret, Asked, Option<IpAddr>) -> Pin<Box<dyn Future<Output = Answer>>> + Send + Sync>;

impl Talk {
    pub(super) fn new(conversation: Box<dyn Conversation>, listening: Rc<Listening>) -> Self {
        Self { conversation, listening, known: None, under_way: None }
    }

    /// Bytes of its own and of the conversation, without what that points at.
    pub(super) fn n_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.conversation)
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

    /// Whether somebody has shown whose the connection is.
    pub(super) fn is_somebodys(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_somebody())
    }

    pub(super) fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        let effects = self.conversation.receive(message);
        self.look_for_owner(effects)
    }

    fn look_for_owner(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &effects {
            if let Effect::Become(standing) = effect {
                self.tell(Arc::clone(&standing.filter.principal)); // what comes in the same read is already his
            }
        }
        effects
    }

    /// When it wants to be woken.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.conversation.wake_at()
    }

    pub(super) fn wake(&mut self, now: Instant, reachable: bool) -> Vec<Effect> {
        self.conversation.wake(now, reachable)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.under_way.is_some()
    }

    /// These wait for what is under way, too.
    pub(super) fn wait_too(&mut self, steps: Vec<Step>) {
        if let Some(under_way) = &mut self.under_way {
            under_way.then.extend(steps);
        }
    }

    /// Asks whose a token is; `then` waits for it.
    pub(super) fn authenticate(&mut self, (token, asks): (Secret, Asked), address: Option<IpAddr>, then: Vec<Step>) {
        let asking = (self.listening.authenticate)(token, asks, address);
        self.under_way = Some(Box::new(UnderWay { what: What::Asking(actix_rt::spawn(asking)), then }));
    }

    /// Asks for an activity's end in the name of whose the connection is; `then` waits for it.
    pub(super) fn cancel(&mut self, connection: ConnectionId, activity: String, then: Vec<Step>) {
        let (requests, principal) = (Arc::clone(&self.listening.requests), self.known.clone().unwrap_or_default());
        let done = actix_rt::spawn(async move {
            if let Err(error) = requests.cancel_activity(&activity, &principal).await {
                tracing::debug!(%connection, %error, "what a client wanted cancelled is not");
            }
        });
        self.under_way = Some(Box::new(UnderWay { what: What::Working(done), then }));
    }

    /// Publishes; `then` waits for it.
    pub(super) fn publish(&mut self, connection: ConnectionId, events: Vec<(Event, Audience)>, then: Vec<Step>) {
        self.publish_within(PATIENCE, connection, events, then);
    }

    fn publish_within(&mut self, patience: Duration, connection: ConnectionId, events: Vec<(Event, Audience)>, then: Vec<Step>) {
        let publisher = self.listening.publisher.clone();
        let done = actix_rt::spawn(async move {
            let answers = publisher.publish_patiently(events.into_iter().map(Into::into).collect(), patience).await;
            let n_dropped = answers.iter().filter(|answer| answer.is_err()).count();
            if let Some(error) = answers.into_iter().find_map(Result::err) {
                tracing::debug!(%connection, events = n_dropped, %error, "what a client said was dropped");
            }
        });
        self.under_way = Some(Box::new(UnderWay { what: What::Working(done), then }));
    }

    /// Ready when nothing is under way any more, with what came of it and what waited for it.
    pub(super) fn poll_over(&mut self, task: &mut TaskContext<'_>) -> Poll<(Vec<Effect>, Vec<Step>)> {
        let effects = match self.under_way.as_mut().map(|under_way| &mut under_way.what) {
            None => Vec::new(),
            // One that panicked is over as well.
            Some(What::Working(done)) => ready!(Pin::new(done).poll(task)).map_or_else(|_| Vec::new(), |()| Vec::new()),
            Some(What::Asking(asked)) => {
                let answer = ready!(Pin::new(asked).poll(task)).unwrap_or(Err(NotAuthenticated::Unavailable));
                let effects = self.conversation.authenticated(answer);
                self.look_for_owner(effects)
            }
        };
        Poll::Ready((effects, self.under_way.take().map(|under_way| under_way.then).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::atomic::Ordering};

    use bytes::Bytes;

    use super::super::inbound::InboundLimits;
    use super::*;
    use crate::{
        event::EventKind,
        source::{Requests, test_shard::TestShard},
        websocket::codec,
    };

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

    fn listening(shard: &Arc<TestShard>, authenticate: Authenticate) -> Rc<Listening> {
        let message = codec::Limits { message_bytes: 1, fragments: 1 };
        let publisher = shard.publisher();
        let requests = Arc::new(Requests::new(Arc::default(), publisher.clone()));
        let limits = Arc::new(parking_lot::RwLock::new(InboundLimits { message, per_minute: 0 }));
        Rc::new(Listening { limits, publisher, requests, authenticate })
    }

    fn a_full_shard() -> (Talk, Arc<TestShard>) {
        let shard = Arc::new(TestShard::default());
        shard.is_full.store(true, Ordering::Relaxed);
        let nobody: Authenticate = Arc::new(|_, _, _| Box::pin(async { Err(NotAuthenticated::Refused) }));
        (Talk::new(Box::new(Silent), listening(&shard, nobody)), shard)
    }

    #[actix::test]
    async fn what_follows_waits_until_there_is_room_for_what_was_said() {
        let (mut talk, shard) = a_full_shard();
        talk.publish(CONNECTION, message("one"), vec![Step::Reply(vec![Bytes::from_static(b"done")])]);
        let wait = tokio::time::sleep(Duration::from_millis(100));
        tokio::select! {
            biased;
            _ = poll_fn(|task| talk.poll_over(task)) => unreachable!("there is no room"),
            () = wait => {}
        }
        assert!(talk.is_waiting() && shard.taken.lock().is_empty());
        shard.is_full.store(false, Ordering::Relaxed);
        let (_, waited) = poll_fn(|task| talk.poll_over(task)).await;
        assert!(matches!(&waited[..], [Step::Reply(replies)] if replies.len() == 1));
        assert!(!talk.is_waiting());
        assert_eq!(*shard.taken.lock(), [r#"{"text":"one"}"#]);
    }

    #[actix::test]
    async fn what_a_busy_engine_does_not_take_in_time_is_dropped_and_the_client_goes_on() {
        let (mut talk, shard) = a_full_shard();
        let (began, patience) = (Instant::now(), Duration::from_millis(200));
        talk.publish_within(patience, CONNECTION, message("one"), Vec::new());
        poll_fn(|task| talk.poll_over(task)).await;
        assert!(began.elapsed() >= patience && !talk.is_waiting());
        shard.is_full.store(false, Ordering::Relaxed);
        talk.publish(CONNECTION, message("two"), Vec::new());
        poll_fn(|task| talk.poll_over(task)).await;
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

    struct Asks;

    impl Conversation for Asks {
        fn receive(&mut self, _: Message<'_>) -> Vec<Effect> {
            Vec::new()
        }

        fn authenticated(&mut self, answer: Result<Caller, NotAuthenticated>) -> Vec<Effect> {
            assert_eq!(answer.expect_err("nobody's"), NotAuthenticated::Refused);
            vec![Effect::Reply(Bytes::from_static(b"no"))]
        }
    }

    #[actix::test]
    async fn the_answer_about_a_token_comes_before_what_waited_for_it() {
        let (_, shard) = a_full_shard();
        let asked: Authenticate = Arc::new(|token, _, _| {
            assert_eq!(token.expose(), "a token");
            Box::pin(async { Err(NotAuthenticated::Refused) })
        });
        let mut talk = Talk::new(Box::new(Asks), listening(&shard, asked));
        let token = (Secret::new("a token".to_owned()), Asked::Callback);
        talk.authenticate(token, None, vec![Step::Reply(vec![Bytes::from_static(b"done")])]);
        talk.wait_too(vec![Step::Reply(vec![Bytes::from_static(b"and this")])]);
        let (effects, waited) = poll_fn(|task| talk.poll_over(task)).await;
        assert!(matches!(&effects[..], [Effect::Reply(reply)] if *reply == "no"));
        assert!(waited.len() == 2 && !talk.is_waiting());
    }
}
