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
    replies: VecDeque<Reply>,
    bytes: usize,
}

/// One reply, not yet begun.
#[derive(Debug)]
struct Reply {
    frame: Bytes,
    /// It tells the state of something, and was checked against the rights of its time.
    tells_state: bool,
}

impl Outbox {
    /// Adds a reply; `false` when it does not fit: then the connection must end, because a reply must not vanish.
    pub(super) fn push(&mut self, frame: Bytes, tells_state: bool, limits: OutboxLimits) -> bool {
        if self.replies.len() >= limits.entries || self.bytes + frame.len() > limits.bytes {
            return false;
        }
        self.bytes += frame.len();
        if self.replies.capacity() == 0 {
            self.replies.reserve_exact(1); // nearly always one ping, and many thousand clients are pinged at once
        }
        self.replies.push_back(Reply { frame, tells_state });
        true
    }

    /// Rights changed: what was checked against the old ones goes. Whether there was any.
    pub(super) fn drop_state(&mut self) -> bool {
        let n_before = self.replies.len();
        self.replies.retain(|reply| !reply.tells_state);
        self.bytes = self.replies.iter().map(|reply| reply.frame.len()).sum();
        self.replies.len() < n_before
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let Reply { frame, .. } = self.replies.pop_front()?;
        self.bytes -= frame.len();
        if self.replies.is_empty() {
            self.replies = VecDeque::new(); // an idle connection holds no buffer
        }
        Some(frame)
    }

    /// Bytes of the replies and of their room.
    pub(super) fn n_bytes(&self) -> usize {
        self.bytes + self.replies.capacity() * size_of::<Reply>()
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
        assert!(outbox.push(Bytes::from_static(b"12345"), false, limits));
        assert!(!outbox.push(Bytes::from_static(b"123456"), false, limits));
        assert!(outbox.push(Bytes::from_static(b"12345"), false, limits));
        assert!(!outbox.push(Bytes::new(), false, limits));
        assert_eq!(outbox.pop().as_deref(), Some(&b"12345"[..]));
        assert!(outbox.push(Bytes::from_static(b"1"), true, limits));
        assert!(outbox.drop_state() && !outbox.drop_state());
        assert_eq!(outbox.pop().as_deref(), Some(&b"12345"[..]));
        assert!(outbox.is_empty(), "what told a state is gone");
    }
}
