//! `transcodeSession.*`: a stream or a file that is made into another form (wire notes on Plex, section 6.5).

use super::{
    super::types::NoticeType,
    item::{float, path_part, seconds},
};
use crate::event::{
    ConvertProgress, Transcode, TranscodeState,
    json::{ObjectWriter, quote},
};

/// The type that tells how far a transcode is.
pub(in super::super) const fn notice(state: TranscodeState) -> NoticeType {
    match state {
        TranscodeState::Start => NoticeType::TranscodeStart,
        TranscodeState::Update => NoticeType::TranscodeUpdate,
        TranscodeState::End => NoticeType::TranscodeEnd,
    }
}

/// The fields in a real server's order; what the publisher does not say is left out.
pub(in super::super) fn item(transcode: &Transcode) -> String {
    let (course, streams) = (&transcode.course, &transcode.streams);
    let mut out = String::with_capacity(640);
    let mut session = Fields(ObjectWriter::open(&mut out));
    session.text("key", Some(&key(&transcode.id)));
    session.flag("throttled", Some(course.throttled));
    session.flag("complete", Some(course.complete));
    session.put("progress", course.progress.map(float));
    session.put("size", course.size);
    session.put("speed", course.speed.map(float));
    session.flag("error", Some(course.error.is_some()));
    session.put("duration", course.duration_ms);
    session.put("remaining", course.remaining_ms.map(|millis| millis / 1000));
    session.text("context", streams.context.as_deref());
    session.text("sourceVideoCodec", streams.source_video_codec.as_deref());
    session.text("sourceAudioCodec", streams.source_audio_codec.as_deref());
    session.text("videoDecision", streams.video.map(|decision| decision.name()));
    session.text("audioDecision", streams.audio.map(|decision| decision.name()));
    session.text("subtitleDecision", streams.subtitle.map(|decision| decision.name()));
    session.text("protocol", streams.protocol.as_deref());
    session.text("container", streams.container.as_deref());
    session.text("videoCodec", streams.video_codec.as_deref());
    session.text("audioCodec", streams.audio_codec.as_deref());
    session.put("audioChannels", streams.audio_channels);
    session.put("width", streams.width);
    session.put("height", streams.height);
    session.flag("transcodeHwRequested", Some(streams.hw_requested));
    session.flag("transcodeHwFullPipeline", Some(streams.hw_full_pipeline));
    session.put("timeStamp", course.timestamp.map(|time| seconds(time.0)));
    if transcode.state != TranscodeState::End {
        session.put("maxOffsetAvailable", course.max_offset_ms.map(|millis| seconds(millis as i64)));
        session.put("minOffsetAvailable", course.min_offset_ms.map(|millis| seconds(millis as i64)));
    }
    session.0.close();
    out
}

/// A conversion of a file: no client waits for it, so its context is not `streaming`.
pub(super) fn of_conversion(convert: &ConvertProgress) -> String {
    let failed = ["failed", "error"].iter().any(|word| convert.status.eq_ignore_ascii_case(word));
    let mut out = String::with_capacity(160);
    let mut session = Fields(ObjectWriter::open(&mut out));
    session.text("key", Some(&key(&convert.media)));
    session.flag("throttled", Some(false));
    session.flag("complete", Some(convert.is_over() && !failed));
    session.put("progress", Some(float(convert.progress)));
    session.flag("error", Some(failed));
    session.text("context", Some("static"));
    session.0.close();
    out
}

fn key(id: &str) -> String {
    format!("/transcode/sessions/{}", path_part(id))
}

/// An object of which every field may be absent.
struct Fields<'o>(ObjectWriter<'o>);

impl Fields<'_> {
    fn text(&mut self, name: &str, text: Option<&str>) {
        self.put(name, text.map(quote));
    }

    fn flag(&mut self, name: &str, flag: Option<bool>) {
        self.put(name, flag);
    }

    fn put(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.field(name, &value.to_string());
        }
    }
}
