//! A document for browsers with its style and its script inside, under a policy that lets nothing else in.
//!
//! Holds no secret and is the same for everybody: what a page shows it asks for with the reader's own token. What all pages have in
//! common stands in `page/`: their frame, the house's style, and the scripts that more than one uses.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderMap, HeaderValue},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The frame of every page: `{{main}}` is what it is about, `{{style}}` and `{{script}}` are where the two go.
const FRAME: &str = include_str!("page/document.html");

/// What a page has of its own.
pub(super) struct Content<'a> {
    pub title: &'static str,
    /// What it is for, in a sentence below the title.
    pub purpose: &'static str,
    /// Everything between header and footer.
    pub main: &'a str,
    pub style: &'static str,
    pub script: &'static str,
}

/// The document as it is sent, made once per worker.
pub(super) struct Page {
    body: Bytes,
    /// Names this very text, so that a browser need not load it again.
    etag: String,
    /// Lets the document's own style and script run, by their hashes, and nothing else.
    policy: String,
}

impl Page {
    pub(super) fn new(content: &Content<'_>) -> Self {
        let Content { title, purpose, main, style, script } = content;
        let document = FRAME.replace("{{title}}", title).replace("{{purpose}}", purpose).replace("{{main}}", main);
        let body = document.replace("{{style}}", style).replace("{{script}}", script);
        let etag = format!("\"{}\"", STANDARD.encode(&Sha256::digest(body.as_bytes())[..15]));
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            source_hash(script),
            source_hash(style)
        );
        Self { body: body.into(), etag, policy }
    }

    /// What answers a route with it.
    pub(super) fn handler(self) -> impl Fn(HttpRequest) -> Ready<HttpResponse> + Clone + 'static {
        let page = Rc::new(self);
        move |request| ready(page.answer(request.headers()))
    }

    fn answer(&self, headers: &HeaderMap) -> HttpResponse {
        let known = headers.get_all(header::IF_NONE_MATCH).any(|value| self.is_named_by(value));
        let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        answer
            .insert_header((header::CONTENT_SECURITY_POLICY, self.policy.as_str()))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::ETAG, self.etag.as_str()))
            .insert_header((header::VARY, "Accept"));
        if known {
            return answer.finish();
        }
        answer.content_type("text/html; charset=utf-8").body(self.body.clone())
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    fn is_named_by(&self, if_none_match: &HeaderValue) -> bool {
        let names = if_none_match.to_str().unwrap_or_default().split(',').map(str::trim);
        names.map(|name| name.strip_prefix("W/").unwrap_or(name)).any(|name| name == "*" || name == self.etag)
    }
}

/// How a content security policy names an inline script or style.
fn source_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// What in a document or its script would make markup of a text, or what its policy would refuse.
#[cfg(test)]
pub(super) fn writes_markup(document: &str, script: &str) -> Option<&'static str> {
    let in_script = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"];
    let in_document = [" style=", " onclick="];
    let found = in_script.into_iter().find(|word| script.contains(word));
    found.or_else(|| in_document.into_iter().find(|word| document.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = "p { color: red }";
    const SCRIPT: &str = "let a = 1 < 2;";

    fn page() -> Page {
        Page::new(&Content { title: "Title", purpose: "Purpose.", main: "<main>{{here}}</main>", style: STYLE, script: SCRIPT })
    }

    #[test]
    fn the_document_holds_its_style_and_script_as_they_were_hashed() {
        let page = page();
        for (tag, inside) in [("style", STYLE), ("script", SCRIPT)] {
            let found = page.text().split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
            assert!(found.is_some_and(|(found, _)| found == inside), "<{tag}> is not what was hashed");
            assert!(page.policy.contains(&source_hash(inside)), "{}", page.policy);
        }
    }

    #[test]
    fn every_place_of_the_frame_is_filled_with_what_the_page_has_of_its_own() {
        let page = page();
        for own in ["<title>Title</title>", "<h1>Title</h1>", "<p>Purpose.</p>", "<main>{{here}}</main>"] {
            assert!(page.text().contains(own), "{own}");
        }
        assert_eq!(page.text().matches("{{").count(), 1, "a place was left empty");
    }

    #[test]
    fn what_makes_markup_is_found() {
        assert_eq!(writes_markup("<p>", "a.textContent = b"), None);
        assert_eq!(writes_markup("<p>", "a.innerHTML = b"), Some("innerHTML"));
        assert_eq!(writes_markup("<p style='x'>", ""), Some(" style="));
    }

    #[test]
    fn what_a_browser_has_already_is_not_sent_again() {
        let page = page();
        let weak = format!("\"other\", W/{}", page.etag);
        for (value, same) in [(page.etag.as_str(), true), (weak.as_str(), true), ("*", true), ("\"other\"", false), ("", false)] {
            assert_eq!(page.is_named_by(&HeaderValue::from_str(value).expect("a value")), same, "{value}");
        }
    }
}
