//! The page at `/`: for browsers only, without a token, under a policy that lets nothing else in.

use crate::harness::{Answer, PEOPLE, Request, Server, token_of};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn page(method: &str) -> Request {
    Request::new(method, "/").header("accept", BROWSER)
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.header(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_browser_gets_the_page_and_nobody_else_does() {
    let server = Server::start(PEOPLE);
    let answer = page("GET").send(&server);
    assert_eq!((answer.status, header(&answer, "content-type")), (200, "text/html; charset=utf-8"));
    assert!(answer.body.starts_with("<!doctype html>") && answer.body.contains("/sse"), "{}", answer.body);
    assert!(answer.body.contains(r#"<a href="console">"#), "administrators find their page, behind a proxy's prefix, too");
    assert_eq!(Request::new("GET", "/console").header("accept", BROWSER).send(&server).status, 200);
    // What else `/` is belongs to a protocol whose clients show a token, and to nobody where that is off.
    let alone = Server::start(&format!("{PEOPLE}\n[dialects.plex]\nenabled = false\n"));
    for program in ["*/*", "application/json", "text/event-stream", "text/html;q=0"] {
        let asked = |server: &Server| Request::new("GET", "/").header("accept", program).send(server).status;
        assert_eq!((asked(&server), asked(&alone)), (401, 404), "{program}");
    }
    assert_eq!(Request::new("GET", "/").send(&alone).status, 404);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        assert_eq!(page(method).send(&alone).status, 404, "{method}");
        assert!(matches!(page(method).send(&server).status, 204 | 405), "{method}");
    }
    for path in ["//", "/index.html", "/%2f", "/x", "/start_page/page.js"] {
        assert_eq!(Request::new("GET", path).header("accept", BROWSER).send(&server).status, 404, "{path}");
    }
}

#[test]
fn it_says_nothing_of_this_server_and_is_the_same_for_everybody() {
    let server = Server::start(PEOPLE);
    let answer = page("GET").send(&server);
    let known = page("GET").bearer(&token_of("root")).send(&server);
    assert_eq!(answer.body, known.body);
    for secret in ["lib1", "owner", "libadmin", "token-of-", env!("CARGO_PKG_VERSION"), server.address().as_str()] {
        assert!(!answer.body.contains(secret), "{secret}");
    }
}

#[test]
fn its_headers_let_nothing_in_but_itself() {
    let server = Server::start(PEOPLE);
    let answer = page("GET").send(&server);
    let policy = header(&answer, "content-security-policy");
    for rule in
        ["default-src 'none'; script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"]
    {
        assert!(policy.contains(rule), "{rule} is not in {policy}");
    }
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let others = ["x-content-type-options", "referrer-policy", "cache-control", "vary"].map(|name| header(&answer, name));
    assert_eq!(others, ["nosniff", "no-referrer", "no-cache", "Accept"]);
}

#[test]
fn head_answers_like_get_and_a_known_page_is_not_sent_again() {
    let server = Server::start(PEOPLE);
    let got = page("GET").send(&server);
    let head = page("HEAD").send(&server);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in ["etag", "content-length", "content-type", "content-security-policy"] {
        assert_eq!(header(&head, name), header(&got, name), "{name}");
    }
    let again = page("GET").header("if-none-match", header(&got, "etag")).send(&server);
    assert_eq!((again.status, again.body.as_str(), header(&again, "etag")), (304, "", header(&got, "etag")));
    assert_eq!(page("GET").header("if-none-match", "\"another\"").send(&server).status, 200);
}

#[test]
fn only_a_protocol_that_is_switched_on_is_explained() {
    let on = Server::start(PEOPLE);
    let off = Server::start(&format!("{PEOPLE}\n[dialects.redseat]\nenabled = false\n"));
    let explained = |server: &Server| page("GET").send(server).body.contains("as RedSeat sends them");
    assert_eq!([explained(&on), explained(&off)], [true, false]);
}
