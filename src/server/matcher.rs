//! Which endpoint a path means: parts that stand for anything, escapes, and the freedoms some protocols' clients take.
//!
//! Pure. The routes of the engine itself are exact and found before; what is here are the dialects' plain endpoints, which
//! some clients ask for in any case and behind a prefix.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::dialect::{Dialect, Endpoint, Method};

/// Every endpoint of every dialect.
#[derive(Debug, Default)]
pub(super) struct Matcher(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    dialect: usize,
    endpoint: &'static Endpoint,
    parts: Vec<Part>,
    /// What may stand before it; `None`: it is found exactly as it is.
    prefixes: Option<&'static [&'static str]>,
}

/// A part of an endpoint's path, between two slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Fixed(&'static str),
    Any,
}

/// An endpoint that a path leads to.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its dialect's number.
    pub(super) dialect: usize,
    pub(super) endpoint: &'static Endpoint,
    /// What stands in the places of its braces, decoded.
    pub(super) parts: Vec<String>,
}

impl Matcher {
    /// Those of these dialects, whose places are their numbers.
    pub(super) fn new<'d>(dialects: impl Iterator<Item = (usize, &'d dyn Dialect)>) -> Self {
        let mut entries = Vec::new();
        for (number, dialect) in dialects {
            let prefixes = dialect.prefixes();
            let entry = |endpoint: &&'static Endpoint| Entry { dialect: number, endpoint, parts: parts_of(endpoint.path), prefixes };
            entries.extend(dialect.endpoints().iter().map(entry));
        }
        // What is fixed comes first, so that `/a/b` is not taken for `/a/{any}`. Stable: dialects keep their order.
        entries.sort_by(|one: &Entry, other: &Entry| is_any(&one.parts).cmp(is_any(&other.parts)));
        Self(entries)
    }

    /// The endpoints that a path, as it came, leads to, for whatever method: the most exact of each method first.
    pub(super) fn find(&self, path: &str) -> Vec<Found> {
        let Some(asked) = decoded(path) else { return Vec::new() };
        self.0.iter().filter_map(|entry| entry.at(&asked)).collect()
    }
}

impl Entry {
    fn at(&self, asked: &[Cow<'_, str>]) -> Option<Found> {
        let parts = match self.prefixes {
            None => self.parts_at(asked, |own, said| own == said)?,
            Some(prefixes) => {
                let same = |own: &str, said: &str| own.eq_ignore_ascii_case(said);
                let mut behind = prefixes.iter().filter_map(|prefix| {
                    let parts: Vec<&str> = prefix.trim_matches('/').split('/').collect();
                    let (start, rest) = asked.split_at_checked(parts.len())?;
                    parts.iter().zip(start).all(|(own, said)| same(own, said)).then_some(rest)
                });
                self.parts_at(asked, same).or_else(|| behind.find_map(|rest| self.parts_at(rest, same)))?
            }
        };
        Some(Found { dialect: self.dialect, endpoint: self.endpoint, parts })
    }

    fn parts_at(&self, asked: &[Cow<'_, str>], same: impl Fn(&str, &str) -> bool) -> Option<Vec<String>> {
        // Real servers of the protocols with prefixes take a path with a slash behind it for the same.
        let asked = match asked.split_last() {
            Some((last, before)) if self.prefixes.is_some() && last.is_empty() => before,
            _ => asked,
        };
        if asked.len() != self.parts.len() {
            return None;
        }
        let mut found = Vec::new();
        for (own, said) in self.parts.iter().zip(asked) {
            match own {
                Part::Fixed(own) if !same(own, said) => return None,
                Part::Fixed(_) => {}
                Part::Any if said.is_empty() => return None,
                Part::Any => found.push(said.clone().into_owned()),
            }
        }
        Some(found)
    }
}

fn parts_of(path: &'static str) -> Vec<Part> {
    let parts = path.trim_start_matches('/').split('/');
    parts.map(|part| if part.starts_with('{') && part.ends_with('}') { Part::Any } else { Part::Fixed(part) }).collect()
}

fn is_any(parts: &[Part]) -> impl Iterator<Item = bool> {
    parts.iter().map(|part| *part == Part::Any)
}

/// The parts of a path as they are meant; `None` for what is no path, or no text once decoded. An escaped slash parts
/// nothing.
fn decoded(path: &str) -> Option<Vec<Cow<'_, str>>> {
    path.strip_prefix('/')?.split('/').map(|part| percent_decode_str(part).decode_utf8().ok()).collect()
}

/// The methods of these endpoints as `Allow` lists them.
pub(super) fn allowed(found: &[Found]) -> String {
    let mut names: Vec<&str> = found.iter().map(|found| name(found.endpoint.method)).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// A method's name on the wire.
pub(super) const fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::Caller,
        dialect::{Answer, Callers, Opening, Refusal, Refused, Request},
    };

