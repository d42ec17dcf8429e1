//! The server under siege: who is known to it, and what it says of its own count.

use crate::args::SiegeArgs;
use crate::failure::Failure;
use crate::own_server::{OwnServer, Start, metric, metrics};

/// Token of the witnesses, who read `lib0` only.
const WITNESS: &str = "siege-witness-0123456789abcdef0123456789abcdef";
/// Token of their publisher.
pub(super) const PUBLISHER: &str = "siege-publisher-0123456789abcdef0123456789abcdef";
/// Token of an administrator, who looks at the list of connections.
pub(super) const ADMIN: &str = "siege-admin-0123456789abcdef0123456789abcdef";
/// Token of the flooding publishers, and of nobody else.
pub(super) const FLOODER: &str = "siege-flooder-0123456789abcdef0123456789abcdef";
/// Token of the stalled readers.
pub(super) const STALLED: &str = "siege-stalled-0123456789abcdef0123456789abcdef";
/// Token of those who come in floods, and of whom only a few may stay.
pub(super) const CROWD: &str = "siege-crowd-0123456789abcdef0123456789abcdef";

/// Name of the file with the witnesses' token.
pub(super) const TOKENS_FILE: &str = "tokens";

/// Starts it and waits until it is ready.
pub(super) fn start(args: &SiegeArgs) -> Result<OwnServer, Failure> {
    OwnServer::start(&Start { program: &args.server, wrap: &args.wrap, settings: &settings(), files: &[(TOKENS_FILE, WITNESS)] })
}

/// Streams it has ended because they took nothing, and events it has skipped, by its own count; nothing when it cannot say.
pub(super) fn stalls_and_skips(server: &OwnServer) -> Option<(u64, u64)> {
    let text = metrics(server.metrics_address())?;
    Some((metric(&text, "fanfare_stall_timeouts_total"), metric(&text, "fanfare_events_skipped_total")))
}

fn settings() -> String {
    format!(
        "[limits]\nconnections_per_user = 600\n\
         [[users]]\nid = \"admin\"\ntoken = \"{ADMIN}\"\nadmin = true\n\
         [[users]]\nid = \"witness\"\ntoken = \"{WITNESS}\"\nlibraries = {{ lib0 = \"read\" }}\n\
         [[users]]\nid = \"stalled\"\ntoken = \"{STALLED}\"\nlibraries = {{ flood = \"read\" }}\n\
         [[users]]\nid = \"crowd\"\ntoken = \"{CROWD}\"\nlibraries = {{ flood = \"read\" }}\n\
         [[tokens]]\ntoken = \"{PUBLISHER}\"\npublish = {{ libraries = [\"lib0\"], types = [\"medias\", \"raw\"] }}\n\
         [[tokens]]\ntoken = \"{FLOODER}\"\npublish = {{ libraries = [\"flood\"], types = [\"medias\"] }}\n"
    )
}
