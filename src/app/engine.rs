//! The engine as a media server that embeds it sees it.

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;
use serde::Serialize;

use crate::{
    event::{EventKind, FieldError, Limits},
    server::RequestLimits,
    shard::{Receipt, Submission},
    source::{
        PublishError, Publisher,
        cloudevents::{self, Draft, DraftError},
    },
};

/// Publishes in process: the same checks and the same answers as over HTTP, without a token.
///
/// `Send + Clone`, and callable from any runtime or from a plain thread.
#[derive(Clone)]
pub struct Engine {
    publisher: Publisher,
    /// A reload may change them.
    limits: Arc<RwLock<RequestLimits>>,
}

/// An event to publish.
#[derive(Debug)]
pub struct Publish(Submission);

/// An event as publishers write it, for the one reader of such texts.
#[derive(Serialize)]
struct Document<'a, M> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    data: &'a M,
}

impl Publish {
    /// An event of that type, from anything that serialises to its message (event map, section 1). Checked as over HTTP,
    /// under the default limits; [`Engine::read`] checks under those of the settings.
    ///
    /// # Errors
    /// [`DraftError`] names the field and what is allowed.
    pub fn new(kind: EventKind, message: &impl Serialize) -> Result<Self, DraftError> {
        Self::of(&Document { kind: kind.name(), audience: None, data: message })
    }

    /// The same for a narrower audience: `user:bob`, `library-admin:films`, `admin` … A raw event needs one.
    ///
    /// # Errors
    /// [`DraftError`] names the field and what is allowed.
    pub fn narrowed(kind: EventKind, message: &impl Serialize, audience: &str) -> Result<Self, DraftError> {
        Self::of(&Document { kind: kind.name(), audience: Some(audience), data: message })
    }

    fn of(document: &impl Serialize) -> Result<Self, DraftError> {
        let text = serde_json::to_vec(document).map_err(|error| FieldError::new("data", format!("must be JSON: {error}")))?;
        Draft::parse(&text, &Limits::default()).map(Into::into)
    }

    /// Gives the event an id. With the source it is an idempotency key: the same pair again within the window is accepted
    /// and not delivered twice.
    ///
    /// # Errors
    /// [`DraftError`] when one of them is not 1 to 256 bytes without control characters, as over HTTP.
    pub fn with_id(mut self, id: &str, source: &str) -> Result<Self, DraftError> {
        self.0.id = Some(cloudevents::name(id, "id")?);
        self.0.source = Some(cloudevents::name(source, "source")?);
        Ok(self)
    }
}

impl From<Draft> for Publish {
    fn from(draft: Draft) -> Self {
        Self(draft.into())
    }
}

impl Engine {
    pub(super) fn new(publisher: &Publisher, limits: Arc<RwLock<RequestLimits>>) -> Self {
        Self { publisher: publisher.with_a_gate_of_its_own(), limits }
    }

    /// From now on every event is answered [`PublishError::Stopped`].
    pub(super) fn close(&self) {
        self.publisher.close();
    }

    /// Every event that was on its way has its answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.publisher.is_quiet()
    }

    /// Reads an event from its JSON text, as `POST /api/events` does.
    ///
    /// # Errors
    /// [`DraftError`] says whether it cannot be read, or which field is wrong.
    pub fn read(&self, event: &[u8]) -> Result<Publish, DraftError> {
        Draft::parse(event, &self.limits.read().event).map(Into::into)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn in_process_the_same_is_refused_as_over_http() {
        let raw = json!({"dialect": "redseat", "name": "books", "payload": {}});
        let error = |result: Result<Publish, DraftError>| result.expect_err("refused").to_string();
        assert!(error(Publish::new(EventKind::Raw, &raw)).contains("audience"));
        assert!(Publish::narrowed(EventKind::Raw, &raw, "library:books").is_ok());
        assert!(error(Publish::new(EventKind::Presence, &json!({}))).contains("made by the engine"));
        assert!(error(Publish::new(EventKind::Message, &json!({"text": 1}))).contains("data.text"));
    }

    #[test]
    fn ids_and_sources_are_bounded_as_over_http() {
        let with = |id: &str, source: &str| {
            let event = Publish::new(EventKind::Message, &json!({"text": "hello"})).expect("valid");
            event.with_id(id, source).map(drop).map_err(|error| error.to_string())
        };
        let long = "x".repeat(257);
        assert_eq!(with(&long[..256], "/player"), Ok(()));
        for (id, source, path) in [("", "s", "id"), (&long, "s", "id"), ("a\nb", "s", "id"), ("a", "", "source"), ("a", &long, "source")] {
            let error = with(id, source).expect_err("refused");
            assert!(error.contains(path) && error.contains("1 to 256 bytes without control characters"), "{error}");
        }
    }
}
