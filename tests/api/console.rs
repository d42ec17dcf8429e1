//! The page at `/console`: the same for everybody, with nothing of this server in it, under a policy that lets nothing else in.

use crate::harness::{PEOPLE, Request, Server, token_of};

#[test]
fn the_console_is_a_document_that_shows_nothing_by_itself() {
    let server = Server::start(PEOPLE);
    let answer = Request::new("GET", "/console").send(&server);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.body.starts_with("<!doctype html>") && answer.body.contains("<title>Fanfare console</title>"));
    assert_eq!(answer.body, Request::new("GET", "/console").bearer(&token_of("root")).send(&server).body);
    for secret in ["lib1", "libadmin", "token-of-", server.address().as_str()] {
        assert!(!answer.body.contains(secret), "{secret}");
    }
    let policy = answer.header("content-security-policy").expect("a policy");
    for rule in ["default-src 'none'", "script-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"] {
        assert!(policy.contains(rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
}

#[test]
fn it_is_only_looked_at() {
    let server = Server::start(PEOPLE);
    let got = Request::new("GET", "/console").send(&server);
    let head = Request::new("HEAD", "/console").send(&server);
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", got.header("etag")));
    let known = Request::new("GET", "/console").header("if-none-match", got.header("etag").expect("a name")).send(&server);
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let status = Request::new(method, "/console").send(&server).status;
        assert!(matches!(status, 404 | 405), "{method}: {status}");
    }
}
