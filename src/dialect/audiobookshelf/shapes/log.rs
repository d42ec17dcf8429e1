//! A line of the log, as log listeners get one.

use crate::{
    clock::Timestamp,
    event::{
        Log, LogLevel,
        json::{Value, quote},
    },
};

/// The number of a level on the wire: 0 for trace to 5 for fatal (wire notes on Audiobookshelf, section 3).
pub(in super::super) const fn number(level: LogLevel) -> u8 {
    match level {
        LogLevel::Trace => 0,
        LogLevel::Debug => 1,
        LogLevel::Info => 2,
        LogLevel::Warn => 3,
        LogLevel::Error => 4,
        LogLevel::Fatal => 5,
    }
}

/// A line; `accepted` is when it came, where it does not say when it was written.
pub(in super::super) fn line(log: &Log, accepted: Timestamp) -> String {
    let name = match log.level {
        LogLevel::Trace => "TRACE",
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warn => "WARN",
        LogLevel::Error => "ERROR",
        LogLevel::Fatal => "FATAL",
    };
    format!(
        r#"{{"timestamp":{},"source":{},"message":{},"levelName":"{name}","level":{}}}"#,
        quote(&date(written(log).unwrap_or(accepted))),
        quote(log.source.as_deref().unwrap_or_default()),
        quote(&log.message),
        number(log.level),
    )
}

/// When the publisher says it was written: milliseconds or RFC 3339.
fn written(log: &Log) -> Option<Timestamp> {
    let value = Value::of_compact(log.timestamp.as_deref()?);
    let said = value.string().and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(|moment| moment.as_millisecond());
    said.or_else(|| value.number().map(|millis| millis as i64)).map(Timestamp)
}

/// `2026-11-21 08:05:28.456`, in UTC.
fn date(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}
