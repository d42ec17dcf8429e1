//! What a client asks for: any query is read, bounded, as a browser would have meant it, and can only narrow.

use fanfare::{
    access::{Caller, RawNames},
    config,
    dialect::{Dialect, Query, Refusal, Refused, Request, redseat::RedSeat},
};

/// As many libraries, and events, as a request may name.
const MAX_NAMED: usize = 1_000;

pub(super) fn target(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (header, query) = text.split_once('\0').unwrap_or(("", &text));
    for name in ["libraries", "events", "spelling", "token", ""] {
        assert_eq!(Query(query).get(name).as_deref(), by_the_book(query, name).as_deref(), "{name:?} of {query:?}");
    }
    let redseat = RedSeat::new(&config::Dialects::default().redseat);
    let header = |name: &str| (name == "authorization" && !header.is_empty()).then_some(header);
    let request = Request { path: "/sse", websocket: false, query, header: &header, peer: None, address: None, secure: false };
    token_is_as_shown(&redseat, &request);
    let caller = Caller::default();
    let Ok(opening) = redseat.open(&request, &caller) else { panic!("a stream is never refused for its query") };
    assert_eq!(opening.filter.principal, caller.principal, "a request changes nobody's rights");
    if let Some(libraries) = &opening.filter.libraries {
        assert!(libraries.len() <= MAX_NAMED && libraries.is_sorted(), "{libraries:?}");
        let asked = by_the_book(query, "libraries").unwrap_or_default();
        assert!(libraries.iter().all(|id| asked.contains(id.as_str())), "{libraries:?} of {asked:?}");
    }
    if let RawNames::Only(names) = &opening.filter.raw {
        assert!(names.len() <= MAX_NAMED, "{} names", names.len());
    }
    // Nothing of the request comes back in a head.
    let answers = [Refusal::Unauthorised, Refusal::Full, Refusal::Draining].map(|refusal| match redseat.refuse(&request, refusal) {
        Refused::Answer(answer) => answer.headers,
        Refused::Close(code) => panic!("no WebSocket was asked for: {code:?}"),
    });
    for (name, value) in opening.headers.iter().chain(answers.iter().flatten()) {
        assert!(!value.contains(['\r', '\n', '\0']) && !name.contains(['\r', '\n', ':']), "{name}: {value:?}");
    }
}

fn token_is_as_shown(redseat: &RedSeat, request: &Request<'_>) {
    let token = redseat.token(request);
    match (request.header)("authorization") {
        Some(header) => {
            let shown = header.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer ")).map(|_| header[7..].trim());
            assert_eq!(token.as_deref(), shown, "{header:?}");
        }
        None => assert_eq!(token, by_the_book(request.query, "token"), "{:?}", request.query),
    }
}

/// `application/x-www-form-urlencoded`, by the WHATWG rules, byte by byte.
fn by_the_book(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_at(pair.find('=').unwrap_or(pair.len()));
        (decoded(key) == name).then(|| decoded(value.strip_prefix('=').unwrap_or_default()))
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok()).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        match (first, digits) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some(digits)) => {
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                rest = &behind[2..];
                continue;
            }
            _ => bytes.push(*first),
        }
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
