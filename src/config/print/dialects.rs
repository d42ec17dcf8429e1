//! `[dialects.NAME]` as a file.

use super::{Page, duration};
use crate::config::{Dialects, MediaBrowser, Plex, RedSeat, Spelling};

pub(super) fn print(page: &mut Page<'_>, dialects: &Dialects) {
    let Dialects { redseat: RedSeat { enabled, spelling, ping_interval }, plex, mediabrowser } = dialects;
    page.table("dialects.redseat");
    page.key("enabled", *enabled);
    page.key("spelling", if *spelling == Spelling::Server { "server" } else { "document" });
    page.key("ping_interval", duration(*ping_interval));
    let Plex { enabled, ping_interval, rest, server } = plex;
    page.table("dialects.plex");
    page.key("enabled", *enabled);
    page.key("ping_interval", duration(*ping_interval));
    page.key("rest", *rest);
    page.optional("server", server.as_deref());
    print_mediabrowser(page, mediabrowser);
}

fn print_mediabrowser(page: &mut Page<'_>, mediabrowser: &MediaBrowser) {
    let MediaBrowser {
        enabled,
        ping_interval,
        rest,
        server,
        legacy_credentials,
        identity,
        library_quiet,
        library_cap,
        least_interval,
        discovery,
    } = mediabrowser;
    page.table("dialects.mediabrowser");
    page.key("enabled", *enabled);
    page.key("ping_interval", duration(*ping_interval));
    page.key("rest", *rest);
    page.optional("server", server.as_deref());
    page.key("legacy_credentials", *legacy_credentials);
    page.key("identity", *identity);
    page.key("library_quiet", duration(*library_quiet));
    page.key("library_cap", duration(*library_cap));
    page.key("least_interval", duration(*least_interval));
    page.optional("discovery", discovery.map(|address| address.to_string()));
}
