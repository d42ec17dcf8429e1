//! Checks that say what is allowed.

use std::{ops::RangeInclusive, time::Duration};

use super::error::Invalid;

pub(super) fn within(key: &str, value: usize, allowed: RangeInclusive<usize>) -> Result<(), Invalid> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(Invalid::new(key, format!("must be from {} to {}", allowed.start(), allowed.end())))
}

pub(super) fn at_least(key: &str, value: usize, other_key: &str, other: usize) -> Result<(), Invalid> {
    if value >= other { Ok(()) } else { Err(Invalid::new(key, format!("must be at least {other_key}, which is {other}"))) }
}

pub(super) fn between(key: &str, value: Duration, least: Duration, most: Duration) -> Result<(), Invalid> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(Invalid::new(key, format!("must be from {least:?} to {most:?}"))) }
}
