//! The idempotency window: which (id, source) pairs were accepted lately, and what they were answered.
//!
//! Pure: time is handed in. Remembers only what was accepted.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::metrics::{map_bytes, shared_bytes};

/// A publisher's name for an event: its `id` and `source` (CloudEvents 1.0).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventKey {
    /// The `id`.
    pub id: Box<str>,
    /// The `source`.
    pub source: Box<str>,
}

impl EventKey {
    fn n_bytes(&self) -> usize {
        self.id.len() + self.source.len()
    }
}

/// A bounded window of accepted keys and the order each was given.
#[derive(Debug)]
pub struct Window {
    span: Duration,
    max_keys: usize,
    orders: HashMap<Arc<EventKey>, u64>,
    by_age: VecDeque<(Instant, Arc<EventKey>)>,
    /// Of the keys' texts.
    text_bytes: usize,
}

impl Window {
    /// A window that forgets a key after `span`, or when it holds more than `max_keys`.
    #[must_use]
    pub fn new(span: Duration, max_keys: usize) -> Self {
        Self { span, max_keys, orders: HashMap::new(), by_age: VecDeque::new(), text_bytes: 0 }
    }

    /// The order a key was first given, while the window remembers it.
    #[must_use]
    pub fn first_order(&mut self, key: &EventKey, now: Instant) -> Option<u64> {
        self.forget(now);
        self.orders.get(key).copied()
    }

    /// Remembers an accepted key.
    pub fn remember(&mut self, key: EventKey, order: u64, now: Instant) {
        self.text_bytes += key.n_bytes();
        let key = Arc::new(key);
        self.orders.insert(Arc::clone(&key), order);
        self.by_age.push_back((now, key));
        self.forget(now);
    }

    /// Bytes it keeps: its room, and the keys.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let queue = self.by_age.capacity() * size_of::<(Instant, Arc<EventKey>)>();
        map_bytes(&self.orders) + queue + shared_bytes::<EventKey>(self.by_age.len()) + self.text_bytes
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, key)) = self.by_age.front() {
            let old = now.saturating_duration_since(*since) >= self.span;
            if !old && self.by_age.len() <= self.max_keys {
                return;
            }
            self.text_bytes -= key.n_bytes();
            self.orders.remove(key);
            self.by_age.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> EventKey {
        EventKey { id: id.into(), source: "s".into() }
    }

    #[test]
    fn a_repeat_answers_the_first_order_until_the_window_has_passed() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(300), 2);
        window.remember(key("a"), 7, start);
        assert_eq!(window.first_order(&key("a"), start + Duration::from_secs(299)), Some(7));
        assert_eq!(window.first_order(&key("a"), start + Duration::from_secs(300)), None);
    }

    #[test]
    fn more_keys_than_the_bound_push_out_the_oldest() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(300), 2);
        for (order, id) in ["a", "b", "c"].into_iter().enumerate() {
            window.remember(key(id), order as u64, start);
        }
        assert_eq!(window.first_order(&key("a"), start), None);
        assert_eq!(window.first_order(&key("b"), start), Some(1));
    }

    #[test]
    fn keys_weigh_what_they_say_until_they_are_forgotten() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(300), 1000);
        assert_eq!(window.n_bytes(), 0);
        for order in 0..100 {
            window.remember(key(&format!("{order:0>200}")), order, start);
        }
        assert!(window.n_bytes() > 100 * 200, "{}", window.n_bytes());
        let full = window.n_bytes();
        assert_eq!(window.first_order(&key("a"), start + Duration::from_secs(300)), None);
        assert!(full - window.n_bytes() >= 100 * (201 + shared_bytes::<EventKey>(1)), "only the room is left");
    }
}
