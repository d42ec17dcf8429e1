//! The outlet of an Engine.IO session: frames wait for a GET, until a WebSocket takes over.
//!
//! Takes the frames that every client shares; a GET's body is made of them when one is there. What waits is bounded, so lag
//! stays in the feed here too. What comes by POST is read as if it had come on a WebSocket.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::oneshot;

use super::{CloseReason, Outlet, OutletKind, wake};
use crate::engineio::{
    Fault,
    payload::{Closed, Waiting, separated},
};

/// What may wait for a GET, in bytes; a frame that was begun is taken whole.
const BOUND: usize = 32 * 1024;

/// POSTs that may wait to be read.
const MAX_POSTS: usize = 2;

/// The packets of one character.
const CLOSE: &[u8] = b"1";
const NOOP: &[u8] = b"6";

/// What a GET is answered with.
pub type PollAnswer = Result<Bytes, Fault>;

/// What a POST is answered with: whether it was read.
pub type PostAnswer = Result<(), Fault>;

/// Frames out of a POST, and who waits for them to be read.
struct Post {
    frames: Vec<u8>,
    answer: oneshot::Sender<PostAnswer>,
}

/// What became of a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// It was answered with what waited.
    Answered,
    /// It is held until there is something, or it was answered that there is nothing any more.
    Held,
    /// There was one already: the client breaks the protocol.
    Twice,
}

/// See the module.
#[derive(Default)]
pub struct PollOutlet {
    carrier: RefCell<Carrier>,
    get: RefCell<Option<oneshot::Sender<PollAnswer>>>,
    posts: RefCell<VecDeque<Post>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

enum Carrier {
    Polling(Waiting),
    Socket(Box<Taken>),
    /// What its last GET is owed, which is on its way: an answer to a client that has ended the session, and what it had not
    /// fetched to one that has not.
    Closed(Option<Bytes>),
}

impl Default for Carrier {
    fn default() -> Self {
        Self::Polling(Waiting::default())
    }
}

/// A WebSocket that has taken over.
struct Taken {
    socket: Outlet,
    /// What had waited for a GET and goes first.
    out: BytesMut,
    /// What the client had already said on it.
    said: Vec<u8>,
}

impl PollOutlet {
    /// Whether no WebSocket has taken over.
    #[must_use]
    pub fn is_polling(&self) -> bool {
        !matches!(&*self.carrier.borrow(), Carrier::Socket(_))
    }

    pub(super) fn kind(&self) -> OutletKind {
        match &*self.carrier.borrow() {
            Carrier::Socket(taken) => taken.socket.kind(),
            Carrier::Polling(_) | Carrier::Closed(_) => OutletKind::Poll,
        }
    }

    /// Whether nothing it has taken waits for a GET.
    #[must_use]
    pub fn has_handed_over(&self) -> bool {
        match &*self.carrier.borrow() {
            Carrier::Polling(waiting) => waiting.is_empty(),
            Carrier::Socket(_) | Carrier::Closed(_) => true,
        }
    }

    /// A GET has come.
    pub fn poll(&self, answer: oneshot::Sender<PollAnswer>) -> Polled {
        let now = match &mut *self.carrier.borrow_mut() {
            Carrier::Socket(_) => Err(Fault::BadRequest),
            Carrier::Closed(owed) => owed.take().ok_or(Fault::UnknownSid),
            Carrier::Polling(waiting) => {
                if let Some(held) = self.get.take() {
                    let _ = held.send(Ok(Bytes::from_static(CLOSE)));
                    let _ = answer.send(Err(Fault::BadRequest));
                    return Polled::Twice;
                }
                let packets = waiting.packets();
                if packets.is_empty() {
                    *self.get.borrow_mut() = Some(answer);
                    return Polled::Held;
                }
                Ok(packets.into())
            }
        };
        let has_packets = now.is_ok();
        let _ = answer.send(now); // whoever has gone meanwhile says so by not coming again
        wake(&self.writer);
        wake(&self.reader);
        if has_packets { Polled::Answered } else { Polled::Held }
    }

    /// A POST has come, as the frames of a client; whoever waits is told when they are read, or that they are not: a client that
    /// does not wait for that could have us keep any number.
    pub fn post(&self, frames: Vec<u8>, answer: oneshot::Sender<PostAnswer>) {
        let fault = match &*self.carrier.borrow() {
            Carrier::Closed(_) => Fault::UnknownSid,
            Carrier::Polling(_) if self.posts.borrow().len() < MAX_POSTS => {
                self.posts.borrow_mut().push_back(Post { frames, answer });
                return wake(&self.reader);
            }
            Carrier::Polling(_) | Carrier::Socket(_) => Fault::BadRequest,
        };
        let _ = answer.send(Err(fault)); // who has gone does not wait
    }

    /// Whether a GET is held.
    #[must_use]
    pub fn holds_get(&self) -> bool {
        self.get.borrow().is_some()
    }

    /// Answers a GET that is held with nothing.
    pub fn noop(&self) {
        if let Some(get) = self.get.take() {
            let _ = get.send(Ok(Bytes::from_static(NOOP)));
        }
    }

