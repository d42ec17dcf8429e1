//! What other origins' pages may do: the answers browsers ask for, and when a cookie counts.
//!
//! Tokens in a header or in the query were put there on purpose, so any page may read what they open. A cookie is sent by
//! the browser whoever asks, so it counts only where the asking page can be told (event map, section 7).

/// Request headers a page of another origin may set.
const ALLOWED_HEADERS: [&str; 5] = ["authorization", "content-type", "last-event-id", "cache-control", "accept"];
const ALLOWED_METHODS: &str = "GET, POST, DELETE, OPTIONS";
/// How long, in seconds, a browser need not ask again.
const MAX_AGE: &str = "3600";

/// Headers of an answer.
pub(super) type Headers = Vec<(&'static str, String)>;

/// The rules of `server.allowed_origins` and `server.cookie`.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    allowed: Vec<String>,
    cookie: String,
    /// Request headers a page may set, as a list.
    headers: String,
}

/// Whose page had a browser make a request, as the browser tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'h> {
    /// The `Origin` header.
    pub(super) origin: Option<&'h str>,
    /// The `Sec-Fetch-Site` header.
    pub(super) site: Option<&'h str>,
}

/// Where a request came to, as its client sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'h> {
    /// Over TLS, ours or that of a proxy of ours.
    pub(super) secure: bool,
    /// The `Host` header.
    pub(super) host: Option<&'h str>,
}

impl Origins {
    /// `headers`: what the dialects' clients set, beside what everybody may.
    pub(super) fn new(allowed: Vec<String>, cookie: String, headers: impl Iterator<Item = &'static str>) -> Self {
        let headers: Vec<&str> = ALLOWED_HEADERS.into_iter().chain(headers).collect();
        Self { allowed, cookie, headers: headers.join(", ") }
    }

    /// The token in the cookie, if a cookie counts for a request of this page's: of no told origin (browsers tell none on a
    /// GET to the page's own, but then they do not call it another site's), of the server's own, or of an allowed one.
    pub(super) fn cookie_token<'h>(&self, page: Page<'_>, target: Target<'_>, cookies: Option<&'h str>) -> Option<&'h str> {
        if !self.cookies_count(page, target) {
            return None;
        }
        let mut named = cookies?.split(';').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| name.trim() == self.cookie);
        let (_, token) = named.next()?;
        // Two cookies of one name come from two places, one of which may be somebody else's.
        if named.next().is_some() {
            return None;
        }
        let token = token.trim();
        Some(token.strip_prefix('"').and_then(|token| token.strip_suffix('"')).unwrap_or(token)).filter(|token| !token.is_empty())
    }

    /// Whether any cookie counts for a request of this page's. What no page can set, `Sec-Fetch-Site`, holds where a proxy does not
    /// say what its clients asked for.
    pub(super) fn cookies_count(&self, page: Page<'_>, target: Target<'_>) -> bool {
        match page.origin {
            Some(origin) => self.is_allowed(origin) || target.is(origin) || page.site == Some("same-origin"),
            None => page.site.is_none_or(|site| matches!(site, "same-origin" | "none")),
        }
    }

    /// The headers that let a page read an answer: credentials only for listed origins, anything else without.
    pub(super) fn cors(&self, origin: Option<&str>) -> Headers {
        let vary = ("vary", "Origin".to_owned());
        match origin.filter(|origin| self.is_allowed(origin)) {
            Some(origin) => {
                vec![("access-control-allow-origin", origin.to_owned()), ("access-control-allow-credentials", "true".to_owned()), vary]
            }
            None => vec![("access-control-allow-origin", "*".to_owned()), vary],
        }
    }

    /// The answer to a browser that asks before it sends `Authorization` or `Last-Event-ID`.
    pub(super) fn preflight(&self, origin: Option<&str>) -> Headers {
        let mut headers = self.cors(origin);
        headers.push(("access-control-allow-methods", ALLOWED_METHODS.to_owned()));
        headers.push(("access-control-allow-headers", self.headers.clone()));
        headers.push(("access-control-max-age", MAX_AGE.to_owned()));
        headers
    }

    /// Letter by letter: no part of a name and no pattern can match.
    fn is_allowed(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin)
    }
}

impl Target<'_> {
    fn is(self, origin: &str) -> bool {
        let scheme = if self.secure { "https://" } else { "http://" };
        self.host.is_some_and(|host| origin.strip_prefix(scheme).is_some_and(|origin| origin.eq_ignore_ascii_case(host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Target<'static> = Target { secure: true, host: Some("media.example:8400") };

    fn origins() -> Origins {
        Origins::new(vec!["https://app.example".to_owned()], "fanfare_token".to_owned(), ["x-dialect-token"].into_iter())
    }

    fn token(origin: Option<&str>, cookies: &str) -> Option<String> {
        origins().cookie_token(Page { origin, site: None }, HERE, Some(cookies)).map(str::to_owned)
    }

    #[test]
    fn a_cookie_counts_from_its_own_page_and_from_allowed_origins() {
        for origin in [None, Some("https://media.example:8400"), Some("https://app.example")] {
            assert_eq!(token(origin, "a=b; fanfare_token=secret; c=d").as_deref(), Some("secret"), "{origin:?}");
        }
        for origin in [
            "http://media.example:8400",
            "https://media.example",
            "https://app.example.evil.example",
            "https://evil.example/https://app.example",
            "https://app.example:443",
            "null",
            "",
        ] {
            assert_eq!(token(Some(origin), "fanfare_token=secret"), None, "{origin}");
        }
    }

    #[test]
    fn without_an_origin_the_browser_must_not_call_it_another_sites() {
        for (site, counts) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("", false)] {
            let page = Page { origin: None, site: Some(site) };
            assert_eq!(origins().cookie_token(page, HERE, Some("fanfare_token=secret")).is_some(), counts, "{site}");
        }
    }

    #[test]
    fn behind_a_proxy_that_says_little_the_browser_says_whose_page_it_is() {
        for (site, counts) in [("same-origin", true), ("none", false), ("same-site", false), ("cross-site", false)] {
            let page = Page { origin: Some("https://behind.example"), site: Some(site) };
            assert_eq!(origins().cookies_count(page, HERE), counts, "{site}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_only_once() {
        assert_eq!(token(None, "fanfare_token=\"secret\"").as_deref(), Some("secret"));
        for cookies in ["", "fanfare_token", "fanfare_token=", "xfanfare_token=a", "fanfare_token2=a", "fanfare_token=a; fanfare_token=b"] {
            assert_eq!(token(None, cookies), None, "{cookies}");
        }
    }

    #[test]
    fn credentials_are_allowed_to_listed_origins_only_and_answers_differ_by_origin() {
        let names = |headers: Headers| headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
        let listed = names(origins().cors(Some("https://app.example")));
        assert!(listed.contains(&"access-control-allow-origin: https://app.example".to_owned()), "{listed:?}");
        assert!(listed.contains(&"access-control-allow-credentials: true".to_owned()));
        for origin in [Some("https://evil.example"), Some("null"), None] {
            let other = names(origins().cors(origin));
            assert_eq!(other, ["access-control-allow-origin: *", "vary: Origin"], "{origin:?}");
        }
        let preflight = names(origins().preflight(Some("https://app.example")));
        assert!(preflight.iter().any(|line| line.contains("last-event-id") && line.contains("authorization")), "{preflight:?}");
        assert!(preflight.iter().any(|line| line.contains("accept, x-dialect-token")), "{preflight:?}");
    }
}
