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
        let publisher = self.publisher.clone();
        let done = actix_rt::spawn(async move {
            let answers = publisher.publish_patiently(events.into_iter().map(Into::into).collect(), PATIENCE).await;
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
