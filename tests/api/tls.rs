//! TLS on the main address: the same streams to the same people, certificates that change, and clients that misbehave.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use serde_json::json;

use crate::{
    harness::{Certificate, PATIENCE, PEOPLE, Request, Server, Sse, Wire, eventually, medias, refused_start, token_of},
    rights::check_table_on,
};

#[test]
fn a_stream_over_tls_obeys_the_same_table() {
    let server = Server::start_tls(PEOPLE);
    check_table_on(&server, Sse::ask);
    let delivered = "fanfare_deliveries_total{dialect=\"redseat\",outlet=\"tls\"}";
    assert!(server.metrics().lines().any(|line| line.starts_with(delivered) && !line.ends_with(" 0")), "its outlet is another one");
}

#[test]
fn a_response_body_over_tls_obeys_the_same_table() {
    check_table_on(&Server::start_tls(PEOPLE), Sse::ask_later);
}

#[cfg(feature = "http2")]
#[test]
fn a_stream_over_http2_obeys_the_same_table() {
    let server = Server::start_tls(&format!("{PEOPLE}[dialects.redseat]\nping_interval = \"1s\"\n"));
    check_table_on(&server, |server, request| Sse::over(Wire::program(&mut request.over_http2(server)), Vec::new()));
    // The HTTP server does not look after an HTTP/2 stream while it has nothing for it: the next ping finds out.
    eventually("the server notices that the clients are gone", PATIENCE, || (server.metric("fanfare_connections") == 0.0).then_some(()));
    let answer = Request::new("GET", "/readyz").over_http2(&server).output().expect("curl runs");
    assert!(answer.stdout.starts_with(b"HTTP/2 200"), "{}", String::from_utf8_lossy(&answer.stdout));
}

/// A handshake, and what was agreed on.
fn handshake(server: &Server, config: Arc<ClientConfig>) -> std::io::Result<(ClientConnection, TcpStream)> {
    let mut tls = ClientConnection::new(config, ServerName::try_from("localhost").expect("a name")).expect("a TLS client");
    let mut socket = TcpStream::connect(server.address())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    Ok((tls, socket))
}

#[test]
fn http2_is_offered_only_where_it_is_built_in() {
    let server = Server::start_tls(PEOPLE);
    let mut config = ClientConfig::clone(&server.certificate().client());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (tls, _socket) = handshake(&server, Arc::new(config)).expect("a handshake");
    let expected: &[u8] = if cfg!(feature = "http2") { b"h2" } else { b"http/1.1" };
    assert_eq!(tls.alpn_protocol(), Some(expected));
}

#[test]
fn a_changed_certificate_is_used_for_new_connections_and_a_broken_one_is_not() {
    let server = Server::start_tls(PEOPLE);
    let first = server.certificate().client();
    let mut open = Sse::open(&server, "/sse", &token_of("reader"));
    let second = Certificate::make(server.folder(), "second").client();
    let uses = |config: &Arc<ClientConfig>| handshake(&server, Arc::clone(config)).is_ok();
    eventually("the new certificate is used", PATIENCE, || uses(&second).then_some(()));
    assert!(!uses(&first), "the old certificate is used still");
    server.publish_all(&[medias("lib1", "after")]);
    assert!(open.expect("medias").data.contains("after"), "a connection that was open stays");

    fs::write(&server.certificate().cert, "no certificate").expect("writes");
    eventually("the log names the file", PATIENCE, || {
        server.log().lines().any(|line| line.contains("ERROR") && line.contains("tls.cert") && line.contains("cert.pem")).then_some(())
    });
    assert!(uses(&second), "the last good one stays in use");
}

