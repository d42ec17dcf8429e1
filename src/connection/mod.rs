//! What a hub and a session share of one client: its outlet, the frame begun, the outbox and the counts.
//!
//! Lives on one worker thread, behind an `Rc`. Knows no dialect, no filter and no feed: a cursor is a number here.

mod close;
mod details;
mod offer;
mod outbox;
mod outlet;
mod own_queue;
mod tally;

use std::{
    cell::{Cell, OnceCell},
    collections::VecDeque,
    io::{self, IoSlice},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use actix::{Message, WeakRecipient};
use bytes::{Buf, Bytes};

pub use close::CloseReason;
pub use details::Details;
pub use offer::Offer;
pub use outbox::OutboxLimits;
pub use outlet::{
    BodyOutlet, Inbound, Moving, OtherOutlet, Outlet, OutletKind, PollAnswer, PollOutlet, Polled, PostAnswer, RelayEnds, SocketOptions,
    TlsOutlet,
};
use own_queue::{OwnQueue, Torn};
pub use tally::{Counts, SkipReason, Tally, add};

use crate::{clock::CompactInstant, id::ConnectionId};

/// How many pieces one vectored write carries.
pub const MAX_SLICES: usize = 256;

/// What a hub tells a session through its mailbox.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum Control {
    /// The hub has let go of the connection: stop.
    Ended(CloseReason),
}

/// One client, as hub and session see it.
///
/// In the order of use: what a delivery touches stands first and fills one cache line, because a visit to one of many
/// thousand connections costs little else than waiting for such lines.
#[repr(C, align(64))]
pub struct Connection {
    /// How far it has come in its group's feed.
    pub cursor: Cell<u64>,
    /// Of the losses of its group, those it has been charged.
    pub lost_before: Cell<u64>,
    /// Something beside the feed wants to be looked at: a socket that would block, a gap, replies, a torn frame, a
    /// backlog, an end. While it is not set, none of them is.
    attention: Cell<bool>,
    /// Set once the hub has let go of it; nothing is written any more.
    pub ended: Cell<bool>,
    /// The session reads on once no reply waits.
    awaits_replies: Cell<bool>,
    /// Set when it shall end as soon as its outbox is empty.
    closing: Cell<Option<CloseReason>>,
    outlet: Outlet,
    /// What became of what it was offered.
    pub tally: Tally,
    /// Its name while the process lives.
    pub id: ConnectionId,
    /// Who it is, for people.
    pub details: Details,
    /// Events missed and not yet told.
    gap: Cell<u64>,
    /// What stands before its feed; `None`, as for most at most times: nothing.
    own: Cell<Option<Box<OwnQueue>>>,
    /// Since when the outlet takes nothing; `None` while it does.
    blocked: Cell<Option<CompactInstant>>,
    /// When the client last said something, or took something after it had been blocked. Of use where it has to answer.
    heard: Cell<CompactInstant>,
    /// Events the outlet has, and the HTTP server or a GET has not yet pulled.
    in_chunk: Cell<u64>,
    waker: Cell<Option<Waker>>,
    /// The way into the session's mailbox; a sender of its own would cost each connection three allocations.
    control: OnceCell<WeakRecipient<Control>>,
}

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// Everything was taken.
    All,
    /// The outlet takes nothing more for now.
    Blocked,
    /// The client is gone.
    Gone,
}

/// With the two counts of its `Rc`, which alignment gives a line of their own, it fills five cache lines and no more.
const _: () = assert!(size_of::<Connection>() <= 4 * 64);

/// What a delivery touches is on the first cache line; a field put before it would cost every delivery another.
const _: () = assert!(std::mem::offset_of!(Connection, tally) + size_of::<u64>() <= 64);

impl Connection {
    /// A connection whose client has been sent nothing yet.
    #[must_use]
    pub fn new(id: ConnectionId, details: Details, outlet: Outlet) -> Self {
        Self {
            cursor: Cell::new(0),
            lost_before: Cell::new(0),
            attention: Cell::new(false),
            ended: Cell::new(false),
            awaits_replies: Cell::new(false),
            closing: Cell::new(None),
            outlet,
            tally: Tally::default(),
            id,
            details,
            gap: Cell::new(0),
            own: Cell::default(),
            blocked: Cell::new(None),
            heard: Cell::new(Instant::now().into()),
            in_chunk: Cell::new(0),
            waker: Cell::default(),
            control: OnceCell::new(),
        }
    }

    /// The outlet, for the session's task.
    #[inline]
    pub fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Gives the hub the way into the session's mailbox, once.
    pub fn attach(&self, control: WeakRecipient<Control>) {
        // A second session for one connection cannot exist: the first recipient stays.
        let _ = self.control.set(control);
    }

    /// Tells the session something.
    pub fn tell(&self, control: Control) {
        if let Some(recipient) = self.control.get().and_then(WeakRecipient::upgrade) {
            // A full mailbox means that the session was told already; a closed one that it is gone.
            let _ = recipient.try_send(control);
        }
    }

