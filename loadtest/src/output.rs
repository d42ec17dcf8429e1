//! Reports as files: JSON, one HTML page, HdrHistogram logs. What a report says is decided elsewhere.

use crate::failure::Failure;
use crate::html::{self, Group};
use crate::stats::decoded;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Writes a report as JSON, when a file for it was named.
pub(crate) fn json<T: Serialize>(path: Option<&Path>, report: &T) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, ShortLists::default());
    report.serialize(&mut serializer).map_err(|error| Failure::new(format!("json: {error}")))?;
    text.push(b'\n');
    std::fs::write(path, text).map_err(|error| Failure::io("json", error))
}

/// Writes the page, when a file for it was named.
pub(crate) fn page(path: Option<&Path>, groups: &[Group<'_>]) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, html::page(groups)).map_err(|error| Failure::io("html", error))
}

/// Writes the latency of every run and dialect as an HdrHistogram log, when a file for it was named. One interval is one measured window; its tag
/// is the group's name and the dialect's, its times count from the first run, its largest value is in milliseconds.
pub(crate) fn histogram_log(path: Option<&Path>, groups: &[Group<'_>]) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let text = histogram_log_text(groups).map_err(|error| Failure::io("hlog", error))?;
    std::fs::write(path, text).map_err(|error| Failure::io("hlog", error))
}

fn histogram_log_text(groups: &[Group<'_>]) -> io::Result<Vec<u8>> {
    let (mut text, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let first = groups.iter().flat_map(|group| group.runs).map(|run| run.started_unix_seconds).reduce(f64::min).unwrap_or(0.0);
    let since_first = |seconds: f64| Duration::try_from_secs_f64(seconds - first).unwrap_or_default();
    let start = UNIX_EPOCH + Duration::try_from_secs_f64(first).unwrap_or_default();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("latency in nanoseconds from the time an event was due, one interval a measured window");
    builder.with_start_time(start).with_base_time(start).with_max_value_divisor(1e6);
    let mut log = builder.begin_log_with(&mut text, &mut serializer)?;
    let mut intervals = Vec::new();
    for group in groups {
        for run in group.runs {
            let window_at = run.started_unix_seconds + run.series.window_ms.map_or(0.0, |(from_ms, _)| from_ms / 1000.0);
            for one in &run.dialects {
                let name = tag(&group.name, &one.dialect);
                intervals.extend(one.histogram.as_deref().and_then(decoded).map(|values| (window_at, run.window_seconds, name, values)));
            }
        }
    }
    // Readers of logs want them in order.
    intervals.sort_by(|left, right| left.0.total_cmp(&right.0));
    for (at, seconds, name, values) in &intervals {
        let lasted = Duration::try_from_secs_f64(*seconds).unwrap_or_default();
        let written = log.write_histogram(values, since_first(*at), lasted, Tag::new(name));
        written.map_err(|error| io::Error::other(format!("{error:?}")))?;
    }
    Ok(text)
}

/// Tags know neither commas nor blanks.
fn tag(group: &str, dialect: &str) -> String {
    let group: String = group.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    format!("{group}.{dialect}")
}

/// Objects in lines, lists in one line: a series stays readable without a line for each number.
#[derive(Default)]
struct ShortLists {
    objects: PrettyFormatter<'static>,
    depth: usize,
}

impl Formatter for ShortLists {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first {
            b""
        } else if self.depth == 1 {
            b",\n"
        } else {
            b","
        })
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.depth > 0 { writer.write_all(b"{") } else { self.objects.begin_object(writer) }
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.depth > 0 { writer.write_all(b"}") } else { self.objects.end_object(writer) }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.depth > 0 { writer.write_all(if first { b"" } else { b", " }) } else { self.objects.begin_object_key(writer, first) }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.depth > 0 { Ok(()) } else { self.objects.end_object_value(writer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DialectLatency, Report};
    use crate::stats::{encoded, histogram};
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn a_log_holds_the_histogram_of_each_dialect_under_its_tag_in_the_order_of_time() {
        let mut values = histogram();
        values.record(7_000_000).unwrap();
        let dialects = vec![DialectLatency { dialect: "plex-ws".to_owned(), histogram: encoded(&values), ..DialectLatency::default() }];
        let report =
            |started_unix_seconds| Report { dialects: dialects.clone(), started_unix_seconds, window_seconds: 10.0, ..Report::default() };
        let (later, earlier) = ([report(1060.0)], [report(1000.0)]);
        let group = |name: &str, runs| Group { name: name.to_owned(), runs };
        let text = histogram_log_text(&[group("server", &later), group("the floor", &earlier)]).unwrap();
        let entries = IntervalLogIterator::new(&text).filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some(interval),
            LogEntry::StartTime(_) | LogEntry::BaseTime(_) => None,
        });
        let found: Vec<_> = entries.map(|entry| (entry.tag().unwrap().as_str(), entry.start_timestamp().as_secs(), entry.max())).collect();
        assert_eq!(found.iter().map(|entry| (entry.0, entry.1)).collect::<Vec<_>>(), [("the-floor.plex-ws", 0), ("server.plex-ws", 60)]);
        assert!((found[0].2 - 7.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn json_in_short_lines_is_the_same_json() {
        let report =
            Report { reasons: vec!["a".to_owned(), "b".to_owned()], dialects: vec![DialectLatency::default(); 2], ..Report::default() };
        let file = std::env::temp_dir().join(format!("fanfare-loadtest-short-lists-{}.json", std::process::id()));
        json(Some(&file), &[&report, &report]).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), serde_json::to_value([&report, &report]).unwrap());
    }
}
