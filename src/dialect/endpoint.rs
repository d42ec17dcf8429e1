//! Plain endpoints: what a dialect's clients ask beside their streams, and what is answered.
//!
//! The server mounts them and says who calls; a dialect answers from the picture of the present.

use super::{Answer, Request};
use crate::{access::Principal, state::State};

/// A plain endpoint of a dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What is done there.
    pub method: Method,
    /// Its path; a last part `{id}` stands for any.
    pub path: &'static str,
    /// Whether it is answered without a token. It may say nothing of any user or library.
    pub open: bool,
}

/// What a client does to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It reads.
    Get,
    /// It removes.
    Delete,
}

/// A request to an endpoint.
pub struct Call<'a> {
    /// Which one.
    pub endpoint: &'static Endpoint,
    /// The request.
    pub request: &'a Request<'a>,
    /// What stands in the place of `{id}`.
    pub id: &'a str,
    /// Who calls; `None` where the endpoint is open.
    pub caller: Option<&'a Principal>,
    /// What is going on.
    pub state: &'a State,
}

/// What comes of a call.
#[derive(Debug, Clone)]
pub enum Reaction {
    /// Only the answer.
    Answer(Answer),
    /// The activity of that id ([`Event::activity_id`](crate::event::Event::activity_id)) is to be cancelled for the caller;
    /// what came of that decides the answer.
    Cancel(String, fn(Cancelled) -> Answer),
}

/// What came of a wish to cancel something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cancelled {
    /// It ends, or those who can end it were told.
    Taken,
    /// Nothing of that id goes on, as far as the caller may see.
    Unknown,
    /// The caller may not end it.
    NotAllowed,
    /// It cannot be cancelled.
    NotCancellable,
    /// Nobody could be told now.
    Busy,
}
