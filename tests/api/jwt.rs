//! Signed tokens over HTTP: what they open, when they end, and that every bad one is told the same.

use std::{
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use crate::harness::{PEOPLE, Request, Server, Sse, medias, refused_start, token_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn settings() -> String {
    // Unlimited, as one address tries more bad tokens here than anybody's patience holds.
    format!(
        "[limits]\nbad_tokens_per_minute = 0\n[jwt]\nissuer = \"tests\"\naudience = \"fanfare\"\nkeys = [{{ algorithm = \"HS256\", secret = \"{SECRET}\" }}]\n{PEOPLE}"
    )
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A good token, with some claims replaced; null takes one away.
pub(crate) fn token(other: &Value) -> String {
    let mut claims = json!({"sub": "reader", "exp": now() + 100, "iss": "tests", "aud": "fanfare"});
    for (name, value) in other.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
    signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims, SECRET.as_bytes())
}

#[test]
fn a_signed_token_opens_what_its_user_or_its_claim_may_see() {
    let server = Server::start(&settings());
    let mut reader = Sse::open(&server, "/sse", &token(&json!({})));
    let mut claimed = Sse::open(&server, "/sse", &token(&json!({"fanfare": {"libraries": {"lib2": "read"}}})));
    let publisher = token(&json!({"sub": "scanner", "fanfare": {"publish": {"types": ["medias"]}}}));
    for library in ["lib1", "lib2"] {
        let (status, body) = server.publish(&publisher, &medias(library, &format!("in-{library}")));
        assert_eq!(status, 200, "{body}");
    }
    assert!(reader.expect("medias").data.contains("in-lib1"));
    assert!(claimed.expect("medias").data.contains("in-lib2"));
    assert_eq!(server.publish(&token(&json!({})), &medias("lib1", "x")).0, 403, "a token that reads does not publish");
}

#[test]
fn a_stream_ends_with_its_token_whether_it_is_idle_or_busy() {
    let server = Server::start(&settings());
    let exp = now() + 5;
    // The end is in whole seconds: up to five of them are left.
    let ends = UNIX_EPOCH + Duration::from_secs(exp);
    let short = token(&json!({"exp": exp}));
    let mut busy = Sse::open(&server, "/sse", &short);
    let mut idle = Sse::open(&server, "/sse?libraries=none", &short);
    let opened = Instant::now();
    let mut n_events = 0;
    while busy.next_event(Duration::from_millis(1)).is_some() || SystemTime::now() < ends {
        server.publish_all(&[medias("lib1", &format!("busy-{n_events}"))]);
        n_events += 1;
        assert!(opened.elapsed() < Duration::from_secs(20), "it goes on and on");
    }
    idle.expect_end(Duration::from_secs(3));
    busy.expect_end(Duration::from_secs(3));
    let late = SystemTime::now().duration_since(ends).unwrap_or_default();
    assert!(late < Duration::from_millis(1_300) && opened.elapsed() < Duration::from_millis(6_300), "{late:?} after its end");
    assert!(busy.raw().contains("busy-0") && !idle.raw().contains("busy-0"));
    assert_eq!(Request::new("GET", "/sse").bearer(&short).send(&server).status, 401);
}

#[test]
fn a_disabled_user_is_refused_whatever_the_token_says_and_his_streams_end() {
    let server = Server::start(&settings());
    let [plain, claimed] = [token(&json!({})), token(&json!({"fanfare": {"admin": true}}))];
    let mut streams = [&plain, &claimed].map(|token| Sse::open(&server, "/sse", token));
    assert_eq!(server.put_principal("reader", &json!({"disabled": true})).status, 200);
    for stream in &mut streams {
        stream.expect_end(Duration::from_secs(2));
    }
    for token in [&plain, &claimed] {
        assert_eq!(Request::new("GET", "/sse").bearer(token).send(&server).status, 401);
    }
    assert_eq!(server.delete_principal("guest").status, 200);
    assert_eq!(Request::new("GET", "/sse").bearer(&token(&json!({"sub": "guest"}))).send(&server).status, 401);
}

#[test]
fn every_bad_token_gets_the_same_answer() {
    let server = Server::start(&settings());
    let good = token(&json!({}));
    let header = json!({"alg": "HS256"});
    let claims = json!({"sub": "reader", "exp": now() + 100, "iss": "tests", "aud": "fanfare"});
    let own = b"a key of the attacker's own, long enough";
    let (unsigned, _) = good.rsplit_once('.').expect("three parts");
    let none = signed(&json!({"alg": "none"}), &claims, SECRET.as_bytes());
    let bad = [
        "nobody's".to_owned(),
        format!("{unsigned}."),
        format!("{}.", none.rsplit_once('.').expect("three parts").0),
        none,
        signed(&header, &claims, own),
        signed(&json!({"alg": "HS256", "jwk": {"kty": "oct", "k": URL_SAFE_NO_PAD.encode(own)}}), &claims, own),
        signed(&json!({"alg": "HS256", "jku": "http://127.0.0.1:1/keys"}), &claims, own),
        signed(&json!({"alg": "HS256", "x5u": "http://127.0.0.1:1/keys"}), &claims, own),
        signed(&json!({"alg": "HS256", "kid": "../../../../dev/null"}), &claims, b"\0"),
        signed(&json!({"alg": "HS256", "kid": "' UNION SELECT 'x"}), &claims, b"x"),
        signed(&json!({"alg": "HS256", "crit": ["exp"]}), &claims, SECRET.as_bytes()),
        signed(&json!({"alg": "RS256"}), &claims, SECRET.as_bytes()),
        token(&json!({"exp": null})),
        token(&json!({"exp": now() - 1})),
        token(&json!({"exp": (now() + 100).to_string()})),
        token(&json!({"exp": -1})),
        token(&json!({"exp": 1e300})),
        token(&json!({"nbf": now() + 60})),
        token(&json!({"aud": "another"})),
        token(&json!({"iss": "another"})),
        token(&json!({"padding": "x".repeat(5_000)})) + "x",
        format!("{good}="),
        "..".to_owned(),
    ];
    let first = Request::new("GET", "/sse").bearer("unknown").send(&server);
    let first_of_publishing = server.publish("unknown", &medias("lib1", "x"));
    assert_eq!((first.status, first_of_publishing.0), (401, 401));
    for token in &bad {
        let answer = Request::new("GET", "/sse").bearer(token).send(&server);
        assert_eq!((answer.status, &answer.body), (401, &first.body), "{token:.200}");
        assert_eq!(server.publish(token, &medias("lib1", "x")), first_of_publishing, "{token:.200}");
    }
    assert!(!server.log().contains(&good[..40]));
    drop(Sse::open(&server, "/sse", &good));
}

#[test]
fn signed_tokens_count_as_connections_of_their_user() {
    let server = Server::start(&settings().replace("[limits]\n", "[limits]\nconnections_per_user = 2\n"));
    let first = Sse::open(&server, "/sse", &token_of("reader"));
    let second = Sse::open(&server, "/sse", &token(&json!({})));
    let refused = Request::new("GET", "/sse").bearer(&token(&json!({"exp": now() + 200}))).send(&server);
    assert!(refused.body.starts_with("retry: ") && refused.body.lines().count() <= 3, "{} {}", refused.status, refused.body);
    drop((first, second));
}

#[test]
fn a_secret_that_others_could_guess_or_read_keeps_the_server_from_starting() {
    let server = "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = \"FOLDER/data\"\n";
    let (status, said) = refused_start(&format!("{server}[[jwt.keys]]\nalgorithm = \"HS256\"\nsecret = \"hunter2\"\n"));
    assert!(!status.success() && said.contains("jwt.keys[0].secret: must have at least 32 bytes") && !said.contains("hunter2"), "{said}");
    // The binary itself can be read by everybody, and is no secret.
    let file = env!("CARGO_BIN_EXE_fanfare");
    let (status, said) = refused_start(&format!("{server}[[jwt.keys]]\nalgorithm = \"HS256\"\nsecret_file = {file:?}\n"));
    assert!(!status.success() && said.contains("jwt.keys[0].secret_file: "), "{said}");
}

#[test]
fn a_stream_ends_when_the_key_of_its_token_is_taken_out_of_the_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = "another secret of thirty-two bytes";
    let write = |name: &str, keys: Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, json!({"keys": keys}).to_string()).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
        path
    };
    let key = |id: &str, secret: &str| json!({"kty": "oct", "kid": id, "k": URL_SAFE_NO_PAD.encode(secret)});
    let path = write("jwks.json", json!([key("leaked", SECRET), key("kept", other)]));
    let server = Server::start(&format!("[jwt]\njwks_file = {path:?}\n{PEOPLE}"));
    let of = |secret: &str, claims: &Value| signed(&json!({"alg": "HS256"}), claims, secret.as_bytes());
    let claims = json!({"sub": "reader", "exp": 253_402_300_799_u64});
    let nobodys = json!({"fanfare": {"libraries": "read"}, "exp": 253_402_300_799_u64});
    let mut of_leaked = [&claims, &nobodys].map(|claims| Sse::open(&server, "/sse", &of(SECRET, claims)));
    let mut of_kept = Sse::open(&server, "/sse", &of(other, &claims));
    std::fs::rename(write("new.json", json!([key("kept", other)])), &path).expect("renamed");
    for stream in &mut of_leaked {
        stream.expect_end(Duration::from_secs(10));
    }
    assert_eq!(Request::new("GET", "/sse").bearer(&of(SECRET, &claims)).send(&server).status, 401);
    server.publish_all(&[medias("lib1", "after")]);
    assert!(of_kept.expect("medias").data.contains("after"));
}
