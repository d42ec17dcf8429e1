//! Two dialects that claim one path: found before anything is served, since only one of them would ever be asked.
//!
//! Pure. Names no dialect; whose settings are to be changed the dialects themselves say.

use std::sync::Arc;

use super::{
    matcher::{self, Matcher},
    paths,
};
use crate::dialect::{Dialect, Method};

/// Two dialects claim one path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{one} and {other} both claim {request}: give one of them another path, or switch one of these dialects off")]
pub struct Clash {
    /// The setting that the path of the one comes from.
    pub one: String,
    /// The same of the other.
    pub other: String,
    /// Method and path.
    pub request: String,
}

/// Refuses dialects two of which claim one path.
///
/// # Errors
/// [`Clash`], the first there is.
pub fn check(dialects: &[Arc<dyn Dialect>]) -> Result<(), Clash> {
    let matcher = Matcher::new(dialects.iter().map(AsRef::as_ref).enumerate());
    for (number, dialect) in dialects.iter().enumerate() {
        for (method, path) in claims(dialect.as_ref()) {
            let endpoint_of = || {
                let found = matcher.find(&path).into_iter().find(|found| found.dialect != number && found.endpoint.method == method);
                found.and_then(|found| dialects.get(found.dialect))
            };
            let stream_of = || {
                let others = dialects.iter().enumerate().filter(|(other, _)| *other != number && method == Method::Get);
                others.map(|(_, other)| other).find(|other| has_stream(other.as_ref(), &path))
            };
            if let Some(other) = endpoint_of().or_else(stream_of) {
                let request = format!("{} {path}", matcher::name(method));
                let mut both = [dialect, other].map(|dialect| (dialect.paths_setting().is_none(), setting(dialect.as_ref())));
                both.sort(); // first whoever can be told to go elsewhere
                let [(_, one), (_, other)] = both;
                return Err(Clash { one, other, request });
            }
        }
    }
    Ok(())
}

/// Every path of a dialect, with what is done there.
fn claims(dialect: &dyn Dialect) -> impl Iterator<Item = (Method, String)> {
    let streams = dialect.stream_paths().iter().map(|path| (Method::Get, *path));
    let endpoints = dialect.endpoints().iter().map(|endpoint| (endpoint.method, endpoint.path));
    let prefixes = dialect.prefixes().unwrap_or_default();
    streams.chain(endpoints).flat_map(move |(method, path)| {
        std::iter::once("").chain(prefixes.iter().copied()).map(move |prefix| (method, format!("{prefix}{path}")))
    })
}

fn has_stream(dialect: &dyn Dialect, path: &str) -> bool {
    dialect.stream_paths().iter().any(|known| match dialect.prefixes() {
        Some(prefixes) => paths::leads_freely_to(path, known, prefixes),
        None => paths::leads_to(path, known),
    })
}

fn setting(dialect: &dyn Dialect) -> String {
    dialect.paths_setting().map_or_else(|| format!("dialects.{}", dialect.name()), str::to_owned)
}
