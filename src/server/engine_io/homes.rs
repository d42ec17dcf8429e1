//! Where each session that began with polling lives.

use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::Recipient;
use parking_lot::Mutex;

use crate::{engineio::Sid, session::Carry};

/// The way to every session that began with polling, for as long as it lives. Looked at for GETs, POSTs and WebSockets that take
/// over, never for an event.
#[derive(Default)]
pub(in crate::server) struct Homes(Mutex<HashMap<Sid, Home>>);

/// The way to one session.
#[derive(Clone)]
pub(in crate::server) struct Home {
    carry: Recipient<Carry>,
    /// A POST is being read.
    posting: Arc<AtomicBool>,
    /// Somebody has shown whose it is.
    is_somebodys: Arc<AtomicBool>,
}

/// While it lives no other POST of the session is read.
pub(in crate::server) struct Posting(Arc<AtomicBool>);

/// Forgets the way when the session goes.
struct Kept {
    homes: Arc<Homes>,
    sid: Sid,
}

impl Homes {
    /// What is to be dropped with the session of that name.
    pub(super) fn keep(self: &Arc<Self>, sid: Sid) -> Box<dyn Any> {
        Box::new(Kept { homes: Arc::clone(self), sid })
    }

    /// Remembers the way to a session, which keeps `is_somebodys` as it is.
    pub(super) fn insert(&self, sid: Sid, carry: Recipient<Carry>, is_somebodys: Arc<AtomicBool>) -> Home {
        let home = Home { carry, posting: Arc::default(), is_somebodys };
        self.0.lock().insert(sid, home.clone());
        home
    }

    /// The way to a session.
    pub(in crate::server) fn find(&self, sid: Sid) -> Option<Home> {
        self.0.lock().get(&sid).cloned()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.homes.0.lock().remove(&self.sid);
    }
}

impl Home {
    /// Hands something to the session; whether it still takes anything.
    pub(in crate::server) async fn send(&self, carry: Carry) -> bool {
        self.carry.send(carry).await.is_ok()
    }

    /// Whether somebody has shown whose the session is.
    pub(super) fn is_somebodys(&self) -> bool {
        self.is_somebodys.load(Ordering::Relaxed)
    }

    /// `None`: another POST is being read.
    pub(super) fn begin_post(&self) -> Option<Posting> {
        (!self.posting.swap(true, Ordering::Relaxed)).then(|| Posting(Arc::clone(&self.posting)))
    }
}

impl Drop for Posting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
