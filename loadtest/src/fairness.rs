//! How equally clients were served: the mean latency of each, by the order in which they connected. Pure arithmetic.

use crate::client::ClientLatency;
use serde::{Deserialize, Serialize};

/// Bands of clients at most, in the order they connected.
const BANDS: usize = 60;

/// The spread of the clients' mean latencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Fairness {
    /// Clients with timed deliveries.
    pub(crate) clients: usize,
    /// Mean latency of the client with the lowest, microseconds.
    pub(crate) min_us: f64,
    /// Of the client a tenth of the way up.
    pub(crate) p10_us: f64,
    /// Of the client in the middle.
    pub(crate) p50_us: f64,
    /// Of the client nine tenths of the way up.
    pub(crate) p90_us: f64,
    /// Of the client with the highest.
    pub(crate) max_us: f64,
    /// Jain's index of the means: 1 when all are equal, one over the number of clients when one has everything.
    pub(crate) jain: f64,
    /// The clients in the order they connected, in bands of equal size.
    pub(crate) bands: Vec<Band>,
}

/// Some clients that connected one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Band {
    /// The first one's place.
    pub(crate) from: usize,
    /// The place after the last one's.
    pub(crate) to: usize,
    /// The lowest of their mean latencies, microseconds.
    pub(crate) min_us: f64,
    /// The middle one.
    pub(crate) median_us: f64,
    /// The highest.
    pub(crate) max_us: f64,
}

impl Fairness {
    /// The spread among clients in the order they connected; `None` when none had a delivery timed.
    pub(crate) fn of(clients: &[ClientLatency]) -> Option<Self> {
        let mean = |client: &ClientLatency| (client.count > 0).then(|| client.sum_ns as f64 / 1000.0 / f64::from(client.count));
        let means: Vec<Option<f64>> = clients.iter().map(mean).collect();
        let all = sorted(&means);
        let (first, last) = (all.first()?, all.last()?);
        let (sum, squares) = (all.iter().sum::<f64>(), all.iter().map(|mean| mean * mean).sum::<f64>());
        let size = clients.len().div_ceil(BANDS);
        let bands = means.chunks(size).enumerate().filter_map(|(place, band)| Band::of(place * size, band));
        Some(Self {
            clients: all.len(),
            min_us: *first,
            p10_us: at(&all, 0.1),
            p50_us: at(&all, 0.5),
            p90_us: at(&all, 0.9),
            max_us: *last,
            jain: if squares > 0.0 { sum * sum / (all.len() as f64 * squares) } else { 1.0 },
            bands: bands.collect(),
        })
    }
}

impl Band {
    fn of(from: usize, means: &[Option<f64>]) -> Option<Self> {
        let all = sorted(means);
        Some(Self { from, to: from + means.len(), min_us: *all.first()?, median_us: at(&all, 0.5), max_us: *all.last()? })
    }
}

fn sorted(means: &[Option<f64>]) -> Vec<f64> {
    let mut known: Vec<f64> = means.iter().copied().flatten().collect();
    known.sort_by(f64::total_cmp);
    known
}

/// The value a share of the way up; the caller has at least one.
fn at(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is a place in it")]
    let place = (share * sorted.len() as f64) as usize;
    sorted[place.min(sorted.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(mean_us: u64) -> ClientLatency {
        ClientLatency { sum_ns: mean_us * 3000, count: 3, max_us: 0 }
    }

    #[test]
    fn clients_served_alike_have_an_index_of_one_and_those_always_last_show_at_the_end() {
        assert!((Fairness::of(&[client(5); 9]).unwrap().jain - 1.0).abs() < 1e-12);
        let clients: Vec<ClientLatency> = (0..600).map(|place| client(if place < 540 { 100 } else { 1000 })).collect();
        let fairness = Fairness::of(&clients).unwrap();
        assert_eq!((fairness.p50_us, fairness.p90_us, fairness.bands.len()), (100.0, 1000.0, 60));
        assert_eq!((fairness.bands[53].max_us, fairness.bands[54].min_us, fairness.bands[59].to), (100.0, 1000.0, 600));
        assert!(fairness.jain < 0.5, "{}", fairness.jain);
    }

    #[test]
    fn clients_without_a_timed_delivery_are_left_out() {
        let fairness = Fairness::of(&[client(7), ClientLatency::default(), client(9)]).unwrap();
        assert_eq!((fairness.clients, fairness.min_us, fairness.max_us), (2, 7.0, 9.0));
        assert_eq!(Fairness::of(&[ClientLatency::default()]), None);
        assert_eq!(Fairness::of(&[]), None);
    }
}
