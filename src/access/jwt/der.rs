//! Public keys as PEM files hold them: `SubjectPublicKeyInfo` (RFC 5280), for the three kinds of key we use.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::keys::Key;
use crate::config::JwtAlgorithm;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The key in a PEM text, which must be for that algorithm; the error says what is needed.
pub(super) fn public_key(id: Option<String>, pem: &str, algorithm: JwtAlgorithm) -> Result<Key, String> {
    let der = unwrap_pem(pem).ok_or_else(|| format!("must hold one public key between {BEGIN} and {END}"))?;
    let Info { kind, curve, key } = read_info(&der).ok_or("holds a public key that cannot be read")?;
    match algorithm {
        JwtAlgorithm::Rs256 if kind == RSA_ENCRYPTION => {
            let (modulus, exponent) = read_rsa(key).ok_or("holds an RSA key that cannot be read")?;
            Key::rsa(id, modulus, exponent)
        }
        JwtAlgorithm::Es256 if kind == EC_PUBLIC_KEY && curve == Some(P256) => Key::p256(id, key.to_vec()),
        JwtAlgorithm::EdDsa if kind == ED25519 => Key::ed25519(id, key.to_vec()),
        _ => Err(format!("holds a key that is not for {}", algorithm.name())),
    }
}

fn unwrap_pem(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (body, after) = rest.split_once(END)?;
    let digits: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    (!after.contains(BEGIN)).then_some(())?;
    STANDARD.decode(digits).ok()
}

/// The key's kind, its curve if it has one, and the key itself.
struct Info<'a> {
    kind: &'a [u8],
    curve: Option<&'a [u8]>,
    key: &'a [u8],
}

fn read_info(der: &[u8]) -> Option<Info<'_>> {
    let (info, rest) = take(der, SEQUENCE)?;
    rest.is_empty().then_some(())?;
    let (algorithm, rest) = take(info, SEQUENCE)?;
    let (bits, rest) = take(rest, BIT_STRING)?;
    rest.is_empty().then_some(())?;
    let (kind, parameters) = take(algorithm, OBJECT_ID)?;
    let curve = take(parameters, OBJECT_ID).map(|(curve, _)| curve);
    // The first byte counts the unused bits of the last one; keys are whole bytes.
    let (unused, key) = bits.split_first()?;
    (*unused == 0).then_some(Info { kind, curve, key })
}

/// Modulus and exponent (RFC 8017, appendix A.1.1).
fn read_rsa(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (numbers, rest) = take(key, SEQUENCE)?;
    rest.is_empty().then_some(())?;
    let (modulus, rest) = take(numbers, INTEGER)?;
    let (exponent, rest) = take(rest, INTEGER)?;
    rest.is_empty().then_some((modulus, exponent))
}

/// The content of the first value, which must have that tag, and what follows it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    (*found == tag).then_some(())?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), rest.get(2..)?),
        _ => return None,
    };
    rest.split_at_checked(length)
}
