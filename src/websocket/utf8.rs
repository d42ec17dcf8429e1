//! UTF-8 that arrives in pieces, refused at the first byte that cannot belong to it.

/// What was seen so far of a text.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose end has not come, at most three bytes.
    begun: [u8; 4],
    length: u8,
}

impl Utf8 {
    /// Takes the next bytes; `false` when no further byte could make the text valid.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while self.length > 0 {
            let Some((next, rest)) = bytes.split_first() else { return true };
            self.begun[usize::from(self.length)] = *next;
            self.length += 1;
            bytes = rest;
            match std::str::from_utf8(&self.begun[..usize::from(self.length)]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let begun = &bytes[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.length = u8::try_from(begun.len()).unwrap_or_default(); // at most three
                true
            }
        }
    }

    /// Whether the text may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes, fed one at a time, were taken before the refusal.
    fn taken(bytes: &[u8]) -> usize {
        let mut utf8 = Utf8::default();
        bytes.iter().take_while(|byte| utf8.feed(&[**byte])).count()
    }

    #[test]
    fn a_text_is_taken_wherever_it_is_cut() {
        let text = "κόσμε\u{10ffff}\u{ffff}z\u{800}";
        for cut in 0..=text.len() {
            let mut utf8 = Utf8::default();
            assert!(utf8.feed(&text.as_bytes()[..cut]) && utf8.is_complete() == text.is_char_boundary(cut));
            assert!(utf8.feed(&text.as_bytes()[cut..]) && utf8.is_complete());
        }
        assert_eq!(taken(text.as_bytes()), text.len());
    }

    #[test]
    fn the_first_byte_that_cannot_belong_to_a_text_is_refused() {
        assert_eq!(taken(b"a\xff"), 1);
        assert_eq!(taken(b"\xf4\x90\x80\x80"), 1, "beyond the last character");
        assert_eq!(taken(b"\xed\xa0\x80"), 1, "half of a pair");
        assert_eq!(taken(b"\xc0\x80"), 0, "longer than need be");
        assert_eq!(taken(b"\xe2\x82x"), 2);
        assert_eq!(taken(b"\x80"), 0);
    }
}
