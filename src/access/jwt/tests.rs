//! What is believed of a signed token, and every way we know to forge one.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    access::{Denied, Directory, LibraryRights, OpenError, Principal, PrincipalChange, PrincipalStore},
    clock::Timestamp,
    config::Settings,
    event::{EventKind, Level},
    id::{LibraryId, UserId},
};

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";

const PEOPLE: &str = r#"
    [[users]]
    id = "bob"
    token = "bob-1"
    libraries = { films = "read" }
    explicit = true
    tags = ["kids"]
    [[users]]
    id = "off"
    disabled = true
"#;

pub(super) fn open(jwt: &str) -> Result<Directory, OpenError> {
    let settings = Settings::parse(&format!("{jwt}\n{PEOPLE}")).expect("valid settings");
    Directory::open(&settings, PrincipalStore::in_memory()).map(|(directory, _)| directory)
}

fn with_secret(jwt: &str) -> Directory {
    open(&format!("[jwt]\n{jwt}\nkeys = [{{ id = \"main\", algorithm = \"HS256\", secret = \"{SECRET}\" }}]")).expect("opens")
}

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn hs256(secret: &[u8], message: &str) -> String {
    base64(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes()))
}

/// A token of these texts, signed with the secret whatever they say.
fn raw(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = hs256(SECRET.as_bytes(), &message);
    format!("{message}.{signature}")
}

