//! The way out of a response that the HTTP server keeps: a chunk that the flush loop fills and the server pulls.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::Stream;

use super::wake;

/// What a body outlet takes at once, in bytes: one chunk of the response.
const BODY_CHUNK: usize = 32 * 1024;

/// One chunk between the flush loop and the HTTP server that pulls the body.
#[derive(Default)]
pub struct BodyOutlet {
    chunk: RefCell<BytesMut>,
    /// The HTTP server is done with the body, or we are.
    closed: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    /// What the client says, where it may say anything.
    said: RefCell<Option<Inbound>>,
}

/// What comes from a client through the HTTP server; ends when it is gone.
pub type Inbound = Pin<Box<dyn Stream<Item = Bytes>>>;

impl BodyOutlet {
    /// A body whose client may say something.
    #[must_use]
    pub fn with_inbound(inbound: Inbound) -> Self {
        Self { said: RefCell::new(Some(inbound)), ..Self::default() }
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        if self.poll_gone(cx).is_ready() {
            return Poll::Ready(None);
        }
        match &mut *self.said.borrow_mut() {
            Some(said) => said.as_mut().poll_next(cx).map(|bytes| bytes.map(Vec::from)),
            None => Poll::Pending,
        }
    }

    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.closed.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut chunk = self.chunk.borrow_mut();
        let mut room = BODY_CHUNK.saturating_sub(chunk.len());
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut taken = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            chunk.put_slice(part);
            taken += part.len();
            room -= part.len();
            if room == 0 {
                break;
            }
        }
        drop(chunk);
        wake(&self.reader);
        Ok(taken)
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.closed.get() || self.chunk.borrow().len() < BODY_CHUNK {
            return Poll::Ready(());
        }
        *self.writer.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.closed.get() {
            return Poll::Ready(());
        }
        *self.writer.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// For the HTTP server: the next chunk, `None` when the body is over.
    pub fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut chunk = self.chunk.borrow_mut();
        if !chunk.is_empty() {
            let bytes = std::mem::take(&mut *chunk).freeze();
            drop(chunk);
            wake(&self.writer);
            return Poll::Ready(Some(bytes));
        }
        if self.closed.get() {
            return Poll::Ready(None);
        }
        *self.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the body, from either side.
    pub fn close(&self) {
        self.closed.set(true);
        wake(&self.reader);
        wake(&self.writer);
    }

    /// Whether either side has ended the body.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }
}
