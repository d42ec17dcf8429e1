//! Offering: an accepted envelope goes into the feed of every group that may see it and asked for it, once.
//!
//! Also the bounds over all feeds of the worker, and the credit that shards get back. Writes nothing: it marks.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{core::HubCore, memory::Rooms};
use crate::{
    access::Filter,
    connection::Offer,
    event::{Encoded, Envelope, FormatPair, FrameFormat, MAX_FORMATS, Own, Reader, Rule, Who},
    metrics::{WorkerCounters, micros},
};

impl HubCore {
    /// Offers an accepted envelope to every group that may see it and asked for it.
    pub fn offer(&mut self, envelope: &Arc<Envelope>) {
        self.give_named_sessions_their_own_groups(envelope);
        let mut frames = Frames::new(envelope);
        let Self { index, groups, counters, queue, settings, .. } = self;
        let mut n_offered = 0;
        index.candidates(&envelope.audience.rule, |group_id, level| {
            let group = &mut groups[group_id as usize];
            let filter = &group.key.filter;
            if !filter.admits(envelope, level) {
                return;
            }
            let meets = |rule: &Rule| filter.meets(rule, level);
            let offer = if group.is_looked_at {
                frames.own(&group.formats, meets, filter.reader(), counters)
            } else {
                frames.get(&group.formats, meets, counters)
            };
            let Some(offer) = offer else { return };
            group.feed.push(offer, &settings.feed);
            counters.dialects[group.dialect].offered.add(group.members.len() as u64);
            n_offered += group.members.len();
            group.mark(group_id, queue);
        });
        if let Some(place) = envelope.library().and_then(|library| settings.libraries.iter().position(|known| known == library)) {
            counters.libraries[place].add(n_offered as u64);
        }
        if self.ledger.get() > self.settings.feeds_bytes {
            self.shed();
        }
        self.counters.feed_bytes.set(self.ledger.get() as u64);
    }

    /// The hub stood still and missed these: every session that would have been offered them skips them.
    pub fn missed(&mut self, missed: &[(Arc<Envelope>, u64)]) {
        for (envelope, n_events) in missed {
            let Self { index, groups, queue, .. } = self;
            index.candidates(&envelope.audience.rule, |group_id, level| {
                let group = &mut groups[group_id as usize];
                let filter = &group.key.filter;
                let format = || group.formats.pick(&envelope.event, |rule| filter.meets(rule, level));
                let is_told = |format: &dyn FrameFormat| match group.is_looked_at {
                    true => matches!(envelope.frame_for(format, filter.reader()), Encoded::Frame(_)),
                    false => format.cell(&envelope.event).is_some(),
                };
                if filter.admits(envelope, level) && is_told(format()) {
                    group.lost += n_events;
                    group.mark(group_id, queue);
                }
            });
        }
    }

    /// An event for one session only: that session gets a group of its own, so that the others are not offered it.
    fn give_named_sessions_their_own_groups(&mut self, envelope: &Envelope) {
        for who in &envelope.audience.only {
            let Who::Session(id) = who else { continue };
            if let Some(connection) = self.connection(*id) {
                let group = &self.groups[self.members[id.slot as usize].group as usize];
                let filter = group.key.filter.clone();
                if filter.connection.is_none() {
                    let formats = group.formats;
                    self.regroup(&connection, Filter { connection: Some(*id), ..filter }, formats);
                }
            }
        }
    }

    /// Notes events taken from a shard; their credit goes back when the flush has passed them.
    pub fn owe(&mut self, shard: u16, n_events: usize) {
        self.owed[1][usize::from(shard)] += n_events;
    }

    /// Gives back the credit of the round that ended and begins the next.
    pub(super) fn turn_round(&mut self) {
        let [passed, since] = &mut self.owed;
        for (shard, n_events) in passed.iter_mut().enumerate() {
            if *n_events > 0 {
                self.credits[shard].give_back(std::mem::take(n_events));
            }
        }
        std::mem::swap(passed, since);
        self.round_left = self.queue.len();
    }

