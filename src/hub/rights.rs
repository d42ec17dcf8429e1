//! What a change of rights does: a session moves to the group of its new rights, and what still waits from before is
//! checked again.
//!
//! Asks the directory; decides nothing about rights itself.

use std::{collections::VecDeque, rc::Rc, sync::Arc};

use super::{core::HubCore, index::GroupId};
use crate::{
    access::Filter,
    clock::Timestamp,
    connection::{CloseReason, Connection, Offer, SkipReason, add},
    event::{Encoded, FormatPair},
    id::UserId,
};

impl HubCore {
    /// A user's rights changed: his sessions follow before this returns.
    pub fn rights_changed(&mut self, user: &UserId) {
        self.check_groups(&self.index.of_user(user));
    }

    /// The rights of a key without a user changed: every such session is checked before this returns.
    pub fn keys_changed(&mut self) {
        let of_keys = self.groups.iter().filter(|(_, group)| group.key.filter.principal.user.is_none());
        let groups: Vec<GroupId> = of_keys.filter_map(|(group, _)| GroupId::try_from(group).ok()).collect();
        self.check_groups(&groups);
    }

    fn check_groups(&mut self, groups: &[GroupId]) {
        let slots: Vec<u32> = groups.iter().flat_map(|group| self.groups[*group as usize].members.iter().map(|seat| seat.slot)).collect();
        for slot in slots {
            self.check_rights(slot);
        }
    }

    /// Asks again what a member may see, and acts on it.
    pub(super) fn check_rights(&mut self, slot: u32) {
        let member = &self.members[slot as usize];
        let connection = Rc::clone(&member.connection);
        let Some(principal) = self.directory.current(&member.credential) else {
            let has_ended = member.credential.expires().is_some_and(|ends| ends <= Timestamp::now());
            self.close(&connection, if has_ended { CloseReason::Expired } else { CloseReason::Revoked });
            return;
        };
        let group = &self.groups[member.group as usize];
        if group.key.filter.principal == principal {
            return;
        }
        let (filter, formats) = (Filter { principal, ..group.key.filter.clone() }, group.formats);
        self.regroup(&connection, filter, formats);
    }

    /// Moves a session to the group of another filter. What still waits from before is checked again, and kept within
    /// the backlog's bounds.
    pub(super) fn regroup(&mut self, connection: &Rc<Connection>, filter: Filter, formats: FormatPair) {
        let slot = connection.id.slot;
        self.settle(slot);
        self.release_feed(slot);
        let group = &self.groups[self.members[slot as usize].group as usize];
        let is_dropped = connection.drop_state();
        let is_somebody_else = !Arc::ptr_eq(&group.key.filter.principal, &filter.principal);
        let mut backlog: VecDeque<Rc<Offer>> = connection.take_backlog();
        backlog.extend(group.feed.from(connection.cursor.get()).map(Rc::clone));
        connection.cursor.set(group.feed.head());
        let n_before = backlog.len();
        backlog = backlog.into_iter().filter_map(|offer| as_allowed_now(offer, &filter, &formats)).collect();
        let n_filtered = (n_before - backlog.len()) as u64;
        let mut n_bytes: usize = backlog.iter().map(|offer| offer.frame.len()).sum();
        let mut n_skipped = 0;
        while backlog.len() > self.settings.backlog.entries || n_bytes > self.settings.backlog.bytes {
            let Some(oldest) = backlog.pop_front() else { break };
            n_bytes -= oldest.frame.len();
            n_skipped += 1;
        }
        add(&connection.tally.filtered, n_filtered);
        connection.lose(SkipReason::Lag, n_skipped);
        let counters = self.dialect_counters(slot);
        counters.filtered.add(n_filtered);
        counters.skipped[SkipReason::Lag as usize].add(n_skipped);
        connection.keep_backlog(backlog);
        self.leave_group(slot);
        self.enter_group(slot, filter, formats);
        if is_dropped || is_somebody_else {
            self.ask_topics_again(slot, is_dropped);
        }
        self.make_ready(connection);
    }
}

/// A waiting event in the form a filter may see: what an admin was offered whole, his lesser self gets abridged.
/// `None` when it may not see it at all.
fn as_allowed_now(offer: Rc<Offer>, filter: &Filter, formats: &FormatPair) -> Option<Rc<Offer>> {
    let envelope = &offer.envelope;
    if !filter.admits(envelope, None) {
        return None;
    }
    let format = formats.pick(&envelope.event, |rule| filter.meets(rule, None));
    let Encoded::Frame(frame) = envelope.frame_for(format, filter.reader()) else { return None };
    if frame.as_ptr() == offer.frame.as_ptr() {
        return Some(offer);
    }
    Some(Rc::new(Offer::new(Arc::clone(envelope), frame)))
}
