//! Plain endpoints: what a dialect's clients ask beside their streams, and what is answered.
//!
//! The server mounts them and says who calls; a dialect answers from the picture of the present.

use std::sync::Arc;

use super::{Answer, Request};
use crate::{access::Principal, id::LibraryId, state::State};

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
    pub caller: Option<Arc<Principal>>,
    /// What is going on.
    pub state: &'a State,
}

/// What comes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Only the answer.
    Answer(Answer),
    /// Something under way is to be stopped; the answer says that this was asked for, not that it has happened.
    Cancel(Cancel, Answer),
}

/// What is to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancel {
    /// The scan of that library.
    Scan(LibraryId),
    /// The activity of that id, the publisher's; and the library it is about.
    Activity(String, Option<LibraryId>),
}
