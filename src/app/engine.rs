//! The engine as a media server that embeds it sees it.

use std::time::Duration;

use serde::Serialize;

use crate::{
    event::{Event, EventKind, FieldError, Limits},
    shard::{Receipt, Submission},
    source::{
        PublishError, Publisher,
        cloudevents::{Draft, DraftError},
    },
};

/// Publishes in process: the same checks and the same answers as over HTTP, without a token.
///
/// `Send + Clone`, and callable from any runtime or from a plain thread.
#[derive(Clone)]
pub struct Engine {
    publisher: Publisher,
    limits: Limits,
}

/// An event to publish.
#[derive(Debug)]
pub struct Publish(Submission);

impl Publish {
    /// An event of that type, from anything that serialises to its message (event map, section 1).
    ///
    /// # Errors
    /// [`FieldError`] names the field and what is allowed.
    pub fn new(kind: EventKind, message: &impl Serialize) -> Result<Self, FieldError> {
        let event = Event::from_value(kind, message)?;
        let audience = event.audience();
        Ok(Self(Submission { event, audience, id: None, source: None }))
    }

    /// Gives the event an id. With the source it is an idempotency key: the same pair again within the window is accepted
    /// and not delivered twice.
    #[must_use]
    pub fn with_id(mut self, id: &str, source: &str) -> Self {
        self.0.id = Some(id.into());
        self.0.source = Some(source.into());
        self
    }
}

impl From<Draft> for Publish {
    fn from(draft: Draft) -> Self {
        Self(draft.into())
    }
}

impl Engine {
    pub(super) fn new(publisher: Publisher, limits: Limits) -> Self {
        Self { publisher, limits }
    }

    /// Reads an event from its JSON text, as `POST /api/events` does.
    ///
    /// # Errors
    /// [`DraftError`] says whether it cannot be read, or which field is wrong.
    pub fn read(&self, event: &[u8]) -> Result<Publish, DraftError> {
        Draft::parse(event, &self.limits).map(Into::into)
    }

    /// Publishes an event. `Ok` means stamped, and queued for every worker.
    ///
    /// # Errors
    /// [`PublishError::Busy`] at once when there is no room: nothing was kept, try again.
    pub async fn publish(&self, event: Publish) -> Result<Receipt, PublishError> {
        let answers = self.publisher.publish(vec![event.0]).await;
        answers.into_iter().next().unwrap_or(Err(PublishError::Stopped))
    }

    /// Publishes several events; each has an answer of its own, in their order.
    pub async fn publish_all(&self, events: Vec<Publish>) -> Vec<Result<Receipt, PublishError>> {
        self.publisher.publish(events.into_iter().map(|event| event.0).collect()).await
    }

    /// Publishes from a plain thread, waiting for room until the patience is over. Not for use inside a runtime: it blocks.
    ///
    /// # Errors
    /// [`PublishError::Busy`] when there was no room all that time.
    pub fn publish_blocking(&self, event: Publish, patience: Duration) -> Result<Receipt, PublishError> {
        let answers = self.publisher.publish_blocking(vec![event.0], patience);
        answers.into_iter().next().unwrap_or(Err(PublishError::Stopped))
    }
}
