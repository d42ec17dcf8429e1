//! A connection's small bounded queue of replies: the opening, pings, gap notices, the last word.
//!
//! Events never pass through it.

use std::collections::VecDeque;

use bytes::Bytes;

/// What an outbox may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Replies.
    pub entries: usize,
    /// Bytes of all replies together.
    pub bytes: usize,
}

/// Replies not yet begun, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    replies: VecDeque<Bytes>,
    bytes: usize,
}

impl Outbox {
    /// Adds a reply; `false` when it does not fit: then the connection must end, because a reply must not vanish.
    pub(super) fn push(&mut self, reply: Bytes, limits: OutboxLimits) -> bool {
        if self.replies.len() >= limits.entries || self.bytes + reply.len() > limits.bytes {
            return false;
        }
        self.bytes += reply.len();
        self.replies.push_back(reply);
        true
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let reply = self.replies.pop_front()?;
        self.bytes -= reply.len();
        if self.replies.is_empty() {
            self.replies = VecDeque::new(); // an idle connection holds no buffer
        }
        Some(reply)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_refuses_what_goes_over_either_bound() {
        let limits = OutboxLimits { entries: 2, bytes: 10 };
        let mut outbox = Outbox::default();
        assert!(outbox.push(Bytes::from_static(b"12345"), limits));
        assert!(!outbox.push(Bytes::from_static(b"123456"), limits));
        assert!(outbox.push(Bytes::from_static(b"12345"), limits));
        assert!(!outbox.push(Bytes::new(), limits));
        assert_eq!(outbox.pop().as_deref(), Some(&b"12345"[..]));
        assert!(outbox.push(Bytes::from_static(b"1"), limits));
    }
}
