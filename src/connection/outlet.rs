//! A connection's way out: the one place that touches a client's socket.
//!
//! Five of them: a socket that left the HTTP server for good, plain or with TLS on it, a response body that the HTTP server
//! pulls from, the GETs of an Engine.IO session until a WebSocket takes over, and a WebSocket that another worker keeps. All take
//! bytes without waiting and say when they could take more; and what a client says is read through them, whether or not it has
//! anything to say.

mod body;
mod moving;
mod poll;
mod relay;
mod tls;

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    net::Shutdown,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use rustix::{io::Errno, net::SendFlags};
use rustls::ServerConnection;
use socket2::{SockRef, TcpKeepalive};
use tokio::{io::Interest, net::TcpStream};

use super::CloseReason;
pub use body::{BodyOutlet, Inbound};
pub use moving::Moving;
pub use poll::{PollAnswer, PollOutlet, Polled, PostAnswer};
pub use relay::RelayEnds;
use relay::RelayOutlet;
pub use tls::TlsOutlet;

/// How a socket that left the HTTP server is set up.
#[derive(Debug, Clone, Copy)]
pub struct SocketOptions {
    /// `SO_SNDBUF` in bytes: small, so that lag sits in the bounded feed and not in the kernel.
    pub send_buffer: usize,
    /// `TCP_NOTSENT_LOWAT` in bytes.
    pub notsent_lowat: u32,
    /// `TCP_USER_TIMEOUT`: just above the stall limit, because it also ends live peers whose window stays shut, and then
    /// nobody knows why.
    pub user_timeout: Option<Duration>,
}

/// Where a connection's bytes go.
///
/// Two variants and no more: the second finds room in a value that a socket never has, and so the first fills no more of a
/// connection's first cache line than the socket itself.
pub enum Outlet {
    /// A socket of our own.
    Plain(TcpStream),
    /// One of those that stand elsewhere.
    Other(OtherOutlet),
}

/// The ways out that have state of their own, which does not stand in the connection.
pub enum OtherOutlet {
    /// The body of an HTTP response.
    Body(Rc<BodyOutlet>),
    /// A socket of our own with TLS on it.
    Tls(Box<TlsOutlet>),
    /// GETs that are held, and the WebSocket that has taken over from them.
    Poll(Box<PollOutlet>),
    /// A socket that another worker's HTTP server keeps, to which a session of ours was handed.
    #[expect(private_interfaces, reason = "made by `Moving::land` only")]
    Relay(Box<RelayOutlet>),
}

const _: () = assert!(size_of::<Outlet>() == size_of::<TcpStream>());

impl Outlet {
    /// A socket that left the HTTP server: options set, nothing read or written.
    ///
    /// # Errors
    /// The kernel refused an option; the socket is of no use then.
    pub fn plain(socket: TcpStream, options: SocketOptions) -> io::Result<Self> {
        set_up(&socket, options)?;
        Ok(Self::Plain(socket))
    }

    /// A socket that left the HTTP server after its TLS handshake, with what the handshake came to: options set, nothing
    /// written.
    ///
    /// # Errors
    /// The kernel refused an option; the socket is of no use then.
    pub fn tls(socket: TcpStream, tls: ServerConnection, options: SocketOptions) -> io::Result<Self> {
        set_up(&socket, options)?;
        Ok(Self::Other(OtherOutlet::Tls(Box::new(TlsOutlet::new(socket, tls)))))
    }

    /// The body of a response.
    #[must_use]
    pub fn body(body: Rc<BodyOutlet>) -> Self {
        Self::Other(OtherOutlet::Body(body))
    }

    /// The GETs of an Engine.IO session that begins.
    #[must_use]
    pub fn polling() -> Self {
        Self::Other(OtherOutlet::Poll(Box::default()))
    }

    /// That of an Engine.IO session that began with polling.
    #[must_use]
    pub fn as_polling(&self) -> Option<&PollOutlet> {
        match self {
            Self::Other(OtherOutlet::Poll(poll)) => Some(poll),
            Self::Plain(_) | Self::Other(_) => None,
        }
    }

    /// Whether whoever pulls from it has pulled everything.
    pub(super) fn has_handed_over(&self) -> bool {
        self.as_polling().is_some_and(PollOutlet::has_handed_over)
    }

