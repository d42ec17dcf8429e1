//! `[dialects.NAME]` as a file.

use super::{Page, duration};
use crate::config::{Audiobookshelf, Dialects, MediaBrowser, Plex, RedSeat, Spelling};

pub(super) fn print(page: &mut Page<'_>, dialects: &Dialects) {
    let Dialects { redseat: RedSeat { enabled, spelling, ping_interval }, plex, mediabrowser, audiobookshelf } = dialects;
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
    print_audiobookshelf(page, audiobookshelf);
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

fn print_audiobookshelf(page: &mut Page<'_>, audiobookshelf: &Audiobookshelf) {
    let Audiobookshelf { enabled, base, rest, server, ping_interval, ping_timeout, access_expires, refresh_expires, twin } = audiobookshelf;
    page.table("dialects.audiobookshelf");
    page.key("enabled", *enabled);
    page.key("base", base.as_str());
    page.key("rest", *rest);
    page.optional("server", server.as_deref());
    page.key("ping_interval", duration(*ping_interval));
    page.key("ping_timeout", duration(*ping_timeout));
    page.key("access_expires", duration(*access_expires));
    page.key("refresh_expires", duration(*refresh_expires));
    page.key("twin", *twin);
}
