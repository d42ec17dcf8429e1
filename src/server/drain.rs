//! The server's side of a stop: who must not begin any more, and whose request is still to be answered.
//!
//! Knows nothing of events or clients' streams; `app` decides in which order things end.

use std::{
    io,
    net::{Shutdown, TcpListener},
    sync::atomic::{AtomicUsize, Ordering},
};

use socket2::SockRef;
use tokio::sync::watch;

/// Whether the server stops, and how many publishing requests are under way.
#[derive(Debug)]
pub struct Drain {
    begun: watch::Sender<bool>,
    under_way: AtomicUsize,
}

/// A request that is to be answered before the server stops.
#[derive(Debug)]
pub(super) struct UnderWay<'a>(&'a Drain);

impl Default for Drain {
    fn default() -> Self {
        Self { begun: watch::Sender::new(false), under_way: AtomicUsize::new(0) }
    }
}

impl Drain {
    /// From now on nothing new begins, and what could go on for ever ends by itself.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// Requests that began before and are not answered yet.
    #[must_use]
    pub fn n_under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    /// `None`: the server stops, and the request must be refused.
    pub(super) fn enter(&self) -> Option<UnderWay<'_>> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let entered = UnderWay(self);
        (!*self.begun.borrow()).then_some(entered)
    }

    /// Ends when the server begins to stop.
    pub(super) async fn begun(&self) {
        // The sender lives as long as this, so the only end of the waiting is the beginning of the stop.
        let _ = self.begun.subscribe().wait_for(|begun| *begun).await;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Has the system refuse new connections from now on; those who wait to be accepted are refused too. A server that only
/// stops accepting would let them wait until its end.
///
/// # Errors
/// The system does not allow it: clients then wait until the process ends.
pub fn refuse_connections(listener: &TcpListener) -> io::Result<()> {
    SockRef::from(listener).shutdown(Shutdown::Both)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_listener_that_was_shut_refuses_at_once_and_sends_away_who_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let mut waiting = TcpStream::connect(address).expect("it listens");
        refuse_connections(&listener).expect("allowed");
        assert_eq!(TcpStream::connect(address).expect_err("refused").kind(), io::ErrorKind::ConnectionRefused);
        assert!(io::Read::read(&mut waiting, &mut [0]).is_err(), "reset");
    }

    #[test]
    fn a_request_under_way_is_counted_and_a_later_one_refused() {
        let drain = Drain::default();
        let request = drain.enter().expect("it runs");
        drain.begin();
        assert!(drain.enter().is_none());
        assert_eq!(drain.n_under_way(), 1);
        drop(request);
        assert_eq!(drain.n_under_way(), 0);
    }
}
