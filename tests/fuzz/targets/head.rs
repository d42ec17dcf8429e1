//! The front door's look at a request head: what it takes is one plain request, told as it was written.

use fanfare::server::head;

pub(super) fn target(data: &[u8]) {
    let found = head::read(data, |head| {
        Some((
            head.path.to_owned(),
            head.query.to_owned(),
            head.header("Host").map(str::to_owned),
            head.header("authorization").map(str::to_owned),
        ))
    });
    let Some((path, query, host, authorisation)) = found else { return };
    // Blank lines in front of a request are allowed.
    let data = &data[data.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()..];
    let text = String::from_utf8_lossy(data);
    // One head, whole, and nothing behind it: a second request must go to the ordinary server.
    let end = data.windows(3).position(|three| three.ends_with(b"\n\n") || three == b"\n\r\n").map(|at| at + 3);
    assert_eq!(end, Some(data.len()), "not exactly one head: {text:?}");
    let line = text.lines().next().unwrap_or_default();
    let asked = line.strip_prefix("GET ").unwrap_or_default().trim_start_matches(' ').split(' ').next().unwrap_or_default();
    assert!(asked == path && query.is_empty() || asked == format!("{path}?{query}") && !path.contains('?'), "{text:?}");
    assert!(line.starts_with("GET ") && line.trim_end().ends_with("HTTP/1.1"), "{text:?}");
    for value in host.iter().chain(&authorisation) {
        assert!(!value.contains(['\r', '\n', '\0']), "{text:?}");
    }
    // Nothing that changes where the request ends, or what is spoken behind it.
    let names: Vec<String> = text.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0.trim().to_ascii_lowercase())).collect();
    let n_named = |name: &str| names.iter().filter(|known| *known == name).count();
    for odd in ["content-length", "transfer-encoding", "upgrade", "expect"] {
        assert_eq!(n_named(odd), 0, "{odd} in {text:?}");
    }
    assert_eq!(n_named("host"), 1, "{text:?}");
}
