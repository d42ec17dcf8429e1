//! Answers to those who ask the local network for a server of the MediaBrowser family (wire notes on MediaBrowser, section 2).
//!
//! Pure: how questions come and answers go is the server's business.

use std::net::SocketAddr;

use serde_json::json;

use crate::event::IdForm;

/// What is told of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discoverable {
    /// What its clients know it by, the same as in their system info.
    pub id: String,
    /// The name people read.
    pub name: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Discoverable {
    /// A server of that name; `id` is what tells it from any other, in whatever form.
    #[must_use]
    pub fn new(name: &str, id: &str, tls: bool) -> Self {
        Self { id: IdForm::Hex32.show(None, id).text.into_owned(), name: name.to_owned(), tls }
    }

    /// The answer to a question, for somebody who reaches the server at that address; `None` to what is no question.
    #[must_use]
    pub fn answer(&self, question: &[u8], reached_at: SocketAddr) -> Option<Vec<u8>> {
        let question = question.trim_ascii();
        if question.eq_ignore_ascii_case(b"who is MediaBrowserServer?") {
            return Some(format!("MediaBrowserServer|{reached_at}").into_bytes());
        }
        let is_later = [&b"who is EmbyServer?"[..], b"who is JellyfinServer?"].iter().any(|known| question.eq_ignore_ascii_case(known));
        let scheme = if self.tls { "https" } else { "http" };
        is_later.then(|| json!({"Address": format!("{scheme}://{reached_at}"), "Id": self.id, "Name": self.name}).to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(question: &str, tls: bool) -> Option<String> {
        let server = Discoverable::new("Den \"1\"", "0123456789abcdef0123456789abcdef", tls);
        let answer = server.answer(question.as_bytes(), SocketAddr::from(([192, 0, 2, 1], 8400)))?;
        Some(String::from_utf8(answer).expect("text"))
    }

    #[test]
    fn each_generation_is_answered_in_its_own_form_and_nothing_else_is() {
        assert_eq!(said("who is MediaBrowserServer?", false).as_deref(), Some("MediaBrowserServer|192.0.2.1:8400"));
        let json = r#"{"Address":"http://192.0.2.1:8400","Id":"0123456789abcdef0123456789abcdef","Name":"Den \"1\""}"#;
        for question in ["who is EmbyServer?", "who is JellyfinServer?", "Who is JellyfinServer?\n"] {
            assert_eq!(said(question, false).as_deref(), Some(json), "{question}");
        }
        assert!(said("who is JellyfinServer?", true).expect("answered").contains("\"https://192.0.2.1:8400\""));
        for other in ["", "who is", "who is PlexServer?", "who is JellyfinServer?x", "MediaBrowserServer|192.0.2.1:8400"] {
            assert_eq!(said(other, false), None, "{other}");
        }
    }
}