#[test]
fn a_certificate_in_other_files_counts_from_the_reload_on_and_no_client_drops() {
    let server = Server::start_tls(PEOPLE);
    let first = server.certificate();
    let old = first.client();
    let mut open = Sse::open(&server, "/sse", &token_of("reader"));
    let elsewhere = tempfile::tempdir().expect("a folder");
    let second = Certificate::make(elsewhere.path(), "second");
    let new = second.client();
    let uses = |config: &Arc<ClientConfig>| handshake(&server, Arc::clone(config)).is_ok();

    // Files that cannot be used: nothing of the same settings counts.
    let good = fs::read_to_string(server.folder().join("fanfare.toml")).expect("settings");
    let [cert, key] = [&first.cert, &first.key].map(|path| format!("{path:?}"));
    let named = |cert_file: &Path, key_file: &Path| {
        format!("{}\n[limits]\nbatch_events = 9\n", good.replace(&cert, &format!("{cert_file:?}")).replace(&key, &format!("{key_file:?}")))
    };
    for (cert_file, key_file, words) in [
        (elsewhere.path().join("none.pem"), second.key.clone(), "none.pem: No such file"),
        (second.cert.clone(), first.key.clone(), "tls.cert, tls.key: "),
        (second.key.clone(), second.key.clone(), "holds no certificate"),
    ] {
        server.rewrite_settings(|_| named(&cert_file, &key_file));
        let answer = server.reload();
        assert!(answer.status == 422 && answer.body.contains(words), "`{words}` is not what was said: {}", answer.body);
        assert!(uses(&old) && !uses(&new), "the old one stays in use");
    }
    let settings = Request::new("GET", "/api/settings").bearer(&token_of("root")).send(&server).json();
    assert_eq!(settings["settings"]["limits"]["batch_events"], json!(1000), "the reload is refused whole");

    server.rewrite_settings(|_| named(&second.cert, &second.key));
    let answer = server.reload().json();
    assert_eq!(answer, json!({"changed": ["tls.cert", "tls.key", "limits.batch_events", "tls: certificate"], "needs_restart": []}));
    assert!(uses(&new) && !uses(&old), "at once");
    let run_file = server.data().join("run.json");
    let is_named = || fs::read_to_string(&run_file).ok()?.contains(&second.cert.display().to_string()).then_some(());
    eventually("the clients of this machine are told", PATIENCE, is_named);
    fs::copy(&second.cert, &first.cert).expect("this test's own clients are, too");
    server.publish_all(&[medias("lib1", "after")]);
    assert!(open.expect("medias").data.contains("after"), "a connection that was open stays");
    assert_eq!(server.metric("fanfare_connections_closed_total"), 0.0);

    let third = Certificate::make(elsewhere.path(), "third").client();
    eventually("it is the new files that are looked at", PATIENCE, || uses(&third).then_some(()));
}

#[test]
fn whether_tls_is_spoken_is_settled_at_the_start() {
    let server = Server::start_tls(PEOPLE);
    server.rewrite_settings(|text| {
        let lines = text.lines().filter(|line| !line.starts_with("[tls]") && !line.starts_with("cert =") && !line.starts_with("key ="));
        lines.collect::<Vec<_>>().join("\n")
    });
    let answer = server.reload();
    assert_eq!(answer.json(), json!({"changed": [], "needs_restart": ["tls.cert", "tls.key"]}), "{}", answer.body);
    assert!(handshake(&server, server.certificate().client()).is_ok());
}

#[test]
fn nothing_older_than_tls_1_2_is_spoken() {
    let server = Server::start_tls(PEOPLE);
    let output = Command::new("sslscan").args(["--no-colour", &server.address()]).output().expect("install Debian's package sslscan");
    let text = String::from_utf8_lossy(&output.stdout);
    for (version, state) in [
        ("SSLv2", "disabled"),
        ("SSLv3", "disabled"),
        ("TLSv1.0", "disabled"),
        ("TLSv1.1", "disabled"),
        ("TLSv1.2", "enabled"),
        ("TLSv1.3", "enabled"),
    ] {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(version)).map(str::split_whitespace);
        assert_eq!(line.and_then(|mut words| words.nth(1)), Some(state), "{version} in:\n{text}");
    }
    for weakness in ["RC4", "3DES", "DES-CBC", "NULL", "EXPORT", "CBC", "vulnerable to"] {
        let found = text.lines().find(|line| line.contains(weakness) && !line.contains("not vulnerable"));
        assert_eq!(found, None, "{text}");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = Certificate::make(folder.path(), "own");
    let other_folder = tempfile::tempdir().expect("a folder");
    let other = Certificate::make(other_folder.path(), "other");
    let open = folder.path().join("open.pem");
    fs::copy(&own.key, &open).expect("copies");
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("chmod");
    let none = folder.path().join("none.pem");
    let cases = [
        (Some(&own.cert), Some(&open), "mode is 644"),
        (Some(&own.cert), Some(&none), "none.pem: No such file"),
        (None, Some(&own.key), "tls.key: tls.cert must be set too"),
        (Some(&own.cert), None, "tls.cert: tls.key must be set too"),
        (Some(&own.cert), Some(&other.key), "tls.cert, tls.key: "),
        (Some(&own.key), Some(&own.key), "holds no certificate"),
        (Some(&own.cert), Some(&own.cert), "tls.key: "),
    ];
    for (cert, key, words) in cases {
        let line = |name, path: Option<&std::path::PathBuf>| path.map(|path| format!("{name} = {path:?}\n")).unwrap_or_default();
        let server = "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = \"FOLDER/data\"\n";
        let (status, output) = refused_start(&format!("{server}[tls]\n{}{}", line("cert", cert), line("key", key)));
        assert!(!status.success() && output.contains(words) && output.lines().count() == 1, "`{words}` is not what was said: {output}");
        assert!(!output.contains("BEGIN"), "{output}");
    }
}