    /// Since when the outlet takes nothing.
    #[must_use]
    pub fn blocked_since(&self) -> Option<Instant> {
        self.blocked.get().map(Instant::from)
    }

    /// The outlet could take bytes again.
    pub fn unblock(&self) {
        self.hear(Instant::now());
        self.blocked.set(None);
    }

    /// A WebSocket has taken over from polling: it takes bytes again, unless it holds back what had waited.
    pub fn took_over(&self) {
        self.blocked.set(None);
        if self.outlet.holds_back() {
            self.block(Instant::now());
        }
    }

    /// The client has said something.
    pub fn hear(&self, now: Instant) {
        self.heard.set(now.into());
    }

    /// When the client last showed that it lives.
    #[must_use]
    pub fn heard(&self) -> Instant {
        self.heard.get().into()
    }

    /// Has the session's task woken when no reply waits any more.
    pub fn await_replies(&self) {
        self.awaits_replies.set(true);
    }

    /// Ready when a blocked outlet could take bytes again. One that only got rid of a part of what it held back is as
    /// blocked as before, but its client took something: the stall limit counts from here.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let n_sent = self.outlet.n_sent();
        let ready = self.outlet.poll_writable(cx);
        if ready.is_pending() && self.outlet.n_sent() != n_sent {
            self.blocked.set(Some(Instant::now().into()));
        }
        ready
    }

    /// The session's task wants to be woken when there is something to wait for.
    pub fn register(&self, waker: &Waker) {
        let known = self.waker.take().filter(|known| known.will_wake(waker));
        self.waker.set(Some(known.unwrap_or_else(|| waker.clone())));
    }

    /// Whether something beside the feed wants to be looked at.
    #[must_use]
    #[inline]
    pub fn wants_attention(&self) -> bool {
        self.attention.get()
    }

    /// It was looked at: from here on only the feed counts, if nothing else is left.
    pub fn attended(&self) {
        let left = self.blocked.get().is_some() || self.gap.get() > 0 || self.closing.get().is_some() || self.has_own_queue();
        self.attention.set(left);
    }

    /// Events were lost to it: charged, and told at the next chance. Says whether that chance is all of these' own.
    pub fn lose(&self, reason: SkipReason, n_events: u64) -> bool {
        let first = self.gap.get() == 0;
        if n_events > 0 {
            self.tally.skip(reason, n_events);
            add(&self.gap, n_events);
            self.attention.set(true);
        }
        first
    }

    /// Events missed and not yet told; from here on they count as told.
    #[must_use]
    pub fn take_gap(&self) -> u64 {
        self.gap.take()
    }

    /// Has it end, for the first reason given, as soon as its outbox is empty.
    pub fn end_for(&self, reason: CloseReason) {
        if self.closing.get().is_none() {
            self.closing.set(Some(reason));
        }
        self.attention.set(true);
    }

    /// Why it shall end, if it shall.
    #[must_use]
    pub fn closing(&self) -> Option<CloseReason> {
        self.closing.get()
    }

    /// Takes what waits from before a change of rights.
    #[must_use]
    pub fn take_backlog(&self) -> VecDeque<Rc<Offer>> {
        self.with_own(|own| own.as_deref_mut().map(OwnQueue::take_backlog)).unwrap_or_default()
    }

    /// Keeps what waits from before a change of rights.
    pub fn keep_backlog(&self, backlog: VecDeque<Rc<Offer>>) {
        self.to_own(|own| own.keep_backlog(backlog));
    }

    /// Queues a reply; `false` when the outbox is full and the connection must end.
    pub fn reply(&self, reply: Bytes, limits: OutboxLimits) -> bool {
        self.to_own(|own| own.outbox.push(reply, false, limits))
    }

    /// Queues the state of something, as far as there is room; unlike a reply it may be dropped again.
    pub fn tell_state(&self, frame: Bytes, limits: OutboxLimits) -> bool {
        self.to_own(|own| own.outbox.push(frame, true, limits))
    }

    /// Rights changed: states that wait were checked against the old ones, and go. Whether there were any.
    pub fn drop_state(&self) -> bool {
        self.with_own(|own| own.as_mut().is_some_and(|own| own.outbox.drop_state()))
    }

    /// Puts something before the feed.
    fn to_own<R>(&self, put: impl FnOnce(&mut OwnQueue) -> R) -> R {
        self.attention.set(true);
        self.with_own(|own| put(own.get_or_insert_default()))
    }

    fn of_own<R: Default>(&self, look: impl FnOnce(&OwnQueue) -> R) -> R {
        self.with_own(|own| own.as_deref().map(look)).unwrap_or_default()
    }

    /// It is taken out meanwhile: whoever acts on it must not come back here.
    fn with_own<R>(&self, act: impl FnOnce(&mut Option<Box<OwnQueue>>) -> R) -> R {
        let mut own = self.own.take();
        let result = act(&mut own);
        self.own.set(own);
        result
    }

    /// Whether it has not taken all it was given beside the feed, or takes nothing at all.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.blocked.get().is_some() || self.has_own_queue()
    }

    /// Whether replies, a torn frame or a backlog stand before the feed.
    pub fn has_own_queue(&self) -> bool {
        self.of_own(|own| !own.is_empty())
    }

    /// Whether the client has taken a part of a frame only.
    pub fn is_mid_frame(&self) -> bool {
        self.of_own(|own| own.torn.is_some())
    }

    /// Whether replies wait.
    pub fn has_replies(&self) -> bool {
        self.of_own(|own| !own.outbox.is_empty())
    }

    /// Events that are neither in the feed nor settled: the torn one, the chunk, the backlog.
    #[must_use]
    pub fn in_hand(&self) -> u64 {
        self.in_chunk.get() + self.of_own(OwnQueue::n_events)
    }

    /// Bytes of what stands before the feed.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.of_own(OwnQueue::n_bytes)
    }

    /// Writes pieces without waiting. `Ok(n)` bytes were taken, perhaps not all.
    ///
    /// # Errors
    /// [`Wrote::Blocked`] or [`Wrote::Gone`].
    #[expect(clippy::inline_always, reason = "the kernel's work for a write drives out code and stack: each call around it is a wait")]
    #[inline(always)]
    pub fn write(&self, slices: &[IoSlice<'_>], now: Instant) -> Result<usize, Wrote> {
        match self.outlet.try_write(slices) {
            Ok(n) if !self.outlet.holds_back() => Ok(n),
            outcome => self.write_on(outcome, slices, now),
        }
    }

    /// What follows a write that did not simply go well.
    #[inline(never)]
    fn write_on(&self, mut outcome: io::Result<usize>, slices: &[IoSlice<'_>], now: Instant) -> Result<usize, Wrote> {
        loop {
            match outcome {
                Ok(n) => {
                    if self.outlet.holds_back() {
                        self.block(now);
                    }
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => outcome = self.outlet.try_write(slices),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.block(now);
                    return Err(Wrote::Blocked);
                }
                Err(_) => return Err(Wrote::Gone),
            }
        }
    }

    /// A session that waited for its replies to be taken reads on.
    fn wake_reader(&self) {
        if self.awaits_replies.replace(false)
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    fn block(&self, now: Instant) {
        self.blocked.set(Some(now.into()));
        self.attention.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake(); // the session's task waits for the socket from here on
        }
    }

    /// Remembers the rest of the frame of an event that was accepted then.
    pub fn tear(&self, rest: Bytes, accepted: Instant) {
        self.to_own(|own| own.torn = Some(Torn { rest, event: Some(accepted) }));
    }

    /// An event's last byte was taken by the outlet.
    #[inline]
    pub fn delivered(&self, n_events: u64) -> u64 {
        if matches!(self.outlet.kind(), OutletKind::Plain | OutletKind::Tls) {
            add(&self.tally.delivered, n_events);
            return n_events;
        }
        self.handed_over(n_events)
    }

    #[inline(never)]
    fn handed_over(&self, n_events: u64) -> u64 {
        add(&self.in_chunk, n_events);
        if self.outlet.has_handed_over() { self.chunk_taken() } else { 0 }
    }

    /// The HTTP server has pulled the chunk: what was in it is delivered. Returns how many events that were.
    pub fn chunk_taken(&self) -> u64 {
        let n_events = self.in_chunk.take();
        add(&self.tally.delivered, n_events);
        n_events
    }

    /// Writes what stands before the feed: the torn frame, then replies, then the backlog; tells `finished` when each event was
    /// accepted whose last byte is taken. Returns how it ended, the events delivered and the bytes taken.
    pub fn write_own_queue(&self, now: Instant, mut finished: impl FnMut(Instant)) -> (Wrote, u64, usize) {
        let (mut n_events, mut n_bytes) = (0, 0);
        loop {
            let Some((mut torn, mut unbegun)) = self.next_own_frame() else {
                self.wake_reader();
                return (Wrote::All, n_events, n_bytes);
            };
            while torn.rest.has_remaining() {
                match self.write(&[IoSlice::new(&torn.rest)], now) {
                    Ok(n) => {
                        torn.rest.advance(n);
                        n_bytes += n;
                        unbegun = None;
                    }
                    Err(outcome) => {
                        self.to_own(|own| own.give_back(torn, unbegun));
                        return (outcome, n_events, n_bytes);
                    }
                }
            }
            if let Some(accepted) = torn.event {
                finished(accepted);
                n_events += self.delivered(1);
            }
        }
    }

    /// The frame to go on with, and of a backlog entry also its offer.
    fn next_own_frame(&self) -> Option<(Torn, Option<Rc<Offer>>)> {
        let mut own = self.own.take()?;
        let next = own.next(self.closing.get().is_some());
        self.own.set(Some(own).filter(|own| !own.is_empty())); // an idle connection holds none
        next
    }
}
