//! Frames that everybody of the same rights shares.

use std::{collections::HashMap, hash::Hash};

use bytes::Bytes;
use parking_lot::Mutex;

use super::super::message::message;

/// Rights told apart at one time; the rest is written anew for each.
const MOST: usize = 16_384;

/// The frames of one topic.
pub(super) struct Frames<K> {
    kind: &'static str,
    of: Mutex<HashMap<K, State>>,
}

/// The present state for one set of rights.
struct State {
    /// The topic's version it was looked at for; `None`: never.
    looked: Option<u64>,
    /// The version of what these rights see, as it was built for.
    own: Option<u64>,
    /// Bytes of the data, which stand at the end of each frame before a brace: it is kept nowhere else.
    n_data: usize,
    /// What tells it for the first time.
    changed: Bytes,
    /// What tells it again: the same data under an id of its own, because clients drop what they have had.
    again: Option<Bytes>,
}

impl<K: Hash + Eq> Frames<K> {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, of: Mutex::default() }
    }

    /// The frame for these rights at that version of the topic, or a later one that another worker asked for; `data` is asked only
    /// when `own`, the version of what these rights see, has moved as well.
    pub(super) fn frame(
        &self,
        key: K,
        (version, own): (u64, u64),
        (before, again): (Option<&Bytes>, bool),
        data: impl FnOnce() -> String,
    ) -> Bytes {
        let mut frames = self.of.lock();
        if frames.len() >= MOST && !frames.contains_key(&key) {
            frames.retain(|_, state| state.looked >= Some(version));
            if frames.len() >= MOST {
                frames.clear();
            }
        }
        let state = frames.entry(key).or_insert_with(|| State { looked: None, own: None, n_data: 0, changed: Bytes::new(), again: None });
        if state.looked < Some(version) {
            if state.own != Some(own) {
                let data = data();
                if state.own.is_none() || !state.says(&data) {
                    *state = State::new(self.kind, &data);
                }
            }
            (state.looked, state.own) = (Some(version), Some(own));
        }
        if again { state.told_again(self.kind, before) } else { state.changed.clone() }
    }

    /// The frame of a topic of which every version is something new, though it says the same.
    pub(super) fn frame_of_version(&self, key: K, version: u64, told: (Option<&Bytes>, bool), data: &str) -> Bytes {
        if let Some(state) = self.of.lock().get_mut(&key).filter(|state| state.looked < Some(version)) {
            *state = State { looked: Some(version), own: Some(version), ..State::new(self.kind, data) };
        }
        self.frame(key, (version, version), told, || data.to_owned())
    }
}

impl State {
    fn new(kind: &str, data: &str) -> Self {
        Self { looked: None, own: None, n_data: data.len(), changed: message(kind, Some(data)), again: None }
    }

    fn data(&self) -> &[u8] {
        let end = self.changed.len().saturating_sub(1);
        &self.changed[end.saturating_sub(self.n_data)..end]
    }

    fn says(&self, data: &str) -> bool {
        self.n_data == data.len() && self.data() == data.as_bytes()
    }

    fn told_again(&mut self, kind: &str, before: Option<&Bytes>) -> Bytes {
        let is = |frame: &Bytes| before.is_some_and(|before| before.as_ptr() == frame.as_ptr());
        // Whoever has had neither gets the latest of the two that exists.
        match &self.again {
            Some(again) if !is(again) => again.clone(),
            None if !is(&self.changed) => self.changed.clone(),
            _ => {
                let frame = message(kind, std::str::from_utf8(self.data()).ok());
                self.again = Some(frame.clone());
                frame
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rights_share_one_frame_until_what_it_says_changes() {
        let frames = Frames::new("Sessions");
        let mut n_built = 0;
        let mut ask = |key: u8, version, data: &str| {
            frames.frame(key, (version, version), (None, false), || {
                n_built += 1;
                data.to_owned()
            })
        };
        let first = ask(1, 1, "[1]");
        assert_eq!(ask(1, 1, "never asked").as_ptr(), first.as_ptr());
        assert_eq!(ask(1, 2, "[1]").as_ptr(), first.as_ptr(), "the version moved, and nothing else");
        assert_ne!(ask(1, 3, "[2]"), first);
        assert_ne!(ask(2, 3, "[2]").as_ptr(), ask(1, 3, "").as_ptr(), "other rights");
        assert_eq!(n_built, 4);
    }

    #[test]
    fn a_worker_that_lags_behind_gets_what_another_has_asked_for() {
        let frames = Frames::new("Sessions");
        let ask = |version, own, data: &str| frames.frame((), (version, own), (None, false), || data.to_owned());
        let latest = ask(7, 7, "[7]");
        assert_eq!(ask(6, 6, "[6]").as_ptr(), latest.as_ptr(), "it does not build an older one");
        assert_eq!(ask(7, 8, "[8]").as_ptr(), latest.as_ptr(), "built once for a version, whatever has moved since");
        assert_eq!(ask(9, 7, "never asked").as_ptr(), latest.as_ptr(), "moved for others only");
        assert_ne!(ask(10, 8, "[8]"), latest);
    }

    #[test]
    fn told_again_it_has_an_id_that_nobody_has_had_and_all_share() {
        let frames = Frames::new("Sessions");
        let ask = |before: Option<&Bytes>, again| frames.frame((), (1, 1), (before, again), || "[]".to_owned());
        let first = ask(None, false);
        assert_eq!(ask(None, true), first, "who has had nothing gets the first");
        let second = ask(Some(&first), true);
        assert_ne!(second, first);
        assert_eq!(ask(Some(&first), true).as_ptr(), second.as_ptr(), "the next one at the same time shares it");
        let third = ask(Some(&second), true);
        assert!(third != second && third != first);
    }
}