#[test]
fn who_speaks_no_tls_is_turned_away_and_nobody_else_notices() {
    let server = Server::start_tls(PEOPLE);
    let mut plain = TcpStream::connect(server.address()).expect("the server accepts");
    plain.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    plain.write_all(b"GET /sse HTTP/1.1\r\nhost: x\r\n\r\n").expect("taken");
    let mut said = Vec::new();
    let _cut_off = plain.read_to_end(&mut said);
    assert!(said.len() < 16 && !said.starts_with(b"HTTP"), "an alert at most: {said:?}");
    assert_eq!(Request::new("GET", "/readyz").send(&server).status, 200);
}

#[test]
fn silent_and_slow_handshakes_are_let_go_in_time_and_hold_nobody_up() {
    const N_SILENT: usize = 300;
    let server = Server::start_tls(&format!("{PEOPLE}[limits]\nhead = \"2s\"\n"));
    let before = server.metric("process_open_fds");
    let mut silent: Vec<_> = (0..N_SILENT).map(|_| TcpStream::connect(server.address()).expect("the server accepts")).collect();
    for socket in silent.iter_mut().step_by(2) {
        socket.write_all(&[22, 3, 1, 2, 0, 1]).expect("the beginning of a ClientHello");
    }
    eventually("all are in", PATIENCE, || (server.metric("process_open_fds") >= before + N_SILENT as f64).then_some(()));
    let asked = Instant::now();
    assert_eq!(Request::new("GET", "/readyz").send(&server).status, 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "an honest client waited {:?}", asked.elapsed());
    eventually("all are let go", PATIENCE, || (server.metric("process_open_fds") <= before + 4.0).then_some(()));
    for socket in &mut silent {
        socket.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        assert!(!matches!(socket.read(&mut [0]), Ok(1..)), "nobody is answered");
    }
}

#[test]
fn a_key_update_in_mid_stream_is_followed_and_what_a_client_says_is_dropped() {
    let server = Server::start_tls(PEOPLE);
    let mut wire = server.wire().expect("the server accepts");
    wire.write_all(&Request::new("GET", "/sse").bearer(&token_of("reader")).bytes("localhost", false)).expect("taken");
    let mut sse = Sse::over(wire, Vec::new());
    for round in 0..3 {
        let Wire::Tls(stream) = sse.wire() else { panic!("a server with TLS") };
        stream.conn.refresh_traffic_keys().expect("TLS 1.3");
        stream.write_all(&vec![b'x'; 100_000]).expect("taken");
        server.publish_all(&[medias("lib1", &format!("round-{round}"))]);
        assert!(sse.expect("medias").data.contains(&format!("round-{round}")));
    }
}

#[test]
fn a_stream_that_the_server_ends_ends_with_a_goodbye_of_tls() {
    let server = Server::start_tls(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    assert_eq!(server.put_principal("reader", &json!({"disabled": true})).status, 200);
    let wire = sse.wire();
    wire.set_read_timeout(PATIENCE);
    let mut rest = Vec::new();
    // Without a close_notify the TLS library makes this an error: an attacker could have cut the stream.
    wire.read_to_end(&mut rest).expect("an end that was meant");
}

#[test]
fn the_clients_of_this_machine_find_the_server_and_trust_its_certificate_only() {
    let server = Server::start_tls("");
    let data = server.data();
    let fanfare = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FANFARE_")) {
            command.env_remove(name);
        }
        command.args(arguments).arg("--data-dir").arg(&data).output().expect("the binary runs")
    };
    let published = fanfare(&["publish", "message", r#"{"text":"hello"}"#]);
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));

    // Another certificate under the same name is another server's.
    let other = tempfile::tempdir().expect("a folder");
    let other = Certificate::make(other.path(), "first");
    let run_file = data.join("run.json");
    let run = fs::read_to_string(&run_file).expect("a run file");
    let exchanged = run.replace(&server.certificate().cert.display().to_string(), &other.cert.display().to_string());
    assert_ne!(run, exchanged, "the run file names the certificate");
    fs::write(&run_file, exchanged).expect("writes");
    let refused = fanfare(&["publish", "message", r#"{"text":"hello"}"#]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("certificate"), "{said}");
}
