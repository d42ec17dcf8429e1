//! Histograms with fixed bounds, and which bounds there are. Alert thresholds must be bounds, so they are listed here alone.

use std::time::Duration;

use super::worker::Counter;

/// The upper bounds for what happens once per call, client or pass, in microseconds.
pub const CALL_BOUNDS_MICROS: [u64; 14] =
    [100, 500, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];
/// The upper bounds for what an actor handles in one go, in microseconds: 10 µs is little, 1 ms is a chunk's whole budget, from 10 ms
/// on others wait for it.
pub const HANDLE_BOUNDS_MICROS: [u64; 12] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000];
/// The upper bounds for the life of a connection, in seconds: up to a week.
pub const LIFE_BOUNDS_SECONDS: [u64; 9] = [1, 10, 60, 300, 1_800, 3_600, 21_600, 86_400, 604_800];
/// The upper bounds for how many events somebody is behind.
pub const LAG_BOUNDS_EVENTS: [u64; 6] = [0, 1, 10, 100, 1_000, 10_000];
/// The upper bounds for events in one write: powers of two, the last is the most a write carries.
pub const WRITE_BOUNDS_EVENTS: [u64; 10] = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256];
/// The upper bounds for the message of one event, in bytes.
pub const PAYLOAD_BOUNDS_BYTES: [u64; 7] = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];

/// Counts and sum of one histogram at one moment, as [`Histogram::read`] and its like return them: per bucket, of which
/// the last has no bound.
pub type Reading = (Vec<u64>, u64);

/// A histogram over whole numbers; the bounds are given with each observation, because all of a kind share them.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    buckets: [Counter; N],
    beyond: Counter,
    sum: Counter,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Counter::default()), beyond: Counter::default(), sum: Counter::default() }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts a value; only the owning thread may call it.
    pub fn observe(&self, bounds: &[u64; N], value: u64) {
        self.bucket(bounds.partition_point(|bound| *bound < value)).add(1);
        self.sum.add(value);
    }

    /// Counts a value, whoever else does so at the same time.
    pub fn observe_shared(&self, bounds: &[u64; N], value: u64) {
        self.bucket(bounds.partition_point(|bound| *bound < value)).add_shared(1);
        self.sum.add_shared(value);
    }

    /// Counts a value `n` times where the bounds are 0 and powers of two: without a search. Only the owning thread may call it.
    pub fn observe_power(&self, value: u64, n: u64) {
        let place = if value == 0 { 0 } else { 1 + (u64::BITS - (value - 1).leading_zeros()) as usize };
        self.bucket(place).add(n);
        self.sum.add(value * n);
    }

    /// What was counted.
    #[must_use]
    pub fn read(&self) -> Reading {
        let counts = self.buckets.iter().chain([&self.beyond]).map(Counter::get).collect();
        (counts, self.sum.get())
    }

    fn bucket(&self, place: usize) -> &Counter {
        self.buckets.get(place).unwrap_or(&self.beyond)
    }
}

/// Whole microseconds, as [`CALL_BOUNDS_MICROS`] counts them.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Adds up what several workers counted in the same buckets.
pub(super) fn merged(n_buckets: usize, readings: impl Iterator<Item = Reading>) -> Reading {
    readings.fold((vec![0; n_buckets], 0_u64), |(mut counts, all), (more, sum)| {
        counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        (counts, all.wrapping_add(sum))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_to_the_bucket_it_bounds() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 10, 11, 20_000] {
            histogram.observe(&LAG_BOUNDS_EVENTS, value);
        }
        histogram.observe_shared(&LAG_BOUNDS_EVENTS, 5);
        assert_eq!(histogram.read(), (vec![1, 1, 3, 1, 0, 0, 1], 20_029));
    }

    #[test]
    fn powers_of_two_are_found_without_a_search() {
        for value in 0..600 {
            let (searched, found) = (Histogram::default(), Histogram::default());
            searched.observe(&WRITE_BOUNDS_EVENTS, value);
            found.observe_power(value, 1);
            assert_eq!(searched.read(), Histogram::<10>::read(&found), "{value}");
        }
    }

    #[test]
    fn bounds_rise() {
        assert!(CALL_BOUNDS_MICROS.is_sorted() && HANDLE_BOUNDS_MICROS.is_sorted());
        assert!(LIFE_BOUNDS_SECONDS.is_sorted() && PAYLOAD_BOUNDS_BYTES.is_sorted());
    }
}
