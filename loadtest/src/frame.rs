//! What is published and what is expected on the wire: for each sequence number one event of each family the clients need, which carries the
//! marker `ffm:{seq}:{intended_ns}:{actual_ns}` in fixed-width hex, padded to the wanted size.
//!
//! It does not know how frames travel; the decoder finds the marker by its prefix alone.

/// What stands before the sequence number, in every frame.
pub(crate) const MARKER_PREFIX: &[u8; 4] = b"ffm:";
/// Length of the marker behind its prefix: 8 + 1 + 16 + 1 + 16.
pub(crate) const MARKER_LEN: usize = 42;
const FRAME_OPENING: &str = "event: medias\ndata: {\"Medias\":";
const ITEM_OPENING: &str = "{\"type\":\"medias\",\"data\":";
/// Bytes around the payload of a `LibraryChanged` message: the WebSocket header, names, and a message's id.
const MESSAGE_AROUND: usize = 4 + r#"{"MessageType":"LibraryChanged","MessageId":"","Data":}"#.len() + 32;
/// The first media's id: as wide as any after it, and a number that no protocol shows as another one.
const FIRST_ID: u64 = 5_000_000_000;

/// Events that reach clients in one form; a sequence number is published once in each family of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// `medias`, which most dialects tell by itself.
    Medias,
    /// A `raw` message of MediaBrowser, which tells changes of libraries only in sum.
    MediaBrowser,
}

/// The requested frame is smaller than the smallest possible one.
#[derive(Debug, thiserror::Error)]
#[error("payload-bytes: {wanted} is too small, the smallest frame with its marker has {smallest} bytes")]
pub(crate) struct TooSmall {
    wanted: usize,
    smallest: usize,
}

/// A ready line of NDJSON or SSE frame, and where its moving parts are.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    library_at: Vec<usize>,
    library_digits: usize,
    id_at: Option<usize>,
    marker_at: usize,
    libraries: u32,
}

