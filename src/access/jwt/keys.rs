//! Keys, each for its one algorithm, and the checking of signatures with them.

use std::fmt;

use ring::{digest, hmac, signature};

use crate::config::{JwtAlgorithm, MIN_HMAC_BYTES};

/// The shortest modulus of an RSA key, in bytes; RFC 7518, section 3.3.
const MIN_RSA_BYTES: usize = 2048 / 8;
/// The longest, in bytes: beyond it `ring` refuses.
const MAX_RSA_BYTES: usize = 8192 / 8;
/// An uncompressed point of P-256: 4, x and y.
const POINT_BYTES: usize = 65;
/// An Ed25519 public key.
const ED25519_BYTES: usize = 32;

/// What tells one key from another, whatever name it has. It is made of secrets, too, so it is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::access) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the numbers or bytes a key consists of.
    fn of(algorithm: JwtAlgorithm, parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [algorithm.name().as_bytes()].iter().chain(parts) {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        Self(fingerprint)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// A key and the name a token may pick it by.
pub(super) struct Key {
    id: Option<String>,
    material: Material,
    fingerprint: Fingerprint,
}

enum Material {
    Secret(hmac::Key),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Point(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// An HMAC key; the error says what it must be.
    pub(super) fn hmac(id: Option<String>, secret: &[u8]) -> Result<Self, String> {
        if secret.len() < MIN_HMAC_BYTES {
            return Err(format!("must have at least {MIN_HMAC_BYTES} bytes"));
        }
        let fingerprint = Fingerprint::of(JwtAlgorithm::Hs256, &[secret]);
        Ok(Self { id, material: Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret)), fingerprint })
    }

    /// An RSA public key, from big-endian numbers without leading zeros.
    pub(super) fn rsa(id: Option<String>, modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let [modulus, exponent] = [modulus, exponent].map(|number| {
            let begin = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
            number[begin..].to_vec()
        });
        let has_top_bit = modulus.first().is_some_and(|byte| *byte >= 0x80);
        let is_long_enough = modulus.len() > MIN_RSA_BYTES || (modulus.len() == MIN_RSA_BYTES && has_top_bit);
        if !is_long_enough || modulus.len() > MAX_RSA_BYTES {
            return Err("must be an RSA key of 2048 to 8192 bits".to_owned());
        }
        let fingerprint = Fingerprint::of(JwtAlgorithm::Rs256, &[&modulus, &exponent]);
        Ok(Self { id, material: Material::Rsa { modulus, exponent }, fingerprint })
    }

    /// A point of P-256, uncompressed.
    pub(super) fn p256(id: Option<String>, point: Vec<u8>) -> Result<Self, String> {
        if point.len() != POINT_BYTES || point[0] != 4 {
            return Err("must be an uncompressed point of P-256".to_owned());
        }
        let fingerprint = Fingerprint::of(JwtAlgorithm::Es256, &[&point]);
        Ok(Self { id, material: Material::Point(point), fingerprint })
    }

    /// An Ed25519 public key.
    pub(super) fn ed25519(id: Option<String>, key: Vec<u8>) -> Result<Self, String> {
        if key.len() != ED25519_BYTES {
            return Err("must be an Ed25519 key of 32 bytes".to_owned());
        }
        let fingerprint = Fingerprint::of(JwtAlgorithm::EdDsa, &[&key]);
        Ok(Self { id, material: Material::Ed25519(key), fingerprint })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The one algorithm it is good for.
    fn algorithm(&self) -> JwtAlgorithm {
        match self.material {
            Material::Secret(_) => JwtAlgorithm::Hs256,
            Material::Rsa { .. } => JwtAlgorithm::Rs256,
            Material::Point(_) => JwtAlgorithm::Es256,
            Material::Ed25519(_) => JwtAlgorithm::EdDsa,
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Rsa { modulus, exponent } => signature::RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::Point(point) => public(&signature::ECDSA_P256_SHA256_FIXED, point),
            Material::Ed25519(key) => public(&signature::ED25519, key),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// All keys of one issuer.
#[derive(Debug, Default)]
pub(in crate::access) struct KeySet(pub(super) Vec<Key>);

impl KeySet {
    /// Which key of that algorithm has signed the message, if one has. The name a token gives only picks among them; a key
    /// without a name is tried whatever the token says.
    pub(super) fn verify(&self, algorithm: JwtAlgorithm, key_id: Option<&str>, message: &[u8], signature: &[u8]) -> Option<Fingerprint> {
        let is_meant = |key: &&Key| key.algorithm() == algorithm && (key_id.is_none() || key.id.is_none() || key.id() == key_id);
        self.0.iter().filter(is_meant).find(|key| key.has_signed(message, signature)).map(|key| key.fingerprint)
    }

    /// Whether the key is one of these.
    pub(in crate::access) fn holds(&self, fingerprint: Fingerprint) -> bool {
        self.0.iter().any(|key| key.fingerprint == fingerprint)
    }
}
