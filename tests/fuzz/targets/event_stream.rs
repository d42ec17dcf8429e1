//! A reader of event streams, written from the WHATWG rules and from nothing of ours.

/// What a browser would dispatch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) name: String,
    pub(super) data: String,
}

/// Everything a stream says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) messages: Vec<Message>,
    pub(super) comments: Vec<String>,
    /// Fields other than `event` and `data`, `id` and `retry` too.
    pub(super) others: Vec<String>,
    /// Fields behind the last blank line: they would become part of the next event.
    pub(super) left_over: bool,
}

/// Reads a whole stream.
pub(super) fn read(stream: &[u8]) -> Said {
    let text = String::from_utf8_lossy(stream);
    let mut said = Said::default();
    let (mut name, mut data) = (String::new(), String::new());
    for line in lines(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
        if line.is_empty() {
            said.left_over = false;
            let (name, mut data) = (std::mem::take(&mut name), std::mem::take(&mut data));
            if data.pop().is_some() {
                said.messages.push(Message { name: if name.is_empty() { "message".to_owned() } else { name }, data });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => said.comments.push(line[1..].to_owned()),
            "event" => value.clone_into(&mut name),
            "data" => {
                data += value;
                data.push('\n');
            }
            other => said.others.push(other.to_owned()),
        }
        said.left_over |= !field.is_empty();
    }
    said
}

/// The lines, each ended by CRLF, CR or LF; what is behind the last line end is no line yet and is dropped.
fn lines(mut text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    while let Some(end) = text.find(['\r', '\n']) {
        lines.push(&text[..end]);
        let rest = &text[end..];
        text = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
    }
    lines
}

/// A text as it comes out of `data:` lines: every line end is a line feed.
pub(super) fn with_line_feeds(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n")
}
