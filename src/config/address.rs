//! Addresses of servers that tokens are shown to: checked, and whether tokens stay on this machine on the way.

use super::error::Invalid;

/// Whether tokens would cross a network in clear text, as far as the address alone tells.
pub(super) fn shows_tokens_to_the_network(address: &str) -> bool {
    let Some(authority) = address.strip_prefix("http://") else { return false };
    let host = host_of(authority);
    host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
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