impl Template {
    /// The line a publisher sends for one event, line feed included. For `medias` the `/sse` frame made of it has `frame_bytes`;
    /// `with_book` adds what makes Audiobookshelf's clients see it whatever kind its library is of.
    pub(crate) fn item(family: Family, frame_bytes: usize, libraries: u32, with_book: bool) -> Result<Self, TooSmall> {
        match family {
            Family::Medias => {
                let book = if with_book { r#""dialects":{"audiobookshelf":{"mediaType":"book"}},"# } else { "" };
                Ok(Self::of(format!("{ITEM_OPENING}{}}}\n", medias(frame_bytes, libraries, book)?), libraries))
            }
            Family::MediaBrowser => {
                let library = format!("lib{}", "0".repeat(library_digits(libraries.max(1))));
                let payload = |pad: &str| {
                    format!(
                        "{{\"FoldersAddedTo\":[],\"FoldersRemovedFrom\":[],\"ItemsAdded\":[],\"ItemsRemoved\":[],\"ItemsUpdated\":[\"ffm:{}\",\
                         \"{pad}\"],\"CollectionFolders\":[\"{library}\"],\"IsEmpty\":false}}",
                        "0".repeat(MARKER_LEN)
                    )
                };
                let smallest = MESSAGE_AROUND + payload("").len();
                let padding = frame_bytes.checked_sub(smallest).ok_or(TooSmall { wanted: frame_bytes, smallest })?;
                let line = format!(
                    "{{\"type\":\"raw\",\"audience\":\"library:{library}\",\"data\":{{\"dialect\":\"mediabrowser\",\"name\":\"LibraryChanged\",\
                     \"payload\":{}}}}}\n",
                    payload(&"x".repeat(padding))
                );
                Ok(Self::of(line, libraries))
            }
        }
    }

    /// The SSE frame expected for one event, its blank line included.
    pub(crate) fn frame(frame_bytes: usize, libraries: u32) -> Result<Self, TooSmall> {
        Ok(Self::of(format!("{FRAME_OPENING}{}}}\n\n", medias(frame_bytes, libraries, "")?), libraries))
    }

    fn of(text: String, libraries: u32) -> Self {
        let libraries = libraries.max(1);
        let digits = library_digits(libraries);
        let library = format!("lib{}", "0".repeat(digits));
        let after = |needle: &str| text.find(needle).map(|at| at + needle.len());
        Self {
            library_at: text.match_indices(&library).map(|(at, _)| at + "lib".len()).collect(),
            library_digits: digits,
            id_at: after("\"id\":\""),
            marker_at: after("ffm:").unwrap_or(0),
            bytes: text.into_bytes(),
            libraries,
        }
    }

    /// Bytes of one filled template.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the template for `seq` into `target`, which has exactly its length. The library is `seq` modulo the number of libraries.
    pub(crate) fn fill(&self, target: &mut [u8], seq: u32, intended_ns: u64, actual_ns: u64) {
        target.copy_from_slice(&self.bytes);
        for at in &self.library_at {
            write_decimal(&mut target[*at..*at + self.library_digits], u64::from(seq % self.libraries));
        }
        if let Some(at) = self.id_at {
            write_decimal(&mut target[at..at + 10], FIRST_ID + u64::from(seq));
        }
        let marker = &mut target[self.marker_at..self.marker_at + MARKER_LEN];
        write_hex(&mut marker[..8], u64::from(seq));
        marker[8] = b':';
        write_hex(&mut marker[9..25], intended_ns);
        marker[25] = b':';
        write_hex(&mut marker[26..], actual_ns);
    }

    /// Appends the template for `seq` to `target`.
    pub(crate) fn append(&self, target: &mut Vec<u8>, seq: u32, intended_ns: u64, actual_ns: u64) {
        let at = target.len();
        target.resize(at + self.len(), 0);
        self.fill(&mut target[at..], seq, intended_ns, actual_ns);
    }
}

/// The message of a `medias` event, so that its `/sse` frame has `frame_bytes`; `more` are fields of the media that are not sent there.
fn medias(frame_bytes: usize, libraries: u32, more: &str) -> Result<String, TooSmall> {
    let library = "0".repeat(library_digits(libraries.max(1)));
    let marker = "0".repeat(MARKER_LEN);
    let message = |more: &str, padding: usize| {
        let pad = "x".repeat(padding);
        format!(
            "{{\"library\":\"lib{library}\",\"medias\":[{{\"action\":\"Updated\",\"media\":{{\"id\":\"{FIRST_ID}\",\"name\":\"ffm:{marker}\",{more}\
             \"type\":\"photo\",\"pad\":\"{pad}\"}}}}]}}"
        )
    };
    let smallest = FRAME_OPENING.len() + message("", 0).len() + "}\n\n".len();
    let padding = frame_bytes.checked_sub(smallest).ok_or(TooSmall { wanted: frame_bytes, smallest })?;
    Ok(message(more, padding))
}

/// The name of a library: `lib` and its number, as wide as the highest one, so that all frames have one length.
pub(crate) fn library_name(library: u32, libraries: u32) -> String {
    format!("lib{library:0width$}", width = library_digits(libraries.max(1)))
}

/// The sequence number of a marker.
#[inline]
pub(crate) fn sequence(marker: &[u8; MARKER_LEN]) -> u32 {
    let mut digits = [0; 8];
    digits.copy_from_slice(&marker[..8]);
    parse_hex8(digits)
}

/// The time the event of a marker was due.
pub(crate) fn intended_ns(marker: &[u8; MARKER_LEN]) -> u64 {
    let mut high = [0; 8];
    let mut low = [0; 8];
    high.copy_from_slice(&marker[9..17]);
    low.copy_from_slice(&marker[17..25]);
    u64::from(parse_hex8(high)) << 32 | u64::from(parse_hex8(low))
}

fn library_digits(libraries: u32) -> usize {
    (libraries - 1).to_string().len()
}

/// Eight lower-case hex digits at once: each byte becomes its nibble, then neighbours are joined three times.
#[inline]
fn parse_hex8(digits: [u8; 8]) -> u32 {
    let raw = u64::from_be_bytes(digits);
    let nibbles = (raw & 0x0f0f_0f0f_0f0f_0f0f) + 9 * ((raw >> 6) & 0x0101_0101_0101_0101);
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let words = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    #[expect(clippy::cast_possible_truncation, reason = "the upper half is what the joining left behind")]
    let value = (words | words >> 16) as u32;
    value
}

fn write_hex(target: &mut [u8], mut value: u64) {
    for digit in target.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from((value & 15) as u8)];
        value >>= 4;
    }
}

fn write_decimal(target: &mut [u8], mut value: u64) {
    for digit in target.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_exactly_the_requested_size_and_carries_its_marker() {
        let template = Template::frame(267, 12).unwrap();
        let mut frame = Vec::new();
        template.append(&mut frame, 0xdead_beef, 0x0123_4567_89ab_cdef, 7);
        assert_eq!(frame.len(), 267);
        assert!(frame.ends_with(b"\"}}]}}\n\n"));
        let at = frame.windows(4).position(|window| window == MARKER_PREFIX).unwrap() + 4;
        let marker: &[u8; MARKER_LEN] = frame[at..at + MARKER_LEN].try_into().unwrap();
        assert_eq!(sequence(marker), 0xdead_beef);
        assert_eq!(intended_ns(marker), 0x0123_4567_89ab_cdef);
    }

    #[test]
    fn an_item_is_one_line_of_json_with_the_library_of_its_sequence_number() {
        let mut line = Vec::new();
        Template::item(Family::Medias, 300, 16, false).unwrap().append(&mut line, 27, 1, 2);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["type"], "medias");
        assert_eq!(value["data"]["library"], library_name(11, 16));
        assert_eq!(value["data"]["medias"][0]["media"]["id"], "5000000027");
    }

    #[test]
    fn a_frame_too_small_for_its_marker_is_refused_with_the_smallest_size() {
        let message = Template::frame(100, 1).unwrap_err().to_string();
        assert!(message.contains("payload-bytes: 100"), "{message}");
    }

    #[test]
    fn every_hex_digit_parses() {
        assert_eq!(parse_hex8(*b"01234567"), 0x0123_4567);
        assert_eq!(parse_hex8(*b"89abcdef"), 0x89ab_cdef);
        assert_eq!(parse_hex8(*b"ffffffff"), u32::MAX);
    }
}
