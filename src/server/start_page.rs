//! The start page: what a browser is shown at `/`, and the only thing but health that is served without a token.
//!
//! One document with its style and its script inside, so that it takes no path that a dialect may own (event map,
//! section 5). It holds no secret and names nobody: what it shows it asks for with the reader's own token. It knows no
//! dialect: what it says of each comes from the dialect itself.

use std::rc::Rc;

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{self, GuardContext},
    http::header::{self, HeaderMap, HeaderValue},
    web,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Doorkeeper;

const PAGE: &str = include_str!("start_page/page.html");
const STYLE: &str = include_str!("start_page/page.css");
/// The reader of streams stands before the page that uses it.
const SCRIPT: &str = concat!(include_str!("start_page/sse.js"), include_str!("start_page/page.js"));

/// The page at `/`, for those who ask for `text/html`; what else `/` may be is left to others.
pub(super) fn routes(config: &mut web::ServiceConfig, doorkeeper: &Doorkeeper) {
    let page = Rc::new(Page::new(doorkeeper.guides()));
    let wanted = guard::All(guard::Any(guard::Get()).or(guard::Head())).and(guard::fn_guard(accepts_html));
    let answer = move |request: HttpRequest| {
        let answer = page.answer(request.headers());
        async move { answer }
    };
    config.route("/", web::route().guard(wanted).to(answer));
}

/// Whether `text/html` is asked for by name: `*/*` is what programs send.
fn accepts_html(context: &GuardContext<'_>) -> bool {
    context.head().headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).any(names_html)
}

fn names_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let refused = |parameter: &str| {
            let quality = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
            quality.is_some_and(|(_, value)| value.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0))
        };
        parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html")) && !parts.any(refused)
    })
}

/// The document as it is sent, made once per worker.
struct Page {
    body: Bytes,
    /// Names this very text, so that a browser need not load it again.
    etag: String,
    /// Lets the document's own style and script run, by their hashes, and nothing else.
    policy: String,
}

impl Page {
    fn new<'g>(guides: impl Iterator<Item = &'g str>) -> Self {
        let guides: String = guides.collect();
        let body = PAGE.replace("{{guides}}", &guides).replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
        let etag = format!("\"{}\"", STANDARD.encode(&Sha256::digest(body.as_bytes())[..15]));
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            source_hash(SCRIPT),
            source_hash(STYLE)
        );
        Self { body: body.into(), etag, policy }
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

    fn is_named_by(&self, if_none_match: &HeaderValue) -> bool {
        let names = if_none_match.to_str().unwrap_or_default().split(',').map(str::trim);
        names.map(|name| name.strip_prefix("W/").unwrap_or(name)).any(|name| name == "*" || name == self.etag)
    }
}

/// How a content security policy names an inline script or style.
fn source_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn only_who_names_html_is_a_browser() {
        for browser in ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "image/png, TEXT/HTML ; q=0.1"] {
            assert!(names_html(browser), "{browser}");
        }
        for program in ["", "*/*", "text/*", "application/json", "text/html;q=0", "text/html; q=0.0", "text/htmlx", "text/event-stream"] {
            assert!(!names_html(program), "{program}");
        }
    }

    #[test]
    fn the_document_is_whole_and_holds_its_style_and_script_as_they_were_hashed() {
        let page = Page::new(["<p>one</p>", "<p>two</p>"].into_iter());
        let text = std::str::from_utf8(&page.body).expect("text");
        assert!(text.contains("<p>one</p><p>two</p>") && !text.contains("{{"), "a place was left empty");
        for (tag, inside) in [("style", STYLE), ("script", SCRIPT)] {
            let found = text.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
            assert!(found.is_some_and(|(found, _)| found == inside), "<{tag}> is not what was hashed");
            assert!(page.policy.contains(&source_hash(inside)), "{}", page.policy);
        }
    }

    #[test]
    fn nothing_received_can_become_markup() {
        for writes_markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
            assert!(!SCRIPT.contains(writes_markup), "{writes_markup}");
        }
        assert!(!PAGE.contains(" style=") && !PAGE.contains(" onclick="), "the policy would refuse them");
    }

    #[test]
    fn every_type_that_can_be_heard_is_asked_for() {
        let list = SCRIPT.split_once("const TYPES = [").and_then(|(_, rest)| rest.split_once("];")).expect("the list").0;
        // What comes every second would hide everything else.
        let heard = EventKind::ALL.iter().filter(|kind| !matches!(kind, EventKind::Raw | EventKind::Stats));
        for kind in heard {
            assert!(list.contains(&format!("\"{kind}\"")), "{kind} is not asked for");
        }
    }

    #[test]
    fn what_a_browser_has_already_is_not_sent_again() {
        let page = Page::new(std::iter::empty());
        let weak = format!("\"other\", W/{}", page.etag);
        for (value, same) in [(page.etag.as_str(), true), (weak.as_str(), true), ("*", true), ("\"other\"", false), ("", false)] {
            assert_eq!(page.is_named_by(&HeaderValue::from_str(value).expect("a value")), same, "{value}");
        }
    }
}
