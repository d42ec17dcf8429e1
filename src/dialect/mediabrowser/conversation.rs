//! What a client says on its socket, and what comes of it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    super::{Conversation, Effect, Standing},
    check_in, credentials,
    generation::Generation,
    message::message,
    report::{self, Report},
    server::{Server, is_somebody, seen},
    topics::Topics,
};
use crate::{
    access::{Caller, Credential, Device, Principal},
    id::ConnectionId,
    state::devices::{Identity, Moment, Socket, Viewing},
    topic::Subscription,
    websocket::codec::Message,
};

/// The longest time a client may ask for between two messages.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// One socket's side.
pub(super) struct Talk {
    server: Arc<Server>,
    topics: Arc<Topics>,
    generation: Generation,
    address: Option<IpAddr>,
    /// Whose it is, with the rights of this moment.
    principal: Arc<Principal>,
    /// Who opened it and on what, until it is attached.
    opened: Option<Box<(Caller, Device)>>,
    /// Its place among the sessions.
    socket: Option<Socket>,
}

impl Talk {
    /// A socket from that address; `opened` is who came with a token, and his device.
    pub(super) fn new(
        (server, topics): (&Arc<Server>, &Arc<Topics>),
        generation: Generation,
        address: Option<IpAddr>,
        opened: Option<(Caller, Device)>,
    ) -> Self {
        let principal = opened.as_ref().map_or_else(Arc::default, |(caller, _)| Arc::clone(&caller.principal));
        let (server, topics) = (Arc::clone(server), Arc::clone(topics));
        Self { server, topics, generation, address, principal, opened: opened.map(Box::new), socket: None }
    }

    fn subscribe(&self, name: &str, data: &str) -> Vec<Effect> {
        let Some((first, interval)) = timing(data) else { return Vec::new() };
        let Some(topic) = self.topics.get(name) else { return Vec::new() };
        let interval = interval.clamp(self.server.settings.least_interval, LONGEST_INTERVAL);
        // Document 004 promises a message every interval, later servers one when something has changed.
        let always = self.generation == Generation::Identity;
        vec![Effect::Subscribe(Subscription { topic, first: first.min(LONGEST_INTERVAL), interval, always })]
    }

    fn unsubscribe(&self, name: &str) -> Vec<Effect> {
        self.topics.get(name).map(|topic| Effect::Unsubscribe(topic.name())).into_iter().collect()
    }

    /// The client says which device it is on. It counts only for a socket that came without a token.
    fn identify(&self, data: &str) -> Vec<Effect> {
        let is_nobody = self.generation == Generation::Identity && self.principal.user.is_none();
        let (true, Some(socket), Some(device)) = (is_nobody, &self.socket, credentials::identity(data)) else { return Vec::new() };
        let identity = Identity { client: device.client, device: device.id, version: device.version };
        let joined = socket.identify(identity, Moment::now());
        let standing = match joined.as_ref().map(|joined| self.server.standing(&joined.caller)) {
            Some(Some(standing)) => standing,
            // It waits for the request that shows whose it is, and is sent nothing meanwhile.
            _ => Standing {
                filter: Generation::nothing(Arc::clone(&self.principal)),
                formats: self.server.formats.pair(Generation::Identity),
                credential: Credential::nobody(),
            },
        };
        vec![Effect::Become(Box::new(standing))]
    }

    fn context(&self, data: &str) {
        let mut parts = data.split('|').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let viewing = Viewing { item_type: part(), item_id: part(), item_name: part(), context: part() };
        if let Some(session) = self.socket.as_ref().and_then(Socket::session) {
            // What is too long to be shown is not shown.
            let _ = self.server.devices().set_viewing(session, (!viewing.item_id.is_empty()).then_some(viewing));
        }
    }

    /// A check-in. What cannot be one is passed over, as the real servers do.
    fn check_in(&self, moment: report::Moment, data: &str, is_json: bool) -> Vec<Effect> {
        let report = if is_json {
            serde_json::from_str(data).ok().and_then(|body| Report::of_json(&body).ok())
        } else {
            Report::of_text(moment, data).ok()
        };
        let (Some(report), Some(session)) = (report, self.socket.as_ref().and_then(Socket::session)) else { return Vec::new() };
        match check_in::events((session, moment, &report), &self.principal, &self.server, Moment::now()) {
            Ok(events) => vec![Effect::Publish(events)],
            Err(_) => Vec::new(),
        }
    }
}

impl Conversation for Talk {
    fn know(&mut self, principal: &Arc<Principal>) {
        self.principal = Arc::clone(principal);
    }

