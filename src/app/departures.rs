//! When each client is sent away at a stop: spread over the window, so that they do not all return at the same moment.
//!
//! Pure: a number of clients, a time and a seed go in, moments come out. Who leaves at which of them is the hubs' business.

use std::time::Duration;

/// So many clients are no herd: they may go in one second, and if there are no more, all leave at once.
const FEW: u32 = 5;
/// How long each client's part of the spread is at most: one that is longer holds up the stop and spares nobody anything.
const LONGEST_PART: Duration = Duration::from_millis(250);

/// The departures of some clients, evenly spread and each at a random moment of its own part of the time.
///
/// Over eight seconds or more, no second sees more than a fifth of them leave, or [`FEW`] where that is more. A shorter window
/// is kept all the same: then it was wanted so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Departures {
    n_clients: usize,
    /// The time between the beginnings of two neighbours' parts.
    part: Duration,
    seed: u64,
}

impl Departures {
    /// The departures of so many clients within that window.
    pub(super) fn new(n_clients: usize, window: Duration, seed: u64) -> Self {
        let few = n_clients <= FEW as usize;
        let part = if few { Duration::ZERO } else { window.div_f64(n_clients as f64).min(LONGEST_PART) };
        Self { n_clients, part, seed }
    }

    /// When the client of that place in the order leaves, from the beginning.
    pub(super) fn at(&self, place: usize) -> Duration {
        self.part.mul_f64(place as f64 + self.jitter(place))
    }

    /// How many have left by then.
    pub(super) fn due(&self, elapsed: Duration) -> usize {
        if self.part.is_zero() {
            return self.n_clients;
        }
        let begun = elapsed.div_duration_f64(self.part) as usize;
        let last_has_left = begun < self.n_clients && self.at(begun) <= elapsed;
        (begun + usize::from(last_has_left)).min(self.n_clients)
    }

    /// From 0 to 1, by place: the last step of SplitMix64, because a client's moment must be the same whenever it is asked.
    fn jitter(&self, place: usize) -> f64 {
        let mut mixed = self.seed.wrapping_add((place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as f64 / (u64::MAX as f64 + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(departures: &Departures) -> Vec<Duration> {
        (0..departures.n_clients).map(|place| departures.at(place)).collect()
    }

    /// The most that leave within any one second.
    fn largest_in_a_second(moments: &[Duration]) -> usize {
        let within =
            |first: &Duration| moments.iter().filter(|moment| *moment >= first && **moment < *first + Duration::from_secs(1)).count();
        moments.iter().map(within).max().unwrap_or_default()
    }

    #[test]
    fn at_most_a_fifth_or_five_leave_in_any_one_second_and_all_within_the_window() {
        for window in [8, 10, 30].map(Duration::from_secs) {
            for n_clients in [6, 7, 11, 24, 25, 26, 40, 41, 100, 333, 5_000] {
                for seed in 0..3 {
                    let moments = moments(&Departures::new(n_clients, window, seed));
                    assert!(moments.is_sorted() && moments.iter().all(|moment| *moment <= window), "{n_clients} in {window:?}");
                    let largest = largest_in_a_second(&moments);
                    assert!(largest <= (n_clients / 5).max(5), "{largest} of {n_clients} in {window:?}");
                }
            }
        }
    }

    #[test]
    fn many_take_the_whole_window_few_no_time_and_some_no_more_than_they_need() {
        let last = |n_clients: usize| Departures::new(n_clients, Duration::from_secs(10), 7).at(n_clients - 1);
        assert!(last(5_000) > Duration::from_millis(9_990));
        assert_eq!(last(5), Duration::ZERO);
        assert!(last(8) <= Duration::from_secs(2));
    }

    #[test]
    fn what_is_due_agrees_with_the_moments() {
        let departures = Departures::new(97, Duration::from_secs(8), 3);
        let moments = moments(&departures);
        for millis in 0..8_100 {
            let elapsed = Duration::from_millis(millis);
            assert_eq!(departures.due(elapsed), moments.iter().filter(|moment| **moment <= elapsed).count(), "{elapsed:?}");
        }
        assert_eq!(Departures::new(0, Duration::from_secs(8), 3).due(Duration::ZERO), 0);
    }

    #[test]
    fn no_two_stops_have_the_same_moments() {
        let of = |seed| moments(&Departures::new(50, Duration::from_secs(10), seed));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn a_window_of_no_length_sends_all_away_at_once() {
        assert_eq!(Departures::new(1_000, Duration::ZERO, 0).due(Duration::ZERO), 1_000);
    }
}
