//! How long a request's head may take, and how long an answer may lie there untaken.
//!
//! The HTTP server bounds the first head only, by a time set once and for all, and stops its keep-alive timer at the first
//! byte of a further one: a client could send one byte and hold its connection for ever; or ask, and never read. So the
//! transport keeps clocks of its own. It knows nothing of HTTP: whoever handles requests tells when it is busy with one, and
//! what arrives in between is the beginning of the next.

use std::{
    cell::Cell,
    error::Error,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::Extensions;
use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the beginning until the first head is whole, and from the first byte of a later one until that is.
    pub(super) head: Duration,
    /// What a client is told whose head is not. `None` (HTTP/2): nothing, and what comes between two requests is no head and
    /// takes as long as it likes.
    pub(super) too_late: Option<fn() -> Bytes>,
    /// For a client that takes nothing of an answer.
    pub(super) answer: Duration,
}

/// A transport that ends when its client lets it wait.
pub(super) struct Patient<Io> {
    io: Io,
    turns: Turns,
    patience: Patience,
    /// Of how many requests the clock knows.
    known: usize,
    /// Runs from the beginning, or from the first byte that came while nothing was handled.
    clock: Option<Pin<Box<Sleep>>>,
    /// Runs while nothing is taken of what waits to be sent.
    untaken: Option<Pin<Box<Sleep>>>,
}

impl<Io> Patient<Io> {
    pub(super) fn new(io: Io, patience: Patience) -> Self {
        Self { io, turns: Turns::default(), patience, known: 0, clock: None, untaken: None }
    }

    /// What came of an attempt to send; an error, if the client has taken nothing for too long.
    fn taken<T>(&mut self, sent: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.untaken = None;
            return sent;
        }
        let limit = self.patience.answer;
        let clock = self.untaken.get_or_insert_with(|| Box::pin(sleep(limit)));
        clock.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Lets the handlers of this connection's requests tell when they are busy.
    pub(super) fn share(&self, data: &mut Extensions) {
        data.insert(self.turns.clone());
    }
}

impl<Io: AsyncWrite + Unpin> Patient<Io> {
    /// The client is not waited for any longer. It may not take the answer: that is not waited for either.
    fn give_up(&mut self, cx: &mut Context<'_>) -> io::Error {
        if let Some(too_late) = self.patience.too_late {
            let _written = Pin::new(&mut self.io).poll_write(cx, &too_late());
            let _shut = Pin::new(&mut self.io).poll_shutdown(cx);
        }
        io::ErrorKind::TimedOut.into()
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patient<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        let (begun, handled) = (self.turns.0.begun.get(), self.turns.0.handled.get());
        if begun != self.known || handled > 0 {
            (self.known, self.clock) = (begun, None);
        }
        // What comes during a request is its body.
        if handled > 0 {
            return read;
        }
        let is_later_head = self.patience.too_late.is_some() && buffer.filled().len() > before;
        if self.clock.is_none() && (begun == 0 || is_later_head) {
            self.clock = Some(Box::pin(sleep(self.patience.head)));
        }
        match self.clock.as_mut().map(|clock| clock.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(self.give_up(cx))),
            _ => read,
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Patient<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.taken(sent, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(cx) {
            // Flushing a socket is done at once, and says nothing of what its client takes.
            Poll::Ready(flushed) => Poll::Ready(flushed),
            Poll::Pending => self.taken(Poll::Pending, cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.taken(shut, cx)
    }
}

/// The requests of one connection, as its handlers and its transport both know them.
#[derive(Clone, Default)]
struct Turns(Rc<Counts>);

#[derive(Default)]
struct Counts {
    /// Whose head was whole.
    begun: Cell<usize>,
    /// Of them: not yet answered.
    handled: Cell<usize>,
}

/// A request being handled, until its answer has been sent.
struct Turn(Turns);

impl Turn {
    /// The request's head is whole.
    fn of(request: &ServiceRequest) -> Option<Self> {
        let turns = request.conn_data::<Turns>()?.clone();
        turns.0.begun.set(turns.0.begun.get().wrapping_add(1));
        turns.0.handled.set(turns.0.handled.get() + 1);
        Some(Self(turns))
    }

    /// Keeps the turn until the answer's body is done with.
    fn until_sent(turn: Option<Self>, response: ServiceResponse) -> ServiceResponse {
        response.map_body(|_, body| BoxBody::new(Answer { body, _turn: turn }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let handled = &self.0.0.handled;
        handled.set(handled.get().saturating_sub(1));
    }
}

/// Keeps each request's turn until its answer is sent.
pub(super) fn take_turns<S>(request: ServiceRequest, handlers: &S) -> impl Future<Output = Result<ServiceResponse, S::Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse>,
{
    let (turn, answer) = (Turn::of(&request), handlers.call(request));
    async move { answer.await.map(|response| Turn::until_sent(turn, response)) }
}

struct Answer {
    body: BoxBody,
    _turn: Option<Turn>,
}

impl MessageBody for Answer {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
