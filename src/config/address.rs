//! Addresses: those we listen at, and those of servers that tokens are shown to, which are checked; and whether tokens stay on
//! this machine on the way.

use std::{fmt, net::SocketAddr};

use serde::{Deserializer, de};

use super::error::Invalid;

/// Whether tokens would cross a network in clear text, as far as the address alone tells.
pub(super) fn shows_tokens_to_the_network(address: &str) -> bool {
    let Some(authority) = address.strip_prefix("http://") else { return false };
    let host = host_of(authority);
    host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads an address to listen at.
pub(super) fn listened<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    deserializer.deserialize_any(AddressVisitor)
}

/// The same where there may be none.
pub(super) fn perhaps_listened<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    listened(deserializer).map(Some)
}

struct AddressVisitor;

impl de::Visitor<'_> for AddressVisitor {
    type Value = SocketAddr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an IP address and a port from 0 to 65535, such as \"127.0.0.1:8400\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketAddr, E> {
        text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// Refuses what is no `http://` or `https://` address, by its key and without showing it. `example` is a good one.
pub(super) fn check(key: &str, address: &str, example: &str) -> Result<(), Invalid> {
    let refused = |reason: &str| Err(Invalid::new(key, reason));
    let Some(rest) = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://")) else {
        return refused("must begin with http:// or https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return refused("must not hold a name or a password");
    }
    if host_of(rest).is_empty() || address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refused(&format!("must be an address such as {example}"));
    }
    Ok(())
}

/// What stands before the port and the path.
fn host_of(after_scheme: &str) -> &str {
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_off_this_machine_without_tls_is_told_apart() {
        for own in ["http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost", "https://auth.example/who"] {
            assert!(!shows_tokens_to_the_network(own), "{own}");
        }
        for far in ["http://auth.example/who", "http://10.0.0.1", "http://127.0.0.1.example:80", "http://localhost.example"] {
            assert!(shows_tokens_to_the_network(far), "{far}");
        }
    }
}
