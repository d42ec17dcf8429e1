//! A piece of shared text: many fields of one message point into the same allocation.

use std::{fmt, ops::Deref, sync::Arc};

/// A slice of a shared text. Cloning counts a reference, it copies nothing.
#[derive(Clone)]
pub struct Text {
    whole: Arc<str>,
    start: u32,
    end: u32,
}

impl Text {
    /// The piece of this text that `part` is; a `part` from elsewhere is copied.
    #[must_use]
    pub fn piece(&self, part: &str) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(self.whole.as_ptr() as usize);
        let inside = start.checked_add(part.len()).is_some_and(|end| self.whole.get(start..end).is_some_and(|piece| piece == part));
        if !inside {
            return Self::from(part.to_owned());
        }
        match (u32::try_from(start), u32::try_from(start + part.len())) {
            (Ok(start), Ok(end)) => Self { whole: Arc::clone(&self.whole), start, end },
            _ => Self::from(part.to_owned()),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.whole[self.start as usize..self.end as usize]
    }
}

impl From<String> for Text {
    /// Texts are bounded by the limit on an event's bytes; one beyond 4 GiB is cut to nothing rather than wrongly sliced.
    fn from(text: String) -> Self {
        let end = u32::try_from(text.len()).unwrap_or(0);
        Self { whole: text.into(), start: 0, end }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_shares_and_a_stranger_is_copied() {
        let whole = Text::from("{\"é\":1}".to_owned());
        let piece = whole.piece(&whole[1..5]);
        assert_eq!(piece, "\"é\"");
        assert!(Arc::ptr_eq(&whole.whole, &piece.whole));
        assert_eq!(piece.piece(&piece[0..1]), "\"");
        let stranger = whole.piece("elsewhere");
        assert_eq!(stranger, "elsewhere");
        assert!(!Arc::ptr_eq(&whole.whole, &stranger.whole));
    }
}
