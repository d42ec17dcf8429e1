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
    /// The version it was looked at for; `None`: never.
    version: Option<u64>,
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

    /// The frame for these rights; `data` is asked only when the version has moved.
    pub(super) fn frame(&self, key: K, version: u64, (before, again): (Option<&Bytes>, bool), data: impl FnOnce() -> String) -> Bytes {
        let mut frames = self.of.lock();
        if frames.len() >= MOST && !frames.contains_key(&key) {
            frames.retain(|_, state| state.version == Some(version));
            if frames.len() >= MOST {
                frames.clear();
            }
        }
        let state = frames.entry(key).or_insert_with(|| State { version: None, n_data: 0, changed: Bytes::new(), again: None });
        if state.version != Some(version) {
            let data = data();
            if state.version.is_none() || !state.says(&data) {
                *state = State::new(self.kind, &data);
            }
            state.version = Some(version);
        }
        if again { state.told_again(self.kind, before) } else { state.changed.clone() }
    }

    /// The frame of a topic of which every version is something new, though it says the same.
    pub(super) fn frame_of_version(&self, key: K, version: u64, told: (Option<&Bytes>, bool), data: &str) -> Bytes {
        if let Some(state) = self.of.lock().get_mut(&key).filter(|state| state.version != Some(version)) {
            *state = State { version: Some(version), ..State::new(self.kind, data) };
        }
        self.frame(key, version, told, || data.to_owned())
    }
}

impl State {
    fn new(kind: &str, data: &str) -> Self {
        Self { version: None, n_data: data.len(), changed: message(kind, Some(data)), again: None }
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
            frames.frame(key, version, (None, false), || {
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
    fn told_again_it_has_an_id_that_nobody_has_had_and_all_share() {
        let frames = Frames::new("Sessions");
        let ask = |before: Option<&Bytes>, again| frames.frame((), 1, (before, again), || "[]".to_owned());
        let first = ask(None, false);
        assert_eq!(ask(None, true), first, "who has had nothing gets the first");
        let second = ask(Some(&first), true);
        assert_ne!(second, first);
        assert_eq!(ask(Some(&first), true).as_ptr(), second.as_ptr(), "the next one at the same time shares it");
        let third = ask(Some(&second), true);
        assert!(third != second && third != first);
    }
}
