use clap::Parser;

use super::*;
use crate::cli::{
    Cli, Command,
    test_server::{Request, TestServer, reply},
};

fn parse(arguments: &[&str]) -> Result<PublishArgs, String> {
    match Cli::try_parse_from(["fanfare", "publish"].iter().chain(arguments)).map(Cli::into_command) {
        Ok(Command::Publish(args)) => Ok(args),
        Ok(other) => panic!("not publish: {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

struct Ran {
    outcome: Outcome,
    out: String,
    err: String,
    requests: Vec<Request>,
}

fn publish(arguments: &[&str], stdin: &'static str, replies: Vec<String>) -> Ran {
    let server = TestServer::answering(replies);
    let mut args = parse(arguments).expect("valid");
    args.target.url = Some(server.url.clone());
    args.target.token = "secret".parse().ok();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = run_with(&args, Box::new(stdin.as_bytes()), false, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { outcome, out: text(out), err: text(err), requests: server.requests() }
}

const ACCEPTED: &str = r#"{"id":"e1","order":1}"#;
const REFUSED: &str = r#"{"error":"must not be empty","path":"data.library","allowed":"1 to 128 bytes"}"#;

#[test]
fn an_event_from_the_arguments_is_sent_as_it_was_written() {
    let line = ["medias", r#"{"library":"l","x":1.50}"#, "--id", "7", "--source", "s", "--audience", "user:bob"];
    let ran = publish(&line, "", vec![reply("200 OK", "", ACCEPTED)]);
    assert_eq!((ran.outcome, ran.out.as_str(), ran.err.as_str()), (Outcome::Done, "accepted e1 (order 1)\n", ""));
    assert!(ran.requests[0].head.starts_with("post /api/events "));
    assert!(ran.requests[0].head.contains("authorization: bearer secret\r\n"));
    assert!(ran.requests[0].head.contains("content-type: application/json\r\n"));
    let body = r#"{"type":"medias","id":"7","source":"s","audience":"user:bob","data":{"library":"l","x":1.50}}"#;
    assert_eq!(ran.requests[0].body, body);
}

#[test]
fn a_refused_event_fails_with_the_path_of_its_field() {
    let ran = publish(&["medias", "-"], "{}\n", vec![reply("422 Unprocessable Content", "", REFUSED)]);
    assert_eq!(ran.outcome, Outcome::Refused);
    assert_eq!(ran.err, "refused: data.library: must not be empty (allowed: 1 to 128 bytes)\n");
    let ran = publish(&["medias", "{}", "--json"], "", vec![reply("401 Unauthorized", "", "")]);
    assert_eq!((ran.outcome, ran.out.as_str()), (Outcome::Unauthorised, "{\"error\":\"\",\"status\":401}\n"));
}

#[test]
fn a_busy_server_is_asked_again_and_not_for_ever() {
    let busy = || reply("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let ran = publish(&["medias", "{}"], "", vec![busy(), busy(), reply("200 OK", "", ACCEPTED)]);
    assert_eq!((ran.outcome, ran.requests.len()), (Outcome::Done, 3));
    let ran = publish(&["medias", "{}"], "", (0..=MAX_BUSY_RETRIES).map(|_| busy()).collect());
    assert_eq!((ran.outcome, ran.requests.len()), (Outcome::Unavailable, 6));
}

#[test]
fn each_line_gets_its_own_answer_and_busy_lines_are_sent_again_in_order() {
    let first = format!("{ACCEPTED}\n{REFUSED}\n{{\"error\":\"busy\"}}\n{{\"error\":\"busy\"}}\n");
    let again = format!("{ACCEPTED}\n{ACCEPTED}\n");
    let ran = publish(&["--ndjson"], "a\nb\n\nc\nd\n", vec![reply("200 OK", "Retry-After: 0\r\n", &first), reply("200 OK", "", &again)]);
    assert_eq!(ran.outcome, Outcome::Refused);
    assert_eq!(ran.out, "line 1: accepted e1 (order 1)\nline 4: accepted e1 (order 1)\nline 5: accepted e1 (order 1)\n");
    assert_eq!(ran.err, "line 2: refused: data.library: must not be empty (allowed: 1 to 128 bytes)\n");
    assert!(ran.requests[0].head.contains("content-type: application/x-ndjson\r\n"));
    assert_eq!(ran.requests[1].body, "c\nd\n");
}

#[test]
fn a_line_without_an_answer_counts_as_refused() {
    let ran = publish(&["--ndjson", "--json"], "a\nb\n", vec![reply("200 OK", "", &format!("{ACCEPTED}\n"))]);
    assert_eq!(ran.outcome, Outcome::Refused);
    assert!(ran.out.ends_with("{\"error\":\"the server did not answer for this line\",\"line\":2}\n"), "{}", ran.out);
}

#[test]
fn files_are_read_by_their_ending_and_arrays_are_batches() {
    let dir = tempfile::tempdir().expect("dir");
    let path = |name: &str| dir.path().join(name).to_str().expect("text").to_owned();
    std::fs::write(path("a.jsonl"), "x\n").expect("writes");
    std::fs::write(path("a.json"), " [{},{}]").expect("writes");
    let ran = publish(&["--file", &path("a.jsonl")], "", vec![reply("200 OK", "", ACCEPTED)]);
    assert_eq!((ran.outcome, ran.requests[0].body.as_str()), (Outcome::Done, "x\n"));
    let items = format!("[{ACCEPTED},{REFUSED}]");
    let ran = publish(&["--file", &path("a.json")], "", vec![reply("207 Multi-Status", "", &items)]);
    assert_eq!((ran.outcome, ran.out.lines().count(), ran.err.lines().count()), (Outcome::Refused, 1, 1));
    assert!(ran.requests[0].head.contains("application/cloudevents-batch+json"));
}

#[test]
fn a_server_that_is_not_there_has_an_exit_code_of_its_own() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let mut args = parse(&["medias", "{}"]).expect("valid");
    args.target.url = Some(format!("http://127.0.0.1:{port}"));
    args.target.token = "secret".parse().ok();
    let mut err = Vec::new();
    let outcome = run_with(&args, Box::new(io::empty()), false, &mut Vec::new(), &mut err);
    let err = String::from_utf8(err).expect("text");
    assert_eq!(outcome, Outcome::Unavailable);
    assert!(err.starts_with("fanfare: cannot reach http://127.0.0.1:") && !err.contains("secret"), "{err}");
}

#[test]
fn wrong_usage_is_told_before_anything_is_sent() {
    for line in [&["--id", "x"][..], &["medias", "{}", "--ndjson"][..], &["medias", "{}", "--file", "f"][..]] {
        assert!(parse(line).is_err(), "{line:?}");
    }
    for (line, expected) in
        [(&["medias", "{"][..], "DATA is not JSON"), (&["medias"][..], "DATA is missing"), (&[][..], "nothing to publish")]
    {
        let mut args = parse(line).expect("valid");
        (args.target.url, args.target.token) = (Some("http://127.0.0.1:9".into()), "t".parse().ok());
        let mut err = Vec::new();
        assert_eq!(run_with(&args, Box::new(io::empty()), true, &mut Vec::new(), &mut err), Outcome::Refused);
        assert!(String::from_utf8_lossy(&err).contains(expected), "{line:?}: {}", String::from_utf8_lossy(&err));
    }
}

#[test]
fn empty_input_is_nothing_to_publish_and_is_not_sent() {
    let empty = tempfile::NamedTempFile::new().expect("file");
    let path = empty.path().to_str().expect("text");
    let file = format!("fanfare: {path}: nothing to publish: the file is empty\n");
    let nothing = "fanfare: nothing to publish: give TYPE and DATA, --file FILE, or events on standard input\n";
    let no_data = "fanfare: DATA is missing: a JSON object, or - to read it from standard input\n";
    for (line, stdin, expected) in [
        (&[][..], "", nothing),
        (&["--file", "-"][..], " \n", nothing),
        (&["--file", path][..], "", &file),
        (&["medias", "-"][..], "", no_data),
    ] {
        let ran = publish(line, stdin, Vec::new());
        assert_eq!((ran.outcome, ran.err.as_str(), ran.requests.len()), (Outcome::Refused, expected, 0), "{line:?}");
    }
}

#[test]
fn a_servers_wish_to_wait_is_bounded() {
    let mut backoff = Backoff::default();
    let reply = Reply { status: 503, text: String::new(), retry_after: Some(Duration::from_secs(9_999)) };
    ask_as(&mut backoff, &reply);
    assert!(backoff.next(1.0) <= Duration::from_secs(45));
}