    /// Gives back all credit it holds: nothing of what was taken will be flushed any more.
    pub(super) fn give_back_everything(&mut self) {
        for owed in &mut self.owed {
            for (credit, n_events) in self.credits.iter().zip(owed) {
                credit.give_back(std::mem::take(n_events));
            }
        }
    }

    /// Whether credit is still owed to some shard.
    pub(super) fn owes(&self) -> bool {
        self.owed.iter().flatten().any(|n_events| *n_events > 0)
    }

    /// Once a second: what is too old goes, bursts give back their room, and what is left is told.
    pub(super) fn age_feeds(&mut self, now: Instant) {
        let cut = now.checked_sub(self.settings.feed.age); // `None`: the machine itself is younger
        let (mut n_entries, mut oldest, mut rooms) = (0, now, Rooms::default());
        for (_, group) in &mut self.groups {
            if let Some(cut) = cut {
                group.feed.trim_older_than(cut);
            }
            group.feed.shrink();
            n_entries += group.feed.len();
            oldest = group.feed.oldest().map_or(oldest, |stamped| oldest.min(stamped));
            rooms.add(group);
        }
        self.counters.feed_bytes.set(self.ledger.get() as u64);
        self.counters.feed_entries.set(n_entries as u64);
        self.counters.oldest_micros.set(micros(now.saturating_duration_since(oldest)));
        self.weigh(&rooms);
    }

    /// Feeds hold more than the worker may: the oldest quarter of their time span goes, until they do not.
    fn shed(&mut self) {
        let now = Instant::now();
        while self.ledger.get() > self.settings.feeds_bytes {
            let Some(oldest) = self.groups.iter().filter_map(|(_, group)| group.feed.oldest()).min() else { return };
            // At least a millisecond, so that the loop ends even when everything was stamped at once.
            let cut = oldest + (now.saturating_duration_since(oldest) / 4).max(Duration::from_millis(1));
            for (_, group) in &mut self.groups {
                group.feed.trim_older_than(cut);
            }
            if cut > now {
                return;
            }
        }
    }
}

/// One envelope's offers, made at most once per format.
struct Frames<'a> {
    envelope: &'a Arc<Envelope>,
    /// Who sees all of it, where parts are not for everybody.
    full_rule: Option<Rule>,
    made: [Option<Option<Rc<Offer>>>; MAX_FORMATS],
}

impl<'a> Frames<'a> {
    fn new(envelope: &'a Arc<Envelope>) -> Self {
        Self { envelope, full_rule: envelope.event.full_rule(), made: [const { None }; MAX_FORMATS] }
    }

    fn get(&mut self, formats: &FormatPair, meets: impl FnOnce(&Rule) -> bool, counters: &WorkerCounters) -> Option<Rc<Offer>> {
        let event = &self.envelope.event;
        let format = formats.pick_by(event, self.full_rule.as_ref(), meets);
        let made = &mut self.made[usize::from(format.cell(event)?.0)];
        if made.is_none() {
            *made = Some(match self.envelope.frame(format) {
                Encoded::Frame(frame) => Some(Rc::new(Offer::new(Arc::clone(self.envelope), frame.clone()))),
                Encoded::NotCarried => None,
                Encoded::Failed => {
                    counters.encode_failures.add(1);
                    None
                }
            });
        }
        made.as_ref()?.clone()
    }

    /// The same for a group whose formats look at who reads: nobody else shares what is its own.
    fn own(
        &mut self,
        formats: &FormatPair,
        meets: impl Fn(&Rule) -> bool,
        reader: Reader<'_>,
        counters: &WorkerCounters,
    ) -> Option<Rc<Offer>> {
        let format = formats.pick_by(&self.envelope.event, self.full_rule.as_ref(), &meets);
        match self.envelope.own(format, reader)? {
            Ok(Own::Shared) => self.get(formats, meets, counters),
            Ok(Own::Frame(frame)) => Some(Rc::new(Offer::new(Arc::clone(self.envelope), frame))),
            Ok(Own::Nothing) => None,
            Err(_) => {
                counters.encode_failures.add(1);
                None
            }
        }
    }
}
