//! What a client says it plays, in every form it says so: three texts with bars, and JSON (wire notes on MediaBrowser, sections
//! 6.3 and 7).

use super::values;
use crate::event::json::{ObjectWriter, quote};

/// Bytes of a queue that are kept and shown; a longer one is left out.
const QUEUE_BYTES: usize = 2048;

/// At which point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// It begins.
    Start,
    /// It goes on.
    Progress,
    /// It is over.
    Stopped,
}

impl Moment {
    /// The word for it in events.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Progress => "playing",
            Self::Stopped => "stopped",
        }
    }
}

/// A check-in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Report {
    /// The item; empty: the one that is played.
    pub(super) item: String,
    /// Where it is; `None`: the client does not know.
    pub(super) position_ms: Option<u64>,
    /// How long it is, where the client says so.
    pub(super) duration_ms: Option<u64>,
    pub(super) paused: bool,
    /// What is shown beside: an object as JSON text.
    pub(super) more: String,
}

/// A position below zero is wrong, and no check-in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadPosition;

impl Report {
    /// `ItemId`, `ItemId|positionTicks|isPaused` or `ItemId|positionTicks`, with what later clients put behind. Missing fields
    /// behind are fine; a position that is no number is not known.
    pub(super) fn of_text(moment: Moment, data: &str) -> Result<Self, BadPosition> {
        let parts: Vec<&str> = data.split('|').map(str::trim).collect();
        let part = |at: usize| parts.get(at).copied().filter(|part| !part.is_empty());
        let is_true = |at: usize| part(at).is_some_and(|part| part.eq_ignore_ascii_case("true"));
        let number = |at: usize| part(at).and_then(|part| part.parse::<i64>().ok()).map(|number| number.to_string());
        let mut report = Self { item: part(0).unwrap_or_default().to_owned(), ..Self::default() };
        let mut more = String::new();
        let mut object = ObjectWriter::open(&mut more);
        let mut text = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                object.field(name, &value);
            }
        };
        match moment {
            Moment::Start => {
                text("CanSeek", Some(part(1).is_none_or(|part| part.eq_ignore_ascii_case("true")).to_string()));
                let types: Vec<String> = part(2).into_iter().flat_map(|types| types.split(',')).map(quote).collect();
                text("QueueableMediaTypes", (!types.is_empty()).then(|| format!("[{}]", types.join(","))));
                text("MediaSourceId", part(3).map(quote));
                text("AudioStreamIndex", number(4));
                text("SubtitleStreamIndex", number(5));
            }
            Moment::Progress => {
                report.position_ms = position(part(1))?;
                report.paused = is_true(2);
                text("IsMuted", Some(is_true(3).to_string()));
                text("MediaSourceId", part(4).map(quote));
                text("VolumeLevel", number(5));
                text("AudioStreamIndex", number(6));
                text("SubtitleStreamIndex", number(7));
            }
            Moment::Stopped => report.position_ms = position(part(1))?,
        }
        object.close();
        Ok(Self { more, ..report })
    }

    /// The body of a POST, or of a `ReportPlayback…` message. Names count exactly, but for their first letter.
    pub(super) fn of_json(json: &serde_json::Value) -> Result<Self, BadPosition> {
        let field = |name: &str| json.get(name).filter(|value| !value.is_null());
        let ticks = |value: Option<&serde_json::Value>| match value.and_then(serde_json::Value::as_i64) {
            Some(ticks) => u64::try_from(ticks).map(|ticks| Some(values::millis(ticks))).map_err(|_| BadPosition),
            None => Ok(None),
        };
        let item = field("ItemId").or_else(|| field("Item").and_then(|item| item.get("Id")));
        let duration = field("RunTimeTicks").or_else(|| field("Item").and_then(|item| item.get("RunTimeTicks")));
        Ok(Self {
            item: item.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
            position_ms: ticks(field("PositionTicks"))?,
            duration_ms: ticks(duration).unwrap_or(None),
            paused: field("IsPaused").and_then(serde_json::Value::as_bool).unwrap_or(false),
            more: more(json),
        })
    }
}

fn position(part: Option<&str>) -> Result<Option<u64>, BadPosition> {
    match part.and_then(|part| part.parse::<i64>().ok()) {
        Some(ticks) => u64::try_from(ticks).map(|ticks| Some(values::millis(ticks))).map_err(|_| BadPosition),
        None => Ok(None),
    }
}

