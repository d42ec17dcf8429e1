//! Intervals for medians and for ratios of a few repetitions, by order statistics. Pure arithmetic.
//!
//! Repetitions are few (five or so) and their distribution is not known. Resampling five values again and again draws from those five only and
//! gives intervals that are too narrow; order statistics are exact for any distribution, and say when there are too few values to tell.

/// A value with bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The best single value.
    pub(crate) value: f64,
    /// Lower bound.
    pub(crate) low: f64,
    /// Upper bound.
    pub(crate) high: f64,
    /// How often bounds so made hold the true value, at least, from 0 to 1.
    pub(crate) confidence: f64,
}

/// How often bounds should hold.
const WANTED: f64 = 0.95;

/// The median with the narrowest pair of sorted values that holds the true median often enough (sign test), or smallest and largest with the
/// confidence they have. `None` without values.
pub(crate) fn median(values: &[f64]) -> Option<Interval> {
    let sorted = sorted(values);
    let n = sorted.len();
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let mut found = Interval { value: middle(&sorted), low: first, high: last, confidence: 1.0 - 2.0 * below_half(n, 1) };
    for place in 2..=n.div_ceil(2) {
        let confidence = 1.0 - 2.0 * below_half(n, place);
        if confidence < WANTED {
            break;
        }
        found = Interval { low: sorted[place - 1], high: sorted[n - place], confidence, ..found };
    }
    Some(found)
}

/// The ratio of `new` over `old`: the median of all ratios of one value of each, bounded by the ratios that a Mann-Whitney test at 95 % would not
/// rule out. `None` when either has no values above zero; bounds are missing, with a confidence of 0, when there are too few to reach 95 %.
pub(crate) fn ratio(new: &[f64], old: &[f64]) -> Option<Interval> {
    let positive = |values: &[f64]| values.iter().copied().filter(|value| *value > 0.0).collect::<Vec<_>>();
    let (new, old) = (positive(new), positive(old));
    let ratios = sorted(&new.iter().flat_map(|new| old.iter().map(move |old| new / old)).collect::<Vec<_>>());
    if ratios.is_empty() {
        return None;
    }
    let tails = rank_sum_tails(new.len(), old.len());
    // As many ratios are left out at each end as make one tail at most 2.5 %.
    let left_out = tails.iter().take_while(|tail| **tail <= (1.0 - WANTED) / 2.0).count();
    let value = middle(&ratios);
    if left_out == 0 {
        return Some(Interval { value, low: f64::NEG_INFINITY, high: f64::INFINITY, confidence: 0.0 });
    }
    let (low, high) = (ratios[left_out - 1], ratios[ratios.len() - left_out]);
    Some(Interval { value, low, high, confidence: 1.0 - 2.0 * tails[left_out - 1] })
}

/// The chance that fewer than `place` of `n` values lie below the true median.
fn below_half(n: usize, place: usize) -> f64 {
    let (mut sum, mut term) = (0.0, 0.5f64.powf(n as f64));
    for below in 0..place {
        sum += term;
        term *= (n - below) as f64 / (below + 1) as f64;
    }
    sum
}

/// For each u from 0: the chance that, of two samples of one distribution, u pairs or fewer have the first one's value above the other's.
fn rank_sum_tails(n: usize, m: usize) -> Vec<f64> {
    // ways[i][u]: orders of i of the first and j of the second with u such pairs, built up for j from 0 to m.
    let most = n * m;
    let mut ways = vec![vec![0.0; most + 1]; n + 1];
    ways.iter_mut().for_each(|row| row[0] = 1.0);
    for j in 1..=m {
        for i in 1..=n {
            for u in 0..=most {
                // The largest of all is one of the second sample (no new pair), or one of the first, above all j of the second.
                let first_largest = if u >= j { ways[i - 1][u - j] } else { 0.0 };
                ways[i][u] += first_largest;
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    let mut sum = 0.0;
    ways[n]
        .iter()
        .map(|count| {
            sum += count;
            sum / all
        })
        .collect()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The middle one, or the mean of the middle two; of at least one.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_bound_their_median_by_smallest_and_largest_with_less_than_95_percent_and_eight_do_better() {
        let five = median(&[3.0, 1.0, 5.0, 2.0, 4.0]).unwrap();
        assert_eq!(five, Interval { value: 3.0, low: 1.0, high: 5.0, confidence: 0.9375 });
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        let nine = median(&values).unwrap();
        assert_eq!((nine.low, nine.high), (2.0, 8.0));
        assert!(nine.confidence > 0.96);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_tails_of_the_rank_sum_are_those_of_the_printed_tables() {
        let tails = rank_sum_tails(5, 5);
        for (u, wanted) in [(0, 1.0), (1, 2.0), (2, 4.0), (3, 7.0), (4, 12.0)] {
            assert!((tails[u] - wanted / 252.0).abs() < 1e-12, "{u}: {}", tails[u] * 252.0);
        }
        assert!((tails[25] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_clear_change_has_bounds_on_one_side_of_1_and_none_has_them_around_it() {
        let old = [100.0, 101.0, 99.0, 102.0, 98.0];
        let slower: Vec<f64> = old.iter().map(|value| value * 1.2).collect();
        let change = ratio(&slower, &old).unwrap();
        assert!((change.value - 1.2).abs() < 0.01 && change.low > 1.1 && change.high < 1.3 && change.confidence > 0.96, "{change:?}");
        let same = ratio(&[99.5, 100.5, 101.5, 98.5, 100.0], &old).unwrap();
        assert!(same.low < 1.0 && same.high > 1.0, "{same:?}");
    }

    #[test]
    fn three_against_three_are_too_few_to_tell() {
        let few = ratio(&[2.0, 2.1, 2.2], &[1.0, 1.1, 1.2]).unwrap();
        assert_eq!((few.confidence, few.low), (0.0, f64::NEG_INFINITY));
        assert_eq!(ratio(&[1.0], &[0.0]), None);
    }
}
