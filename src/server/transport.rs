//! What a client's bytes travel on: a socket, or a socket with TLS on it. One type, so that there is one door for both.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use actix_http::Protocol;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::connection::{Moving, Outlet, SocketOptions};

/// A connection as the door and the ordinary server read and write it.
pub(super) enum Transport {
    Plain(TcpStream),
    /// Boxed: the TLS state is many times the size of a socket.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// The address of the peer, if it still has one.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
        .peer_addr()
        .ok()
    }

    /// What the two sides agreed to speak. Without TLS there is nothing to agree on: HTTP/2 in clear is not offered.
    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        }
    }

    /// The transport leaves the HTTP server for good.
    ///
    /// # Errors
    /// The kernel refused a socket option.
    pub(super) fn into_outlet(self, options: SocketOptions) -> io::Result<Outlet> {
        match self {
            Self::Plain(socket) => Outlet::plain(socket, options),
            Self::Tls(stream) => {
                let (socket, tls) = stream.into_inner();
                Outlet::tls(socket, tls, options)
            }
        }
    }

    /// The transport leaves this worker, for the session that it takes over.
    ///
    /// # Errors
    /// The runtime does not let go of it.
    pub(super) fn into_moving(self, options: SocketOptions) -> io::Result<Moving> {
        match self {
            Self::Plain(socket) => Moving::take_off(socket, None, options),
            Self::Tls(stream) => {
                let (socket, tls) = stream.into_inner();
                Moving::take_off(socket, Some(tls), options)
            }
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