/// The fields that `Sessions` shows again, each only as what its readers take.
fn more(json: &serde_json::Value) -> String {
    const FLAGS: [&str; 2] = ["CanSeek", "IsMuted"];
    const NUMBERS: [&str; 3] = ["VolumeLevel", "AudioStreamIndex", "SubtitleStreamIndex"];
    const TEXTS: [&str; 2] = ["MediaSourceId", "LiveStreamId"];
    const WORDS: [(&str, &[&str]); 3] = [
        ("PlayMethod", &["Transcode", "DirectStream", "DirectPlay"]),
        ("RepeatMode", &["RepeatNone", "RepeatAll", "RepeatOne"]),
        ("PlaybackOrder", &["Default", "Shuffle"]),
    ];
    let mut out = String::new();
    let mut object = ObjectWriter::open(&mut out);
    let mut copy = |name: &str, fits: &dyn Fn(&serde_json::Value) -> bool| {
        if let Some(value) = json.get(name).filter(|value| fits(value)) {
            object.field(name, &value.to_string());
        }
    };
    FLAGS.iter().for_each(|name| copy(name, &serde_json::Value::is_boolean));
    NUMBERS.iter().for_each(|name| copy(name, &|value| value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())));
    TEXTS.iter().for_each(|name| copy(name, &|value| value.as_str().is_some_and(|text| text.len() <= 128)));
    for (name, words) in WORDS {
        copy(name, &|value| value.as_str().is_some_and(|word| words.contains(&word)));
    }
    if let Some(queue) = json.get("NowPlayingQueue").and_then(queue) {
        object.field("NowPlayingQueue", &queue);
    }
    object.close();
    out
}

/// A queue of items: their ids and places alone.
fn queue(json: &serde_json::Value) -> Option<String> {
    let item = |item: &serde_json::Value| {
        let text = |name: &str| item.get(name).and_then(serde_json::Value::as_str);
        let place = text("PlaylistItemId").map(|place| format!(",\"PlaylistItemId\":{}", quote(place))).unwrap_or_default();
        Some(format!("{{\"Id\":{}{place}}}", quote(text("Id")?)))
    };
    let items: Vec<String> = json.as_array()?.iter().filter_map(item).collect();
    let text = format!("[{}]", items.join(","));
    (text.len() <= QUEUE_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(moment: Moment, data: &str) -> Report {
        Report::of_text(moment, data).expect("a position")
    }

    #[test]
    fn progress_has_a_position_that_may_be_empty_and_never_means_zero() {
        for (data, position_ms, paused) in [
            ("i|1000000|false", Some(100), false),
            ("i|1000000|True", Some(100), true),
            ("i||false", None, false),
            ("i|||", None, false),
            ("i", None, false),
            ("i|soon|TRUE", None, true),
            ("i|0|yes", Some(0), false),
        ] {
            let report = read(Moment::Progress, data);
            assert_eq!((report.item.as_str(), report.position_ms, report.paused), ("i", position_ms, paused), "{data}");
        }
        assert_eq!(Report::of_text(Moment::Progress, "i|-1|false"), Err(BadPosition));
        assert_eq!(
            read(Moment::Progress, "i|5|False|True|s|70|1|-1").more,
            r#"{"IsMuted":true,"MediaSourceId":"s","VolumeLevel":70,"AudioStreamIndex":1,"SubtitleStreamIndex":-1}"#
        );
    }

    #[test]
    fn a_beginning_and_an_end_have_fields_behind_that_may_be_missing() {
        assert_eq!(read(Moment::Start, "i").more, r#"{"CanSeek":true}"#);
        assert_eq!(
            read(Moment::Start, "i|False|Video,Audio|s|1|2").more,
            r#"{"CanSeek":false,"QueueableMediaTypes":["Video","Audio"],"MediaSourceId":"s","AudioStreamIndex":1,"SubtitleStreamIndex":2}"#
        );
        assert_eq!(read(Moment::Stopped, "i|610000000").position_ms, Some(61_000));
        assert_eq!(read(Moment::Stopped, "i|").position_ms, None);
        assert_eq!(read(Moment::Stopped, "i").position_ms, None);
    }

    #[test]
    fn a_body_is_read_as_far_as_its_readers_take_it() {
        let body = serde_json::json!({
            "ItemId": "i", "PositionTicks": 10_000_000, "IsPaused": true, "CanSeek": true, "VolumeLevel": 30, "PlayMethod": "DirectPlay",
            "RepeatMode": "Sometimes", "AudioStreamIndex": "one", "MediaSourceId": null, "RunTimeTicks": 20_000_000,
            "NowPlayingQueue": [{"Id": "a", "PlaylistItemId": "p1", "More": 1}, {"Id": "b"}, 7],
        });
        let report = Report::of_json(&body).expect("a position");
        assert_eq!((report.item.as_str(), report.position_ms, report.duration_ms, report.paused), ("i", Some(1000), Some(2000), true));
        assert_eq!(
            report.more,
            r#"{"CanSeek":true,"VolumeLevel":30,"PlayMethod":"DirectPlay","NowPlayingQueue":[{"Id":"a","PlaylistItemId":"p1"},{"Id":"b"}]}"#
        );
        assert_eq!(Report::of_json(&serde_json::json!({"PositionTicks": -5})), Err(BadPosition));
        assert_eq!(Report::of_json(&serde_json::json!({})).expect("nothing").position_ms, None);
    }
}
