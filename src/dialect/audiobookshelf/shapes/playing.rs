//! What somebody listens to: playback sessions, his progress, and streams that are transcoded for him.

use super::{item, overlaid_by_message};
use crate::{
    clock::Timestamp,
    dialect::audiobookshelf::{
        DIALECT,
        json::{or_null, seconds},
        place::{MediaType, Place, SERVER_VERSION, shown},
    },
    event::{
        Event, MediaProgress, Playback, Transcode,
        json::{ObjectWriter, Value, quote},
    },
};

/// How long a segment of a stream is, in seconds.
const SEGMENT_SECONDS: u64 = 6;

/// A playback session. `accepted` is when the event came.
pub(in super::super) fn session(playback: &Playback, event: &Event, place: &Place, accepted: Timestamp) -> String {
    let media_type = media_type_of(playback, place);
    let id = playback.item.shown_id(DIALECT).text;
    let title = playback.item.name.as_deref().unwrap_or(&id);
    let moment = jiff::Timestamp::from_millisecond(accepted.0).unwrap_or_default();
    let mut out = String::with_capacity(1024);
    let mut session = ObjectWriter::open(&mut out);
    session.field("id", &quote(&playback.shown_session(DIALECT).text));
    session.field("userId", &quote(&place.account_id(playback.user.object.as_ref(), &playback.user.id)));
    session.field("libraryId", &or_null(playback.library.as_ref().map(|library| place.library_id(library)).as_deref()));
    session.field("libraryItemId", &quote(&id));
    session.field("bookId", &or_null((media_type == MediaType::Book).then_some(&*id))).field("episodeId", "null");
    session.field("mediaType", &quote(media_type.name())).field("mediaMetadata", &item::plain_metadata(title, media_type));
    session.field("chapters", "[]").field("displayTitle", &quote(title));
    let author = playback.item.field("author").and_then(Value::string).unwrap_or_default();
    session.field("displayAuthor", &quote(&author)).field("coverPath", "null");
    session.field("duration", &seconds(playback.duration_ms.unwrap_or_default() as f64));
    session.field("playMethod", if playback.transcode.is_some() { "2" } else { "0" });
    device(playback, &mut session);
    session.field("serverVersion", &quote(SERVER_VERSION)).field("date", &quote(&moment.strftime("%Y-%m-%d").to_string()));
    session.field("dayOfWeek", &quote(&moment.strftime("%A").to_string())).field("timeListening", "0");
    let position = seconds(playback.position_ms as f64);
    session.field("startTime", "0").field("currentTime", &position);
    session.field("startedAt", &accepted.0.to_string()).field("updatedAt", &accepted.0.to_string());
    session.field("audioTracks", "[]").field("libraryItem", "null");
    session.close();
    overlaid_by_message(out, event)
}

fn device(playback: &Playback, session: &mut ObjectWriter<'_>) {
    let client = playback.client.as_ref();
    let told = |name: &str| client.and_then(|client| client.field(name)).and_then(Value::string).unwrap_or_default();
    let name = client.and_then(|client| client.name.as_deref()).unwrap_or_default();
    let product = told("product");
    session.field("mediaPlayer", &quote(if product.is_empty() { name } else { &product }));
    let id = client.map_or("", |client| &client.id);
    let mut device = ObjectWriter::open(session.name("deviceInfo"));
    device.field("id", &quote(&shown(id))).field("deviceId", &quote(id));
    device.field("clientName", &quote(if product.is_empty() { name } else { &product }));
    device.field("clientVersion", &quote(&told("version")));
    device.close();
}

fn media_type_of(playback: &Playback, place: &Place) -> MediaType {
    let of_library = playback.library.as_ref().and_then(|library| place.media_type(library));
    let is_podcast = || matches!(playback.item.kind.as_deref(), Some("podcast" | "episode" | "podcastEpisode"));
    of_library.unwrap_or_else(|| if is_podcast() { MediaType::Podcast } else { MediaType::Book })
}

