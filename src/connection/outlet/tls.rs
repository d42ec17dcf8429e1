//! The outlet of a socket with TLS on it, after its handshake.
//!
//! Takes bytes like the plain one, a record at a time: what it has taken is encrypted at once and offered to the socket.
//! While a rest of that record waits it takes nothing more, so lag stays in the feed here too, and a connection holds at
//! most one record. Frames are shared by all clients of a group up to here; each is copied into its client's record, which
//! no TLS can do without.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice, Read, Write},
    task::{Context, Poll, ready},
};

use rustls::ServerConnection;
use tokio::net::TcpStream;

/// The most plaintext one record carries (RFC 8446, section 5.1), and so the most that is taken at once.
const RECORD: usize = 16 * 1024;

/// Reads in one turn of a client that keeps sending what nobody asked it to say.
const READS_PER_TURN: usize = 8;

/// A socket of our own, and the TLS state that belongs to it.
pub struct TlsOutlet {
    socket: TcpStream,
    tls: RefCell<ServerConnection>,
    /// The socket has not taken the whole of the last record.
    holds_back: Cell<bool>,
    /// Bytes the socket took.
    n_sent: Cell<u64>,
}

impl TlsOutlet {
    pub(super) fn new(socket: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(RECORD));
        let holds_back = Cell::new(tls.wants_write());
        Self { socket, tls: RefCell::new(tls), holds_back, n_sent: Cell::new(0) }
    }

    pub(super) fn holds_back(&self) -> bool {
        self.holds_back.get()
    }

    pub(super) fn n_sent(&self) -> u64 {
        self.n_sent.get()
    }

    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut tls = self.tls.borrow_mut();
        self.flush(&mut tls)?;
        let n = tls.writer().write_vectored(slices)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        match self.flush(&mut tls) {
            Err(error) if !must_wait(&error) => Err(error),
            _ => Ok(n),
        }
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_flush(&mut self.tls.borrow_mut(), cx)
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads once; ready with `None` when the client is gone.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<Option<usize>> {
        let mut tls = self.tls.borrow_mut();
        loop {
            match tls.reader().read(scratch) {
                Ok(n) if n > 0 => return Poll::Ready(Some(n)),
                Err(error) if must_wait(&error) => {}
                _ => return Poll::Ready(None), // it closed its side, with a word or without
            }
            match self.socket.poll_read_ready(cx) {
                Poll::Pending => return self.answer(&mut tls, cx).map(|()| None),
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(())) => {}
            }
            match tls.read_tls(&mut Wire(&self.socket)) {
                Err(error) if must_wait(&error) => continue,
                Err(_) => return Poll::Ready(None),
                Ok(_) => {} // at the end of the socket the reader above says so
            }
            if tls.process_new_packets().is_err() {
                return Poll::Ready(None);
            }
        }
    }

    /// What a client says is decrypted, because a key update or its goodbye may be among it, and dropped.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut tls = self.tls.borrow_mut();
        for _ in 0..READS_PER_TURN {
            match self.socket.poll_read_ready(cx) {
                Poll::Pending => return self.answer(&mut tls, cx),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            match take_in(&mut tls, &self.socket) {
                Ok(Said::Something) => {}
                Ok(Said::Goodbye) => return Poll::Ready(()),
                Err(error) if must_wait(&error) => {}
                Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref(); // there may be more, after everybody else's turn
        self.answer(&mut tls, cx)
    }

    /// The protocol's own answers, to a key update for example, go out without waiting for the next event.
    fn answer(&self, tls: &mut ServerConnection, cx: &mut Context<'_>) -> Poll<()> {
        if tls.wants_write() {
            // A socket that has failed tells the next read.
            let _ = self.poll_flush(tls, cx);
        }
        Poll::Pending
    }

    /// Tells the client that this end was meant, unless the socket takes nothing.
    pub(super) fn close(&self) {
        let mut tls = self.tls.borrow_mut();
        tls.send_close_notify();
        // A client that does not take it finds out by the end of the connection.
        let _ = self.flush(&mut tls);
    }

    /// Ready when nothing waits any more, or the socket has failed (the next write tells).
    fn poll_flush(&self, tls: &mut ServerConnection, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(self.socket.poll_write_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            match self.flush(tls) {
                Err(error) if must_wait(&error) => {}
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Gives the socket what waits; `WouldBlock` while something is left.
    fn flush(&self, tls: &mut ServerConnection) -> io::Result<()> {
        let mut flushed = Ok(());
        while flushed.is_ok() && tls.wants_write() {
            flushed = tls.write_tls(&mut Wire(&self.socket)).and_then(|n| {
                self.n_sent.set(self.n_sent.get().wrapping_add(n as u64));
                if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
            });
        }
        self.holds_back.set(tls.wants_write());
        flushed
    }
}

fn must_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What a read came to.
enum Said {
    Something,
    /// The client closed its side, with a word or without: it is gone, see [`super::Outlet::poll_gone`].
    Goodbye,
}

/// One read, whose plaintext is dropped.
fn take_in(tls: &mut ServerConnection, socket: &TcpStream) -> io::Result<Said> {
    if tls.read_tls(&mut Wire(socket))? == 0 {
        return Ok(Said::Goodbye);
    }
    let state = tls.process_new_packets().map_err(io::Error::other)?;
    let mut scratch = [0; 256];
    let mut left = state.plaintext_bytes_to_read();
    while left > 0 {
        let n = tls.reader().read(&mut scratch)?;
        left = if n == 0 { 0 } else { left.saturating_sub(n) };
    }
    Ok(if state.peer_has_closed() { Said::Goodbye } else { Said::Something })
}

/// The socket as the TLS library reads and writes it: without waiting, and past the runtime's belief, see
/// [`super::write_to`].
struct Wire<'s>(&'s TcpStream);

impl Read for Wire<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        super::write_to(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        super::write_to(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