fn token(claims: &Value) -> String {
    raw(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// Good claims, with some replaced; null takes one away.
pub(super) fn claims(other: Value) -> Value {
    let mut claims = json!({"sub": "bob", "exp": now() + 100});
    for (name, value) in other.as_object().cloned().unwrap_or_default() {
        claims[name] = value;
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

pub(super) fn who(directory: &Directory, token: &str) -> Result<Principal, Denied> {
    directory.authenticate(token).map(|known| (*known.principal).clone())
}

fn films() -> LibraryId {
    LibraryId::parse("films").expect("id")
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("id")
}

#[test]
fn without_the_claim_the_subject_is_a_configured_user_or_a_guest() {
    let directory = with_secret("");
    let bob = who(&directory, &token(&claims(json!({})))).expect("good");
    assert_eq!(Ok(&bob), who(&directory, "bob-1").as_ref(), "equal principals make one group, whatever the token");
    assert_eq!((bob.explicit, bob.tags.as_deref()), (Some(true), Some(&["kids".to_owned()][..])));
    let guest = who(&directory, &token(&claims(json!({"sub": "stranger"})))).expect("good");
    assert_eq!(guest, Principal { user: Some(user("stranger")), ..Principal::default() });
}

#[test]
fn the_claim_alone_gives_rights() {
    let directory = with_secret("");
    let rights = json!({"libraries": {"music": "write"}, "publish": {"types": ["medias"]}, "explicit": false, "tags": ["a"]});
    let bob = who(&directory, &token(&claims(json!({"fanfare": rights})))).expect("good");
    assert!(bob.member && !bob.admin && !bob.has(&films(), Level::Read), "the configured rights are not added");
    assert!(bob.has(&LibraryId::parse("music").expect("id"), Level::Write) && bob.publish.allows(EventKind::Medias, None));
    assert_eq!((bob.explicit, bob.tags.as_deref(), bob.user), (Some(false), Some(&["a".to_owned()][..]), Some(user("bob"))));
    let nobody = who(&directory, &token(&claims(json!({"sub": null, "fanfare": {"admin": true}})))).expect("good");
    assert!(nobody.admin && nobody.member && nobody.user.is_none());
    let publisher = who(&directory, &token(&claims(json!({"fanfare": {"publish": true}})))).expect("good");
    assert!(publisher.only_publishes && !publisher.member && !publisher.reads_as(&user("bob")));
    let empty = who(&directory, &token(&claims(json!({"fanfare": {}})))).expect("good");
    assert_eq!(empty, Principal { user: Some(user("bob")), ..Principal::default() }, "a claim of nothing takes the rights away");
    for bad in [
        json!({"admin": 1}),
        json!({"metrics": true}),
        json!({"libraries": "all"}),
        json!({"publish": {"types": ["presence"]}}),
        json!([]),
        json!("x"),
    ] {
        assert_eq!(who(&directory, &token(&claims(json!({"fanfare": bad.clone()})))), Err(Denied::Unknown), "{bad}");
    }
    let null = format!(r#"{{"sub":"bob","exp":{},"fanfare":null}}"#, now() + 100);
    assert_eq!(who(&directory, &raw(r#"{"alg":"HS256"}"#, &null)), Err(Denied::Unknown));
}

#[test]
fn a_user_who_is_refused_is_so_whatever_the_token_says() {
    let directory = with_secret("");
    for rights in [json!({}), json!({"fanfare": {"admin": true}})] {
        let mut of_off = claims(rights.clone());
        of_off["sub"] = json!("off");
        assert_eq!(who(&directory, &token(&of_off)), Err(Denied::Disabled));
        let session = directory.authenticate(&token(&claims(rights))).expect("good");
        directory.delete_principal(&user("bob")).expect("kept");
        assert_eq!(directory.current(&session.credential), None, "an open session is reached");
        directory.put_principal(&user("bob"), PrincipalChange::default()).expect("kept");
        assert_eq!(directory.current(&session.credential), Some(session.principal));
    }
}

#[test]
fn changed_rights_reach_tokens_without_the_claim_only() {
    let directory = with_secret("");
    let plain = directory.authenticate(&token(&claims(json!({})))).expect("good");
    let own = directory.authenticate(&token(&claims(json!({"fanfare": {"libraries": "read"}})))).expect("good");
    let all = PrincipalChange { libraries: Some(LibraryRights::Every(Level::Admin)), ..PrincipalChange::default() };
    directory.put_principal(&user("bob"), all).expect("kept");
    assert!(directory.current(&plain.credential).expect("still").has(&films(), Level::Admin));
    assert_eq!(directory.current(&own.credential), Some(own.principal));
}

#[test]
fn revoked_tokens_are_those_issued_before() {
    let directory = with_secret("");
    let before = token(&claims(json!({"iat": now() - 10})));
    let session = directory.authenticate(&before).expect("good");
    directory.put_principal(&user("bob"), PrincipalChange { revoke_tokens: true, ..PrincipalChange::default() }).expect("kept");
    assert_eq!(directory.current(&session.credential), None);
    assert_eq!(who(&directory, &before), Err(Denied::Unknown));
    assert_eq!(who(&directory, &token(&claims(json!({})))), Err(Denied::Unknown), "one that does not say when it was issued");
    assert!(who(&directory, &token(&claims(json!({"iat": now() + 2})))).is_ok());
}

#[test]
fn sessions_of_one_token_share_a_credential_that_dies_with_the_last() {
    let directory = with_secret("");
    let text = token(&claims(json!({})));
    let (first, second) = (directory.authenticate(&text).expect("good"), directory.authenticate(&text).expect("good"));
    assert_eq!(first.credential, second.credential);
    assert_eq!(first.credential.expires(), Some(Timestamp((now() + 100) * 1000)));
    drop((first, second));
    let mut groups = std::collections::HashSet::new();
    for n in 0..5_000 {
        let known = directory.authenticate(&token(&claims(json!({"exp": now() + 1000 + n})))).expect("good");
        groups.insert(known.principal);
    }
    assert_eq!(groups.len(), 1, "when a token ends is no part of who shows it");
    assert!(directory.n_issued() < 200, "{} are remembered", directory.n_issued());
}

#[test]
fn a_token_ends_when_it_says_and_not_before_it_begins() {
    let (strict, lenient) = (with_secret(""), with_secret("leeway = \"60s\""));
    let ended = |seconds: i64| token(&claims(json!({"exp": now() - seconds})));
    assert_eq!(who(&strict, &ended(0)), Err(Denied::Expired));
    assert_eq!((who(&lenient, &ended(50)).is_ok(), who(&lenient, &ended(61))), (true, Err(Denied::Expired)));
    let begins = |seconds: i64| token(&claims(json!({"nbf": now() + seconds})));
    assert!(who(&strict, &begins(-1)).is_ok() && who(&lenient, &begins(50)).is_ok());
    assert_eq!((who(&strict, &begins(3)), who(&lenient, &begins(70))), (Err(Denied::Unknown), Err(Denied::Unknown)));
    let session = strict.authenticate(&token(&claims(json!({"exp": now() + 1})))).expect("good");
    let deadline = Instant::now() + Duration::from_secs(5);
    while strict.current(&session.credential).is_some() {
        assert!(Instant::now() < deadline, "it did not end");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(Timestamp::now() >= session.credential.expires().expect("it ends"));
}

#[test]
fn odd_times_and_texts_reject_the_whole_token() {
    let directory = with_secret("");
    let exp = now() + 100;
    let odd = [
        "null".to_owned(),
        format!("\"{exp}\""),
        "-1".to_owned(),
        format!("{exp}.5"),
        format!("{exp}.0"),
        "1e400".to_owned(),
        "1e10".to_owned(),
        "253402300800".to_owned(),
        "18446744073709551615".to_owned(),
        "99999999999999999999999".to_owned(),
        "true".to_owned(),
        "[]".to_owned(),
        format!("[{exp}]"),
        "{}".to_owned(),
    ];
    for odd in &odd {
        let sent = raw(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"bob","exp":{odd}}}"#));
        assert_eq!(who(&directory, &sent), Err(Denied::Unknown), "exp {odd}");
        for name in ["nbf", "iat"] {
            let sent = raw(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"bob","exp":{exp},"{name}":{odd}}}"#));
            assert_eq!(who(&directory, &sent), Err(Denied::Unknown), "{name} {odd}");
        }
    }
    assert_eq!(who(&directory, &token(&claims(json!({"exp": null})))), Err(Denied::Unknown), "no exp at all");
    for bad in [
        json!({"sub": 7}),
        json!({"sub": ""}),
        json!({"sub": "a\nb"}),
        json!({"sub": "x".repeat(129)}),
        json!({"sub": null}),
        json!({"jti": 1}),
        json!({"iss": 1}),
    ] {
        assert_eq!(who(&directory, &token(&claims(bad.clone()))), Err(Denied::Unknown), "{bad}");
    }
}

#[test]
fn only_tokens_for_us_and_of_our_issuer_count() {
    let named = with_secret("issuer = [\"https://a\", \"https://b\"]\naudience = \"fanfare\"");
    let good = json!({"iss": "https://b", "aud": "fanfare"});
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        who(&named, &token(&claims(changed)))
    };
    assert!(with("aud", json!(["other", "fanfare"])).is_ok());
    for bad in [
        json!(null),
        json!("other"),
        json!("Fanfare"),
        json!("fanfare2"),
        json!(["other"]),
        json!([]),
        json!(1),
        json!(["fanfare", 1]),
        json!({"fanfare": 1}),
    ] {
        assert_eq!(with("aud", bad.clone()), Err(Denied::Unknown), "aud {bad}");
    }
    for bad in [json!(null), json!("https://c"), json!("https://b/"), json!(["https://b"]), json!(1)] {
        assert_eq!(with("iss", bad.clone()), Err(Denied::Unknown), "iss {bad}");
    }
    let unnamed = with_secret("");
    assert!(who(&unnamed, &token(&claims(json!({"iss": "anybody"})))).is_ok());
    assert_eq!(who(&unnamed, &token(&claims(json!({"aud": "another service"})))), Err(Denied::Unknown));
}

#[test]
fn headers_pick_no_algorithm_and_bring_no_key() {
    let directory = with_secret("");
    let claims = claims(json!({})).to_string();
    let sent = |header: &str| who(&directory, &raw(header, &claims));
    for good in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":"main","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}"#,
    ] {
        assert!(sent(good).is_ok(), "{good}: signed with the known key, and no address is looked at");
    }
    for bad in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{}"#,
        r#"[]"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"HS256","kid":"other"}"#,
        r#"{"alg":"HS256","kid":"../../../../dev/null"}"#,
        r#"{"alg":"HS256","kid":"main' OR '1'='1"}"#,
        r#"{"alg":"HS256","kid":["main"]}"#,
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"alg":"HS256","typ":"logout+jwt"}"#,
        r#"{"alg":"HS256","typ":1}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
    ] {
        assert_eq!(sent(bad), Err(Denied::Unknown), "{bad}");
    }
    // A key the token brings along has signed it: nothing of it is used.
    let own = b"a key of the attacker's own, long enough";
    for header in [
        json!({"alg": "HS256", "jwk": {"kty": "oct", "k": base64(own)}}),
        json!({"alg": "HS256", "x5c": [base64(own)]}),
        json!({"alg": "HS256", "kid": base64(own)}),
    ] {
        let message = format!("{}.{}", base64(header.to_string()), base64(&claims));
        let forged = format!("{message}.{}", hs256(own, &message));
        assert_eq!(who(&directory, &forged), Err(Denied::Unknown), "{header}");
    }
}

#[test]
fn a_token_in_another_form_is_none() {
    let directory = with_secret("");
    let good = token(&claims(json!({})));
    assert!(who(&directory, &good).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("three parts") };
    let twice = raw(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"bob","exp":1,"exp":{}}}"#, now() + 100));
    let twice_below = raw(
        r#"{"alg":"HS256"}"#,
        &format!(r#"{{"sub":"bob","exp":{},"fanfare":{{"libraries":{{"a":"read","a":"admin"}}}}}}"#, now() + 100),
    );
    let huge = token(&claims(json!({"padding": "x".repeat(10_000)})));
    let deep = raw(r#"{"alg":"HS256"}"#, &format!(r#"{{"exp":{}"x":1}}"#, "[".repeat(3_000)));
    let broken = [
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{head}..{signature}"),
        format!(".{body}.{signature}"),
        "..".to_owned(),
        "eyJ..".to_owned(),
        format!("{head}.{body}.{signature}="),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}.{signature}."),
        format!("{good}.{signature}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{head}.{body}.{}", &signature[1..]),
        format!("{head}.{body}.{}", "A".repeat(43)),
        format!("{head}.{}.{signature}", base64(claims(json!({"sub": "off"})).to_string())),
        good.replace('.', "%2e"),
        twice,
        twice_below,
        huge,
        deep,
        raw(r#"{"alg":"HS256"}"#, "null"),
        raw(r#"{"alg":"HS256"}"#, "{}"),
        raw(r#"{"alg":"HS256"}"#, ""),
        raw(r#"{"alg":"HS256"}"#, "{\"exp\":"),
    ];
    for sent in broken {
        assert_eq!(who(&directory, &sent), Err(Denied::Unknown), "{sent:.300}");
    }
    // The last digit of a signature has two bits that say nothing: another spelling of the same bytes is another token.
    let other_spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .filter(|last| who(&directory, &format!("{head}.{body}.{}{last}", &signature[..signature.len() - 1])).is_ok());
    assert_eq!(other_spellings.count(), 1);
}
