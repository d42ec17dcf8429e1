//! The heartbeat of one session: the server pings, and a client that does not answer in time is gone.

use std::time::{Duration, Instant};

/// A timer that is later than this shows a busy worker.
const LATE: Duration = Duration::from_millis(50);

/// When the next ping is due, or the answer to the last one.
#[derive(Debug, Clone, Copy)]
pub struct Heart {
    /// Milliseconds, as clients are told them: half as wide as durations, in every session.
    interval_ms: u32,
    timeout_ms: u32,
    /// Microseconds by which the answer's time was put off since the ping.
    put_off_us: u32,
    waits: Waits,
    /// When what it waits for is due.
    due: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// For the time of the next ping.
    ToPing,
    /// For an answer.
    ForPong,
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Nothing yet.
    Early,
    /// A ping.
    Ping,
    /// The client is gone.
    Dead,
}

impl Heart {
    /// The heart of a session that begins now.
    #[must_use]
    pub fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        let milliseconds = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        Self {
            interval_ms: milliseconds(interval),
            timeout_ms: milliseconds(timeout),
            put_off_us: 0,
            waits: Waits::ToPing,
            due: now + interval,
        }
    }

    /// The client has answered: how long after the ping was due; `None` where nothing was asked.
    pub fn pong(&mut self, now: Instant) -> Option<Duration> {
        (self.waits == Waits::ForPong).then(|| {
            let put_off = Duration::from_micros(self.put_off_us.into());
            let took = (now + self.timeout() + put_off).saturating_duration_since(self.due);
            (self.waits, self.due) = (Waits::ToPing, now + self.interval());
            took
        })
    }

    /// The client has said something else: it lives, so a late answer has its time once more.
    pub fn heard(&mut self, now: Instant) {
        if self.waits == Waits::ForPong {
            let due = now + self.timeout();
            let put_off = due.saturating_duration_since(self.due).as_micros();
            self.put_off_us = self.put_off_us.saturating_add(u32::try_from(put_off).unwrap_or(u32::MAX));
            self.due = due;
        }
    }

    /// The client could not be reached, so it is not to blame that it did not answer.
    pub fn excuse(&mut self, now: Instant) {
        self.heard(now);
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.into())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.into())
    }

    /// When it must be asked again.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// What is to be done now.
    pub fn beat(&mut self, now: Instant) -> Beat {
        if now < self.due {
            return Beat::Early;
        }
        match self.waits {
            Waits::ForPong => Beat::Dead,
            Waits::ToPing => {
                // Counted from when the ping was due, unless this worker was so late that the client would pay for it.
                let from = if now.duration_since(self.due) < LATE { self.due } else { now };
                (self.waits, self.due, self.put_off_us) = (Waits::ForPong, from + self.timeout(), 0);
                Beat::Ping
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(300);
    const TIMEOUT: Duration = Duration::from_millis(200);

    #[test]
    fn an_answer_counts_from_its_ping_whatever_else_was_said_meanwhile() {
        let begin = Instant::now();
        let mut heart = Heart::new(INTERVAL, TIMEOUT, begin);
        for _ in 0..2 {
            let pinged = heart.due();
            assert_eq!(heart.beat(pinged), Beat::Ping);
            heart.heard(pinged + TIMEOUT / 4);
            heart.heard(pinged + TIMEOUT);
            heart.heard(pinged + TIMEOUT);
            assert_eq!(heart.pong(pinged + TIMEOUT * 3 / 2), Some(TIMEOUT * 3 / 2));
        }
    }

    #[test]
    fn a_client_that_answers_is_pinged_again_an_interval_later() {
        let begin = Instant::now();
        let mut heart = Heart::new(INTERVAL, TIMEOUT, begin);
        assert_eq!(heart.beat(begin + INTERVAL / 2), Beat::Early);
        let pinged = begin + INTERVAL;
        assert_eq!((heart.due(), heart.beat(pinged)), (pinged, Beat::Ping));
        let answered = pinged + TIMEOUT / 2;
        assert_eq!(heart.pong(answered), Some(TIMEOUT / 2));
        assert_eq!((heart.pong(answered), heart.due()), (None, answered + INTERVAL));
        assert_eq!(heart.beat(answered + TIMEOUT), Beat::Early);
        assert_eq!(heart.beat(answered + INTERVAL), Beat::Ping);
    }

    #[test]
    fn a_client_that_does_not_answer_is_dead_when_its_time_is_over() {
        let begin = Instant::now();
        let mut heart = Heart::new(INTERVAL, TIMEOUT, begin);
        assert_eq!(heart.pong(begin), None, "it answers nothing");
        assert_eq!(heart.beat(begin + INTERVAL), Beat::Ping);
        assert_eq!(heart.beat(begin + INTERVAL + TIMEOUT / 2), Beat::Early);
        assert_eq!(heart.beat(begin + INTERVAL + TIMEOUT), Beat::Dead);
    }

    #[test]
    fn other_words_prolong_the_time_for_an_answer_but_never_delay_a_ping() {
        let begin = Instant::now();
        let mut heart = Heart::new(INTERVAL, TIMEOUT, begin);
        heart.heard(begin + INTERVAL / 2);
        assert_eq!(heart.beat(begin + INTERVAL), Beat::Ping);
        heart.heard(begin + INTERVAL + TIMEOUT / 2);
        assert_eq!(heart.beat(begin + INTERVAL + TIMEOUT), Beat::Early);
        assert_eq!(heart.beat(begin + INTERVAL + TIMEOUT / 2 + TIMEOUT), Beat::Dead);
    }
}