/// The argument of `user_item_progress_updated`.
pub(in super::super) fn progress_updated(told: &MediaProgress, event: &Event, place: &Place, accepted: Timestamp) -> String {
    let progress = progress(told, place, accepted);
    let object = Value::of_compact(&told.object);
    let device = object.field("deviceDescription").and_then(Value::string).unwrap_or_default();
    let session = object.field("sessionId").and_then(Value::string).map(|session| shown(&session));
    let id = Value::of_compact(&progress).field("id").map_or("\"\"", Value::text).to_owned();
    let (session, device) = (or_null(session.as_deref()), quote(&device));
    let argument = format!(r#"{{"id":{id},"sessionId":{session},"deviceDescription":{device},"data":{progress}}}"#);
    overlaid_by_message(argument, event)
}

/// A user's progress in a media: seconds, and a share of 0 to 1.
pub(in super::super) fn progress(told: &MediaProgress, place: &Place, accepted: Timestamp) -> String {
    let object = Value::of_compact(&told.object);
    let number = |name: &str| object.field(name).and_then(Value::number);
    let text = |name: &str| object.field(name).and_then(Value::string);
    let is = |name: &str| object.field(name).map(|flag| flag.text() == "true");
    let item = shown(&told.media);
    let id = text("id").map_or_else(|| item.clone(), |id| shown(&id));
    let episode = text("episodeId").map(|id| shown(&id));
    let duration_ms = number("duration").filter(|duration| *duration > 0.0);
    let share = duration_ms.map_or(0.0, |duration| (told.position_ms / duration).clamp(0.0, 1.0));
    let is_finished = is("isFinished").or_else(|| is("finished")).unwrap_or(share >= 1.0);
    let updated = told.modified.as_deref().and_then(|modified| moment(Value::of_compact(modified))).unwrap_or(accepted.0);
    let started = object.field("startedAt").and_then(moment).unwrap_or(updated);
    let finished = object.field("finishedAt").and_then(moment).or_else(|| is_finished.then_some(updated));
    format!(
        r#"{{"id":{id},"userId":{user},"libraryItemId":{item},"episodeId":{episode},"mediaItemId":{media},"mediaItemType":"{kind}","duration":{duration},"progress":{share},"currentTime":{position},"isFinished":{is_finished},"hideFromContinueListening":false,"ebookLocation":null,"ebookProgress":null,"lastUpdate":{updated},"startedAt":{started},"finishedAt":{finished}}}"#,
        id = quote(&id),
        user = quote(&place.user_id(&told.user)),
        media = quote(episode.as_deref().unwrap_or(&item)),
        kind = if episode.is_some() { "podcastEpisode" } else { "book" },
        item = quote(&item),
        episode = or_null(episode.as_deref()),
        duration = seconds(duration_ms.unwrap_or_default()),
        position = seconds(told.position_ms),
        finished = finished.map_or_else(|| "null".to_owned(), |finished| finished.to_string()),
    )
}

/// The progress in what is played, with the media: administrators see what a playback tells, and nothing of what else its user
/// has heard.
pub(in super::super) fn recent(playback: &Playback, place: &Place, accepted: Timestamp) -> String {
    let media_type = media_type_of(playback, place);
    let item = playback.item.shown_id(DIALECT).text;
    let duration = playback.duration_ms.unwrap_or_default();
    let share = if duration == 0 { 0.0 } else { (playback.position_ms as f64 / duration as f64).clamp(0.0, 1.0) };
    let shape = item::empty(&item, playback.item.name.as_deref().unwrap_or(&item), media_type);
    format!(
        r#"{{"id":{item},"userId":{user},"libraryItemId":{item},"episodeId":null,"mediaItemId":{item},"mediaItemType":"{kind}","duration":{duration},"progress":{share},"currentTime":{position},"isFinished":{is_finished},"hideFromContinueListening":false,"ebookLocation":null,"ebookProgress":null,"lastUpdate":{at},"startedAt":{at},"finishedAt":null,"media":{media}}}"#,
        item = quote(&item),
        user = quote(&place.account_id(playback.user.object.as_ref(), &playback.user.id)),
        kind = if media_type == MediaType::Podcast { "podcastEpisode" } else { "book" },
        duration = seconds(duration as f64),
        position = seconds(playback.position_ms as f64),
        is_finished = share >= 1.0,
        at = accepted.0,
        media = Value::of_compact(&shape).field("media").map_or("null", Value::text),
    )
}

/// A time: milliseconds or RFC 3339.
fn moment(value: Value<'_>) -> Option<i64> {
    let said = value.string().and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(|moment| moment.as_millisecond());
    said.or_else(|| value.number().map(|millis| millis as i64))
}

/// A stream's id.
pub(in super::super) fn stream_id(transcode: &Transcode, event: &Event) -> String {
    let given = Value::of_compact(event.message()).field("ids").and_then(|ids| ids.field(DIALECT)?.string());
    quote(&crate::event::IdForm::Uuid.show(given, &transcode.id).text)
}

/// A stream that opens. What is transcoded stands in `item`, where its publisher says so.
pub(in super::super) fn stream(transcode: &Transcode, event: &Event, place: &Place) -> String {
    let id = stream_id(transcode, event);
    let told = Value::of_compact(event.message()).field("item");
    let text = |name: &str| told.and_then(|item| item.field(name)).and_then(Value::string);
    let item_id = text("id").map_or_else(|| shown(transcode.session.as_deref().unwrap_or(&transcode.id)), |id| shown(&id));
    let media_type = transcode.library.as_ref().and_then(|library| place.media_type(library)).unwrap_or(MediaType::Book);
    let item = item::empty(&item_id, text("name").as_deref().unwrap_or_default(), media_type);
    let start = transcode.course.min_offset_ms.unwrap_or_default();
    let shape = format!(
        r#"{{"id":{id},"userId":{user},"libraryItem":{item},"episode":null,"segmentLength":{SEGMENT_SECONDS},"playlistPath":"","clientPlaylistUri":{uri},"startTime":{start},"segmentStartNumber":{segment},"isTranscodeComplete":{complete}}}"#,
        user = quote(&place.account_id(transcode.user.object.as_ref(), &transcode.user.id)),
        uri = quote(&format!("/hls/{}/output.m3u8", id.trim_matches('"'))),
        segment = start / (SEGMENT_SECONDS * 1000),
        start = seconds(start as f64),
        complete = transcode.course.complete,
    );
    overlaid_by_message(shape, event)
}

/// How far a stream is: `{stream,percent,chunks,numSegments}`.
pub(in super::super) fn stream_progress(transcode: &Transcode, event: &Event) -> String {
    let course = &transcode.course;
    let segment = |millis: u64| millis / (SEGMENT_SECONDS * 1000);
    let chunk = course.max_offset_ms.map(|end| format!("\"{}-{}\"", segment(course.min_offset_ms.unwrap_or_default()), segment(end)));
    let shape = format!(
        r#"{{"stream":{id},"percent":"{percent:.2}%","chunks":[{chunks}],"numSegments":{segments}}}"#,
        id = stream_id(transcode, event),
        percent = course.progress.unwrap_or(if course.complete { 100.0 } else { 0.0 }),
        chunks = chunk.unwrap_or_default(),
        segments = course.duration_ms.unwrap_or_default().div_ceil(SEGMENT_SECONDS * 1000),
    );
    overlaid_by_message(shape, event)
}
