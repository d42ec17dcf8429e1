//! What is believed of a signed token, and every way we know to forge one.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{hmac, rand::SystemRandom, signature};
use serde_json::{Value, json};

use crate::{
    access::{Denied, Directory, LibraryRights, OpenError, Principal, PrincipalChange, PrincipalStore},
    clock::Timestamp,
    config::Settings,
    event::{EventKind, Level},
    id::{LibraryId, UserId},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RSA_PUBLIC: &str = include_str!("fixtures/rsa-public.pem");
const RSA_PRIVATE: &[u8] = include_bytes!("fixtures/rsa-private.pk8");
const EC_PUBLIC: &str = include_str!("fixtures/ec-public.pem");
const EC_PRIVATE: &[u8] = include_bytes!("fixtures/ec-private.pk8");
const ED25519_PUBLIC: &str = include_str!("fixtures/ed25519-public.pem");
const ED25519_PRIVATE: &[u8] = include_bytes!("fixtures/ed25519-private.pk8");

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

fn open(jwt: &str) -> Result<Directory, OpenError> {
    let settings = Settings::parse(&format!("{jwt}\n{PEOPLE}")).expect("valid settings");
    Directory::open(&settings, PrincipalStore::in_memory()).map(|(directory, _)| directory)
}

fn with_secret(jwt: &str) -> Directory {
    open(&format!("[jwt]\n{jwt}\nkeys = [{{ id = \"main\", algorithm = \"HS256\", secret = \"{SECRET}\" }}]")).expect("opens")
}

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hs256(secret: &[u8], message: &str) -> String {
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
fn claims(other: Value) -> Value {
    let mut claims = json!({"sub": "bob", "exp": now() + 100});
    for (name, value) in other.as_object().cloned().unwrap_or_default() {
        claims[name] = value;
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

fn who(directory: &Directory, token: &str) -> Result<Principal, Denied> {
    directory.authenticate(token).map(|known| (*known.principal).clone())
}

fn films() -> LibraryId {
    LibraryId::parse("films").expect("id")
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("id")
}

fn private_file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    path.display().to_string()
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
        std::thread::sleep(Duration::from_millis(20));
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

/// A directory with one PEM key, and what it says of a token of that algorithm.
fn with_pem(folder: &Path, algorithm: &str, pem: &str) -> Result<Directory, OpenError> {
    let path = private_file(folder, "key.pem", pem);
    open(&format!("[[jwt.keys]]\nalgorithm = \"{algorithm}\"\npublic_key_file = \"{path}\""))
}

fn message(algorithm: &str) -> String {
    format!("{}.{}", base64(json!({"alg": algorithm}).to_string()), base64(claims(json!({})).to_string()))
}

fn rs256(message: &str) -> String {
    let pair = signature::RsaKeyPair::from_pkcs8(RSA_PRIVATE).expect("a key");
    let mut bytes = vec![0; pair.public().modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut bytes).expect("signed");
    base64(bytes)
}

fn es256(message: &str) -> String {
    let random = SystemRandom::new();
    let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, EC_PRIVATE, &random).expect("a key");
    base64(pair.sign(&random, message.as_bytes()).expect("signed"))
}

fn eddsa(message: &str) -> String {
    base64(signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(ED25519_PRIVATE).expect("a key").sign(message.as_bytes()))
}

#[test]
fn each_algorithm_counts_with_its_own_kind_of_key_and_no_other() {
    let folder = tempfile::tempdir().expect("folder");
    type Sign = fn(&str) -> String;
    let kinds: [(&str, &str, Sign); 3] = [("RS256", RSA_PUBLIC, rs256), ("ES256", EC_PUBLIC, es256), ("EdDSA", ED25519_PUBLIC, eddsa)];
    for (algorithm, pem, sign) in kinds {
        let directory = with_pem(folder.path(), algorithm, pem).expect("opens");
        let of = |claimed: &str, sign: Sign| format!("{0}.{1}", message(claimed), sign(&message(claimed)));
        assert!(who(&directory, &of(algorithm, sign)).is_ok(), "{algorithm}");
        for (other, other_pem, other_sign) in kinds.iter().filter(|(other, ..)| *other != algorithm) {
            assert_eq!(who(&directory, &of(other, *other_sign)), Err(Denied::Unknown), "{other} to {algorithm}");
            assert_eq!(who(&directory, &of(algorithm, *other_sign)), Err(Denied::Unknown), "{other} as {algorithm}");
            let error = with_pem(folder.path(), algorithm, other_pem).expect_err("another kind of key").to_string();
            assert!(
                error.starts_with("jwt.keys[0].public_key_file: ") && error.ends_with(&format!("holds a key that is not for {algorithm}")),
                "{error}"
            );
        }
        // Algorithm confusion: the public key, which everybody may know, as an HMAC secret.
        let message = message("HS256");
        for known in [pem.as_bytes(), pem.trim_end().as_bytes()] {
            let forged = format!("{message}.{}", hs256(known, &message));
            assert_eq!(who(&directory, &forged), Err(Denied::Unknown), "{algorithm} as HS256");
        }
    }
}

#[test]
fn a_key_that_cannot_be_used_is_refused_at_start_by_its_setting() {
    let folder = tempfile::tempdir().expect("folder");
    let of_secret =
        |path: &str| open(&format!("[[jwt.keys]]\nalgorithm = \"HS256\"\nsecret_file = \"{path}\"")).err().map(|error| error.to_string());
    let short = private_file(folder.path(), "short", "hunter2-hunter2-hunter2-hunter2\n");
    assert_eq!(of_secret(&short), Some(format!("jwt.keys[0].secret_file: {short}: must have at least 32 bytes")));
    let long = private_file(folder.path(), "long", &format!("{SECRET}\n"));
    assert_eq!(of_secret(&long), None);
    std::fs::set_permissions(&long, std::fs::Permissions::from_mode(0o640)).expect("ours");
    let open_to_all = "can be read by others than its owner (mode 640): chmod 600 is enough";
    assert_eq!(of_secret(&long), Some(format!("jwt.keys[0].secret_file: {long}: {open_to_all}")));
    assert_eq!(of_secret("/nowhere"), Some("jwt.keys[0].secret_file: /nowhere: cannot be read: entity not found".to_owned()));
    for (pem, reason) in [
        ("", "must hold one public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be read"),
        (&RSA_PUBLIC.replace("MII", "MIJ"), "cannot be read"),
    ] {
        let error = with_pem(folder.path(), "RS256", pem).expect_err("no key").to_string();
        assert!(error.contains(reason), "{error}");
    }
    let written = private_file(folder.path(), "w.pem", RSA_PUBLIC);
    std::fs::set_permissions(&written, std::fs::Permissions::from_mode(0o666)).expect("ours");
    let error =
        open(&format!("[[jwt.keys]]\nalgorithm = \"RS256\"\npublic_key_file = \"{written}\"")).expect_err("open to all").to_string();
    assert!(error.ends_with("can be written by others than its owner (mode 666): chmod 644 is enough"), "{error}");
}

#[test]
fn a_key_set_is_read_again_when_it_changes_and_kept_when_it_breaks() {
    let folder = tempfile::tempdir().expect("folder");
    let set = |id: &str, secret: &str| {
        json!({"keys": [{"kty": "oct", "kid": id, "k": base64(secret)}, {"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQ"}]}).to_string()
    };
    let path = private_file(folder.path(), "jwks.json", &set("main", SECRET));
    let directory = open(&format!("[jwt]\njwks_file = \"{path}\"")).expect("opens");
    let sent = |id: &str, secret: &str| {
        let message = format!("{}.{}", base64(json!({"alg": "HS256", "kid": id}).to_string()), base64(claims(json!({})).to_string()));
        who(&directory, &format!("{message}.{}", hs256(secret.as_bytes(), &message)))
    };
    assert!(sent("main", SECRET).is_ok() && sent("next", SECRET).is_err());
    private_file(folder.path(), "jwks.json", "{\"keys\": [");
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(sent("main", SECRET).is_ok(), "a broken set changes nothing");
    let next = "another secret of thirty-two bytes";
    std::fs::rename(private_file(folder.path(), "new.json", &set("next", next)), &path).expect("renamed");
    let deadline = Instant::now() + Duration::from_secs(10);
    while sent("next", next).is_err() {
        assert!(Instant::now() < deadline, "the new set was not read");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(sent("main", SECRET).is_err(), "what is no longer in the set no longer counts");
}

#[test]
fn a_key_set_with_any_bad_key_is_refused_by_its_place() {
    let folder = tempfile::tempdir().expect("folder");
    let refused = |set: &Value| {
        let path = private_file(folder.path(), "jwks.json", &set.to_string());
        open(&format!("[jwt]\njwks_file = \"{path}\""))
            .expect_err("no set")
            .to_string()
            .split_once("jwks.json: ")
            .expect("the file")
            .1
            .to_owned()
    };
    let good = json!({"kty": "oct", "kid": "a", "k": base64(SECRET)});
    assert_eq!(refused(&json!({"keys": []})), "holds no key for HS256, RS256, ES256 or EdDSA");
    assert_eq!(refused(&json!([])), "is no key set: {\"keys\": [{\"kty\": …}]} is expected");
    assert_eq!(refused(&json!({"keys": [good, good]})), "keys[1] has the kid of another key");
    assert_eq!(refused(&json!({"keys": [good, {"kty": "oct", "k": base64("hunter2")}]})), "keys[1] must have at least 32 bytes");
    assert_eq!(
        refused(&json!({"keys": [{"kty": "RSA", "n": base64([0xff; 128]), "e": "AQAB"}]})),
        "keys[0] must be an RSA key of 2048 to 8192 bits"
    );
    assert_eq!(
        refused(&json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]})),
        "keys[0] must have `x` and `y` of 32 bytes"
    );
    assert_eq!(refused(&json!({"keys": [{"kty": "OKP", "crv": "Ed25519"}]})), "keys[0] has no `x`");
    assert_eq!(
        refused(&json!({"keys": [{"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}]})),
        "holds no key for HS256, RS256, ES256 or EdDSA"
    );
}
