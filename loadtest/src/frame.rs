//! What is published and what is expected on the wire: for each sequence number one event of each family the clients need, which carries the
//! marker `ffm:{seq}:{intended_ns}:{actual_ns}` in fixed-width hex, padded to the wanted size.
//!
//! It does not know how frames travel; the decoder finds the marker by its prefix alone.

use crate::spread::Spread;

/// What stands before the sequence number, in every frame.
pub(crate) const MARKER_PREFIX: &[u8; 4] = b"ffm:";
/// Length of the marker behind its prefix: 8 + 1 + 16 + 1 + 16.
pub(crate) const MARKER_LEN: usize = 42;
const FRAME_OPENING: &str = "event: medias\ndata: {\"Medias\":";
const ITEM_OPENING: &str = "{\"type\":\"medias\",\"data\":";
/// Name of `raw` events on `/sse`, for which clients must ask.
pub(crate) const RAW_NAME: &str = "loadtest";
/// Where a marker is filled in.
const MARKER_PLACE: &str = "ffm:000000000000000000000000000000000000000000";
/// The first media's id: as wide as any after it, and a number that no protocol shows as another one.
const FIRST_ID: u64 = 5_000_000_000;

/// Events that reach clients in one form; a sequence number is published once in each family of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// `medias`, which most dialects tell by itself.
    Medias,
    /// A `raw` message of RedSeat's `/sse`, named [`RAW_NAME`].
    RedSeat,
    /// A `raw` message of Plex.
    Plex,
    /// A `raw` message of MediaBrowser, which tells changes of libraries only in sum.
    MediaBrowser,
    /// A `raw` message of Audiobookshelf.
    Audiobookshelf,
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
    spread: Spread,
}

impl Template {
    /// The line a publisher sends for one event, line feed included, so that the frame clients get of it has `frame_bytes`: of `medias` on
    /// `/sse`, of others on a WebSocket. `with_book` adds what makes Audiobookshelf's clients see a media whatever kind its library is of.
    pub(crate) fn item(family: Family, frame_bytes: usize, spread: &Spread, with_book: bool) -> Result<Self, TooSmall> {
        let library = library_name(0, spread.libraries());
        let text = match family {
            Family::Medias => {
                let book = if with_book { r#""dialects":{"audiobookshelf":{"mediaType":"book"}},"# } else { "" };
                format!("{ITEM_OPENING}{}}}\n", medias(frame_bytes, spread, book)?)
            }
            Family::RedSeat => raw(frame_bytes, &library, "redseat", RAW_NAME, &|pad| {
                let data = format!("{{\"library\":\"{library}\",\"id\":\"{FIRST_ID}\",\"name\":\"{MARKER_PLACE}\",\"pad\":\"{pad}\"}}");
                // An event stream's frame has no header whose bytes are counted for it.
                let frame = format!("event: {RAW_NAME}\ndata: {data}\n\n").len() - header_bytes(frame_bytes);
                (data, frame)
            })?,
            Family::Plex => raw(frame_bytes, &library, "plex", "timeline", &|pad| {
                let item = format!(
                    "{{\"identifier\":\"com.plexapp.plugins.library\",\"sectionID\":\"1\",\"itemID\":\"{FIRST_ID}\",\"type\":13,\
                     \"title\":\"{MARKER_PLACE}{pad}\",\"state\":5}}"
                );
                let frame = format!("{{\"NotificationContainer\":{{\"type\":\"timeline\",\"size\":1,\"TimelineEntry\":[{item}]}}}}").len();
                (format!("{{\"TimelineEntry\":{item}}}"), frame)
            })?,
            Family::MediaBrowser => raw(frame_bytes, &library, "mediabrowser", "LibraryChanged", &|pad| {
                let data = format!(
                    "{{\"ItemsAdded\":[],\"ItemsRemoved\":[],\"ItemsUpdated\":[\"{MARKER_PLACE}{pad}\"],\"CollectionFolders\":[\"{library}\"],\
                     \"IsEmpty\":false}}"
                );
                // A message's id has 32 digits.
                let frame = r#"{"MessageType":"LibraryChanged","MessageId":"","Data":}"#.len() + 32 + data.len();
                (data, frame)
            })?,
            Family::Audiobookshelf => raw(frame_bytes, &library, "audiobookshelf", "item_updated", &|pad| {
                let item = format!("{{\"id\":\"{FIRST_ID}\",\"libraryId\":\"{library}\",\"title\":\"{MARKER_PLACE}\",\"pad\":\"{pad}\"}}");
                let frame = format!("42[\"item_updated\",{item}]").len();
                (item, frame)
            })?,
        };
        Ok(Self::of(text, spread))
    }

    /// The SSE frame expected for one event, its blank line included.
    pub(crate) fn frame(frame_bytes: usize, spread: &Spread) -> Result<Self, TooSmall> {
        Ok(Self::of(format!("{FRAME_OPENING}{}}}\n\n", medias(frame_bytes, spread, "")?), spread))
    }

    /// A whole POST of one event to another server: its body is the data of `/sse`'s frame. `head` ends before `Content-Length`;
    /// `{library}` in it becomes the name of the event's library.
    pub(crate) fn post(head: &str, frame_bytes: usize, spread: &Spread) -> Result<Self, TooSmall> {
        let body = format!("{{\"Medias\":{}}}", medias(frame_bytes, spread, "")?);
        let head = head.replace("{library}", &library_name(0, spread.libraries()));
        Ok(Self::of(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()), spread))
    }

