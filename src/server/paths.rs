//! How a request's path finds the endpoint it means.
//!
//! Some servers' paths hold a colon, which clients write as it is or escaped, and stand behind a prefix where a proxy hands
//! them on with one.

use std::borrow::Cow;

/// What a path begins with that is found behind any prefix.
const ANYWHERE: &str = "/:/";

/// No endpoint's path is longer. Looking for one costs in proportion to its length, and anybody may ask.
pub(super) const LONGEST: usize = 4096;

/// The path with its escaped colons as they are.
pub(super) fn with_colons(path: &str) -> Cow<'_, str> {
    if path.contains("%3A") || path.contains("%3a") { path.replace("%3A", ":").replace("%3a", ":").into() } else { path.into() }
}

/// Whether a path, its colons as they are, leads to that endpoint.
pub(super) fn leads_to(path: &str, endpoint: &str) -> bool {
    path == endpoint || endpoint.starts_with(ANYWHERE) && path.starts_with('/') && path.ends_with(endpoint)
}

/// Whether a path leads to that endpoint in a protocol whose clients write it in any case, behind one of these prefixes or
/// none.
pub(super) fn leads_freely_to(path: &str, endpoint: &str, prefixes: &[&str]) -> bool {
    let behind = |prefix: &&str| {
        let (start, rest) = path.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    path.eq_ignore_ascii_case(endpoint) || prefixes.iter().filter_map(behind).any(|rest| rest.eq_ignore_ascii_case(endpoint))
}

/// Whether a path is the engine's own, whoever takes what nobody owns (event map, section 5).
pub(super) fn is_the_engines(path: &str) -> bool {
    path.starts_with("/api/") || ["/console", "/healthz", "/readyz"].contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_may_be_escaped_and_a_prefix_may_stand_before_it() {
        let leads = |path: &str| leads_to(&with_colons(path), "/:/websockets/notifications");
        for path in ["/:/websockets/notifications", "/%3A/websockets/notifications", "/%3a/websockets/notifications"] {
            assert!(leads(path) && leads(&format!("/plex{path}")) && leads(&format!("/a/b{path}")), "{path}");
        }
        for path in [
            "/websockets/notifications",
            "/:/websockets/notifications/",
            "/:/websockets",
            "x/:/websockets/notifications",
            "/x:/websockets/notifications",
        ] {
            assert!(!leads(path), "{path}");
        }
    }

    #[test]
    fn a_free_path_is_found_in_any_case_and_behind_its_prefixes_only() {
        let leads = |path: &str| leads_freely_to(path, "/socket", &["/emby", "/mediabrowser"]);
        for path in ["/socket", "/Socket", "/emby/socket", "/EMBY/SOCKET", "/MediaBrowser/socket"] {
            assert!(leads(path), "{path}");
        }
        for path in ["", "/", "/emby", "/socket/", "/other/socket", "/emby/emby/socket", "/embysocket", "/é/socket"] {
            assert!(!leads(path), "{path}");
        }
    }

    #[test]
    fn any_other_endpoint_is_exactly_its_path() {
        assert!(leads_to("/sse", "/sse"));
        assert!(!leads_to("/a/sse", "/sse"));
    }
}
