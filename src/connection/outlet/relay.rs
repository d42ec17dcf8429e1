//! The outlet of a WebSocket that cannot be moved: the HTTP server of its worker has had requests on it, and keeps it.
//!
//! What is written goes there, and what the client says comes from there, through two short queues. Each chunk is copied once:
//! only clients that reuse a connection for their WebSocket come this way.

use std::{
    cell::RefCell,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender, error::SendError};

/// Chunks on their way, in either direction.
const CHUNKS: usize = 2;
/// What one chunk takes, in bytes.
const CHUNK: usize = 32 * 1024;

type Reserving = Pin<Box<dyn Future<Output = Result<OwnedPermit<Bytes>, SendError<()>>>>>;

/// What is left at the worker that has the socket.
pub struct RelayEnds {
    /// What the client is to be sent; it ends with the session.
    pub to_client: Receiver<Bytes>,
    /// What the client says; dropped when it is gone.
    pub from_client: Sender<Bytes>,
}

/// Both ways through another worker.
pub(super) struct RelayOutlet {
    to: RefCell<Option<Sender<Bytes>>>,
    from: RefCell<Receiver<Bytes>>,
    /// Room for one chunk, while it is waited for, and when there is.
    reserving: RefCell<Option<Reserving>>,
    room: RefCell<Option<OwnedPermit<Bytes>>>,
}

/// The two queues, by their ends: for the session, and for the worker with the socket.
pub(super) fn ends() -> ((Sender<Bytes>, Receiver<Bytes>), RelayEnds) {
    let (to, to_client) = mpsc::channel(CHUNKS);
    let (from_client, from) = mpsc::channel(CHUNKS);
    ((to, from), RelayEnds { to_client, from_client })
}

impl RelayOutlet {
    pub(super) fn new((to, from): (Sender<Bytes>, Receiver<Bytes>)) -> Self {
        Self { to: RefCell::new(Some(to)), from: RefCell::new(from), reserving: RefCell::default(), room: RefCell::default() }
    }

    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let room = match self.room.take() {
            Some(room) => room,
            None => {
                let to = self.to.borrow().clone().ok_or(io::ErrorKind::BrokenPipe)?;
                to.try_reserve_owned().map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => io::ErrorKind::WouldBlock,
                    mpsc::error::TrySendError::Closed(_) => io::ErrorKind::BrokenPipe,
                })?
            }
        };
        let mut chunk = BytesMut::with_capacity(slices.iter().map(|slice| slice.len()).sum::<usize>().min(CHUNK));
        for slice in slices {
            let part = &slice[..slice.len().min(CHUNK - chunk.len())];
            chunk.put_slice(part);
        }
        let n_taken = chunk.len();
        room.send(chunk.freeze());
        Ok(n_taken)
    }

    /// Ready when there is room, or nobody at the other end (the next write tells).
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.room.borrow().is_some() {
            return Poll::Ready(());
        }
        let Some(to) = self.to.borrow().clone() else { return Poll::Ready(()) };
        let mut reserving = self.reserving.borrow_mut();
        let waiting = reserving.get_or_insert_with(|| Box::pin(to.reserve_owned()));
        let Poll::Ready(room) = waiting.as_mut().poll(cx) else { return Poll::Pending };
        *reserving = None;
        *self.room.borrow_mut() = room.ok();
        Poll::Ready(())
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        self.from.borrow_mut().poll_recv(cx).map(|bytes| bytes.map(Vec::from))
    }

    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(said) = self.poll_read(cx) {
            if said.is_none() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// What was written is still sent; then the other worker ends the connection.
    pub(super) fn close(&self) {
        self.to.take();
        self.room.take();
        self.reserving.take();
    }
}
