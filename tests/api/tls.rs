//! TLS on the main address: the same streams to the same people, certificates that change, and clients that misbehave.

use crate::{
    harness::{PEOPLE, Server, Sse},
    rights::check_table_on,
};

#[test]
fn a_stream_over_tls_obeys_the_same_table() {
    check_table_on(&Server::start_tls(PEOPLE), Sse::ask);
}