    const fn endpoint(method: Method, path: &'static str) -> Endpoint {
        Endpoint { method, path, callers: Callers::Anybody }
    }

    static EXACT: [&Endpoint; 3] =
        [&endpoint(Method::Get, "/"), &endpoint(Method::Delete, "/things/{id}"), &endpoint(Method::Get, "/Users/{id}")];
    static FREE: [&Endpoint; 5] = [
        &endpoint(Method::Get, "/Users/{id}"),
        &endpoint(Method::Get, "/Users/Me"),
        &endpoint(Method::Post, "/Sessions/{id}/Command/{name}"),
        &endpoint(Method::Post, "/Sessions/{id}/Command"),
        &endpoint(Method::Delete, "/Users/{id}"),
    ];

    struct Speaks(&'static [&'static Endpoint], Option<&'static [&'static str]>);

    impl Dialect for Speaks {
        fn name(&self) -> &'static str {
            "test"
        }

        fn stream_paths(&self) -> &'static [&'static str] {
            &[]
        }

        fn prefixes(&self) -> Option<&'static [&'static str]> {
            self.1
        }

        fn guide(&self) -> &'static str {
            ""
        }

        fn token(&self, _: &Request<'_>) -> Option<String> {
            None
        }

        fn open(&self, request: &Request<'_>, _: &Caller) -> Result<Opening, Answer> {
            unreachable!("no stream is opened at {}", request.path)
        }

        fn refuse(&self, _: &Request<'_>, _: Refusal) -> Refused {
            unreachable!("nobody is refused")
        }

        fn endpoints(&self) -> &'static [&'static Endpoint] {
            self.0
        }
    }

    /// Number, method, path and parts of everything a path leads to.
    fn found(path: &str) -> Vec<String> {
        let (exact, free) = (Speaks(&EXACT, None), Speaks(&FREE, Some(&["/emby", "/mediabrowser", "/a/b"])));
        let dialects: [(usize, &dyn Dialect); 2] = [(0, &exact), (1, &free)];
        let matcher = Matcher::new(dialects.into_iter());
        matcher
            .find(path)
            .iter()
            .map(|found| format!("{} {} {} {:?}", found.dialect, name(found.endpoint.method), found.endpoint.path, found.parts))
            .collect()
    }

    #[test]
    fn an_exact_path_is_found_in_its_own_case_only() {
        assert_eq!(found("/"), ["0 GET / []"]);
        assert_eq!(found("/things/a"), ["0 DELETE /things/{id} [\"a\"]"]);
        for path in ["", "things/a", "/Things/a", "/things/", "/things/a/", "//things/a", "/emby/things/a", "/things/a/b", "/things", "//"]
        {
            assert_eq!(found(path), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_free_path_is_found_in_any_case_behind_a_prefix_and_with_a_slash_behind() {
        for path in [
            "/Sessions/x/Command",
            "/sessions/x/COMMAND",
            "/emby/Sessions/x/Command",
            "/MediaBrowser/sessions/x/command/",
            "/Sess%69ons/x/Command",
            "/a/B/sessions/x/command",
        ] {
            assert_eq!(found(path), ["1 POST /Sessions/{id}/Command [\"x\"]"], "{path}");
        }
        for path in [
            "/emby/emby/Sessions/x/Command",
            "/embySessions/x/Command",
            "/other/Sessions/x/Command",
            "/Sessions//Command",
            "/emby",
            "/a/Sessions/x/Command",
            "/a/b",
        ] {
            assert_eq!(found(path), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn parts_are_decoded_and_an_escaped_slash_parts_nothing() {
        assert_eq!(found("/sessions/a%2Fb%20c/command/%C3%A9+"), ["1 POST /Sessions/{id}/Command/{name} [\"a/b c\", \"é+\"]"]);
        assert_eq!(found("/sessions/%ff/command/x"), Vec::<String>::new(), "no text");
    }

    #[test]
    fn what_is_fixed_comes_before_what_is_not_and_dialects_keep_their_order() {
        assert_eq!(found("/users/me"), ["1 GET /Users/Me []", "1 GET /Users/{id} [\"me\"]", "1 DELETE /Users/{id} [\"me\"]"]);
        assert_eq!(found("/Users/Me")[..2], ["1 GET /Users/Me []", "0 GET /Users/{id} [\"Me\"]"]);
    }

    #[test]
    fn allowed_methods_are_told_once_each() {
        let free = Speaks(&FREE, Some(&[]));
        let matcher = Matcher::new([(0, &free as &dyn Dialect)].into_iter());
        assert_eq!(allowed(&matcher.find("/users/me")), "DELETE, GET");
        assert_eq!(allowed(&[]), "");
    }
}