    /// A WebSocket takes over, on which the client has already said something. What waits goes there first.
    pub fn take_over(&self, socket: Outlet, said: Vec<u8>) {
        let mut carrier = self.carrier.borrow_mut();
        let Carrier::Polling(waiting) = &mut *carrier else { return };
        let out = std::mem::take(waiting).into_frames();
        let mut taken = Box::new(Taken { socket, out, said });
        let _ = taken.flush(); // what it does not take now it takes later; if it has gone, the next write says so
        *carrier = Carrier::Socket(taken);
        drop(carrier);
        if let Some(get) = self.get.take() {
            let _ = get.send(Err(Fault::BadRequest));
        }
        wake(&self.reader);
        wake(&self.writer);
    }

    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut *self.carrier.borrow_mut() {
            Carrier::Closed(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Carrier::Socket(taken) => {
                taken.flush()?;
                taken.socket.try_write(slices)
            }
            Carrier::Polling(waiting) => {
                let mut n_taken = 0;
                for slice in slices {
                    if waiting.len() >= BOUND && !waiting.is_mid_frame() {
                        break;
                    }
                    waiting.take(slice);
                    n_taken += slice.len();
                }
                if n_taken == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                self.answer(waiting);
                Ok(n_taken)
            }
        }
    }

    /// Answers a GET that is held, if there is something to say.
    fn answer(&self, waiting: &mut Waiting) {
        let mut get = self.get.borrow_mut();
        let Some(held) = get.take() else { return };
        if held.is_closed() {
            *get = Some(held); // the reader sees it too, and ends the session
            return;
        }
        let packets = waiting.packets();
        if packets.is_empty() {
            *get = Some(held);
        } else if held.send(Ok(packets.into())).is_err() {
            wake(&self.reader);
        }
    }

    pub(super) fn holds_back(&self) -> bool {
        match &*self.carrier.borrow() {
            Carrier::Socket(taken) => !taken.out.is_empty() || taken.socket.holds_back(),
            Carrier::Polling(_) | Carrier::Closed(_) => false,
        }
    }

    pub(super) fn n_sent(&self) -> u64 {
        match &*self.carrier.borrow() {
            Carrier::Socket(taken) => taken.socket.n_sent(),
            Carrier::Polling(_) | Carrier::Closed(_) => 0,
        }
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.carrier.borrow_mut() {
            Carrier::Closed(_) => Poll::Ready(()),
            Carrier::Polling(waiting) if waiting.len() < BOUND => Poll::Ready(()),
            Carrier::Polling(_) => {
                *self.writer.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
            Carrier::Socket(taken) => loop {
                ready!(taken.socket.poll_writable(cx));
                match taken.flush() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => return Poll::Ready(()),
                }
            },
        }
    }

    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &*self.carrier.borrow() {
            Carrier::Socket(taken) => taken.socket.poll_gone(cx),
            Carrier::Closed(None) => Poll::Ready(()),
            Carrier::Polling(_) | Carrier::Closed(Some(_)) => {
                *self.reader.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// POSTs first: they came before a WebSocket took over.
    pub(super) fn poll_read<T>(&self, cx: &mut Context<'_>, scratch: &mut [u8], take: impl FnOnce(&mut [u8]) -> T) -> Poll<Option<T>> {
        let post = self.posts.borrow_mut().pop_front();
        if let Some(mut post) = post {
            let said = take(&mut post.frames);
            let _ = post.answer.send(Ok(())); // who has gone does not wait
            return Poll::Ready(Some(said));
        }
        match &mut *self.carrier.borrow_mut() {
            Carrier::Closed(_) => return Poll::Ready(None),
            Carrier::Socket(taken) if taken.said.is_empty() => return taken.socket.poll_read(cx, scratch, take),
            Carrier::Socket(taken) => return Poll::Ready(Some(take(&mut std::mem::take(&mut taken.said)))),
            Carrier::Polling(_) => {}
        }
        // A client that goes away from a GET that is held is gone.
        if let Some(get) = &mut *self.get.borrow_mut()
            && get.poll_closed(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        *self.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn finish(&self) {
        if let Carrier::Socket(taken) = &*self.carrier.borrow() {
            taken.socket.finish();
        }
    }

    /// The session has ended: a GET that is held is told so, behind what still waited. Where none is held the next one is, if it
    /// `is_told_later`, for as long as the session is there.
    pub(super) fn close(&self, is_told_later: bool) {
        let mut carrier = self.carrier.borrow_mut();
        match &mut *carrier {
            Carrier::Closed(_) => return,
            Carrier::Socket(taken) => {
                let _ = taken.flush(); // who does not take it finds out by the end of the connection
                return taken.socket.close(CloseReason::Gone);
            }
            Carrier::Polling(waiting) => {
                let by_client = waiting.closed() == Some(Closed::ByClient);
                let mut last = waiting.packets();
                separated(&mut last, if by_client { NOOP } else { CLOSE });
                let owed = match self.get.take() {
                    Some(held) => {
                        let _ = held.send(Ok(last.into()));
                        None
                    }
                    None if by_client => Some(Bytes::from_static(NOOP)),
                    None => is_told_later.then(|| last.into()),
                };
                *carrier = Carrier::Closed(owed);
            }
        }
        self.posts.borrow_mut().clear(); // whoever waits for one to be read finds that nobody does
        wake(&self.reader);
        wake(&self.writer);
    }
}

impl Taken {
    /// Gives the socket what had waited; `WouldBlock` while something is left.
    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let n = self.socket.try_write(&[IoSlice::new(&self.out)])?;
            self.out.advance(n);
            if self.out.is_empty() {
                self.out = BytesMut::new();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
