//! The start page: what a browser is shown at `/`, and the only thing but health that is served without a token.
//!
//! One document with its style and its script inside, so that it takes no path that a dialect may own (event map,
//! section 5). It holds no secret and names nobody: what it shows it asks for with the reader's own token. It knows no
//! dialect: what it says of each comes from the dialect itself.

use actix_web::{
    guard::{self, GuardContext},
    http::header,
    web,
};

use super::{
    Doorkeeper,
    page::{Content, Page},
};

const MAIN: &str = include_str!("start_page/main.html");
const STYLE: &str = include_str!("page/style.css");
/// The reader of streams and what pages share stand before the page that uses them.
const SCRIPT: &str = concat!(include_str!("page/sse.js"), include_str!("page/words.js"), include_str!("start_page/page.js"));

/// The page at `/`, for those who ask for `text/html`; what else `/` may be is left to others.
pub(super) fn routes(config: &mut web::ServiceConfig, doorkeeper: &Doorkeeper) {
    let wanted = guard::All(guard::Any(guard::Get()).or(guard::Head())).and(guard::fn_guard(accepts_html));
    config.route("/", web::route().guard(wanted).to(page(doorkeeper.guides()).handler()));
}

fn page<'g>(guides: impl Iterator<Item = &'g str>) -> Page {
    let guides: String = guides.collect();
    Page::new(&Content {
        title: "Fanfare",
        purpose: "Real-time events for media servers: publish once, and every client that may see it hears of it.",
        main: &MAIN.replace("{{guides}}", &guides),
        style: STYLE,
        script: SCRIPT,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::EventKind, server::page};

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
    fn the_document_is_whole() {
        let page = page(["<p>one</p>", "<p>two</p>"].into_iter());
        assert!(page.text().contains("<p>one</p><p>two</p>") && !page.text().contains("{{"), "a place was left empty");
    }

    #[test]
    fn nothing_received_can_become_markup() {
        assert_eq!(page::writes_markup(page(std::iter::empty()).text(), SCRIPT), None);
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
}
