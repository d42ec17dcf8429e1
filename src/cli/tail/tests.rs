use super::*;
use crate::cli::test_server::{TestServer, reply};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const MEDIAS: &str = r#"{"Medias":{"library":"lib1","medias":[{"action":"Added","media":{"id":"m1","name":"a.jpg","type":"photo"}}]}}"#;

fn tail(mut args: TailArgs, replies: Vec<String>) -> (Outcome, String, String, Vec<crate::cli::test_server::Request>) {
    let server = TestServer::answering(replies);
    args.target.url = Some(server.url.clone());
    args.target.token = args.target.token.or_else(|| "secret".parse().ok());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = run_with(&args, false, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (outcome, text(out), text(err), server.requests())
}

#[test]
fn events_are_shown_across_a_lost_connection_until_the_credentials_end() {
    let first = format!("{STREAM}retry: 1\nid: 5\n\nevent: medias\ndata: {MEDIAS}\n\n: gap 12\n\n");
    let second = format!("{STREAM}event: library-status\ndata: {{\"LibraryStatus\":{{\"library\":\"lib1\",\"message\":\"busy\"}}}}\n\n");
    let args = TailArgs { libraries: vec!["lib1".into(), "b c".into()], events: vec!["medias".into()], ..TailArgs::default() };
    let (outcome, out, err, requests) = tail(args, vec![first, second, reply("401 Unauthorized", "", "{}")]);

    assert_eq!(outcome, Outcome::Unauthorised);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].ends_with("  medias            lib1          Added photo a.jpg"), "{out}");
    assert!(lines[1].contains("gap: 12 events were skipped"), "{out}");
    assert!(lines[2].ends_with("busy"), "{out}");
    assert_eq!(err.matches("connection lost: the server ended the stream").count(), 2, "{err}");
    assert_eq!(err.matches("connected again").count(), 1, "{err}");
    assert!(err.contains("does not accept these credentials (401)") && !err.contains("secret"), "{err}");
    assert!(requests[0].head.contains("authorization: bearer secret"), "{requests:?}");
    assert!(requests[0].head.starts_with("get /sse?libraries=lib1%2cb%20c&events=medias "), "{requests:?}");
    assert!(requests[1].head.contains("last-event-id: 5"), "{requests:?}");
}

#[test]
fn json_lines_are_one_object_each_and_a_busy_server_is_asked_again() {
    let busy = reply("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let stream = format!("{STREAM}retry: 1\nevent: raw\ndata: {{\"n\":\ndata: 1.50}}\n\nevent: odd\ndata: no \u{9b}json\n\n:gap\n");
    let args = TailArgs { json: true, ..TailArgs::default() };
    let (outcome, out, err, _) = tail(args, vec![busy, stream, reply("403 Forbidden", "", "")]);
    assert_eq!(outcome, Outcome::Unauthorised);
    assert_eq!(
        out,
        "{\"type\":\"raw\",\"data\":{\"n\": 1.50}}\n{\"type\":\"odd\",\"data\":\"no \\u009bjson\"}\n{\"type\":\"gap\",\"data\":{}}\n"
    );
    assert!(err.contains("the server answered 503") && err.contains("(403)"), "{err}");
}

#[test]
fn an_answer_that_is_no_event_stream_ends_it() {
    let (outcome, _, err, _) = tail(TailArgs::default(), vec![reply("200 OK", "Content-Type: text/html\r\n", "<html>")]);
    assert_eq!(outcome, Outcome::Refused);
    assert!(err.contains("`text/html`, which is not an event stream"), "{err}");
    let (outcome, _, err, _) = tail(TailArgs::default(), vec![reply("404 Not Found", "", "no \x1b[2J")]);
    assert_eq!(outcome, Outcome::Refused);
    assert!(err.contains("answered 404: refused: no \\u{1b}[2J"), "{err}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = TestServer::answering(vec![format!("{STREAM}data: x\n\n")]);
    let mut args = TailArgs::default();
    args.target.url = Some(server.url.clone());
    args.target.token = "t".parse().ok();
    let mut err = Vec::new();
    assert_eq!(run_with(&args, false, &mut Closed, &mut err), Outcome::Done);
    assert!(err.is_empty(), "{}", String::from_utf8_lossy(&err));
}

#[test]
fn a_publishers_text_cannot_steer_the_terminal() {
    let data = r#"{"Medias":{"library":"l\u001b[1m","medias":[{"action":"Added","media":{"name":"\u001b]0;owned\u0007\r\n\u202e"}}]}}"#;
    for colours in [false, true] {
        let line = human_line("medias\x1b[2J", data, "12:00:00", colours);
        let own = ["\x1b[2m", "\x1b[36m", "\x1b[34m", "\x1b[32m", "\x1b[0m"];
        let rest = own.iter().fold(line.clone(), |line, code| line.replace(code, ""));
        assert!(!rest.contains(super::super::terminal::is_unprintable), "{line:?}");
        assert_eq!(rest == line, !colours);
    }
}

#[test]
fn a_gap_is_read_from_a_comment_with_or_without_a_number() {
    assert_eq!(gap_in_comment("gap 12"), Some(Some(12)));
    assert_eq!(gap_in_comment("gap: missed 7 events"), Some(Some(7)));
    assert_eq!(gap_in_comment(" gap"), Some(None));
    assert_eq!(gap_in_comment("ping"), None);
    assert_eq!(gap_in_comment("gaps"), None);
}
