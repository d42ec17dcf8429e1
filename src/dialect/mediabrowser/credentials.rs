//! Which token a request shows, and what it says of its device: every form real clients use (wire notes on MediaBrowser,
//! section 3.2).
//!
//! Knows nothing of whose token it is.

use percent_encoding::percent_decode_str;

use super::super::{Query, Request};
use crate::access::Device;

/// The longest text of a device that is kept, in bytes, as of every id; the rest is cut off.
const MAX_TEXT: usize = 128;

/// The headers its clients set.
pub(super) const HEADERS: [&str; 8] = [
    "authorization",
    "x-emby-authorization",
    "x-emby-token",
    "x-mediabrowser-token",
    "x-emby-client",
    "x-emby-device-name",
    "x-emby-device-id",
    "x-emby-client-version",
];

/// What a request shows. Fields of the device that it does not name are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shown {
    /// The token, where there is one.
    pub(super) token: Option<String>,
    /// The device, as far as it says.
    pub(super) device: Device,
}

impl Shown {
    /// Reads a request; without `legacy` only `Authorization: MediaBrowser` and `ApiKey` count.
    pub(super) fn read(request: &Request<'_>, legacy: bool) -> Self {
        let fields = Fields::of(request, legacy);
        let said = |field: &str, name: &str| {
            let value = fields.get(field).or_else(|| old_header(request, &name.to_ascii_lowercase(), legacy));
            value.or_else(|| asked(request, name).filter(|_| legacy)).map(|value| shown(&value)).unwrap_or_default()
        };
        let mut device = Device {
            client: said("Client", "X-Emby-Client"),
            id: said("DeviceId", "X-Emby-Device-Id"),
            name: said("Device", "X-Emby-Device-Name"),
            version: said("Version", "X-Emby-Client-Version"),
        };
        // A socket's URL names the device it comes from; that of a call may name another one, to ask for it.
        if let Some(id) = asked(request, "deviceId").filter(|_| legacy && request.websocket) {
            device.id = shown(&id);
        }
        Self { token: token_of(&fields, request, legacy), device }
    }
}

/// The token alone: all that is read of somebody who has none that counts.
pub(super) fn token(request: &Request<'_>, legacy: bool) -> Option<String> {
    token_of(&Fields::of(request, legacy), request, legacy)
}

fn token_of(fields: &Fields, request: &Request<'_>, legacy: bool) -> Option<String> {
    let header = |name| old_header(request, name, legacy);
    let token = fields.get("Token").or_else(|| header("x-emby-token")).or_else(|| header("x-mediabrowser-token"));
    let token = token.or_else(|| asked(request, "ApiKey"));
    if !legacy {
        return token;
    }
    token.or_else(|| asked(request, "api_key")).or_else(|| asked(request, "X-Emby-Token"))
}

fn asked(request: &Request<'_>, name: &str) -> Option<String> {
    Query(request.query).get_any_case(name).filter(|value| !value.is_empty()).map(std::borrow::Cow::into_owned)
}

fn old_header(request: &Request<'_>, name: &str, legacy: bool) -> Option<String> {
    (request.header)(name).filter(|_| legacy).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The `key="value"` pairs of an authorization header.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(request: &Request<'_>, legacy: bool) -> Self {
        let given = |name: &str| (request.header)(name).and_then(|text| after_scheme(text, legacy));
        let text = given("authorization").or_else(|| given("x-emby-authorization").filter(|_| legacy));
        Self(text.map(pairs).unwrap_or_default())
    }

    /// The last value counts that is not empty: one client sends its token twice, another an empty one.
    fn get(&self, name: &str) -> Option<String> {
        let found = self.0.iter().rev().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }
}

/// What stands behind `MediaBrowser`, or behind `Emby` where old forms count.
fn after_scheme(header: &str, legacy: bool) -> Option<&str> {
    let (scheme, rest) = header.trim().split_once([' ', '\t'])?;
    let known = scheme.eq_ignore_ascii_case("MediaBrowser") || (legacy && scheme.eq_ignore_ascii_case("Emby"));
    known.then_some(rest)
}

