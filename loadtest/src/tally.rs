//! Counts that client threads and publisher leave for whoever looks while a run goes on: coarse latency, coarse lateness, skips.
//!
//! Reading disturbs nobody and needs no lock. The exact histograms stay with the threads; these are for pictures over time and a first look.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Buckets from 1 µs to a minute, eight to each doubling, so that a value is known within 12 %.
pub(crate) const BUCKETS: usize = 208;
/// Power of two of the first bucket: 1024 ns.
const FIRST_BIT: u32 = 10;
/// Power of two of the number of buckets in each doubling.
const SPLIT_BITS: u32 = 3;

/// What a run's threads tell while they run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Timed deliveries, warm-up included.
    pub(crate) latency: Buckets,
    /// Events sent, by how late.
    pub(crate) lateness: Buckets,
    /// Skips announced in the streams.
    pub(crate) skipped: AtomicU64,
}

/// A coarse histogram that any thread may add to and any may read.
#[derive(Debug)]
pub(crate) struct Buckets([AtomicU32; BUCKETS]);

/// What a [`Buckets`] held at one moment. Counts wrap around, so only differences mean something.
#[derive(Clone, Debug)]
pub(crate) struct Counts([u32; BUCKETS]);

impl Default for Buckets {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl Buckets {
    /// Counts a value.
    #[inline]
    pub(crate) fn record(&self, nanoseconds: u64) {
        self.0[bucket_of(nanoseconds)].fetch_add(1, Relaxed);
    }

    /// Everything counted so far.
    pub(crate) fn read(&self) -> Counts {
        Counts(std::array::from_fn(|bucket| self.0[bucket].load(Relaxed)))
    }
}

impl Counts {
    /// Bucket and count of what came since `earlier`, empty buckets left out.
    pub(crate) fn since(&self, earlier: &Self) -> Vec<(usize, u32)> {
        let grown = self.0.iter().zip(&earlier.0).map(|(now, before)| now.wrapping_sub(*before));
        grown.enumerate().filter(|(_, count)| *count > 0).collect()
    }
}

/// The bucket of a value; what lies outside falls in the first or last.
#[inline]
pub(crate) fn bucket_of(nanoseconds: u64) -> usize {
    let bit = nanoseconds.max(1).ilog2();
    if bit < FIRST_BIT {
        return 0;
    }
    let part = (nanoseconds >> (bit - SPLIT_BITS)) & ((1 << SPLIT_BITS) - 1);
    ((((bit - FIRST_BIT) << SPLIT_BITS) as usize) + part as usize).min(BUCKETS - 1)
}

/// The smallest value of a bucket in nanoseconds; of the bucket after the last one it is the end of the range.
pub(crate) fn lower_ns(bucket: usize) -> u64 {
    let (doublings, part) = (bucket >> SPLIT_BITS, bucket as u64 & ((1 << SPLIT_BITS) - 1));
    ((1 << SPLIT_BITS) + part) << (doublings as u32 + FIRST_BIT - SPLIT_BITS)
}

/// The value below which a share of some bucket counts lies, in nanoseconds: the middle of its bucket. `None` without any.
pub(crate) fn quantile_ns(counts: &[(usize, u32)], quantile: f64) -> Option<u64> {
    let total: u64 = counts.iter().map(|(_, count)| u64::from(*count)).sum();
    let wanted = quantile * total as f64;
    let mut seen = 0;
    let found = counts.iter().find(|(_, count)| {
        seen += u64::from(*count);
        seen as f64 >= wanted
    });
    found.map(|(bucket, _)| u64::midpoint(lower_ns(*bucket), lower_ns(bucket + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_the_bucket_whose_bounds_hold_it() {
        for value in (1024..5000).chain([1 << 20, (1 << 20) - 1, 999_999_999, 35_000_000_000]) {
            let bucket = bucket_of(value);
            assert!(lower_ns(bucket) <= value && value < lower_ns(bucket + 1), "{value}");
        }
        assert_eq!((bucket_of(0), bucket_of(1023), bucket_of(u64::MAX)), (0, 0, BUCKETS - 1));
    }

    #[test]
    fn what_came_between_two_looks_is_their_difference_and_its_quantiles_are_near() {
        let buckets = Buckets::default();
        buckets.record(5_000);
        let before = buckets.read();
        (1..=1000_u64).for_each(|value| buckets.record(value * 1_000_000));
        let came = buckets.read().since(&before);
        assert_eq!(came.iter().map(|(_, count)| count).sum::<u32>(), 1000);
        for (quantile, wanted) in [(0.5, 500e6), (0.99, 990e6)] {
            let got = quantile_ns(&came, quantile).unwrap() as f64;
            assert!((got / wanted - 1.0).abs() < 0.12, "{got}");
        }
        assert_eq!(quantile_ns(&[], 0.5), None);
    }
}
