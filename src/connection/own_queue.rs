//! What stands before a connection's feed: the frame begun, replies, and what waited when its rights changed.
//!
//! Most connections have none of it at most times, so it is made when something comes and dropped with the last.

use std::{collections::VecDeque, rc::Rc, time::Instant};

use bytes::Bytes;

use super::{Offer, outbox::Outbox};

/// A frame of which the client has taken only a part. It is finished, or the connection closed.
#[derive(Debug)]
pub(super) struct Torn {
    pub(super) rest: Bytes,
    /// It is an event, accepted then, and counts as delivered when its last byte is taken.
    pub(super) event: Option<Instant>,
}

/// What is written before anything of the feed, in this order.
#[derive(Debug, Default)]
pub(super) struct OwnQueue {
    pub(super) torn: Option<Torn>,
    pub(super) outbox: Outbox,
    /// What still waited when rights changed, already checked again.
    backlog: VecDeque<Rc<Offer>>,
    /// Of its frames.
    backlog_bytes: usize,
}

impl OwnQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.torn.is_none() && self.outbox.is_empty() && self.backlog.is_empty()
    }

    /// Events in it.
    pub(super) fn n_events(&self) -> u64 {
        u64::from(self.torn.as_ref().is_some_and(|torn| torn.event.is_some())) + self.backlog.len() as u64
    }

    /// Bytes it holds, the backlog's frames for this connection alone though others may share them.
    pub(super) fn n_bytes(&self) -> usize {
        let torn = self.torn.as_ref().map_or(0, |torn| torn.rest.len());
        let backlog = self.backlog_bytes + self.backlog.capacity() * size_of::<Rc<Offer>>();
        size_of::<Self>() + torn + self.outbox.n_bytes() + backlog
    }

    pub(super) fn take_backlog(&mut self) -> VecDeque<Rc<Offer>> {
        self.backlog_bytes = 0;
        std::mem::take(&mut self.backlog)
    }

    pub(super) fn keep_backlog(&mut self, backlog: VecDeque<Rc<Offer>>) {
        self.backlog_bytes = backlog.iter().map(|offer| offer.frame.len()).sum();
        self.backlog = backlog;
    }

    /// The frame to go on with: it stays torn until it is finished. Of a backlog entry also the offer: while no byte of
    /// it was taken it may still be refused, so it is not begun. A connection that closes begins no event any more.
    pub(super) fn next(&mut self, closing: bool) -> Option<(Torn, Option<Rc<Offer>>)> {
        if let Some(torn) = self.torn.take() {
            return Some((torn, None));
        }
        if let Some(reply) = self.outbox.pop() {
            return Some((Torn { rest: reply, event: None }, None));
        }
        if closing {
            return None;
        }
        let offer = self.backlog.pop_front()?;
        self.backlog_bytes -= offer.frame.len();
        Some((Torn { rest: offer.frame.clone(), event: Some(offer.envelope.stamped) }, Some(offer)))
    }

    /// Takes back what [`Self::next`] gave and the client did not take whole; with its offer as long as it is not begun.
    pub(super) fn give_back(&mut self, torn: Torn, unbegun: Option<Rc<Offer>>) {
        match unbegun {
            Some(offer) => {
                self.backlog_bytes += offer.frame.len();
                self.backlog.push_front(offer);
            }
            None => self.torn = Some(torn),
        }
    }
}
