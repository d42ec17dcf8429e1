//! Walks compact, checked JSON text: fields and items as slices, nothing parsed before it is asked for.

use std::borrow::Cow;

/// One JSON value as its text: compact and checked, that is, made by [`super::compact`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// One field of an object.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// The name, escapes resolved.
    pub name: Cow<'a, str>,
    /// The name as it is written, quotes included.
    pub lexeme: &'a str,
    /// The value.
    pub value: Value<'a>,
}

impl<'a> Value<'a> {
    /// Takes compact, checked JSON text. Anything else is walked wrongly or panics, so nothing else may come here.
    #[must_use]
    pub const fn of_compact(text: &'a str) -> Self {
        Self(text)
    }

    /// The text, verbatim.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// Whether the value is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether the value is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The string, escapes resolved (a lone surrogate becomes U+FFFD); `None` when the value is not a string.
    #[must_use]
    pub fn string(self) -> Option<Cow<'a, str>> {
        self.0.starts_with('"').then(|| unescape(self.0))
    }

    /// The number; `None` when the value is not a number, or too large for one.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        let first = self.0.as_bytes().first()?;
        if !matches!(first, b'-' | b'0'..=b'9') {
            return None;
        }
        self.0.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The fields of an object, in order; none when the value is not an object.
    #[must_use]
    pub fn fields(self) -> Fields<'a> {
        Fields { text: self.0, at: if self.is_object() { 1 } else { self.0.len() } }
    }

    /// The items of an array, in order; none when the value is not an array.
    #[must_use]
    pub fn items(self) -> Items<'a> {
        Items { text: self.0, at: if self.is_array() { 1 } else { self.0.len() } }
    }

    /// The first field of that name, unless it is `null`.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Self> {
        self.fields().find(|field| field.name == name).map(|field| field.value).filter(|value| !value.is_null())
    }
}

/// The fields of an object; see [`Value::fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = next_start(self.text, self.at, b'}')?;
        let colon = end_of_string(self.text.as_bytes(), start);
        let end = end_of_value(self.text.as_bytes(), colon + 1);
        self.at = end;
        let lexeme = &self.text[start..colon];
        Some(Field { name: unescape(lexeme), lexeme, value: Value(&self.text[colon + 1..end]) })
    }
}

/// The items of an array; see [`Value::items`].
#[derive(Debug, Clone)]
pub struct Items<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let start = next_start(self.text, self.at, b']')?;
        let end = end_of_value(self.text.as_bytes(), start);
        self.at = end;
        Some(Value(&self.text[start..end]))
    }
}

/// Where the next member starts, past a comma; `None` at the closing bracket.
fn next_start(text: &str, at: usize, close: u8) -> Option<usize> {
    match *text.as_bytes().get(at)? {
        byte if byte == close => None,
        b',' => Some(at + 1),
        _ => Some(at),
    }
}

fn end_of_value(bytes: &[u8], start: usize) -> usize {
    match bytes[start] {
        b'"' => end_of_string(bytes, start),
        b'{' | b'[' => end_of_group(bytes, start),
        _ => start + bytes[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(bytes.len() - start),
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn end_of_group(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes[at] {
            b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The string between the quotes; only a string with a backslash costs a copy.
fn unescape(lexeme: &str) -> Cow<'_, str> {
    let inner = &lexeme[1..lexeme.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(serde_json::from_str(lexeme).unwrap_or_else(|_| unescape_lossy(inner)))
}

/// For strings with a lone surrogate, which JSON allows and Rust's strings do not.
fn unescape_lossy(inner: &str) -> String {
    let mut units = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        let unescaped = if character == '\\' { rest.next() } else { None };
        match unescaped {
            None => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            Some('u') => units.push(rest.by_ref().take(4).fold(0, |unit, digit| (unit << 4) | digit.to_digit(16).unwrap_or(0) as u16)),
            Some('b') => units.push(0x08),
            Some('f') => units.push(0x0c),
            Some('n') => units.push(0x0a),
            Some('r') => units.push(0x0d),
            Some('t') => units.push(0x09),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
        }
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_items_come_in_order_with_their_verbatim_text() {
        let value = Value::of_compact(r#"{"a":1.50,"b\u0041":["x,]}\"",{"c":{}},[]],"d":null}"#);
        let fields: Vec<_> = value.fields().map(|field| (field.name.into_owned(), field.value.text())).collect();
        assert_eq!(fields[0], ("a".to_owned(), "1.50"));
        assert_eq!(fields[1].0, "bA");
        assert_eq!(fields[2], ("d".to_owned(), "null"));
        let items: Vec<_> = value.fields().nth(1).expect("b").value.items().map(Value::text).collect();
        assert_eq!(items, [r#""x,]}\"""#, r#"{"c":{}}"#, "[]"]);
        assert_eq!(value.field("d"), None);
        assert_eq!(value.field("a").and_then(Value::number), Some(1.5));
        assert_eq!(value.items().count() + Value::of_compact("{}").fields().count(), 0);
    }

    #[test]
    fn a_lone_surrogate_does_not_make_a_string_unreadable() {
        assert_eq!(Value::of_compact(r#""a\ud800\n\u0041""#).string().as_deref(), Some("a\u{fffd}\nA"));
    }
}
