//! `playing`: what a player does (wire notes on Plex, section 6.1).

use super::item::{metadata_key, path_part};
use crate::event::{
    Playback,
    json::{ObjectWriter, quote},
};

/// The fields in a real server's order, each of its type: some clients stop for good at another one.
pub(in super::super) fn item(playback: &Playback) -> String {
    let mut out = String::with_capacity(256);
    let mut item = ObjectWriter::open(&mut out);
    let shown = playback.item.shown_id(super::DIALECT).text;
    item.field("sessionKey", &quote(&playback.shown_session(super::DIALECT).text));
    if let Some(client) = &playback.client {
        item.field("clientIdentifier", &quote(&client.id));
    }
    item.field("guid", "\"\"").field("ratingKey", &quote(&shown)).field("url", "\"\"");
    item.field("key", &key(playback, &shown)).field("viewOffset", &playback.position_ms.to_string());
    if let Some(queue) = playback.play_queue {
        if let Some(place) = queue.item {
            item.field("playQueueItemID", &place.to_string());
        }
        item.field("playQueueID", &queue.id.to_string());
    }
    item.field("state", &quote(playback.state.name()));
    if let Some(transcode) = &playback.transcode {
        item.field("transcodeSession", &quote(&path_part(transcode)));
    }
    item.close();
    out
}

fn key(playback: &Playback, shown: &str) -> String {
    if playback.live {
        return quote(&format!("/livetv/sessions/{}", path_part(&playback.item.id)));
    }
    metadata_key(shown)
}