    /// The word in metrics and `/api/connections`.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> OutletKind {
        match self {
            Self::Plain(_) => OutletKind::Plain,
            Self::Other(other) => other.kind(),
        }
    }

    /// Takes as many bytes as it can without waiting; `Ok(0)` never happens for non-empty slices.
    ///
    /// # Errors
    /// `WouldBlock` when it can take nothing now; anything else means that the client is gone.
    #[expect(clippy::inline_always, reason = "see `Connection::write`")]
    #[inline(always)]
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => write_to(socket, slices),
            Self::Other(other) => other.try_write(slices),
        }
    }

    /// Whether something it has taken waits for the socket: until then it must be asked whether it is writable, or that
    /// stays unsent.
    #[must_use]
    #[inline]
    pub fn holds_back(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Other(other) => other.holds_back(),
        }
    }

    /// Bytes the socket took of what had been held back, and of what was not; only an outlet that can hold back counts.
    #[must_use]
    pub fn n_sent(&self) -> u64 {
        match self {
            Self::Plain(_) | Self::Other(OtherOutlet::Body(_) | OtherOutlet::Relay(_)) => 0,
            Self::Other(OtherOutlet::Tls(tls)) => tls.n_sent(),
            Self::Other(OtherOutlet::Poll(poll)) => poll.n_sent(),
        }
    }

    /// Ready when it could take bytes again, or failed (the next write tells).
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(socket) => socket.poll_write_ready(cx).map(drop),
            Self::Other(OtherOutlet::Body(body)) => body.poll_writable(cx),
            Self::Other(OtherOutlet::Tls(tls)) => tls.poll_writable(cx),
            Self::Other(OtherOutlet::Poll(poll)) => poll.poll_writable(cx),
            Self::Other(OtherOutlet::Relay(relay)) => relay.poll_writable(cx),
        }
    }

    /// Reads and drops what a client sends that has nothing to say (SSE); ready when it is gone.
    ///
    /// A half-closed client counts as gone: no SSE client half-closes, and waiting would keep dead sockets.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(socket) => poll_drained(socket, cx),
            Self::Other(OtherOutlet::Body(body)) => body.poll_gone(cx),
            Self::Other(OtherOutlet::Tls(tls)) => tls.poll_gone(cx),
            Self::Other(OtherOutlet::Poll(poll)) => poll.poll_gone(cx),
            Self::Other(OtherOutlet::Relay(relay)) => relay.poll_gone(cx),
        }
    }

    /// Reads once of what a client says, into the scratch buffer or past it, and hands it to `take`; `None` when it is gone.
    pub fn poll_read<T>(&self, cx: &mut Context<'_>, scratch: &mut [u8], take: impl FnOnce(&mut [u8]) -> T) -> Poll<Option<T>> {
        match self {
            Self::Plain(socket) => poll_read_from(socket, cx, scratch).map(|n| n.map(|n| take(&mut scratch[..n]))),
            Self::Other(OtherOutlet::Body(body)) => body.poll_read(cx).map(|bytes| bytes.map(|mut bytes| take(&mut bytes))),
            Self::Other(OtherOutlet::Tls(tls)) => tls.poll_read(cx, scratch).map(|n| n.map(|n| take(&mut scratch[..n]))),
            Self::Other(OtherOutlet::Poll(poll)) => poll.poll_read(cx, scratch, take),
            Self::Other(OtherOutlet::Relay(relay)) => relay.poll_read(cx).map(|bytes| bytes.map(|mut bytes| take(&mut bytes))),
        }
    }

    /// Nothing more is written: a client that reads finds the end. What is still on its way to us is read until it closes
    /// too, or a socket closed over unread bytes would take back what was written last.
    pub fn finish(&self) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Other(OtherOutlet::Tls(tls)) if !tls.holds_back() => tls.socket(),
            Self::Other(OtherOutlet::Poll(poll)) => return poll.finish(),
            Self::Other(_) => return,
        };
        // A socket that is gone needs no end.
        let _ = SockRef::from(socket).shutdown(Shutdown::Write);
    }

    /// The hub has let go of the connection: ends a body, says goodbye over TLS if the socket takes it now, keeps for the next GET
    /// what a client that polls has not fetched.
    pub fn close(&self, reason: CloseReason) {
        match self {
            Self::Plain(_) => {} // the socket closes with the last reference
            Self::Other(OtherOutlet::Body(body)) => body.close(),
            Self::Other(OtherOutlet::Tls(tls)) => tls.close(),
            Self::Other(OtherOutlet::Poll(poll)) => poll.close(reason.is_told_later()),
            Self::Other(OtherOutlet::Relay(relay)) => relay.close(),
        }
    }
}