/// Splits at commas outside quotes, with or without blanks; values are percent-decoded. Some clients put a device's name
/// between quotes as it is, quotes included, so a comma before one of the known names ends a value wherever it stands.
fn pairs(text: &str) -> Vec<(String, String)> {
    let (mut pairs, mut begin, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted || begins_field(&text[at + 1..]) => {
                pairs.extend(pair(&text[begin..at]));
                (begin, quoted) = (at + 1, false);
            }
            _ => {}
        }
    }
    pairs.extend(pair(&text[begin..]));
    pairs
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let value = value.trim();
    let value = value.strip_prefix('"').unwrap_or(value);
    let value = value.strip_suffix('"').unwrap_or(value).replace("\\\"", "\"");
    Some((key.trim().to_owned(), percent_decode_str(&value).decode_utf8_lossy().into_owned()))
}

fn begins_field(text: &str) -> bool {
    const NAMES: [&str; 6] = ["Client", "DeviceId", "Device", "Version", "Token", "UserId"];
    let name = text.trim_start().split_once("=\"").map(|(name, _)| name);
    name.is_some_and(|name| NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Bounded, and without characters that end a line somewhere or steer a terminal. A bar would be taken for the end of a
/// field of `Identity`, so nothing is done about it here: the two are compared whole.
fn shown(value: &str) -> String {
    let odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut text: String = value.trim().chars().filter(|c| !odd(*c)).take(MAX_TEXT).collect();
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

/// A device as `Identity` names it: `client|device id|version[|device name]`; `None` with fewer than three parts.
pub(super) fn identity(data: &str) -> Option<Device> {
    let mut parts = data.splitn(4, '|').map(shown);
    let (client, id, version) = (parts.next()?, parts.next()?, parts.next()?);
    let name = parts.next().unwrap_or_default();
    (!client.is_empty() && !id.is_empty()).then_some(Device { client, id, name, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, headers: &[(&str, &str)], legacy: bool) -> Shown {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        // The closure's lifetime is that of the list.
        let request = Request { path: "/socket", query, header: &header, peer: None, address: None, secure: false, websocket: true };
        Shown::read(&request, legacy)
    }

    fn device(client: &str, name: &str, id: &str, version: &str) -> Device {
        Device { client: client.into(), id: id.into(), name: name.into(), version: version.into() }
    }

    #[test]
    fn the_authorization_header_is_read_in_every_spelling_that_was_seen() {
        let whole = Shown { token: Some("t0k".into()), device: device("c", "d, e", "i", "1.0") };
        for (name, text) in [
            ("authorization", r#"MediaBrowser Client="c", Device="d, e", DeviceId="i", Version="1.0", Token="t0k""#),
            ("authorization", r#"mediabrowser Client="c",Device="d, e",DeviceId="i",Version="1.0",Token="t0k""#),
            ("authorization", r#"Emby Client="c", Device="d, e", DeviceId="i", Version="1.0", Token="t0k""#),
            ("authorization", r#"MediaBrowser client="c", device="d, e", deviceid="i", version="1.0", token="t0k""#),
            ("authorization", r#"MediaBrowser Token="", Client="c", Device="d%2C%20e", DeviceId="i", Version="1.0", Token="t0k""#),
            ("authorization", r#"MediaBrowser Client="c", Device="d, e", DeviceId="i", Version="1.0", Token="old", Token="t0k""#),
            ("authorization", r#"MediaBrowser Client=c, Device="d, e", DeviceId=i, Version=1.0, Token=t0k"#),
            ("authorization", r#"MediaBrowser Client="c", Device="d, e", DeviceId="i", Version="1.0", Token="t0k", Token="""#),
            ("x-emby-authorization", r#"MediaBrowser Client="c", Device="d, e", DeviceId="i", Version="1.0", Token="t0k""#),
        ] {
            assert_eq!(read("", &[(name, text)], true), whole, "{text}");
        }
    }

    #[test]
    fn the_token_behind_a_quote_within_quotes_is_found() {
        for name in [r#"my "device""#, r#"5" TV"#, r#"a \"b\""#] {
            let text = format!("MediaBrowser Client=\"c\", Device=\"{name}\", DeviceId=\"i\", Version=\"1\", Token=\"t0k\"");
            let shown = read("", &[("authorization", &text)], true);
            assert_eq!((shown.token.as_deref(), shown.device.id.as_str()), (Some("t0k"), "i"), "{name}");
            assert_eq!(shown.device.name, name.replace("\\\"", "\""));
        }
    }

    #[test]
    fn what_is_no_such_header_is_nobodys() {
        for text in [
            "",
            "MediaBrowser",
            "Bearer t0k",
            "Basic dDprOg==",
            r#"Client="c", Token="t""#,
            "MediaBrowser ,,=,\"",
            r#"MediaBrowser Token="""#,
        ] {
            assert_eq!(read("", &[("authorization", text)], true), Shown::default(), "{text}");
        }
        let other = [("authorization", "Basic dDprOg=="), ("x-emby-authorization", r#"Emby Token="t""#)];
        assert_eq!(read("", &other, true).token.as_deref(), Some("t"), "a proxy's own credentials do not hide ours");
    }

    #[test]
    fn tokens_are_looked_for_in_the_order_of_the_notes() {
        let all = [("authorization", r#"MediaBrowser Token="1""#), ("x-emby-token", "2"), ("x-mediabrowser-token", "3")];
        let query = "ApiKey=4&api_key=5&X-Emby-Token=6";
        let token = |query: &str, headers: &[(&str, &str)]| read(query, headers, true).token;
        for skipped in 0..3 {
            assert_eq!(token(query, &all[skipped..]).as_deref(), Some(["1", "2", "3"][skipped]));
        }
        assert_eq!(token(query, &[]).as_deref(), Some("4"));
        assert_eq!(token("api_key=5&X-Emby-Token=6", &[]).as_deref(), Some("5"));
        assert_eq!(token("x-emby-token=6", &[]).as_deref(), Some("6"));
        for query in ["apikey=k", "APIKEY=k", "API_KEY=k", "x=1&Api_Key=k", "ApiKey=&api_key=k"] {
            assert_eq!(token(query, &[]).as_deref(), Some("k"), "{query}");
        }
    }

    #[test]
    fn the_switch_leaves_the_two_new_forms_only() {
        let token = |query: &str, name: &str, value: &str| read(query, &[(name, value)], false).token;
        assert_eq!(token("", "authorization", r#"MediaBrowser Token="t""#).as_deref(), Some("t"));
        assert_eq!(token("ApiKey=t", "", "").as_deref(), Some("t"));
        for (query, name, value) in [
            ("api_key=t", "", ""),
            ("X-Emby-Token=t", "", ""),
            ("", "x-emby-token", "t"),
            ("", "x-mediabrowser-token", "t"),
            ("", "authorization", r#"Emby Token="t""#),
            ("", "x-emby-authorization", r#"MediaBrowser Token="t""#),
        ] {
            assert_eq!(token(query, name, value), None, "{query} {name}");
        }
        assert_eq!(read("ApiKey=t&deviceId=d", &[], false).device, Device::default());
    }

    #[test]
    fn the_query_names_the_device_in_any_case_and_over_the_header() {
        for query in ["deviceId=D", "DeviceId=D", "DeviceID=D", "deviceid=D"] {
            let shown = read(query, &[("authorization", r#"MediaBrowser Client="c", DeviceId="i""#)], true);
            assert_eq!((shown.device.id.as_str(), shown.device.client.as_str()), ("D", "c"), "{query}");
        }
        let emby = read("X-Emby-Client=Emby%20Web&X-Emby-Device-Name=Firefox&X-Emby-Device-Id=D&X-Emby-Client-Version=4.8", &[], true);
        assert_eq!(emby.device, device("Emby Web", "Firefox", "D", "4.8"));
    }

    #[test]
    fn what_devices_say_of_themselves_is_bounded_and_on_one_line() {
        let long = format!("MediaBrowser Client=\"a\u{7}{}\u{202e}\"", "x".repeat(500));
        let client = read("", &[("authorization", &long)], true).device.client;
        assert_eq!(client.len(), MAX_TEXT);
        assert!(client.starts_with("ax"), "{client}");
    }

    #[test]
    fn an_identity_has_three_parts_or_four() {
        assert_eq!(identity("Dashboard|df787898fdsf7ds80|1.0.0.0"), Some(device("Dashboard", "", "df787898fdsf7ds80", "1.0.0.0")));
        assert_eq!(identity("MB-Classic|id|3.0|Living room"), Some(device("MB-Classic", "Living room", "id", "3.0")));
        assert_eq!(identity("a|b||n|m"), Some(device("a", "n|m", "b", "")));
        for bad in ["", "a", "a|b", "|b|c", "a||c", "||"] {
            assert_eq!(identity(bad), None, "{bad}");
        }
    }
}
