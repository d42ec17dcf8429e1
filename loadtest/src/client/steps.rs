//! What a client says: the messages that open a stream, the answers its protocol asks for, the next poll.

use super::record::Said;
use super::{Role, State, Swarm};
use crate::dialect::Dialect;
use crate::polling;
use crate::shape::Signal;
use crate::websocket::{TEXT, append_masked};
use std::io::Write as _;
use std::sync::atomic::Ordering::Relaxed;

/// Ticks of the client loop between two `KeepAlive` of a MediaBrowser client: 30 s.
const KEEPALIVE_TICKS: usize = 1500;

/// What is to be said at once, and how.
#[derive(Default)]
struct Words {
    texts: Vec<(u8, Vec<u8>)>,
    polls_again: bool,
}

impl Words {
    fn text(&mut self, text: impl Into<Vec<u8>>) {
        self.texts.push((TEXT, text.into()));
    }
}

impl Swarm {
    /// The response head is there, or, by polling, the connection: what the dialect wants before events flow begins.
    pub(super) fn enter(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        client.state = State::Joining;
        match client.dialect {
            Dialect::Sse | Dialect::AnySse | Dialect::PlexSse | Dialect::PlexWs | Dialect::AnyWs => self.go_live(slot),
            Dialect::SocketIoUpgrade if client.probing => self.send_frames(slot, &[(TEXT, b"2probe".to_vec())]),
            Dialect::MediaBrowser | Dialect::SocketIo | Dialect::SocketIoPolling | Dialect::SocketIoUpgrade => {}
        }
    }

    /// Does what a client's stream has just asked for.
    pub(super) fn heed(&mut self, slot: usize) {
        let Said { replies, signals, hint } = std::mem::take(&mut self.recorder.said);
        if let Some(hint) = hint {
            self.clients[slot].hint = Some(Box::new(hint));
        }
        let mut words = Words { texts: replies, polls_again: false };
        let mut end = None;
        for (signal, text) in signals {
            match signal {
                Signal::Closed => {
                    self.clients[slot].told = true;
                    end = Some(format!("closed by the server {text}"));
                }
                Signal::Refused => end = Some(format!("refused: {text}")),
                Signal::Posted if self.clients[slot].dialect == Dialect::SocketIoUpgrade => return self.take_over(slot),
                other => self.step(slot, other, text, &mut words),
            }
        }
        self.say(slot, &words);
        if let Some(reason) = end {
            self.lose(slot, &reason);
        }
    }

    /// A MediaBrowser client says every half minute that it lives, each in its turn.
    pub(super) fn keep_alive(&mut self) {
        let turn = self.ticks % KEEPALIVE_TICKS;
        self.ticks += 1;
        for slot in (turn..self.clients.len()).step_by(KEEPALIVE_TICKS) {
            let client = &self.clients[slot];
            if client.dialect == Dialect::MediaBrowser && client.state == State::Live && client.role != Role::Stalled {
                self.send_frames(slot, &[(TEXT, b"{\"MessageType\":\"KeepAlive\"}".to_vec())]);
            }
        }
    }

    fn step(&mut self, slot: usize, signal: Signal, text: String, words: &mut Words) {
        let client = &mut self.clients[slot];
        match signal {
            Signal::Opened => {
                client.session = Some(text.into_boxed_str());
                words.text("40");
            }
            Signal::Probed => words.text("5"),
            Signal::Connected if self.plan.no_auth => self.go_live(slot),
            Signal::Connected => {
                let token = serde_json::Value::from(self.plan.token(client).unwrap_or_default());
                words.text(format!("42[\"auth\",{token}]"));
            }
            Signal::Live => self.go_live(slot),
            Signal::Polled | Signal::Posted => words.polls_again = true,
            Signal::Closed | Signal::Refused => {}
        }
    }

    /// Events flow from here on.
    fn go_live(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        if client.state != State::Joining {
            return;
        }
        client.state = State::Live;
        if client.role == Role::Churning && client.ledger.received == 0 {
            client.ledger.join_at(self.shared.sent.load(Relaxed));
        }
        self.opening -= 1;
        self.shared.live.fetch_add(1, Relaxed);
    }

    /// Leaves polling: the session goes on over a WebSocket of its own.
    fn take_over(&mut self, slot: usize) {
        self.clients[slot].probing = true;
        self.clients[slot].opened_from = self.clients[slot].local_address();
        self.clients[slot].partial = Vec::new();
        self.connect(slot);
    }

    fn say(&mut self, slot: usize, words: &Words) {
        let client = &self.clients[slot];
        if !client.polls() {
            return self.send_frames(slot, &words.texts);
        }
        let session = client.session.as_deref().unwrap_or_default();
        if !words.texts.is_empty() {
            let request = polling::post(self.plan.address, session, words.texts.iter().map(|(_, text)| text.as_slice()));
            self.send(slot, &request);
        } else if words.polls_again {
            let request = polling::get(self.plan.address, session);
            self.send(slot, request.as_bytes());
        }
    }

    fn send_frames(&mut self, slot: usize, frames: &[(u8, Vec<u8>)]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|(opcode, payload)| append_masked(&mut bytes, *opcode, payload));
        self.send(slot, &bytes);
    }

    fn send(&mut self, slot: usize, bytes: &[u8]) {
        let Some(stream) = self.clients[slot].stream.as_mut().filter(|_| !bytes.is_empty()) else { return };
        match stream.write(bytes) {
            Ok(length) if length == bytes.len() => {}
            Ok(_) => self.lose(slot, "the server took only part of an answer"),
            Err(error) => self.lose(slot, &format!("answer: {error}")),
        }
    }
}
