//! Keys: which algorithm each is good for, how files and key sets of them are read, and which are refused.

use std::{
    collections::HashSet,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use ring::{rand::SystemRandom, signature};
use serde_json::{Value, json};

use super::tests::{SECRET, base64, claims, hs256, open, who};
use crate::access::{Denied, Directory, OpenError};

const RSA_PUBLIC: &str = include_str!("fixtures/rsa-public.pem");
const RSA_PRIVATE: &[u8] = include_bytes!("fixtures/rsa-private.pk8");
const EC_PUBLIC: &str = include_str!("fixtures/ec-public.pem");
const EC_PRIVATE: &[u8] = include_bytes!("fixtures/ec-private.pk8");
const ED25519_PUBLIC: &str = include_str!("fixtures/ed25519-public.pem");
const ED25519_PRIVATE: &[u8] = include_bytes!("fixtures/ed25519-private.pk8");

fn private_file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    path.display().to_string()
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
    std::thread::park_timeout(Duration::from_millis(1_500));
    assert!(sent("main", SECRET).is_ok(), "a broken set changes nothing");
    let next = "another secret of thirty-two bytes";
    std::fs::rename(private_file(folder.path(), "new.json", &set("next", next)), &path).expect("renamed");
    let deadline = Instant::now() + Duration::from_secs(10);
    while sent("next", next).is_err() {
        assert!(Instant::now() < deadline, "the new set was not read");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(sent("main", SECRET).is_err(), "what is no longer in the set no longer counts");
}

#[test]
fn sessions_of_a_key_that_is_taken_out_of_the_set_end_and_those_of_others_stay() {
    let folder = tempfile::tempdir().expect("folder");
    let other = "another secret of thirty-two bytes";
    let key = |id: &str, secret: &str| json!({"kty": "oct", "kid": id, "k": base64(secret)});
    let both = json!({"keys": [key("leaked", SECRET), key("kept", other)]});
    let path = private_file(folder.path(), "jwks.json", &both.to_string());
    let directory = open(&format!("[jwt]\njwks_file = \"{path}\"")).expect("opens");
    let session = |secret: &str, of: Value| {
        let message = format!("{}.{}", base64(json!({"alg": "HS256"}).to_string()), base64(claims(of).to_string()));
        directory.authenticate(&format!("{message}.{}", hs256(secret.as_bytes(), &message))).expect("good")
    };
    let nobody = json!({"sub": null, "fanfare": {"admin": true}, "exp": 253_402_300_799_u64});
    let of_leaked = [session(SECRET, json!({})), session(SECRET, nobody)];
    let of_kept = session(other, json!({}));
    // The same key by another name is the same key.
    let fewer = json!({"keys": [key("renamed", other)]}).to_string();
    std::fs::rename(private_file(folder.path(), "new.json", &fewer), &path).expect("renamed");
    let (mut changes, mut told) = (directory.changes(), HashSet::new());
    let deadline = Instant::now() + Duration::from_secs(10);
    while told.len() < 2 {
        assert!(Instant::now() < deadline, "sessions of a key that is gone stay; told of {told:?}");
        match pin!(changes.next()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(user) => drop(told.insert(user)),
            Poll::Pending => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
    assert_eq!(told, of_leaked.iter().map(|session| session.user().cloned()).collect());
    assert!(of_leaked.iter().all(|session| directory.current(&session.credential).is_none()));
    assert_eq!(directory.current(&of_kept.credential), Some(of_kept.principal));
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
