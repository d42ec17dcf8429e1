//! Plain endpoints: what a dialect's clients ask beside their streams, and what is answered.
//!
//! The server mounts them and says who calls; a dialect answers from the picture of the present.

use super::{Answer, Request, Standing};
use crate::{
    access::{Caller, Device, Paired, Secret},
    event::{Audience, Event},
    id::ConnectionId,
    state::State,
};

/// Connections of nobody, and whose they turned out to be.
pub type Joins = Vec<(ConnectionId, Standing)>;

/// A plain endpoint of a dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What is done there.
    pub method: Method,
    /// Its path; a part in braces, as `{id}`, stands for any.
    pub path: &'static str,
    /// Who is answered.
    pub callers: Callers,
}

/// Who is answered at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Everybody, and it is not even asked who calls. The answer may say nothing of any user or library.
    Anybody,
    /// Everybody; whoever shows a good token is known. A bad one is refused.
    KnownOrNot,
    /// Whoever shows a good token.
    Known,
}

/// What a client does to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It reads.
    Get,
    /// It acts.
    Post,
    /// It removes.
    Delete,
}

/// A request to an endpoint.
pub struct Call<'a> {
    /// Which one.
    pub endpoint: &'static Endpoint,
    /// The request.
    pub request: &'a Request<'a>,
    /// What stands in the places of the path's braces, decoded, in their order.
    pub parts: &'a [String],
    /// The body; empty where there is none.
    pub body: &'a [u8],
    /// Whether cookies count: nothing was had sent by a page of another site. Where they do not, none of the request's is seen,
    /// and none may be set by the answer.
    pub cookies_count: bool,
    /// Who calls, where that is known.
    pub caller: Option<&'a Caller>,
    /// What is going on.
    pub state: &'a State,
}

/// What comes of a call.
pub enum Reaction {
    /// Only the answer.
    Answer(Answer),
    /// These are published, then comes the answer. Where there is no room for them it is 503, and none of them counts.
    Publish(Vec<(Event, Audience)>, Answer),
    /// Somebody logs in; what came of it decides the answer.
    LogIn(Box<LogIn>),
    /// The token that was shown, if a log-in here made it, counts no more.
    LogOut(Answer),
    /// Somebody logs in for a pair of tokens; what came of it decides the answer.
    LogInForPair(Box<LogInForPair>),
    /// A refresh token makes the next pair; what came of it decides the answer.
    Renew(Box<Renew>),
    /// Every token of the log-ins here that these are of counts no more.
    EndLogIns(Vec<Secret>, Answer),
    /// The activity of that id ([`Event::activity_id`](crate::event::Event::activity_id)) is to be cancelled for the caller;
    /// what came of that decides the answer.
    Cancel(String, fn(Cancelled) -> Answer),
}

/// A name, a password, and the device on which they were typed.
pub struct LogIn {
    /// The user's id, or the name people read.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// What the token is to be bound to. The same user on the same device has one token: an earlier one ends.
    pub device: Device,
    /// The answer, and the connections of nobody that are his from now on.
    pub says: Box<SaysLogIn>,
}

/// What a dialect answers to a log-in.
type SaysLogIn = dyn FnOnce(Result<LoggedIn, NotLoggedIn>) -> (Answer, Joins) + Send;

/// Somebody who has logged in.
pub struct LoggedIn {
    /// The new token.
    pub token: Secret,
    /// Whose it is.
    pub caller: Caller,
    /// The name people read.
    pub name: String,
}

/// A name and a password, for a pair of tokens.
pub struct LogInForPair {
    /// The user's id, or the name people read.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// The answer.
    pub says: Box<dyn FnOnce(Result<Paired, NotLoggedIn>) -> Answer + Send>,
}

/// A refresh token, for the next pair.
pub struct Renew {
    /// The token.
    pub token: Secret,
    /// The answer.
    pub says: Box<dyn FnOnce(Result<Paired, NotRenewed>) -> Answer + Send>,
}

/// Why a refresh token makes no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotRenewed {
    /// It is none that counts.
    Unknown,
    /// It has ended.
    Expired,
    /// The address has shown too many bad ones, and must wait so long.
    TooManyAttempts(std::time::Duration),
    /// It cannot be found out now.
    Unavailable,
}

/// Why somebody has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotLoggedIn {
    /// Nobody has that name and that password, or he may not come in. Which of these, nobody is told.
    Refused,
    /// The address has tried too often, and must wait so long.
    TooManyAttempts(std::time::Duration),
    /// It cannot be found out now.
    Unavailable,
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