// Out of line, so that the way of a plain socket, which most deliveries take, is short.
impl OtherOutlet {
    fn kind(&self) -> OutletKind {
        match self {
            Self::Body(_) | Self::Relay(_) => OutletKind::Body,
            Self::Tls(_) => OutletKind::Tls,
            Self::Poll(poll) => poll.kind(),
        }
    }

    #[inline(never)]
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Body(body) => body.try_write(slices),
            Self::Tls(tls) => tls.try_write(slices),
            Self::Poll(poll) => poll.try_write(slices),
            Self::Relay(relay) => relay.try_write(slices),
        }
    }

    fn holds_back(&self) -> bool {
        match self {
            Self::Body(_) | Self::Relay(_) => false,
            Self::Tls(tls) => tls.holds_back(),
            Self::Poll(poll) => poll.holds_back(),
        }
    }
}

fn set_up(socket: &TcpStream, options: SocketOptions) -> io::Result<()> {
    let raw = SockRef::from(socket);
    raw.set_tcp_nodelay(true)?;
    raw.set_send_buffer_size(options.send_buffer)?;
    raw.set_tcp_notsent_lowat(options.notsent_lowat)?;
    raw.set_tcp_user_timeout(options.user_timeout)?;
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(20)).with_interval(Duration::from_secs(5)).with_retries(4);
    raw.set_tcp_keepalive(&probes)
}

/// Reads a plain socket once; ready with `None` when the client is gone.
fn poll_read_from(socket: &TcpStream, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<Option<usize>> {
    loop {
        if ready!(socket.poll_read_ready(cx)).is_err() {
            return Poll::Ready(None);
        }
        match socket.try_read(scratch) {
            Ok(0) => return Poll::Ready(None),
            Ok(n) => return Poll::Ready(Some(n)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => return Poll::Ready(None),
        }
    }
}

/// Reads a plain socket and drops what comes; ready when the client is gone.
fn poll_drained(socket: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
    let mut scratch = [0; 256]; // what a client says here is dropped unread
    loop {
        match socket.poll_read_ready(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(())) => match socket.try_read(&mut scratch) {
                Ok(0) => return Poll::Ready(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            },
        }
    }
}

/// Asks the kernel at once instead of looking first whether the runtime believes the socket writable: that belief stands in
/// memory of its own, which a delivery would have to wait for. Only a full socket is the runtime's business.
///
/// One event at a time is the common case, and a plain send costs the kernel less than a vector of one.
#[expect(clippy::inline_always, reason = "see `Connection::write`")]
#[inline(always)]
fn write_to(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let taken = match slices {
        [slice] => rustix::net::send(socket, slice, SendFlags::NOSIGNAL),
        slices => rustix::io::writev(socket, slices),
    };
    match taken {
        Ok(n) if n > 0 => Ok(n),
        taken => not_taken(socket, taken),
    }
}

#[inline(never)]
fn not_taken(socket: &TcpStream, taken: Result<usize, Errno>) -> io::Result<usize> {
    match taken {
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(Errno::WOULDBLOCK) => socket.try_io(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into())),
        Err(error) => Err(error.into()),
    }
}

/// The kinds of outlet, for labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum OutletKind {
    /// A plain socket of our own.
    Plain,
    /// The body of an HTTP response.
    Body,
    /// A socket of our own with TLS on it.
    Tls,
    /// GETs that are held.
    Poll,
}

impl OutletKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Body, Self::Tls, Self::Poll];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Body => "body",
            Self::Tls => "tls",
            Self::Poll => "poll",
        }
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = waker.borrow_mut().take() {
        waker.wake();
    }
}
