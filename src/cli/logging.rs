//! Log lines on standard error: their format, their level, and that no field can forge a line or steer a terminal.
//!
//! Says nothing about what is logged.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal},
    sync::Arc,
};

use clap::ValueEnum;
use tracing::{Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::MakeExt,
    fmt::{
        MakeWriter,
        format::{Writer, debug_fn},
    },
    layer::SubscriberExt,
};

use super::terminal::{ColorChoice, printable_json, write_printable};

/// The variable that sets the level, in the syntax of `tracing_subscriber::EnvFilter`; without it: `info`, of the HTTP
/// server's own start and stop only warnings, and of its connections nothing.
pub const LEVEL_VARIABLE: &str = "FANFARE_LOG";

/// Strangers decide how many errors connections have, so these lines are for whoever asks for them.
const DEFAULT_FILTER: &str = "info,actix_server=warn,actix_http=off";
/// Below this the HTTP server's decoder writes out whole request heads, and tokens with them.
const HEADS: &str = "actix_http::h1::decoder=info";

/// What writes log lines, filtered by their level.
pub type Lines = Box<dyn Subscriber + Send + Sync>;

/// Sets what is logged, in the syntax of `FANFARE_LOG`; empty is the default. Does nothing where that variable is set.
pub type SetLevel = Arc<dyn Fn(&str) + Send + Sync>;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// One readable line per entry.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is no filter.
    #[error("FANFARE_LOG: {0}; allowed are error, warn, info, debug, trace, off, or a list such as info,fanfare::hub=debug")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The level is not valid UTF-8.
    #[error("FANFARE_LOG is not valid UTF-8")]
    NotUtf8,
    /// Another subscriber is in place already.
    #[error("logging is set up already: {0}")]
    AlreadySet(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends the process's log lines to standard error; with colours only when that is a terminal and NO_COLOR is not set. `also`
/// is given the same lines. Returns the way to set another level later.
///
/// # Errors
/// When `FANFARE_LOG` is no filter, or when called a second time.
pub fn init<L>(format: LogFormat, also: L) -> Result<SetLevel, LoggingError>
where
    L: Layer<Lines> + Send + Sync + 'static,
{
    let level = match std::env::var(LEVEL_VARIABLE) {
        Ok(level) => Some(level).filter(|level| !level.trim().is_empty()),
        Err(std::env::VarError::NotPresent) => None,
        Err(std::env::VarError::NotUnicode(_)) => return Err(LoggingError::NotUtf8),
    };
    let colours = ColorChoice::Auto.resolve(io::stderr().is_terminal());
    let (lines, set) = subscriber(format, filter(level.as_deref().unwrap_or_default())?, colours, io::stderr);
    tracing::subscriber::set_global_default(lines.with(also))?;
    // The variable wins over whatever settings say later.
    Ok(if level.is_some() { Arc::new(|_| {}) } else { set })
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let level = if level.trim().is_empty() { DEFAULT_FILTER } else { level };
    Ok(EnvFilter::try_new(level)?.add_directive(HEADS.parse()?))
}

fn subscriber<W>(format: LogFormat, filter: EnvFilter, colours: bool, writer: W) -> (Lines, SetLevel)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    match format {
        LogFormat::Text => {
            let builder = builder.with_writer(writer).fmt_fields(debug_fn(write_field).delimited(" ")).with_filter_reloading();
            let handle = builder.reload_handle();
            (Box::new(builder.finish()), Arc::new(move |level| put(level, |filter| handle.reload(filter))))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_writer(JsonLines(writer)).with_filter_reloading();
            let handle = builder.reload_handle();
            (Box::new(builder.finish()), Arc::new(move |level| put(level, |filter| handle.reload(filter))))
        }
    }
}

/// Settings were checked where they were read, and the subscriber lives as long as the process: neither fails.
fn put(level: &str, reload: impl FnOnce(EnvFilter) -> Result<(), tracing_subscriber::reload::Error>) {
    let outcome = filter(level).map_err(|error| error.to_string()).and_then(|filter| reload(filter).map_err(|error| error.to_string()));
    if let Err(error) = outcome {
        tracing::error!("the level of the log stays as it is: {error}");
    }
}

