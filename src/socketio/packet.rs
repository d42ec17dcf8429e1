//! A packet as a client writes it: `<type>[<attachments>-][<namespace>,][<ack>][<JSON>]`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::RESERVED;

/// As many attachments as one packet may have, as in the reference's parser.
pub const MAX_ATTACHMENTS: usize = 10;

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'p> {
    /// The namespace, `/` for the main one.
    pub namespace: &'p str,
    /// The number of the acknowledgement it waits for, or is.
    pub ack: Option<u64>,
}

/// The client broke the grammar: the connection must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub &'static str);

/// A packet of a client.
#[derive(Debug)]
pub struct Packet<'p> {
    /// Where it belongs.
    pub place: Place<'p>,
    /// What it says.
    pub kind: PacketKind<'p>,
    /// So many binary messages belong to it and follow it.
    pub attachments: usize,
}

/// What a packet says.
#[derive(Debug)]
pub enum PacketKind<'p> {
    /// The client wants to connect the namespace; with the text of an object, `{}` if it says nothing.
    Connect(&'p str),
    /// It leaves the namespace.
    Disconnect,
    /// An event. A name that is a number is none that anybody listens for, and has no text.
    Event(Option<Cow<'p, str>>, Vec<&'p RawValue>),
    /// It acknowledges an event.
    Ack,
}

impl<'p> Packet<'p> {
    /// Reads the text of an Engine.IO message, without the leading `4`.
    ///
    /// # Errors
    /// [`Broken`] says which rule the text breaks (wire notes on Socket.IO, sections 9 and 11).
    pub fn parse(text: &'p str) -> Result<Self, Broken> {
        let mut chars = text.chars();
        let number = chars.next().ok_or(Broken("a packet must not be empty"))?;
        let (attachments, rest) = match number {
            '5' | '6' => attachments(chars.as_str())?,
            '0'..='3' => (0, chars.as_str()),
            '4' => return Err(Broken("only a server refuses namespaces")),
            _ => return Err(Broken("no such type of packet")),
        };
        let (place, json) = place(rest)?;
        let kind = match number {
            '0' => PacketKind::Connect(object(json)?),
            '1' if json.is_empty() => PacketKind::Disconnect,
            '1' => return Err(Broken("leaving a namespace says nothing")),
            '2' | '5' => event(json)?,
            _ => acknowledgement(place, json)?,
        };
        Ok(Self { place, kind, attachments })
    }
}

/// The number before the `-`.
fn attachments(text: &str) -> Result<(usize, &str), Broken> {
    let (number, rest) = text.split_once('-').ok_or(Broken("a binary packet says how many attachments it has"))?;
    let is_number = !number.is_empty() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|number| is_number && (1..=MAX_ATTACHMENTS).contains(number));
    Ok((number.ok_or(Broken("a binary packet has 1 to 10 attachments"))?, rest))
}

fn place(text: &str) -> Result<(Place<'_>, &str), Broken> {
    let (namespace, rest) = match text.starts_with('/') {
        true => text.split_once(',').unwrap_or((text, "")),
        false => ("/", text),
    };
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (ack, rest) = rest.split_at(end);
    let ack = match ack {
        "" => None,
        ack => Some(ack.parse().map_err(|_| Broken("the number of an acknowledgement is too large"))?),
    };
    Ok((Place { namespace, ack }, rest))
}

fn object(json: &str) -> Result<&str, Broken> {
    if json.is_empty() {
        return Ok("{}");
    }
    let value: &RawValue = serde_json::from_str(json).map_err(|_| Broken("what a client connects with must be JSON"))?;
    if value.get().starts_with('{') { Ok(value.get()) } else { Err(Broken("what a client connects with must be an object")) }
}

