//! A publisher's text stays text: whatever it holds, it never becomes a field of the stream.

use serde_json::{Value, json};

use crate::harness::{PEOPLE, Request, SILENCE, Server, Sse, medias, token_of};

/// What ends or spoils a line somewhere, each followed by what an attacker would like to be a field.
const HOSTILE: [&str; 9] = [
    "a\nevent: forged\ndata: {}\n\n",
    "a\revent: forged\rdata: {}\r\r",
    "a\r\n\r\nevent: forged\r\ndata: {}\r\n\r\n",
    "a\0event: forged",
    "a\u{2028}event: forged\u{2029}data: {}",
    "a\u{85}event: forged\u{b}data: {}\u{c}",
    "\u{feff}event: forged",
    "\\n\\nevent: forged",
    "\u{1f}\u{7f}\u{9b}2Jid: 7\nretry: 1",
];

/// Every line of the body is one the server meant: the fields of a `name` event, a blank line, or a comment.
fn only_meant_lines(sse: &Sse, name: &str) {
    let raw = sse.raw();
    assert!(!raw.contains('\r') && !raw.contains('\0'), "{raw:?}");
    let event = format!("event: {name}");
    for line in raw.split('\n') {
        let meant = line.is_empty() || line == event || line.starts_with("data: {") || line.starts_with(':') || line.starts_with("id: ");
        assert!(meant, "a line nobody meant: {line:?} in {raw:?}");
    }
}

#[test]
fn no_published_text_forges_a_field() {
    let server = Server::start(PEOPLE);
    for text in HOSTILE {
        let mut event = medias("lib1", "m1");
        event["data"]["medias"][0]["media"]["name"] = json!(text);
        event["data"]["medias"][0]["media"][text] = json!({text: [text]});
        event["data"][text] = json!(text);
        let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
        server.publish_all(&[event.clone()]);
        assert_eq!(sse.expect("medias").json(), json!({"Medias": event["data"]}), "{text:?}");
        only_meant_lines(&sse, "medias");
    }
}

#[test]
fn line_ends_between_the_tokens_of_the_json_do_not_cut_the_event() {
    let server = Server::start(PEOPLE);
    let data = medias("lib1", "m1")["data"].clone();
    let pretty = serde_json::to_string_pretty(&data).expect("JSON");
    for line_end in ["\n", "\r\n", "\r"] {
        let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
        let body = format!("{{\"type\":\"medias\",{line_end}\"data\":{}}}", pretty.replace('\n', line_end));
        let answer = Request::new("POST", "/api/events").bearer(&token_of("publisher")).body(body).send(&server);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(sse.expect("medias").json(), json!({"Medias": data}), "{line_end:?}");
        assert!(!sse.raw().contains('\r'), "{:?}", sse.raw());
    }
}

#[test]
fn a_status_text_and_a_message_stay_text() {
    let server = Server::start(PEOPLE);
    for text in HOSTILE {
        let mut status = Sse::open(&server, "/sse?events=library-status", &token_of("libadmin"));
        let mut message = Sse::open(&server, "/sse?events=message", &token_of("reader"));
        server.publish_all(&[
            json!({"type": "library-status", "data": {"library": "lib1", "message": text}}),
            json!({"type": "message", "data": {"text": text, "to": "all"}}),
        ]);
        assert_eq!(status.expect("library-status").json()["LibraryStatus"]["message"], text);
        assert_eq!(message.expect("message").json()["Message"]["text"], text);
        only_meant_lines(&status, "library-status");
        only_meant_lines(&message, "message");
    }
}

#[test]
fn control_characters_in_a_library_id_are_refused() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("root"));
    for text in HOSTILE.into_iter().filter(|text| text.chars().any(char::is_control)) {
        let (status, body) = server.publish(&token_of("publisher"), &medias(text, "m1"));
        assert_eq!(status, 422, "{text:?}: {body}");
    }
    sse.expect_nothing(SILENCE);
}

#[test]
fn a_hostile_event_id_forges_nothing_accepted_or_not() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    for text in HOSTILE {
        let mut event = medias("lib1", "m1");
        (event["id"], event["source"]) = (json!(text), json!(text));
        let (status, body) = server.publish(&token_of("publisher"), &event);
        assert!(matches!(status, 200 | 400 | 422), "{text:?}: {status} {body}");
        if status == 200 {
            sse.expect("medias");
        }
    }
    only_meant_lines(&sse, "medias");
    sse.expect_nothing(SILENCE);
}

#[test]
fn a_hostile_query_is_not_reflected_into_head_or_stream() {
    let server = Server::start(PEOPLE);
    let hostile = "%0d%0aset-cookie:%20x=1%0d%0a%0d%0aevent:%20forged%0adata:%20%7b%7d%0a%0a";
    for query in [format!("/sse?libraries={hostile}"), format!("/sse?events=medias,{hostile}"), format!("/sse?spelling={hostile}")] {
        let sse = Sse::ask(&server, &Request::new("GET", &query).bearer(&token_of("reader")));
        assert!((200..500).contains(&sse.head().status), "{query}: {:?}", sse.head());
        assert_eq!(sse.head().header("set-cookie"), None, "{query}");
        if sse.head().status == 200 {
            let mut sse = sse;
            sse.expect_nothing(SILENCE);
        }
    }
    let token = Request::new("GET", &format!("/sse?token={hostile}")).send(&server);
    assert_eq!(token.status, 401);
    let _whole: Value = token.json();
}