    fn begin(&mut self, connection: ConnectionId) -> Vec<Effect> {
        let socket = self.server.devices().socket(connection, self.address);
        if let Some(opened) = self.opened.take().filter(|opened| is_somebody(&opened.0.principal)) {
            let (caller, device) = *opened;
            socket.attach(&seen(&caller, &device, self.address), Moment::now());
        }
        self.socket = Some(socket);
        Vec::new()
    }

    fn receive(&mut self, said: Message<'_>) -> Vec<Effect> {
        if let Some(socket) = &self.socket {
            socket.heard(Moment::now());
        }
        let Some(Said { kind, data }) = Said::read(&said) else { return Vec::new() };
        let kind = kind.to_ascii_lowercase();
        if let Some(name) = kind.strip_suffix("start").filter(|name| self.topics.get(name).is_some()) {
            return self.subscribe(name, &data);
        }
        if let Some(name) = kind.strip_suffix("stop").filter(|name| self.topics.get(name).is_some()) {
            return self.unsubscribe(name);
        }
        match kind.as_str() {
            "keepalive" => return vec![Effect::Reply(message("KeepAlive", None))],
            "identity" => return self.identify(&data),
            "context" => self.context(&data),
            "playbackstart" => return self.check_in(report::Moment::Start, &data, false),
            "playbackprogress" => return self.check_in(report::Moment::Progress, &data, false),
            "playbackstopped" => return self.check_in(report::Moment::Stopped, &data, false),
            "reportplaybackstart" => return self.check_in(report::Moment::Start, &data, true),
            "reportplaybackprogress" => return self.check_in(report::Moment::Progress, &data, true),
            "reportplaybackstopped" => return self.check_in(report::Moment::Stopped, &data, true),
            _ => {} // what is not known is passed over, and the socket stays open
        }
        Vec::new()
    }
}

/// `initialDelay,interval`, in milliseconds; `None`: it is no such thing.
fn timing(data: &str) -> Option<(Duration, Duration)> {
    let (first, interval) = data.split_once(',')?;
    let millis = |text: &str| text.trim().parse::<u64>().ok().map(Duration::from_millis);
    Some((millis(first)?, millis(interval)?))
}

/// A message of a client: its type, and its data as text, whatever it was written as (wire notes, section 3.3).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) kind: String,
    /// Empty where there is none.
    pub(super) data: String,
}

impl Said {
    /// Reads a message, text or binary alike; `None`: it is nothing that could be understood, and is passed over.
    pub(super) fn read(message: &Message<'_>) -> Option<Self> {
        let mut json: serde_json::Value = match message {
            Message::Text(text) => serde_json::from_str(text).ok()?,
            Message::Binary(bytes) => serde_json::from_slice(bytes).ok()?,
        };
        let kind = json.get("MessageType")?.as_str()?.to_owned();
        let data = match json.get_mut("Data").map(serde_json::Value::take) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => text,
            Some(other) => other.to_string(),
        };
        Some(Self { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, data: &str) -> Option<Said> {
        Some(Said { kind: kind.to_owned(), data: data.to_owned() })
    }

    #[test]
    fn a_subscription_has_two_times_or_is_none() {
        let millis = Duration::from_millis;
        assert_eq!(timing("1000,1500"), Some((millis(1000), millis(1500))));
        assert_eq!(timing(" 0 , 2000 "), Some((millis(0), millis(2000))));
        for bad in ["", "1000", "a,b", "1000,", "-1,5", "1,2,3", "1.5,2"] {
            assert_eq!(timing(bad), None, "{bad}");
        }
    }

    #[test]
    fn text_and_binary_are_read_alike_and_data_is_a_text_whatever_it_was() {
        for (text, expected) in [
            (r#"{"MessageType":"KeepAlive"}"#, said("KeepAlive", "")),
            (r#"{"MessageType":"KeepAlive","Data":null}"#, said("KeepAlive", "")),
            (r#"{"Data":{},"MessageType":"KeepAlive"}"#, said("KeepAlive", "{}")),
            (r#"{"MessageType":"X","Data":5}"#, said("X", "5")),
            (r#" {"MessageType":"X","Data":"a|b","More":[1]} "#, said("X", "a|b")),
            (r#"{"messagetype":"X"}"#, None),
            (r#"{"MessageType":7}"#, None),
            ("[]", None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(Said::read(&Message::Text(text)), expected, "{text}");
            assert_eq!(Said::read(&Message::Binary(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(Said::read(&Message::Binary(b"\xff")), None);
    }
}
