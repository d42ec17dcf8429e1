//! The console: what an administrator's browser is shown at `/console`.
//!
//! Like the start page one document without a secret in it: everything it shows comes from `/sse` and the API under `/api/`, with the
//! reader's own token, so it can do nothing that a script of his could not do.

use actix_web::{guard, web};

use super::page::{Content, Page};

const MAIN: &str = include_str!("console/main.html");
/// The house's style first, then what the console has beside it.
const STYLE: &str = concat!(include_str!("page/style.css"), include_str!("console/page.css"));
/// What both pages share first; each file uses only those before it.
const SCRIPT: &str = concat!(
    include_str!("page/sse.js"),
    include_str!("page/words.js"),
    include_str!("console/show.js"),
    include_str!("console/rates.js"),
    include_str!("console/clients.js"),
    include_str!("console/libraries.js"),
    include_str!("console/tail.js"),
    include_str!("console/page.js"),
);

/// The page, for whoever asks: it shows nothing without a token.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    let wanted = guard::Any(guard::Get()).or(guard::Head());
    config.route("/console", web::route().guard(wanted).to(page().handler()));
}

fn page() -> Page {
    Page::new(&Content {
        title: "Fanfare console",
        purpose: "Is every client served, and which one is not?",
        main: MAIN,
        style: STYLE,
        script: SCRIPT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::page;

    #[test]
    fn the_document_is_whole_and_nothing_received_can_become_markup() {
        let page = page();
        assert!(!page.text().contains("{{"), "a place was left empty");
        assert_eq!(page::writes_markup(page.text(), SCRIPT), None);
    }

    #[test]
    fn every_element_the_script_looks_for_is_there() {
        let page = page();
        // Not the end of a longer word, such as `NumberFormat("en")`.
        let calls = SCRIPT.match_indices("at(\"").filter(|(at, _)| !SCRIPT[..*at].ends_with(char::is_alphanumeric));
        let named = calls.filter_map(|(at, found)| SCRIPT[at + found.len()..].split('"').next());
        for id in named {
            assert!(page.text().contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}
