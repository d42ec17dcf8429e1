//! `MediaContainer`: what Plex's REST answers are, in XML and in JSON (wire notes on Plex, section 9).

use bytes::Bytes;

use super::Answer;
use crate::event::json::{ObjectWriter, Value, quote};

/// An element: attributes and children, the same in both forms.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(String, Attribute)>,
    children: Vec<Element>,
}

#[derive(Debug)]
enum Attribute {
    Text(String),
    /// A number, as it is written.
    Number(String),
    /// `0` or `1` in XML, `true` or `false` in JSON.
    Flag(bool),
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(super) fn text(mut self, name: &str, text: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), Attribute::Text(text.into())));
        self
    }

    pub(super) fn number(mut self, name: &str, number: impl ToString) -> Self {
        self.attributes.push((name.to_owned(), Attribute::Number(number.to_string())));
        self
    }

    pub(super) fn flag(mut self, name: &str, flag: bool) -> Self {
        self.attributes.push((name.to_owned(), Attribute::Flag(flag)));
        self
    }

    pub(super) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Attributes of a JSON object: its texts, numbers and booleans. What it nests is left out, and so is a name that is an
    /// attribute already: neither form could hold it twice.
    pub(super) fn fields(mut self, object: Value<'_>) -> Self {
        for field in object.fields().filter(|field| is_name(&field.name)) {
            if self.attributes.iter().any(|(name, _)| *name == field.name) {
                continue;
            }
            let attribute = match (field.value.text(), field.value.string()) {
                (_, Some(text)) => Attribute::Text(text.into_owned()),
                ("true", _) => Attribute::Flag(true),
                ("false", _) => Attribute::Flag(false),
                (text, None) if field.value.number().is_some() => Attribute::Number(text.to_owned()),
                (_, None) => continue,
            };
            self.attributes.push((field.name.into_owned(), attribute));
        }
        self
    }

    /// The answer: XML, unless JSON is asked for by name.
    pub(super) fn answer(&self, json: bool) -> Answer {
        let mut body = String::with_capacity(256);
        let kind = if json {
            let mut object = ObjectWriter::open(&mut body);
            self.write_json(object.name(self.name));
            object.close();
            "application/json"
        } else {
            body.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
            self.write_xml(&mut body);
            body.push('\n');
            "text/xml;charset=utf-8"
        };
        let headers = vec![("content-type", kind.to_owned()), ("vary", "Accept".to_owned()), ("cache-control", "no-cache".to_owned())];
        Answer { status: 200, headers, body: Bytes::from(body) }
    }

    fn write_xml(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, attribute) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            match attribute {
                Attribute::Text(text) => escape(text, out),
                Attribute::Number(number) => out.push_str(number),
                Attribute::Flag(flag) => out.push(if *flag { '1' } else { '0' }),
            }
            out.push('"');
        }
        if self.children.is_empty() {
            return out.push_str("/>");
        }
        out.push('>');
        for child in &self.children {
            child.write_xml(out);
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }

    fn write_json(&self, out: &mut String) {
        let mut object = ObjectWriter::open(out);
        for (name, attribute) in &self.attributes {
            let value = match attribute {
                Attribute::Text(text) => quote(text),
                Attribute::Number(number) => number.clone(),
                Attribute::Flag(flag) => flag.to_string(),
            };
            object.field(name, &value);
        }
        // By name, wherever they stand: a session of a film, one of a song, one of a film.
        let mut names: Vec<&str> = Vec::new();
        for Self { name, .. } in &self.children {
            if !names.contains(name) {
                names.push(name);
                write_alike(self.children.iter().filter(|child| child.name == *name), object.name(name));
            }
        }
        object.close();
    }
}

/// Elements of one name are a list, but for those of which there is only ever one.
fn write_alike<'e>(elements: impl Iterator<Item = &'e Element> + Clone, out: &mut String) {
    const SINGLE: [&str; 5] = ["Context", "Player", "Session", "User", "TranscodeSession"];
    let mut first_two = elements.clone();
    if let (Some(element), None) = (first_two.next(), first_two.next())
        && SINGLE.contains(&element.name)
    {
        return element.write_json(out);
    }
    out.push('[');
    for (index, element) in elements.enumerate() {
        if index > 0 {
            out.push(',');
        }
        element.write_json(out);
    }
    out.push(']');
}

/// Whether it may stand as the name of an attribute, in both forms without an escape.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// XML has no way to write some characters; they are left out.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(element: &Element, json: bool) -> String {
        String::from_utf8(element.answer(json).body.to_vec()).expect("text")
    }

    #[test]
    fn an_element_is_written_in_both_forms() {
        let element = Element::new("MediaContainer")
            .number("size", 2)
            .flag("claimed", true)
            .text("friendlyName", "A & \"B\" <\u{1}\n>")
            .child(Element::new("Activity").text("uuid", "a").child(Element::new("Context").text("key", "k")))
            .child(Element::new("Activity").text("uuid", "b"));
        assert_eq!(
            body(&element, false),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MediaContainer size=\"2\" claimed=\"1\" friendlyName=\"A &amp; &quot;B&quot; \
             &lt;&#10;&gt;\"><Activity uuid=\"a\"><Context key=\"k\"/></Activity><Activity uuid=\"b\"/></MediaContainer>\n"
        );
        assert_eq!(
            body(&element, true),
            r#"{"MediaContainer":{"size":2,"claimed":true,"friendlyName":"A & \"B\" <\u0001\n>","Activity":[{"uuid":"a","Context":{"key":"k"}},{"uuid":"b"}]}}"#
        );
    }

    #[test]
    fn elements_of_one_name_are_one_list_wherever_they_stand() {
        let session = |name, key: &str| Element::new(name).text("key", key);
        let element = Element::new("MediaContainer").child(session("Video", "1")).child(session("Track", "2")).child(session("Video", "3"));
        assert_eq!(body(&element, true), r#"{"MediaContainer":{"Video":[{"key":"1"},{"key":"3"}],"Track":[{"key":"2"}]}}"#);
        assert!(body(&element, false).contains(r#"<Video key="1"/><Track key="2"/><Video key="3"/>"#), "XML keeps the order");
    }

    #[test]
    fn a_name_is_an_attribute_once_whoever_gives_it_again() {
        let object = Value::of_compact(r#"{"key":"a","k\u0065y":"b","n":null,"n":1,"own":2}"#);
        let element = Element::new("Context").text("own", "1").fields(object);
        assert!(body(&element, false).contains(r#"<Context own="1" key="a" n="1"/>"#), "{}", body(&element, false));
        assert_eq!(body(&element, true), r#"{"Context":{"own":"1","key":"a","n":1}}"#);
    }

    #[test]
    fn only_fields_that_can_be_attributes_are_taken_from_a_publishers_object() {
        let object = Value::of_compact(r#"{"key":"/a","exists":true,"n":1.50,"a b":"x","<":1,"o":{},"l":[],"z":null}"#);
        assert_eq!(body(&Element::new("Context").fields(object), true), r#"{"Context":{"key":"/a","exists":true,"n":1.50}}"#);
    }
}
