//! How long a later head may take on a kept-alive connection.
//!
//! The HTTP server bounds the first head only, and stops its keep-alive timer at the first byte of a further one: a client
//! could send one byte and hold its connection for ever. So the transport keeps a clock of its own. It knows nothing of HTTP:
//! whoever handles requests tells when it is busy with one, and what arrives in between is the beginning of the next.

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
    dev::{ServiceRequest, ServiceResponse},
};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A transport on which a head that begins between two requests must be whole in time.
pub(super) struct Patient<Io> {
    io: Io,
    turns: Turns,
    /// Of how many requests the clock knows.
    known: usize,
    /// `None`: what comes between two requests is no head (HTTP/2), and takes as long as it likes.
    limit: Option<Duration>,
    /// Runs from the first byte that came while nothing was handled.
    clock: Option<Pin<Box<Sleep>>>,
}

impl<Io> Patient<Io> {
    /// A later head must be whole `limit` after its first byte.
    pub(super) fn new(io: Io, limit: Option<Duration>) -> Self {
        Self { io, turns: Turns::default(), known: 0, limit, clock: None }
    }

    /// Lets the handlers of this connection's requests tell when they are busy.
    pub(super) fn share(&self, data: &mut Extensions) {
        data.insert(self.turns.clone());
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Patient<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        let (begun, handled) = (self.turns.0.begun.get(), self.turns.0.handled.get());
        if begun != self.known || handled > 0 {
            (self.known, self.clock) = (begun, None);
        }
        // The first head is the HTTP server's own to time, and what comes during a request is its body.
        if begun == 0 || handled > 0 {
            return read;
        }
        if let (true, None, Some(limit)) = (buffer.filled().len() > before, &self.clock, self.limit) {
            self.clock = Some(Box::pin(sleep(limit)));
        }
        match self.clock.as_mut().map(|clock| clock.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            _ => read,
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Patient<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
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
pub(super) struct Turn(Turns);

impl Turn {
    /// The request's head is whole.
    pub(super) fn of(request: &ServiceRequest) -> Option<Self> {
        let turns = request.conn_data::<Turns>()?.clone();
        turns.0.begun.set(turns.0.begun.get().wrapping_add(1));
        turns.0.handled.set(turns.0.handled.get() + 1);
        Some(Self(turns))
    }

    /// Keeps the turn until the answer's body is done with.
    pub(super) fn until_sent(turn: Option<Self>, response: ServiceResponse) -> ServiceResponse {
        response.map_body(|_, body| BoxBody::new(Answer { body, _turn: turn }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let handled = &self.0.0.handled;
        handled.set(handled.get().saturating_sub(1));
    }
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