fn event(json: &str) -> Result<PacketKind<'_>, Broken> {
    let mut values = array(json)?;
    if values.is_empty() {
        return Err(Broken("an event has a name"));
    }
    let name = values.remove(0).get();
    let name = match name.as_bytes().first() {
        Some(b'"') => Some(string(name).ok_or(Broken("an event's name must be text"))?),
        Some(b'-' | b'0'..=b'9') => None,
        _ => return Err(Broken("an event's name must be text or a number")),
    };
    if name.as_deref().is_some_and(|name| RESERVED.contains(&name)) {
        return Err(Broken("an event's name is reserved"));
    }
    Ok(PacketKind::Event(name, values))
}

fn acknowledgement<'p>(place: Place<'_>, json: &str) -> Result<PacketKind<'p>, Broken> {
    array(json)?;
    place.ack.map(|_| PacketKind::Ack).ok_or(Broken("an acknowledgement has a number"))
}

fn array(json: &str) -> Result<Vec<&RawValue>, Broken> {
    serde_json::from_str(json).map_err(|_| Broken("an event or acknowledgement must be a JSON array"))
}

/// Borrowed unless it is written with escapes.
fn string(json: &str) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(json) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_of(text: &str) -> (Option<String>, Vec<String>) {
        match Packet::parse(text).expect(text).kind {
            PacketKind::Event(name, arguments) => {
                (name.map(Cow::into_owned), arguments.iter().map(|argument| argument.get().to_owned()).collect())
            }
            kind => panic!("{text}: {kind:?}"),
        }
    }

    #[test]
    fn each_type_is_read_with_its_namespace_and_number() {
        for (text, namespace, ack) in [
            ("0", "/", None),
            ("0/custom", "/custom", None),
            ("0/custom,", "/custom", None),
            (r#"0/custom,{"token":"x"}"#, "/custom", None),
            ("1/admin,", "/admin", None),
            (r#"2/admin,13["q"]"#, "/admin", Some(13)),
            (r#"2456["q"]"#, "/", Some(456)),
            ("3999[]", "/", Some(999)),
            (r#"2/?a=b,["q"]"#, "/?a=b", None),
        ] {
            let packet = Packet::parse(text).expect(text);
            assert_eq!(packet.place, Place { namespace, ack }, "{text}");
        }
        assert!(matches!(Packet::parse(r#"0{"a":1}"#).expect("valid").kind, PacketKind::Connect(r#"{"a":1}"#)));
        assert!(matches!(Packet::parse("0").expect("valid").kind, PacketKind::Connect("{}")));
    }

    #[test]
    fn an_event_has_a_name_and_arguments_and_maybe_attachments() {
        assert_eq!(event_of(r#"2["hello",1,{"a":true}]"#), (Some("hello".to_owned()), vec!["1".to_owned(), r#"{"a":true}"#.to_owned()]));
        assert_eq!(event_of(r#"2["a\u0062"]"#), (Some("ab".to_owned()), vec![]));
        assert_eq!(event_of("2[7,1]"), (None, vec!["1".to_owned()]));
        let packet = Packet::parse(r#"52-["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).expect("valid");
        assert_eq!(packet.attachments, 2);
        assert_eq!(Packet::parse(r#"61-15["bar",{"_placeholder":true,"num":0}]"#).expect("valid").place.ack, Some(15));
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for text in [
            "",
            "abc",
            "7",
            "2",
            "2{}",
            "2null",
            "2[]",
            r#"2["connect"]"#,
            r#"2["newListener"]"#,
            "2[null]",
            "2[{}]",
            r#"2abc["x"]"#,
            r#"2["x"]]"#,
            "0[]",
            r#"0"x""#,
            "0null",
            "0{",
            "1{}",
            "3[]",
            "31",
            "4{}",
            r#"5-["x"]"#,
            r#"50-["x"]"#,
            r#"511-["x"]"#,
            r#"5+1-["x"]"#,
            r#"5["x"]"#,
            r#"299999999999999999999999["x"]"#,
        ] {
            assert!(Packet::parse(text).is_err(), "{text}");
        }
    }
}
