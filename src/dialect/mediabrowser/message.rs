//! One message as a text frame: type, an id of its own, and data (wire notes on MediaBrowser, section 4).

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};

use crate::{event::json::quote, websocket::frame::put_text};

/// How many seconds clients are told that a socket without a `KeepAlive` lives; they send one every half of it.
pub(super) const KEEP_ALIVE_SECONDS: &str = "60";

/// The only thing in an `ActivityLogEntry`: a nudge to ask again.
pub(super) const NUDGE: &str = "[]";

/// A message; `data` is JSON text, `None` where the type has none.
pub(super) fn message(kind: &str, data: Option<&str>) -> Bytes {
    let mut out = BytesMut::new();
    put(&mut out, kind, data);
    out.freeze()
}

/// Appends a message as a frame of its own.
pub(super) fn put(out: &mut BytesMut, kind: &str, data: Option<&str>) {
    let id = new_id();
    match data {
        Some(data) => put_text(out, &["{\"MessageType\":", &quote(kind), ",\"MessageId\":\"", &id, "\",\"Data\":", data, "}"]),
        None => put_text(out, &["{\"MessageType\":", &quote(kind), ",\"MessageId\":\"", &id, "\"}"]),
    }
}

/// 32 hexadecimal digits that no message of this process had, and by all odds none of another run: clients remember every
/// id for ever, across reconnections, and drop what comes twice. Receivers of one message may share it.
fn new_id() -> String {
    static RUN: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let run = RUN.get_or_init(|| {
        let mut random = [0; 8];
        match getrandom::fill(&mut random) {
            Ok(()) => u64::from_ne_bytes(random),
            // No secret: the time of the run will do.
            Err(_) => crate::clock::Timestamp::now().0.unsigned_abs(),
        }
    });
    format!("{run:016x}{:016x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_an_id_of_its_own() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| crate::event::IdForm::Hex32.fits(id)));
    }

    #[test]
    fn data_is_left_out_where_a_type_has_none() {
        let text = |bytes: Bytes| {
            let start = if bytes[1] == 126 { 4 } else { 2 };
            String::from_utf8(bytes[start..].to_vec()).expect("text")
        };
        let keep_alive: serde_json::Value = serde_json::from_str(&text(message("KeepAlive", None))).expect("JSON");
        assert_eq!(keep_alive.as_object().map(serde_json::Map::len), Some(2));
        let forced = text(message("ForceKeepAlive", Some(KEEP_ALIVE_SECONDS)));
        assert!(
            forced.starts_with("{\"MessageType\":\"ForceKeepAlive\",\"MessageId\":\"") && forced.ends_with("\",\"Data\":60}"),
            "{forced}"
        );
    }
}
