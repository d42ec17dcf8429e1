//! A WebSocket on its way to the worker whose session it takes over.

use std::{io, net};

use bytes::Bytes;
use rustls::ServerConnection;
use tokio::{
    net::TcpStream,
    sync::mpsc::{Receiver, Sender},
};

use super::{
    OtherOutlet, Outlet, SocketOptions,
    relay::{self, RelayEnds, RelayOutlet},
};

/// A WebSocket that no session has.
pub struct Moving(Way);

enum Way {
    /// A socket that no worker's runtime knows, and what TLS knows of it.
    Socket { socket: net::TcpStream, tls: Option<Box<ServerConnection>>, options: SocketOptions },
    /// One that stays where it is.
    Relay((Sender<Bytes>, Receiver<Bytes>)),
}

impl Moving {
    /// Takes a socket away from this worker.
    ///
    /// # Errors
    /// The runtime does not let go of it.
    pub fn take_off(socket: TcpStream, tls: Option<ServerConnection>, options: SocketOptions) -> io::Result<Self> {
        Ok(Self(Way::Socket { socket: socket.into_std()?, tls: tls.map(Box::new), options }))
    }

    /// One that this worker's HTTP server keeps: what is left here passes on what is written and what is said.
    #[must_use]
    pub fn relay() -> (Self, RelayEnds) {
        let (session, server) = relay::ends();
        (Self(Way::Relay(session)), server)
    }

    /// Gives it to the worker of this thread.
    ///
    /// # Errors
    /// The runtime does not take it, or the kernel refuses an option; the socket is closed then.
    pub fn land(self) -> io::Result<Outlet> {
        match self.0 {
            Way::Relay(ends) => Ok(Outlet::Other(OtherOutlet::Relay(Box::new(RelayOutlet::new(ends))))),
            Way::Socket { socket, tls, options } => {
                let socket = TcpStream::from_std(socket)?;
                match tls {
                    Some(tls) => Outlet::tls(socket, *tls, options),
                    None => Outlet::plain(socket, options),
                }
            }
        }
    }
}
