//! Query strings, read as browsers write them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A query string, undecoded.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    /// The first value of a parameter, decoded: `+` is a space, bytes that are not UTF-8 become U+FFFD. A parameter
    /// without `=` is empty.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        self.find(move |key| key == name).next()
    }

    /// The first value of a parameter whose name is written in any case.
    #[must_use]
    pub fn get_any_case(self, name: &str) -> Option<Cow<'a, str>> {
        self.find(move |key| key.eq_ignore_ascii_case(name)).next()
    }

    /// Every value of a parameter, in order.
    pub fn all(self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.find(move |key| key == name)
    }

    /// Every value of a parameter whose name is written in any case, in order.
    pub fn all_any_case(self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.find(move |key| key.eq_ignore_ascii_case(name))
    }

    fn find(self, is_it: impl Fn(&str) -> bool) -> impl Iterator<Item = Cow<'a, str>> {
        self.0.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            is_it(&decode(key)).then(|| decode(value))
        })
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        return Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_decoded_names() {
        let query = Query("a=1&to%6ben=x%2By+z&libraries=&flag&a=2");
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert_eq!(query.get("token").as_deref(), Some("x+y z"));
        assert_eq!(query.get("libraries").as_deref(), Some(""));
        assert_eq!(query.get("flag").as_deref(), Some(""));
        assert_eq!(query.get("b"), None);
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get_any_case("TOKEN").as_deref(), Some("x+y z"));
        assert_eq!(Query("t=%ff").get("t").as_deref(), Some("\u{fffd}"));
    }
}
