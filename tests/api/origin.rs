//! Pages of other origins, and the cookie: what a browser sends by itself must not open what its user did not ask for.

use crate::harness::{Answer, PEOPLE, Request, Server, Sse, medias, token_of};

const SETTINGS: &str = "allowed_origins = [\"https://app.example\"]\n";

fn server() -> Server {
    Server::start(&format!("{SETTINGS}{PEOPLE}"))
}

fn cookie(who: &str) -> String {
    format!("theme=dark; fanfare_token={}", token_of(who))
}

fn with_cookie(who: &str) -> Request {
    Request::new("GET", "/sse").header("cookie", &cookie(who))
}

/// A stream that was opened says so in its head; a refused one is a whole answer.
fn status(server: &Server, request: &Request) -> u16 {
    Sse::ask(server, request).head().status
}

#[test]
fn a_cookie_opens_sse_from_its_own_page_and_from_allowed_origins_only() {
    let server = server();
    let mut own_page = Sse::ask(&server, &with_cookie("reader"));
    assert_eq!(own_page.head().status, 200);
    server.publish_all(&[medias("lib1", "m1"), medias("lib2", "not-his")]);
    assert!(own_page.expect("medias").data.contains("\"m1\""));
    let own_origin = server.url().to_owned();
    for origin in [own_origin.as_str(), "https://app.example"] {
        assert_eq!(status(&server, &with_cookie("reader").header("origin", origin)), 200, "{origin}");
    }
    for origin in ["https://evil.example", "https://app.example.evil.example", "https://app.example:8443", "http://app.example", "null"] {
        assert_eq!(status(&server, &with_cookie("reader").header("origin", origin)), 401, "{origin}");
    }
    assert_eq!(status(&server, &with_cookie("nobody")), 401);
    let shown = with_cookie("reader").header("origin", "https://evil.example").bearer(&token_of("owner"));
    assert_eq!(status(&server, &shown), 200, "a token that the page itself has is no cookie");
}

#[test]
fn a_cookie_never_publishes_and_never_administrates() {
    let server = Server::start(&format!(
        "{SETTINGS}{PEOPLE}\n[[tokens]]\ntoken = \"token-of-both-0123456789abcdef\"\nuser = \"root\"\npublish = true\n"
    ));
    let both = "fanfare_token=token-of-both-0123456789abcdef";
    let publish = Request::new("POST", "/api/events").header("cookie", both).json(&medias("lib1", "m1")).send(&server);
    assert_eq!(publish.status, 401, "{}", publish.body);
    assert_eq!(Request::new("GET", "/api/connections").header("cookie", both).send(&server).status, 401);
    let (status, body) = server.publish("token-of-both-0123456789abcdef", &medias("lib1", "m1"));
    assert_eq!(status, 200, "by its header the same token may: {body}");
}

#[test]
fn the_cookies_name_is_a_setting() {
    let server = Server::start(&format!("cookie = \"media_session\"\n{PEOPLE}"));
    assert_eq!(status(&server, &with_cookie("reader")), 401);
    let named = format!("media_session={}", token_of("reader"));
    assert_eq!(status(&server, &Request::new("GET", "/sse").header("cookie", &named)), 200);
}

fn allowed(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-credentials"))
}

#[test]
fn answers_say_which_pages_may_read_them() {
    let server = server();
    for path in ["/sse", "/api/events", "/api/libraries/lib1/medias"] {
        for (origin, expected) in
            [("https://app.example", (Some("https://app.example"), Some("true"))), ("https://other.example", (Some("*"), None))]
        {
            let preflight = Request::new("OPTIONS", path)
                .header("origin", origin)
                .header("access-control-request-method", "GET")
                .header("access-control-request-headers", "authorization,last-event-id")
                .send(&server);
            assert_eq!(preflight.status, 204, "{path}");
            assert_eq!(allowed(&preflight), expected, "{path} {origin}");
            let headers = preflight.header("access-control-allow-headers").unwrap_or_default();
            assert!(headers.contains("authorization") && headers.contains("last-event-id"), "{headers}");
            assert_eq!(preflight.header("vary"), Some("Origin"), "{path}");
            let method = if path == "/api/events" { "POST" } else { "GET" };
            let refused = Request::new(method, path).header("origin", origin).send(&server);
            assert_eq!((refused.status, allowed(&refused)), (401, expected), "{path} {origin}: a page must learn why");
            assert_eq!(refused.header("vary"), Some("Origin"), "{path}");
        }
    }
    let stream = Sse::ask(&server, &Request::new("GET", "/sse").bearer(&token_of("reader")).header("origin", "https://app.example"));
    assert_eq!(stream.head().header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(stream.head().header("vary"), Some("Origin"));
}

#[test]
fn behind_a_trusted_proxy_with_tls_the_own_origin_is_https() {
    let server = Server::start(&format!("trusted_proxies = [\"127.0.0.1\"]\n{PEOPLE}"));
    let own = format!("https://{}", server.address());
    let through_proxy = with_cookie("reader").header("origin", &own).header("x-forwarded-proto", "https");
    assert_eq!(status(&server, &through_proxy), 200);
    assert_eq!(status(&server, &with_cookie("reader").header("origin", &own)), 401);
    let believing_nobody = Server::start(PEOPLE);
    let own = format!("https://{}", believing_nobody.address());
    let spoofed = with_cookie("reader").header("origin", &own).header("x-forwarded-proto", "https");
    assert_eq!(status(&believing_nobody, &spoofed), 401);
}
