//! The console: what an administrator's browser is shown at `/console`.
//!
//! Like the start page one document without a secret in it: everything it shows comes from `/sse` and the API under `/api/`, with the
//! reader's own token, so it can do nothing that a script of his could not do.

use std::rc::Rc;

use actix_web::{HttpRequest, guard, web};

use super::page::Page;

const PAGE: &str = include_str!("console/page.html");
/// The house's style first, then what the console has beside it.
const STYLE: &str = concat!(include_str!("start_page/page.css"), include_str!("console/page.css"));
/// What both pages share first; each file uses only those before it.
const SCRIPT: &str = concat!(
    include_str!("start_page/sse.js"),
    include_str!("start_page/words.js"),
    include_str!("console/show.js"),
    include_str!("console/rates.js"),
    include_str!("console/clients.js"),
    include_str!("console/libraries.js"),
    include_str!("console/tail.js"),
    include_str!("console/page.js"),
);

/// The page, for whoever asks: it shows nothing without a token.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    let page = Rc::new(Page::new(PAGE, STYLE, SCRIPT));
    let answer = move |request: HttpRequest| {
        let answer = page.answer(request.headers());
        async move { answer }
    };
    let wanted = guard::Any(guard::Get()).or(guard::Head());
    config.route("/console", web::route().guard(wanted).to(answer));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::page;

    #[test]
    fn the_document_is_whole_and_nothing_received_can_become_markup() {
        assert!(!Page::new(PAGE, STYLE, SCRIPT).text().contains("{{"), "a place was left empty");
        assert_eq!(page::writes_markup(PAGE, SCRIPT), None);
    }

    #[test]
    fn every_element_the_script_looks_for_is_there() {
        // Not the end of a longer word, such as `NumberFormat("en")`.
        let calls = SCRIPT.match_indices("at(\"").filter(|(at, _)| !SCRIPT[..*at].ends_with(char::is_alphanumeric));
        let named = calls.filter_map(|(at, found)| SCRIPT[at + found.len()..].split('"').next());
        for id in named {
            assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}
