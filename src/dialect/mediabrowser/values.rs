//! Values as its clients read them: ids, ticks, times (wire notes on MediaBrowser, rule 8).

use crate::{clock::Timestamp, event::IdForm};

/// Ticks of 100 ns in a millisecond.
pub(super) const TICKS_PER_MS: i64 = 10_000;

/// Nobody, where a user's id is due.
pub(super) const NOBODY: &str = "00000000000000000000000000000000";

/// An id as 32 hexadecimal digits.
pub(super) fn shown(id: &str) -> String {
    IdForm::Hex32.show(None, id).text.into_owned()
}

/// The same where the settings may give one.
pub(super) fn shown_given(given: Option<&str>, id: &str) -> String {
    IdForm::Hex32.show(given.map(Into::into), id).text.into_owned()
}

/// Whether it is an id as clients read them.
pub(super) fn fits(id: &str) -> bool {
    IdForm::Hex32.fits(id)
}

/// An id a client sends, as it is compared: hyphens and upper case are taken out of what is a GUID, all else stays.
pub(super) fn sent(id: &str) -> String {
    let plain: String = id.trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    if IdForm::Hex32.fits(&plain) { plain } else { id.to_owned() }
}

/// Whether an id a client sends names this one of ours.
pub(super) fn names(sent_id: &str, id: &str) -> bool {
    sent_id == id || sent(sent_id) == shown(id)
}

/// With hyphens, as a GUID is written where one is due.
pub(super) fn dashed(hex: &str) -> String {
    if !IdForm::Hex32.fits(hex) {
        return hex.to_owned();
    }
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Milliseconds as ticks, as far as a ticks number reaches.
pub(super) fn ticks(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(TICKS_PER_MS)
}

/// Milliseconds with a fraction as ticks, to the nearest: a tick has no exact fraction.
pub(super) fn ticks_of(millis: f64) -> i64 {
    (millis * TICKS_PER_MS as f64).round() as i64
}

/// Ticks as milliseconds, rounded down.
pub(super) fn millis(ticks: u64) -> u64 {
    ticks / TICKS_PER_MS.unsigned_abs()
}

/// `yyyy-MM-ddTHH:mm:ss.fffffffZ`: exactly seven digits, because some clients count them.
pub(super) fn date(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_seven_digits_behind_the_point() {
        assert_eq!(date(Timestamp(1_708_457_201_136)), "2024-02-20T19:26:41.1360000Z");
        assert_eq!(date(Timestamp(0)), "1970-01-01T00:00:00.0000000Z");
    }

    #[test]
    fn ids_are_understood_in_every_spelling_of_a_guid() {
        let hex = "21dc4218b26b404d9d260065647468bd";
        for spelled in
            [hex, "21DC4218B26B404D9D260065647468BD", "21dc4218-b26b-404d-9d26-0065647468bd", "{21dc4218-b26b-404d-9d26-0065647468bd}"]
        {
            assert!(names(spelled, hex), "{spelled}");
        }
        assert!(names("bob", "bob") && names(&shown("bob"), "bob"));
        assert!(!names("bob", "Bob") && !names(&shown("bo"), "bob"));
        assert_eq!(dashed(hex), "21dc4218-b26b-404d-9d26-0065647468bd");
    }

    #[test]
    fn ticks_are_ten_thousand_in_a_millisecond() {
        assert_eq!((ticks(100), millis(1_000_000), millis(19_999)), (1_000_000, 100, 1));
        assert_eq!(ticks(u64::MAX), i64::MAX);
        assert_eq!(ticks_of(0.5), 5_000);
        assert!((0..100_000).all(|ticks| ticks_of(f64::from(ticks) / 10_000.0) == i64::from(ticks)));
    }
}
