//! Skips the server reports about its connections, for dialects and clients that cannot be told in their stream.
//!
//! The answer of `GET /api/connections` is searched for objects with a `skipped` number, so that a field more does not matter here.

use crate::failure::Failure;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// Connections asked for in one page.
const PAGE: usize = 500;
/// Pages after which a list is taken for one that runs in a circle.
const MOST_PAGES: u64 = 10_000;

/// What the server says it skipped.
#[derive(Debug, Default)]
pub(crate) struct ReportedSkips {
    by_address: HashMap<SocketAddr, u64>,
    unaddressed: u64,
}

impl ReportedSkips {
    /// Asks the server.
    pub(crate) fn fetch(address: SocketAddrV4, token: Option<&str>) -> Result<Self, Failure> {
        let mut skips = Self::default();
        each_page(address, token, |page| skips.collect(page))?;
        Ok(skips)
    }

    /// Takes up to `missing` of what was reported for a client, or of what carries no address.
    pub(crate) fn explain(&mut self, client: Option<SocketAddr>, missing: u64) -> u64 {
        let own = client.and_then(|client| self.by_address.get_mut(&client));
        let source = own.unwrap_or(&mut self.unaddressed);
        let explained = missing.min(*source);
        *source -= explained;
        explained
    }

    /// Drops what carries no address. Where stalled clients are connected it may be theirs, and must not explain what another client lost.
    pub(crate) fn forget_unaddressed(&mut self) {
        self.unaddressed = 0;
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => match fields.get("skipped").and_then(Value::as_u64) {
                Some(skipped) => *peer(fields).map_or(&mut self.unaddressed, |peer| self.by_address.entry(peer).or_default()) += skipped,
                None => fields.values().for_each(|field| self.collect(field)),
            },
            _ => {}
        }
    }
}

/// The client's end of a session's connection.
fn peer(session: &serde_json::Map<String, Value>) -> Option<SocketAddr> {
    let address: IpAddr = session.get("address")?.as_str()?.parse().ok()?;
    Some(SocketAddr::new(address, u16::try_from(session.get("port")?.as_u64()?).ok()?))
}

/// Shows every page of `GET /api/connections`, and returns how many there were.
pub(crate) fn each_page(address: SocketAddrV4, token: Option<&str>, mut see: impl FnMut(&Value)) -> Result<u64, Failure> {
    let wrong = |what: &str| Failure::new(format!("GET /api/connections: {what}"));
    let mut after = None;
    for page in 1..=MOST_PAGES {
        let start = after.as_ref().map(|id| format!("&after={id}")).unwrap_or_default();
        let path = format!("/api/connections?limit={PAGE}{start}");
        let (status, body) = crate::http::request(address, "GET", &path, token)?;
        if status != 200 {
            return Err(wrong(&format!("answered {status}")));
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|error| wrong(&error.to_string()))?;
        see(&answer);
        let next = answer.get("next").filter(|next| !next.is_null());
        let Some(next) = next else { return Ok(page) };
        let id = next.as_str().filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte)));
        after = Some(id.ok_or_else(|| wrong(&format!("`next` is {next}, which is no id")))?.to_owned());
    }
    Err(wrong(&format!("still not at its end after {MOST_PAGES} pages")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_explained_by_address_where_there_is_one_and_never_twice() {
        let answer = serde_json::json!({"connections": [
            {"id": "1", "address": "127.0.0.1", "port": 4000, "skipped": 5}, {"id": "2", "address": "127.0.0.1", "skipped": 7},
            {"id": "3", "address": "127.0.0.1", "port": 4002, "skipped": 0}]});
        let mut skips = ReportedSkips::default();
        skips.collect(&answer);
        let client = |text: &str| Some(text.parse().unwrap());
        assert_eq!(skips.explain(client("127.0.0.1:4000"), 9), 5);
        assert_eq!(skips.explain(client("127.0.0.1:4000"), 9), 0);
        assert_eq!(skips.explain(client("127.0.0.1:4001"), 6), 6);
        assert_eq!(skips.explain(client("127.0.0.1:4002"), 6), 0, "its neighbours' skips are not its own");
        skips.forget_unaddressed();
        assert_eq!(skips.explain(None, 6), 0);
    }
}
