//! The end of a worker's connections, a few at a time: who has everything goes first, who is behind has until the last.
//!
//! When how many go is decided by whoever asks; nothing here keeps time.

use std::rc::Rc;

use super::core::HubCore;
use crate::connection::CloseReason;

/// Who still has to be sent away, in a random order.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    /// Not looked at yet.
    waiting: Vec<(u32, u32)>,
    /// Looked at, and behind at that time.
    behind: Vec<(u32, u32)>,
}

impl HubCore {
    /// Ends at most so many connections with the dialect's last word, those who have all they were offered before others;
    /// how many are left to be sent away. The seed decides the order.
    pub fn say_goodbye(&mut self, at_most: usize, reason: CloseReason, seed: u64) -> usize {
        let mut left_to_end = at_most;
        while left_to_end > 0 {
            if self.leavers.is_empty() && !self.list_leavers(seed) {
                return 0;
            }
            let Some(leaver) = self.next_leaver() else { continue };
            if self.end_leaver(leaver, reason) {
                left_to_end -= 1;
            }
        }
        self.leavers.len()
    }

    /// Everybody who is there and stays so far; `false` when there is nobody.
    fn list_leavers(&mut self, seed: u64) -> bool {
        let staying = self.members.iter().filter(|(_, member)| member.connection.closing().is_none());
        let mut waiting: Vec<_> = staying.map(|(_, member)| (member.connection.id.slot, member.connection.id.generation)).collect();
        shuffle(&mut waiting, seed);
        self.leavers = Leavers { waiting, behind: Vec::new() };
        !self.leavers.is_empty()
    }

    /// The next who has everything; when there is none, the one who has been behind for longest. `None`: ask again.
    fn next_leaver(&mut self) -> Option<(u32, u32)> {
        let Some(leaver) = self.leavers.waiting.pop() else { return self.leavers.behind.pop() };
        if self.is_behind(leaver) {
            self.leavers.behind.push(leaver);
            return None;
        }
        Some(leaver)
    }

    fn is_behind(&self, (slot, generation): (u32, u32)) -> bool {
        let member = self.members.get(slot as usize).filter(|member| member.connection.id.generation == generation);
        member.is_some_and(|_| self.counts(slot).waiting > 0)
    }

    /// `false`: it has left by itself meanwhile.
    fn end_leaver(&mut self, (slot, generation): (u32, u32), reason: CloseReason) -> bool {
        let member = self.members.get(slot as usize).filter(|member| member.connection.id.generation == generation);
        let Some(connection) = member.map(|member| Rc::clone(&member.connection)) else { return false };
        self.close(&connection, reason);
        true
    }
}

impl Leavers {
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.waiting.len() + self.behind.len()
    }
}

/// Fisher and Yates, with numbers from xorshift64: neighbours in the order of connecting shall not leave together.
fn shuffle<T>(things: &mut [T], seed: u64) {
    let mut random = seed | 1;
    for last in (1..things.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        things.swap(last, usize::try_from(random % (last as u64 + 1)).unwrap_or_default());
    }
}
