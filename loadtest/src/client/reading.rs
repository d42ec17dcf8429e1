//! Reading: from the response head to the frames of whatever the client speaks, with one buffer for all clients of the thread.

use super::opening::{Greeting, read_greeting};
use super::{Role, State, Swarm};
use crate::clock::now_ns;
use crate::{polling, sse, websocket};
use std::io::{ErrorKind, Read};
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of an unfinished frame, unless messages may have more.
const PARTIAL_LIMIT: usize = 128 << 10;
/// What may stand around a message: a frame's head, or the lines of an event.
const FRAME_HEAD: usize = 64;

impl Swarm {
    pub(super) fn greet(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        match read_greeting(client, &mut self.buffer) {
            Greeting::Incomplete => {}
            Greeting::Refused(reason) => self.refuse(slot, &reason),
            Greeting::Accepted { chunked, rest } => {
                client.dechunker = chunked.then(|| Box::new(crate::chunked::Dechunker::new()));
                client.partial = Vec::new();
                self.enter(slot);
                self.buffer[..rest.len()].copy_from_slice(&rest);
                if self.may_read(slot) {
                    self.take(slot, 0, rest.len(), now_ns());
                    // Epoll tells only once of what may already be waiting behind the head.
                    self.read(slot, if self.clients[slot].role == Role::Slow { 1 } else { usize::MAX });
                }
            }
        }
    }

    /// Epoll has told that nothing more will come, once and together with the last bytes, behind which reading had stopped.
    pub(super) fn read_end(&mut self, slot: usize) {
        match self.clients.get(slot).map(|client| (client.state, client.role.reads_at_once())) {
            Some((State::Greeting, _)) => self.greet(slot),
            Some((State::Joining, _) | (State::Live, true)) => self.read(slot, usize::MAX),
            _ => {}
        }
    }

    /// Whether a client takes anything at all now: one that stalls does so once its stream is open.
    pub(super) fn may_read(&self, slot: usize) -> bool {
        let client = &self.clients[slot];
        match client.state {
            State::Joining => true,
            State::Live => client.role != Role::Stalled,
            State::Connecting | State::Greeting | State::Closed => false,
        }
    }

    /// Reads until the socket is empty or `limit` bytes have come.
    pub(super) fn read(&mut self, slot: usize, limit: usize) {
        let mut left = limit;
        while self.may_read(slot) {
            let client = &mut self.clients[slot];
            let Some(stream) = client.stream.as_mut() else { return };
            let carried = client.partial.len();
            self.buffer[..carried].copy_from_slice(&client.partial);
            let room = (self.buffer.len() - carried).min(left);
            match stream.read(&mut self.buffer[carried..carried + room]) {
                Ok(0) => {
                    // Without chunks the end of an event stream is that of its connection; a WebSocket closes in words.
                    let cleanly = client.dialect.speech().is_none() && client.dechunker.is_none() && client.partial.is_empty();
                    return self.lose_so(slot, "closed by the server", cleanly);
                }
                Ok(length) => {
                    let now = now_ns();
                    self.take(slot, carried, length, now);
                    left -= length;
                    // Less than asked for means the socket was empty: no need to ask again.
                    if length < room || left == 0 {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lose(slot, &error.to_string()),
            }
        }
    }

    /// Decodes `carried + length` bytes of the buffer, keeps what is left of an unfinished frame, and does what the frames ask for.
    #[inline]
    fn take(&mut self, slot: usize, carried: usize, length: usize, now: u64) {
        let client = &mut self.clients[slot];
        if client.state == State::Joining && client.role == Role::Churning {
            client.ledger.join_at(self.shared.sent.load(Relaxed));
        }
        let polls = client.polls();
        let shape = &mut self.shapes[client.dialect as usize];
        let mut sink = self.recorder.sink(&mut client.ledger, client.dialect, client.index, now);
        let filled = carried + length;
        let (mut end, mut cleanly): (Option<String>, bool) = (None, false);
        if let Some(dechunker) = &mut client.dechunker {
            self.dechunked.clear();
            self.dechunked.extend_from_slice(&self.buffer[..carried]);
            let broken = dechunker.push(&self.buffer[carried..filled], &mut self.dechunked).is_err();
            let taken = sse::decode(&self.dechunked, shape, &mut sink);
            client.partial.clear();
            client.partial.extend_from_slice(&self.dechunked[taken..]);
            if broken || dechunker.is_over() {
                cleanly = !broken && client.partial.is_empty();
                end = Some("the stream has ended".to_owned());
            }
        } else {
            let bytes = &self.buffer[..filled];
            let taken = if polls {
                polling::decode(bytes, shape, &mut sink).map_err(|refusal| refusal.0)
            } else if let Some(speech) = client.dialect.speech() {
                let limit = self.plan.message_limit;
                websocket::decode(bytes, speech, limit, shape, &mut client.unfinished, &mut sink).map_err(|broken| {
                    crate::shape::Sink::malformed(&mut sink, bytes);
                    broken.to_string()
                })
            } else {
                Ok(sse::decode(bytes, shape, &mut sink))
            };
            let taken = taken.unwrap_or_else(|reason| {
                end = Some(reason);
                filled
            });
            client.partial.clear();
            client.partial.extend_from_slice(&self.buffer[taken..filled]);
        }
        if client.partial.is_empty() {
            client.partial = Vec::new();
        } else if client.partial.len() > PARTIAL_LIMIT.max(self.plan.message_limit + FRAME_HEAD) {
            self.recorder.malformed += 1;
            end = Some("an unfinished frame without an end".to_owned());
        }
        if !self.recorder.said.is_empty() {
            self.heed(slot);
        }
        if let Some(reason) = end {
            self.lose_so(slot, &reason, cleanly);
        }
    }
}
