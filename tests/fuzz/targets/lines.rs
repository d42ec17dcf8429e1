//! NDJSON: wherever a body is cut into chunks, it gives the same events and the same errors.

use fanfare::{
    event::Limits,
    source::{
        DraftLines,
        cloudevents::{Drafts, read_body},
    },
};

/// Small, so that lines too long are common.
const LIMITS: fn() -> Limits = || Limits { event_bytes: 160, ..Limits::default() };

pub(super) fn target(data: &[u8]) {
    let [cuts, body] = super::parts(data);
    let whole = shown(&read_body(body, Some("application/x-ndjson"), [], &LIMITS()).expect("a body of lines is never refused as a whole"));
    assert_eq!(shown(&in_chunks(body, cuts)), whole, "cut by {cuts:?}: {:?}", String::from_utf8_lossy(body));
    assert_eq!(shown(&in_chunks(body, &[1])), whole, "byte by byte: {:?}", String::from_utf8_lossy(body));
    let n_lines = body.split(|byte| *byte == b'\n').filter(|line| line.iter().any(|byte| !byte.is_ascii_whitespace())).count();
    assert!(whole.len() >= n_lines, "{n_lines} lines gave {} answers", whole.len());
}

/// Each byte of `cuts` is the size of a chunk, over and over; the drafts are taken after every second chunk.
fn in_chunks(body: &[u8], cuts: &[u8]) -> Drafts {
    let mut lines = DraftLines::new(LIMITS());
    let mut drafts = Vec::new();
    let mut rest = body;
    let mut sizes = cuts.iter().map(|size| usize::from(*size)).cycle();
    for turn in 0_usize.. {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len().max(1)).min(rest.len());
        let (chunk, behind) = rest.split_at(size);
        lines.take(chunk);
        if turn % 2 == 1 {
            drafts.append(&mut lines.drafts());
        }
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    lines.finish();
    drafts.append(&mut lines.drafts());
    drafts
}

fn shown(drafts: &Drafts) -> Vec<String> {
    drafts.iter().map(|draft| format!("{draft:?}")).collect()
}
