//! Percentile summaries and the straight line through memory samples. Pure arithmetic.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// Percentiles of one histogram, in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    /// Values recorded.
    pub(crate) count: u64,
    /// Smallest value.
    pub(crate) min_us: f64,
    /// Median.
    pub(crate) p50_us: f64,
    /// 90th percentile.
    pub(crate) p90_us: f64,
    /// 99th percentile.
    pub(crate) p99_us: f64,
    /// 99.9th percentile.
    pub(crate) p999_us: f64,
    /// Largest value.
    pub(crate) max_us: f64,
}

/// A histogram of nanoseconds with three significant digits, up to an hour.
pub(crate) fn histogram() -> Histogram<u64> {
    let made = Histogram::new_with_bounds(1000, 3600 * crate::clock::SECOND, 3);
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram accepts, as the tests show")]
    made.expect("constant bounds are valid")
}

/// The percentiles of a histogram of nanoseconds.
pub(crate) fn summary(histogram: &Histogram<u64>) -> Summary {
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    if histogram.is_empty() {
        return Summary::default();
    }
    Summary {
        count: histogram.len(),
        min_us: histogram.min() as f64 / 1000.0,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: histogram.max() as f64 / 1000.0,
    }
}

/// A histogram as text: HdrHistogram's compressed V2 form in base64, which the libraries of every language read. `None` when it is empty.
pub(crate) fn encoded(histogram: &Histogram<u64>) -> Option<String> {
    let mut bytes = Vec::new();
    let written = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
    (written.is_ok() && !histogram.is_empty()).then(|| BASE64_STANDARD.encode(bytes))
}

/// Reads what [`encoded`] wrote.
pub(crate) fn decoded(text: &str) -> Option<Histogram<u64>> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

/// Histograms added up: percentiles of several runs are those of all their values, never an average of percentiles.
pub(crate) fn merged<'a>(histograms: impl IntoIterator<Item = &'a Histogram<u64>>) -> Histogram<u64> {
    let mut sum = histogram();
    for one in histograms {
        // All have the bounds of `histogram`, so adding cannot fail.
        let _ = sum.add(one);
    }
    sum
}

/// The least-squares line through points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    /// Rise per unit.
    pub(crate) slope: f64,
    /// Value at zero.
    pub(crate) intercept: f64,
    /// Share of the variance the line explains.
    pub(crate) r_squared: f64,
}

/// Fits a line; `None` with fewer than two different x values.
pub(crate) fn fit(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / n;
    let spread_x: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    let spread_y: f64 = points.iter().map(|point| (point.1 - mean_y).powi(2)).sum();
    let joint: f64 = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum();
    if points.len() < 2 || spread_x == 0.0 {
        return None;
    }
    let slope = joint / spread_x;
    let r_squared = if spread_y == 0.0 { 1.0 } else { joint * joint / (spread_x * spread_y) };
    Some(Line { slope, intercept: mean_y - slope * mean_x, r_squared })
}

/// Median, smallest and largest of some repetitions; zeros for none.
pub(crate) fn median_min_max(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return (0.0, 0.0, 0.0) };
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    (median, *first, *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_distribution_come_out_within_three_digits() {
        let mut values = histogram();
        (1..=10_000_u64).for_each(|value| values.record(value * 1000).unwrap());
        let summary = summary(&values);
        for (got, wanted) in [(summary.p50_us, 5000.0), (summary.p99_us, 9900.0), (summary.p999_us, 9990.0), (summary.max_us, 10_000.0)] {
            assert!((got - wanted).abs() / wanted < 0.002, "{got} is not {wanted}");
        }
        assert_eq!(summary.count, 10_000);
    }

    #[test]
    fn one_slow_delivery_in_a_hundred_shows_at_the_99_9th_percentile_and_not_at_the_median() {
        let mut values = histogram();
        values.record_n(1_000_000, 99).unwrap();
        values.record(1_000_000_000).unwrap();
        let summary = summary(&values);
        assert!(summary.p50_us < 1002.0 && summary.p999_us > 999_000.0);
    }

    #[test]
    fn a_histogram_survives_its_text_and_two_of_them_add_up() {
        let mut values = histogram();
        (1..=100_u64).for_each(|value| values.record(value * 10_000).unwrap());
        let read = decoded(&encoded(&values).unwrap()).unwrap();
        assert_eq!(read, values);
        assert_eq!(merged([&values, &read]).len(), 200);
        assert!(encoded(&histogram()).is_none() && decoded("no histogram").is_none());
    }

    #[test]
    fn a_line_through_points_on_a_line_is_that_line() {
        let line = fit(&[(0.0, 10.0), (1000.0, 1210.0), (2000.0, 2410.0), (5000.0, 6010.0)]).unwrap();
        assert!((line.slope - 1.2).abs() < 1e-9 && (line.intercept - 10.0).abs() < 1e-6 && (line.r_squared - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_fixed_cost_of_a_process_is_not_in_the_slope() {
        let line = fit(&[(1.0, 9001.0), (2.0, 9003.0), (3.0, 9002.0), (4.0, 9005.0)]).unwrap();
        assert!((line.slope - 1.1).abs() < 1e-9 && line.r_squared < 0.8);
        assert_eq!(fit(&[(5.0, 1.0), (5.0, 2.0)]), None);
    }

    #[test]
    fn the_median_of_repetitions_ignores_one_outlier() {
        assert_eq!(median_min_max(&[3.0, 100.0, 1.0]), (3.0, 1.0, 100.0));
        assert_eq!(median_min_max(&[1.0, 2.0]), (1.5, 1.0, 2.0));
    }
}
