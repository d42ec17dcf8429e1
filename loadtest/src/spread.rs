//! Which library each event is of: all in turn, or few of them much more often than the rest. The publisher and every ledger compute it
//! alike, so that accounts stay exact.

use std::sync::Arc;

/// Draws made; the event behind the last of them begins with the first again. A power of two.
const DRAWS: u32 = 1 << 20;

/// What cannot be drawn.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum NoSpread {
    /// The exponent is none.
    #[error("skew: {0} is not between 0 and 10")]
    Skew(f64),
    /// More libraries than a draw can name.
    #[error("libraries: a skewed load has at most 65536, not {0}")]
    Libraries(u32),
}

/// The libraries of a run, and which event is of which.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    libraries: u32,
    draws: Option<Arc<Vec<u16>>>,
}

impl Spread {
    /// All libraries in turn.
    pub(crate) fn even(libraries: u32) -> Self {
        Self { libraries: libraries.max(1), draws: None }
    }

    /// By Zipf's law: library number `k`, counted from 0, has a share in proportion to `1 / (k + 1) ^ skew`; 0 is all in turn. The draws are
    /// pseudo-random, and the same in every run.
    pub(crate) fn new(libraries: u32, skew: f64) -> Result<Self, NoSpread> {
        if !(0.0..=10.0).contains(&skew) {
            return Err(NoSpread::Skew(skew));
        }
        if skew == 0.0 || libraries <= 1 {
            return Ok(Self::even(libraries));
        }
        let last = u16::try_from(libraries - 1).map_err(|_| NoSpread::Libraries(libraries))?;
        let mut sum = 0.0;
        let upto: Vec<f64> = (0..=last)
            .map(|library| {
                sum += (f64::from(library) + 1.0).powf(-skew);
                sum
            })
            .collect();
        let draw = |seq: u32| {
            let point = fraction(seq) * sum;
            u16::try_from(upto.partition_point(|upto| *upto <= point)).unwrap_or(last).min(last)
        };
        Ok(Self { libraries, draws: Some(Arc::new((0..DRAWS).map(draw).collect())) })
    }

    /// How many libraries there are.
    pub(crate) fn libraries(&self) -> u32 {
        self.libraries
    }

    /// The library of event `seq`.
    #[inline]
    pub(crate) fn library(&self, seq: u32) -> u32 {
        match &self.draws {
            None => seq % self.libraries,
            Some(draws) => u32::from(draws[(seq % DRAWS) as usize]),
        }
    }

    /// The first event of a library at or after `seq`; `u32::MAX` when there is none.
    pub(crate) fn next_of(&self, library: u32, seq: u32) -> u32 {
        if self.draws.is_some() {
            return self.first_from(seq, |drawn| drawn == library);
        }
        let ahead = (library + self.libraries - seq % self.libraries) % self.libraries;
        seq.saturating_add(ahead)
    }

    /// Whether libraries take turns.
    pub(crate) fn is_even(&self) -> bool {
        self.draws.is_none()
    }

    /// The first event at or after `seq` whose library `fits`; `u32::MAX` when none does. Only for spreads that are not even.
    pub(crate) fn first_from(&self, seq: u32, fits: impl Fn(u32) -> bool) -> u32 {
        (seq..seq.saturating_add(DRAWS)).find(|seq| fits(self.library(*seq))).unwrap_or(u32::MAX)
    }
}

impl From<u32> for Spread {
    fn from(libraries: u32) -> Self {
        Self::even(libraries)
    }
}

/// A number from 0 up to 1 that depends on `seq` alone (the finaliser of SplitMix64).
fn fraction(seq: u32) -> f64 {
    let mut mixed = (u64::from(seq) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_spread_takes_turns_and_a_skewed_one_follows_zipf() {
        let even = Spread::new(7, 0.0).unwrap();
        assert!(even.is_even() && (0..20).all(|seq| even.library(seq) == seq % 7));
        let skewed = Spread::new(100, 1.0).unwrap();
        let mut counts = [0_u32; 100];
        (0..DRAWS).for_each(|seq| counts[skewed.library(seq) as usize] += 1);
        let harmonic: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [1_u32, 2, 10, 100] {
            let expected = f64::from(DRAWS) / harmonic / f64::from(rank);
            let seen = f64::from(counts[rank as usize - 1]);
            assert!((seen / expected - 1.0).abs() < 0.05, "library {rank}: {seen} of {expected}");
        }
    }

    #[test]
    fn draws_are_the_same_every_time_and_go_round() {
        let (one, other) = (Spread::new(1000, 1.2).unwrap(), Spread::new(1000, 1.2).unwrap());
        assert!((0..5000).all(|seq| one.library(seq) == other.library(seq) && one.library(seq) == one.library(seq + DRAWS)));
        let first = one.first_from(0, |library| library == 0);
        assert!(one.library(first) == 0 && (0..first).all(|seq| one.library(seq) != 0));
        assert_eq!(one.first_from(0, |_| false), u32::MAX);
        let even = Spread::even(7);
        for (spread, library) in [(&one, 3), (&even, 3)] {
            let next = spread.next_of(library, 10);
            assert!(spread.library(next) == library && (10..next).all(|seq| spread.library(seq) != library));
            assert_eq!(spread.next_of(library, next), next);
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        assert_eq!(Spread::new(70_000, 1.0).unwrap_err(), NoSpread::Libraries(70_000));
        assert!(Spread::new(9, -1.0).is_err() && Spread::new(9, f64::NAN).is_err());
    }
}
