//! What the server says of itself. Whoever does not say who he is learns no more than where he is.

use serde_json::json;

use super::{Asked, Reaction, json, values};
use crate::clock::Timestamp;

/// What clients look for before they speak with a server.
const PRODUCT: &str = "Jellyfin Server";

/// The version whose ways we have: clients refuse others that are too old.
const VERSION: &str = "12.0.0";

/// `GET /System/Info/Public`.
pub(super) fn public(asked: &Asked<'_, '_>) -> Reaction {
    let place = asked.server.place();
    let mut info = json!({
        "ServerName": place.name, "Version": VERSION, "ProductName": PRODUCT, "OperatingSystem": "", "Id": place.server,
        "StartupWizardCompleted": true,
    });
    if let Some(address) = address(asked) {
        info["LocalAddress"] = address.into();
    }
    json(info.to_string())
}

/// `GET /System/Info`: to a caller all of it, to nobody what leads to the WebSocket (event map, section 7).
pub(super) fn system(asked: &Asked<'_, '_>) -> Reaction {
    let place = asked.server.place();
    let mut info = json!({ "Id": place.server, "ServerName": place.name, "Version": VERSION, "WebSocketPortNumber": port(asked) });
    if asked.caller().is_none() {
        return json(info.to_string());
    }
    for (name, value) in [
        ("ProductName", json!(PRODUCT)),
        ("OperatingSystem", json!("")),
        ("OperatingSystemDisplayName", json!("")),
        ("StartupWizardCompleted", json!(true)),
        ("HasPendingRestart", json!(false)),
        ("IsShuttingDown", json!(false)),
        ("SupportsLibraryMonitor", json!(true)),
        ("SupportsNativeWebSocket", json!(true)),
        ("IsNetworkDeployed", json!(false)),
        ("CanSelfRestart", json!(false)),
        ("CanLaunchWebBrowser", json!(false)),
        ("HasUpdateAvailable", json!(false)),
        ("InProgressInstallations", json!([])),
        ("CompletedInstallations", json!([])),
        ("FailedPluginAssemblies", json!([])),
    ] {
        info[name] = value;
    }
    if let Some(address) = address(asked) {
        info["LocalAddress"] = address.into();
    }
    json(info.to_string())
}

/// `GET` or `POST /System/Ping`.
pub(super) fn ping(_: &Asked<'_, '_>) -> Reaction {
    json(format!("\"{PRODUCT}\""))
}

/// `GET /GetUTCTime`.
pub(super) fn time(asked: &Asked<'_, '_>) -> Reaction {
    let (received, sent) = (values::date(asked.now.wall), values::date(Timestamp::now()));
    json(json!({ "RequestReceptionTime": received, "ResponseTransmissionTime": sent }).to_string())
}

/// Where the client itself has found us: it tries this first the next time, so it is never an address of ours that it may not
/// reach.
fn address(asked: &Asked<'_, '_>) -> Option<String> {
    let host = (asked.call.request.header)("host")?;
    let is_plain = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_'));
    is_plain.then(|| format!("{}://{host}", if asked.call.request.secure { "https" } else { "http" }))
}

/// The port the client has come to, which is the WebSocket's too.
fn port(asked: &Asked<'_, '_>) -> u16 {
    let Some(host) = (asked.call.request.header)("host").filter(|host| !host.is_empty()) else { return asked.server.port };
    let behind_address = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    match behind_address.rsplit_once(':') {
        Some((_, port)) => port.parse().unwrap_or(asked.server.port),
        None if asked.call.request.secure => 443,
        None => 80,
    }
}
