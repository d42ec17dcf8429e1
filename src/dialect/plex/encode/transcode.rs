//! `transcodeSession.*`: a stream or a file that is made into another form (wire notes on Plex, section 6.5).

use super::item::{float, path_part};
use crate::event::{
    ConvertProgress,
    json::{ObjectWriter, quote},
};

/// A conversion of a file: no client waits for it, so its context is not `streaming`.
pub(super) fn of_conversion(convert: &ConvertProgress) -> String {
    let failed = ["failed", "error"].iter().any(|word| convert.status.eq_ignore_ascii_case(word));
    let mut out = String::with_capacity(160);
    let mut session = ObjectWriter::open(&mut out);
    session.field("key", &quote(&format!("/transcode/sessions/{}", path_part(&convert.media))));
    session.field("throttled", "false");
    session.field("complete", if convert.is_over() && !failed { "true" } else { "false" });
    session.field("progress", &float(convert.progress));
    session.field("error", if failed { "true" } else { "false" });
    session.field("context", "\"static\"");
    session.close();
    out
}
