//! A start that cannot be: one line that says where and why, an exit code, and no secret.

use std::net::TcpListener;

use crate::harness::refused_start;

const CANARY: &str = "canary-0123456789abcdef0123456789abcdef";

/// Ends with an error and one line that holds each of these words, and no secret.
fn refused(settings: &str, words: &[&str]) {
    let (status, output) = refused_start(settings);
    assert!(!status.success(), "{settings}");
    assert_eq!(output.lines().count(), 1, "one line for {settings}, not: {output}");
    for word in words {
        assert!(output.contains(word), "`{word}` is not in: {output}");
    }
    assert!(!output.contains("canary"), "a secret is shown: {output}");
}

/// `[server]` with free ports and a data folder of its own.
fn server() -> String {
    "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = \"FOLDER/data\"\n".to_owned()
}

#[test]
fn settings_that_are_not_allowed_are_refused_in_one_line_with_file_and_key() {
    let cases = [
        (format!("{}surprise = 1\n", server()), "server.surprise"),
        (format!("{}\n[engine]\nfeed_entries = \"many\"\n", server()), "engine.feed_entries"),
        ("[server]\nlisten = \"127.0.0.1:70000\"\n".to_owned(), "server.listen"),
        (format!("{}\n[[users]]\nid = \"bob\"\ntoken = \"\"\n", server()), "users[0].token"),
        (format!("{}\n[[users]]\nid = \"bob\"\n[[users]]\nid = \"bob\"\ntoken = \"{CANARY}\"\n", server()), "users[1].id"),
        (format!("{}\n[[users]]\nid = \"bob\"\ntoken = \"{CANARY}\"\n[[tokens]]\ntoken = \"{CANARY}\"\n", server()), "tokens[0].token"),
        (format!("{}\n[[users]]\nid = \"bob\"\ntoken_sha256 = \"{CANARY}\"\n", server()), "users[0].token_sha256"),
        (format!("{}\n[[libraries]]\nid = \"films\"\npath = \"/no/such/folder\"\n", server()), "libraries[0].path"),
        (format!("{}\n[[libraries]]\nid = \"films\"\nkind = \"{CANARY}\"\n", server()), "libraries[0].kind"),
    ];
    for (settings, key) in cases {
        refused(&settings, &["fanfare.toml", key]);
    }
}

#[test]
fn a_file_that_is_no_toml_names_the_line_and_not_its_text() {
    refused(&format!("{}\n[[users]]\ntoken = \"{CANARY}\n", server()), &["fanfare.toml", "line 7"]);
}

#[test]
fn a_folder_that_is_not_there_is_told_in_words() {
    let settings = format!("{}\n[[libraries]]\nid = \"films\"\npath = \"/no/such/folder\"\n", server());
    refused(&settings, &["fanfare.toml: libraries[0].path: library \"films\": the folder does not exist"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let settings =
        |own: &str, metrics: &str| format!("[server]\nlisten = \"{own}\"\nmetrics_listen = \"{metrics}\"\ndata_dir = \"FOLDER/data\"\n");
    refused(&settings(&address, "127.0.0.1:0"), &[&address]);
    refused(&settings("127.0.0.1:0", &address), &[&address]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    refused(&format!("{}[dialects.mediabrowser]\ndiscovery = \"{address}\"\n", server()), &[&address, "UDP"]);
}

#[test]
fn a_path_that_two_dialects_claim_is_named_with_the_settings_of_both() {
    let (silent, other) = ("rest = false\n", "[dialects.mediabrowser]\nenabled = false\n");
    for (base, request, free) in [
        ("/sessions", "POST /Sessions/Logout", &[other][..]),
        ("/emby/system", "GET /emby/System/Ping", &[silent, other]),
        ("/emby", "", &[""]),
    ] {
        let dialect = format!("[dialects.audiobookshelf]\nbase = \"{base}\"\n");
        if !request.is_empty() {
            let settings = format!("{}{dialect}", server());
            refused(&settings, &["dialects.audiobookshelf.base and dialects.mediabrowser both claim", request]);
        }
        for more in free {
            let started = crate::harness::Server::start(&format!("{dialect}{more}"));
            let open = crate::harness::Request::new("GET", &format!("{base}/socket.io/?EIO=4&transport=polling"));
            assert_eq!(open.send(&started).status, 200, "{base} {more}");
        }
    }
}

#[test]
fn a_data_folder_that_cannot_be_is_named() {
    refused("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = \"FOLDER/fanfare.toml\"\n", &["data_dir"]);
    refused(
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = \"FOLDER/fanfare.toml/below\"\n",
        &["fanfare.toml/below"],
    );
}
