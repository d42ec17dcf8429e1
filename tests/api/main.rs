//! The engine from outside: the real binary on free ports of 127.0.0.1, spoken to over plain sockets.
//!
//! One file per behaviour. Requests are written and streams are decoded by the harness's own few lines, so that a
//! mistake in the engine's encoder cannot hide behind the same mistake here.
#![allow(
    clippy::expect_used,
    clippy::too_many_lines,
    clippy::print_stderr,
    reason = "a test says what it expects, a table is as long as it is, and a failed test shows the server's log"
)]

mod address;
mod administration;
mod audiobookshelf;
mod callback;
mod canary;
mod canary_command;
mod console;
mod description;
mod discovery;
mod drain;
mod expiry;
mod faults;
mod first_minutes;
mod folder;
mod full;
mod harness;
mod head;
mod injection;
mod jwt;
mod kinds;
mod lag;
mod log_ins;
mod mediabrowser;
mod metrics;
mod ops;
mod origin;
mod plex;
mod presence;
mod publish;
mod real_books;
mod real_server;
mod reload;
mod reload_under_load;
mod revoke;
mod rights;
mod routes;
mod sse;
mod start;
mod start_page;
mod tls;