    fn of(text: String, spread: &Spread) -> Self {
        let digits = library_digits(spread.libraries());
        let library = library_name(0, spread.libraries());
        let after = |needle: &str| text.find(needle).map(|at| at + needle.len());
        Self {
            library_at: text.match_indices(&library).map(|(at, _)| at + "lib".len()).collect(),
            library_digits: digits,
            id_at: text.find(&FIRST_ID.to_string()),
            marker_at: after("ffm:").unwrap_or(0),
            bytes: text.into_bytes(),
            spread: spread.clone(),
        }
    }

    /// Bytes of one filled template.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the template for `seq` into `target`, which has exactly its length. The library is that of the spread.
    pub(crate) fn fill(&self, target: &mut [u8], seq: u32, intended_ns: u64, actual_ns: u64) {
        target.copy_from_slice(&self.bytes);
        for at in &self.library_at {
            write_decimal(&mut target[*at..*at + self.library_digits], u64::from(self.spread.library(seq)));
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
fn medias(frame_bytes: usize, spread: &Spread, more: &str) -> Result<String, TooSmall> {
    let library = library_name(0, spread.libraries());
    let message = |more: &str, padding: usize| {
        let pad = "x".repeat(padding);
        format!(
            "{{\"library\":\"{library}\",\"medias\":[{{\"action\":\"Updated\",\"media\":{{\"id\":\"{FIRST_ID}\",\"name\":\"{MARKER_PLACE}\",{more}\
             \"type\":\"photo\",\"pad\":\"{pad}\"}}}}]}}"
        )
    };
    let smallest = FRAME_OPENING.len() + message("", 0).len() + "}\n\n".len();
    let padding = frame_bytes.checked_sub(smallest).ok_or(TooSmall { wanted: frame_bytes, smallest })?;
    Ok(message(more, padding))
}

/// Bytes of a WebSocket frame's header, if the frame has more than 127.
fn header_bytes(frame_bytes: usize) -> usize {
    if frame_bytes > 4 + usize::from(u16::MAX) { 10 } else { 4 }
}

/// A line of a `raw` event for the readers of a library. `payload` makes payload and length of the message it becomes, for a padding.
fn raw(
    frame_bytes: usize,
    library: &str,
    dialect: &str,
    name: &str,
    payload: &dyn Fn(&str) -> (String, usize),
) -> Result<String, TooSmall> {
    let smallest = header_bytes(frame_bytes) + payload("").1;
    let padding = frame_bytes.checked_sub(smallest).ok_or(TooSmall { wanted: frame_bytes, smallest })?;
    let (payload, _) = payload(&"x".repeat(padding));
    Ok(format!(
        "{{\"type\":\"raw\",\"audience\":\"library:{library}\",\"data\":{{\"dialect\":\"{dialect}\",\"name\":\"{name}\",\"payload\":{payload}}}}}\n"
    ))
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
        let template = Template::frame(267, &Spread::even(12)).unwrap();
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
        Template::item(Family::Medias, 300, &Spread::even(16), false).unwrap().append(&mut line, 27, 1, 2);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["type"], "medias");
        assert_eq!(value["data"]["library"], library_name(11, 16));
        assert_eq!(value["data"]["medias"][0]["media"]["id"], "5000000027");
    }

    #[test]
    fn a_frame_too_small_for_its_marker_is_refused_with_the_smallest_size() {
        let message = Template::frame(100, &Spread::even(1)).unwrap_err().to_string();
        assert!(message.contains("payload-bytes: 100"), "{message}");
    }

    #[test]
    fn every_hex_digit_parses() {
        assert_eq!(parse_hex8(*b"01234567"), 0x0123_4567);
        assert_eq!(parse_hex8(*b"89abcdef"), 0x89ab_cdef);
        assert_eq!(parse_hex8(*b"ffffffff"), u32::MAX);
    }

    #[test]
    fn every_raw_message_becomes_a_frame_of_the_requested_size() {
        let around = [
            (Family::RedSeat, 0, "event: loadtest\ndata: ", "\n\n"),
            (Family::Plex, 4, "{\"NotificationContainer\":{\"type\":\"timeline\",\"size\":1,", "}}"),
            (
                Family::MediaBrowser,
                4,
                "{\"MessageType\":\"LibraryChanged\",\"MessageId\":\"0123456789abcdef0123456789abcdef\",\"Data\":",
                "}",
            ),
            (Family::Audiobookshelf, 4, "42[\"item_updated\",", "]"),
        ];
        for (family, header, before, after) in around {
            // The default size has room for every one of them.
            assert!(Template::item(family, 267, &Spread::even(1000), false).is_ok(), "{family:?}");
            let mut line = Vec::new();
            Template::item(family, 500, &Spread::even(30), false).unwrap().append(&mut line, 0x1f, 5, 6);
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!((value["audience"].as_str(), value["type"].as_str()), (Some("library:lib01"), Some("raw")));
            let payload = value["data"]["payload"].to_string();
            // Plex's item comes in a list, whose name is the payload's.
            let payload =
                if family == Family::Plex { format!("{}]", payload[1..payload.len() - 1].replacen(':', ":[", 1)) } else { payload };
            assert_eq!(header + before.len() + payload.len() + after.len(), 500, "{family:?}");
            assert!(payload.contains("ffm:0000001f:0000000000000005:0000000000000006"), "{payload}");
        }
    }

    #[test]
    fn a_post_carries_the_data_of_the_frame_and_names_the_library_in_its_path() {
        let mut request = Vec::new();
        let head = "POST /pub/{library} HTTP/1.1\r\nHost: x\r\n";
        Template::post(head, 300, &Spread::even(20)).unwrap().append(&mut request, 7, 1, 2);
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /pub/lib07 HTTP/1.1") && head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(body.len(), 300 - "event: medias\ndata: \n\n".len());
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["Medias"]["library"], "lib07");
    }
}
