//! What clients ask the media server to do (event map, section 4): a watched folder obeys at once, everybody else is told by
//! a `request` event.
//!
//! Decides who may ask. Knows no protocol: the dialects' endpoints call it and say it in their words.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::{PublishError, Publisher, folder::ScanControl};
use crate::{
    access::Principal,
    event::{Envelope, Event, EventKind, FieldError, Level},
    id::{LibraryId, UserId},
    shard::Submission,
    state::State,
};

/// Takes requests.
pub struct Requests {
    state: Arc<State>,
    publisher: Publisher,
    /// The watched folders, once they have started.
    folders: OnceLock<Vec<ScanControl>>,
}

/// What became of a request that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is ours, and ends: its last event follows.
    Obeyed,
    /// Those who publish for the library have been told, and do it or not.
    PassedOn,
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nothing of that id goes on, as far as who asks may see.
    #[error("no such activity goes on")]
    Unknown,
    /// He sees it, and may not end it.
    #[error("only server admins, admins of the library and the user it is for may cancel it")]
    NotAllowed,
    /// It cannot be cancelled.
    #[error("the activity cannot be cancelled")]
    NotCancellable,
    /// The request could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The request is no event.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// A `request` event's message.
#[derive(Serialize)]
struct Message<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    library: Option<&'a LibraryId>,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a UserId>,
}

impl Requests {
    /// Requests about what that state shows, passed on by that publisher.
    #[must_use]
    pub fn new(state: Arc<State>, publisher: Publisher) -> Self {
        Self { state, publisher, folders: OnceLock::new() }
    }

    /// From now on these folders obey. Only the first call counts.
    pub fn obeyed_by(&self, folders: Vec<ScanControl>) {
        let _ = self.folders.set(folders);
    }

    /// Cancels the activity, scan or upload of that id ([`Event::activity_id`]).
    ///
    /// # Errors
    /// [`RequestError`] says why it was not taken; nothing has happened then.
    pub async fn cancel_activity(&self, id: &str, principal: &Principal) -> Result<Taken, RequestError> {
        let sees = |envelope: &Envelope| principal.is_in(&envelope.audience, None, None);
        let found = self.state.activities(|envelope| envelope.event.activity_id().is_some_and(|own| own == id) && sees(envelope));
        let may: Vec<_> = found.iter().map(|envelope| may_cancel(&envelope.event, principal).map(|kind| (kind, envelope))).collect();
        if may.iter().flatten().any(|(_, envelope)| self.obeys(&envelope.event, id)) {
            return Ok(Taken::Obeyed);
        }
        // Publishers choose their ids, so several may have the same: he means one that he may end.
        let (kind, envelope) = may.iter().flatten().next().copied().ok_or_else(|| refusal(&may))?;
        let user = principal.user.as_ref();
        // An upload's publisher knows it by its media.
        let target = match &envelope.event {
            Event::UploadProgress(upload) => &upload.media,
            _ => id,
        };
        self.pass_on(&Message { kind, library: envelope.library(), target, user }).await
    }

    /// Whether it was the scan of a watched folder, which now ends. Whoever publishes for another library may give a scan of
    /// it the id of ours, or an activity: what he may end there ends nothing here.
    fn obeys(&self, event: &Event, id: &str) -> bool {
        let Event::Scan(scan) = event else { return false };
        self.folders.get().into_iter().flatten().any(|folder| folder.cancel(&scan.library, id))
    }

    async fn pass_on(&self, message: &Message<'_>) -> Result<Taken, RequestError> {
        let event = Event::from_value(EventKind::Request, message)?;
        let submission = Submission { audience: event.audience(), event, id: None, source: None };
        let answer = self.publisher.publish(vec![submission]).await.pop();
        answer.unwrap_or(Err(PublishError::Stopped))?;
        Ok(Taken::PassedOn)
    }
}

/// Why he may end none of them.
fn refusal<T>(may: &[Result<T, RequestError>]) -> RequestError {
    may.iter().find_map(|may| may.as_ref().err().cloned()).unwrap_or(RequestError::Unknown)
}

/// What to ask for, if he may: server admins may end everything, admins of a library what concerns it, everybody his own.
fn may_cancel(event: &Event, principal: &Principal) -> Result<&'static str, RequestError> {
    let (kind, allowed) = match event {
        Event::Scan(scan) => ("cancel-scan", principal.has(&scan.library, Level::Admin)),
        Event::UploadProgress(upload) => ("cancel-upload", principal.has(&upload.library, Level::Admin)),
        Event::Activity(activity) => {
            let own = activity.user.as_ref().is_some_and(|user| principal.reads_as(&user.id));
            if (principal.admin || own) && !activity.cancellable {
                return Err(RequestError::NotCancellable);
            }
            ("cancel-activity", principal.admin || own)
        }
        _ => return Err(RequestError::Unknown),
    };
    if allowed { Ok(kind) } else { Err(RequestError::NotAllowed) }
}
