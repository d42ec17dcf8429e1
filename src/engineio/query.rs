//! What a request to an Engine.IO path asks for, and the answers to those that ask for nothing.

use super::{Carrier, Sid};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A new session.
    Open(Carrier),
    /// Something of a session there may be.
    Session(Sid, Carrier),
}

/// Why a request is refused: one of the reference's errors (wire notes on Socket.IO, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// The transport is missing or none of ours.
    UnknownTransport,
    /// There is no such session.
    UnknownSid,
    /// A session begins with a GET.
    BadHandshakeMethod,
    /// The request makes no sense, or not any more.
    BadRequest,
    /// Not for this client.
    Forbidden,
    /// Another revision of the protocol.
    UnsupportedVersion,
}

impl Fault {
    /// What it is called.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The body it is answered with.
    #[must_use]
    pub fn body(self) -> String {
        format!(r#"{{"code":{},"message":"{}"}}"#, self as u8, self.message())
    }
}

/// What a request asks for, by its query and whether it is a GET that may become a WebSocket.
///
/// # Errors
/// The [`Fault`] it is answered with, in the order in which the reference looks for them.
pub fn asked(query: &str, is_get: bool, is_websocket: bool) -> Result<Asked, Fault> {
    let mut parameters = Parameters::default();
    query.split('&').for_each(|parameter| parameters.take(parameter));
    let carrier = match parameters.transport {
        Some("polling") => Carrier::Polling,
        Some("websocket") => Carrier::WebSocket,
        _ => return Err(Fault::UnknownTransport),
    };
    let fits = (carrier == Carrier::WebSocket) == is_websocket;
    if let Some(sid) = parameters.sid {
        let sid = Sid::parse(sid).ok_or(Fault::UnknownSid)?;
        return if fits { Ok(Asked::Session(sid, carrier)) } else { Err(Fault::BadRequest) };
    }
    if !is_get {
        return Err(Fault::BadHandshakeMethod);
    }
    if !fits {
        return Err(Fault::BadRequest);
    }
    if parameters.revision != Some("4") {
        return Err(Fault::UnsupportedVersion);
    }
    Ok(Asked::Open(carrier))
}

/// The parameters that count. Clients write them plainly; whatever is escaped is none of ours.
#[derive(Default)]
struct Parameters<'q> {
    revision: Option<&'q str>,
    transport: Option<&'q str>,
    sid: Option<&'q str>,
}

impl<'q> Parameters<'q> {
    fn take(&mut self, parameter: &'q str) {
        let Some((name, value)) = parameter.split_once('=') else { return };
        match name {
            "EIO" => self.revision = Some(value),
            "transport" => self.transport = Some(value),
            "sid" => self.sid = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "sid=aaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_session_begins_by_either_carrier() {
        assert_eq!(asked("EIO=4&transport=polling&t=abc", true, false), Ok(Asked::Open(Carrier::Polling)));
        assert_eq!(asked("transport=websocket&EIO=4", true, true), Ok(Asked::Open(Carrier::WebSocket)));
    }

    #[test]
    fn a_session_is_found_by_its_name_whatever_the_method() {
        let sid = Sid::parse(&SID[4..]).expect("a name");
        for is_get in [true, false] {
            let query = format!("EIO=4&transport=polling&{SID}");
            assert_eq!(asked(&query, is_get, false), Ok(Asked::Session(sid, Carrier::Polling)));
        }
        assert_eq!(asked(&format!("EIO=4&transport=websocket&{SID}"), true, true), Ok(Asked::Session(sid, Carrier::WebSocket)));
    }

    #[test]
    fn faults_are_found_in_the_order_of_the_reference() {
        for (query, is_get, is_websocket, fault) in [
            ("", true, false, Fault::UnknownTransport),
            ("EIO=4", false, false, Fault::UnknownTransport),
            ("EIO=4&transport=abc", true, false, Fault::UnknownTransport),
            ("EIO=4&transport=abc", true, true, Fault::UnknownTransport),
            ("EIO=4&transport=polling&sid=abc", false, false, Fault::UnknownSid),
            ("EIO=4&transport=websocket&sid=aaaaaaaaaaaaaaaaaaaa", true, false, Fault::BadRequest),
            ("EIO=4&transport=polling", false, false, Fault::BadHandshakeMethod),
            ("EIO=4&transport=websocket", true, false, Fault::BadRequest),
            ("EIO=4&transport=polling", true, true, Fault::BadRequest),
            ("transport=polling", true, false, Fault::UnsupportedVersion),
            ("EIO=3&transport=polling", true, false, Fault::UnsupportedVersion),
            ("EIO=abc&transport=websocket", true, true, Fault::UnsupportedVersion),
        ] {
            assert_eq!(asked(query, is_get, is_websocket), Err(fault), "{query}");
        }
        assert_eq!(Fault::UnsupportedVersion.body(), r#"{"code":5,"message":"Unsupported protocol version"}"#);
        assert_eq!(Fault::Forbidden.status(), 403);
    }
}
