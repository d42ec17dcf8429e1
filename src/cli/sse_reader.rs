//! Reads a stream of server-sent events: bytes in, events out, after the WHATWG rules ("Interpreting an event stream").
//!
//! Knows nothing of connections. Chunks may be cut anywhere, also inside a character or between CR and LF.

use std::time::Duration;

/// What one line or a dispatched event may hold at most; the server's events are far smaller.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// One thing the stream said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SseItem {
    /// A dispatched event.
    Event {
        /// The type: the `event:` field, or `message`.
        name: String,
        /// The `data:` lines, joined by line feeds.
        data: String,
    },
    /// A comment, without its colon and one space after it.
    Comment(String),
    /// The delay before reconnecting that the server asks for.
    Retry(Duration),
}

/// A line or an event is larger than a reader is willing to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than 8 MiB")]
pub(super) struct TooLarge;

/// The state between chunks.
#[derive(Debug, Default)]
pub(super) struct SseReader {
    line: Vec<u8>,
    after_cr: bool,
    past_first_line: bool,
    name: String,
    data: String,
    has_data: bool,
    last_event_id: String,
}

impl SseReader {
    /// Takes the next bytes of the stream and appends what they complete.
    pub(super) fn push(&mut self, chunk: &[u8], items: &mut Vec<SseItem>) -> Result<(), TooLarge> {
        let mut rest = chunk;
        while let Some((&first, after_first)) = rest.split_first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = after_first;
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                return self.keep(rest);
            };
            self.keep(&rest[..end])?;
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.end_line(items)?;
        }
        Ok(())
    }

    /// The last `id:` seen, for the `Last-Event-ID` header of a reconnect; empty when there was none.
    pub(super) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Begins a new stream that continues this one: only the id survives.
    pub(super) fn reconnected(&mut self) {
        *self = Self { last_event_id: std::mem::take(&mut self.last_event_id), ..Self::default() };
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + bytes.len() > MAX_EVENT_BYTES {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, items: &mut Vec<SseItem>) -> Result<(), TooLarge> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let text = if std::mem::replace(&mut self.past_first_line, true) { &*text } else { text.trim_start_matches('\u{feff}') };
        if text.is_empty() {
            self.dispatch(items);
            return Ok(());
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => items.push(SseItem::Comment(value.to_owned())),
            "event" => value.clone_into(&mut self.name),
            "data" => self.add_data(value)?,
            // The standard: an id with a NUL is ignored.
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_event_id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                items.extend(value.parse().ok().map(Duration::from_millis).map(SseItem::Retry));
            }
            // The standard: unknown fields are ignored.
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), TooLarge> {
        if self.data.len() + value.len() > MAX_EVENT_BYTES {
            return Err(TooLarge);
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push('\n');
        }
        self.data.push_str(value);
        Ok(())
    }

    fn dispatch(&mut self, items: &mut Vec<SseItem>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        // The standard: without data nothing is dispatched; one empty `data:` line is an empty string and is not either.
        let had_data = std::mem::take(&mut self.has_data) && !data.is_empty();
        if had_data {
            items.push(SseItem::Event { name: if name.is_empty() { "message".to_owned() } else { name }, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> (Vec<SseItem>, String) {
        let mut reader = SseReader::default();
        let mut items = Vec::new();
        for chunk in chunks {
            reader.push(chunk, &mut items).expect("small");
        }
        (items, reader.last_event_id().to_owned())
    }

    fn event(name: &str, data: &str) -> SseItem {
        SseItem::Event { name: name.into(), data: data.into() }
    }

    const MIXED: &str = "\u{feff}: hello\nretry: 1500\r\nevent:medias\rid: 7\r\ndata: a\u{e9}\r\ndata:  b\n\n\
                         data\ndata\n\nevent: lost\n\nid: \0\nretry: -1\n:ping\ndata: last\r\r\ndata: unfinished\n";

    fn mixed_items() -> Vec<SseItem> {
        vec![
            SseItem::Comment("hello".into()),
            SseItem::Retry(Duration::from_millis(1500)),
            event("medias", "a\u{e9}\n b"),
            event("message", "\n"),
            SseItem::Comment("ping".into()),
            event("message", "last"),
        ]
    }

    #[test]
    fn fields_line_ends_and_comments_are_read_as_the_standard_says() {
        assert_eq!(read(&[MIXED.as_bytes()]), (mixed_items(), "7".to_owned()));
    }

    #[test]
    fn a_chunk_boundary_at_any_byte_changes_nothing() {
        let bytes = MIXED.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]).0, mixed_items(), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).0, mixed_items());
    }

    #[test]
    fn an_event_with_an_empty_data_line_is_not_dispatched() {
        assert_eq!(read(&[b"event: a\ndata\n\ndata:\n\n"]).0, []);
    }

    #[test]
    fn a_new_stream_forgets_what_was_unfinished_but_not_the_id() {
        let mut reader = SseReader::default();
        let mut items = Vec::new();
        reader.push(b"id: 9\nevent: old\ndata: old", &mut items).expect("small");
        reader.reconnected();
        reader.push(b"data: new\n\n", &mut items).expect("small");
        assert_eq!((items, reader.last_event_id()), (vec![event("message", "new")], "9"));
    }

    #[test]
    fn an_endless_line_is_an_error_and_not_endless_memory() {
        let mut reader = SseReader::default();
        let mut items = Vec::new();
        let chunk = vec![b'x'; MAX_EVENT_BYTES / 2];
        assert_eq!(reader.push(&chunk, &mut items), Ok(()));
        assert_eq!(reader.push(&chunk, &mut items), Ok(()));
        assert_eq!(reader.push(&chunk, &mut items), Err(TooLarge));
    }
}
