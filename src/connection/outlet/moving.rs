//! A socket on its way to the worker whose session it takes over.

use std::{io, net};

use rustls::ServerConnection;
use tokio::net::TcpStream;

use super::{Outlet, SocketOptions};

/// A socket that no worker's runtime knows, and what TLS knows of it.
pub struct Moving {
    socket: net::TcpStream,
    tls: Option<Box<ServerConnection>>,
    options: SocketOptions,
}

impl Moving {
    /// Takes a socket away from this worker.
    ///
    /// # Errors
    /// The runtime does not let go of it.
    pub fn take_off(socket: TcpStream, tls: Option<ServerConnection>, options: SocketOptions) -> io::Result<Self> {
        Ok(Self { socket: socket.into_std()?, tls: tls.map(Box::new), options })
    }

    /// Gives it to the worker of this thread.
    ///
    /// # Errors
    /// The runtime does not take it, or the kernel refuses an option; the socket is closed then.
    pub fn land(self) -> io::Result<Outlet> {
        let socket = TcpStream::from_std(self.socket)?;
        match self.tls {
            Some(tls) => Outlet::tls(socket, *tls, self.options),
            None => Outlet::plain(socket, self.options),
        }
    }
}
