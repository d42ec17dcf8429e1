//! How a server's resident memory went over the measured window. Pure arithmetic on samples taken at equal times.

use serde::{Deserialize, Serialize};

/// Samples around one point at least, where the window has enough of them.
const AROUND: usize = 5;

/// Resident memory at three points of the window, each the median of the samples around it, so that a momentary buffer does not decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trend {
    /// At its begin, KiB.
    pub(crate) begin_kib: u64,
    /// In its middle, KiB.
    pub(crate) middle_kib: u64,
    /// At its end, KiB.
    pub(crate) end_kib: u64,
    /// End minus middle, KiB: what is still growing once everything has been used for a while.
    pub(crate) second_half_growth_kib: i64,
    /// Samples in each median: a tenth of the window, 5 at least, never more than a third.
    pub(crate) samples: usize,
}

impl Trend {
    /// The trend of samples taken at equal times; `None` with fewer than three.
    pub(crate) fn of(samples: &[u64]) -> Option<Self> {
        let around = (samples.len() / 10).max(AROUND).min(samples.len() / 3);
        if around == 0 {
            return None;
        }
        let before_middle = (samples.len() - around) / 2;
        let (begin_kib, middle_kib, end_kib) = (
            median(&samples[..around]),
            median(&samples[before_middle..before_middle + around]),
            median(&samples[samples.len() - around..]),
        );
        let second_half_growth_kib = end_kib.cast_signed() - middle_kib.cast_signed();
        Some(Self { begin_kib, middle_kib, end_kib, second_half_growth_kib, samples: around })
    }
}

/// The middle one of some samples, the upper of two; 0 for none.
pub(crate) fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_growth_shows_with_its_size() {
        let samples: Vec<u64> = (0..=40).map(|sample| 1000 + 10 * sample).collect();
        let trend = Trend::of(&samples).unwrap();
        assert_eq!((trend.begin_kib, trend.middle_kib, trend.end_kib, trend.samples), (1020, 1200, 1380, 5));
        assert_eq!(trend.second_half_growth_kib, 180);
    }

    #[test]
    fn growth_that_stops_before_the_middle_is_not_growth_of_the_second_half() {
        let samples: Vec<u64> = (0..=40).map(|sample| 1000 + 100 * sample.min(15)).collect();
        let trend = Trend::of(&samples).unwrap();
        assert_eq!((trend.begin_kib, trend.second_half_growth_kib), (1200, 0));
    }

    #[test]
    fn a_moments_buffer_at_the_very_end_does_not_decide() {
        let mut samples = vec![1000; 41];
        samples[39..].fill(90_000);
        samples[20] = 1;
        assert_eq!(Trend::of(&samples).unwrap().second_half_growth_kib, 0);
    }

    #[test]
    fn memory_given_back_is_negative_growth_and_too_few_samples_give_none() {
        assert_eq!(Trend::of(&[5, 9, 4]).unwrap().second_half_growth_kib, -5);
        assert_eq!(Trend::of(&[5, 9]), None);
    }
}