/// Writes one field. tracing-subscriber's own formatter escapes some control characters of messages, but none of
/// `%field`s and no line end at all, so that a client's text could forge a line.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Printable(writer), "{value:?}")
}

struct Printable<'writer, 'inner>(&'writer mut Writer<'inner>);

impl fmt::Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_printable(self.0, text)
    }
}

/// JSON escapes line ends and the oldest control characters itself, but not those that other readers take for line ends
/// (U+0085, U+2028, U+2029) or that steer a terminal (U+009B).
struct JsonLines<W>(W);

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for JsonLines<W> {
    type Writer = JsonLine<W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        JsonLine(self.0.make_writer())
    }
}

struct JsonLine<W>(W);

impl<W: io::Write> io::Write for JsonLine<W> {
    /// Takes a whole line at a time, as tracing-subscriber writes them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        match text.strip_suffix('\n') {
            Some(object) => self.0.write_all(format!("{}\n", printable_json(object)).as_bytes())?,
            None => self.0.write_all(printable_json(&text).as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(format: LogFormat, colours: bool, level: &str, entries: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let (subscriber, _) = subscriber(format, filter(level).expect("a level"), colours, move || writer.clone());
        tracing::subscriber::with_default(subscriber, entries);
        String::from_utf8(captured.0.lock().clone()).expect("text")
    }

    fn hostile() {
        let name = "x\n2026 ERROR forged\x1b[2J\u{9b}\x07\r\u{202e}\u{85}\u{2028}";
        tracing::info!(name, shown = %name, debug = ?name, "said {name}");
    }

    #[test]
    fn no_field_and_no_message_can_forge_a_line_or_steer_a_terminal() {
        let text = log(LogFormat::Text, false, "", hostile);
        assert!(text.contains("shown=x\\n2026 ERROR forged\\u{1b}[2J"), "{text:?}");
        let line = text.strip_suffix('\n').expect("one line");
        assert!(!line.contains(super::super::terminal::is_unprintable), "{text:?}");
    }

    #[test]
    fn json_is_one_object_per_line() {
        let text = log(LogFormat::Json, false, "", hostile);
        let line = text.strip_suffix('\n').expect("one line");
        assert!(!line.contains(super::super::terminal::is_unprintable), "{text:?}");
        let value: serde_json::Value = serde_json::from_str(&text).expect("an object");
        assert_eq!(value["level"], "INFO");
        assert!(value["shown"].as_str().expect("a field").starts_with("x\n2026"));
    }

    #[test]
    fn colours_are_there_only_when_asked_for() {
        assert!(!log(LogFormat::Text, false, "", || tracing::warn!("x")).contains('\x1b'));
        assert!(log(LogFormat::Text, true, "", || tracing::warn!("x")).contains("\x1b["));
    }

    #[test]
    fn the_level_is_info_unless_set_and_a_bad_one_names_the_variable() {
        let entries = || {
            tracing::debug!("quiet");
            tracing::info!("loud");
        };
        assert!(!log(LogFormat::Text, false, "", entries).contains("quiet"));
        assert!(log(LogFormat::Text, false, "debug", entries).contains("quiet"));
        let strangers = || tracing::error!(target: "actix_http::h1::dispatcher", "stream error");
        assert!(log(LogFormat::Text, false, "", strangers).is_empty());
        assert!(log(LogFormat::Text, false, "info", strangers).contains("stream error"));
        let heads = || tracing::trace!(target: "actix_http::h1::decoder", "GET /sse?token=secret");
        assert!(log(LogFormat::Text, false, "trace", heads).is_empty(), "tokens stay out of logs at every level");
        let message = filter("info,x=loud").expect_err("refused").to_string();
        assert!(message.starts_with("FANFARE_LOG: ") && message.contains("allowed are"), "{message}");
    }
}
