//! Settings read again while the load tester's clients receive in every protocol: nobody drops, nothing is lost, and whoever is
//! removed has gone within a second.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{PATIENCE, Server, eventually};

/// Clients of each protocol: event streams of two, WebSockets of three.
const OF_EACH: usize = 20;
const IN_ALL: usize = 5 * OF_EACH;

const SETTINGS: &str = "[engine]\nshards = 1\n[limits]\nbatch_events = 1000\n\
    [[users]]\nid = \"root\"\ntoken = \"token-of-root-0123456789abcdef0123456789\"\nadmin = true\n\
    [[users]]\nid = \"stays\"\ntoken = \"token-of-one-who-stays-0123456789abcdef\"\nlibraries = \"read\"\n\
    [[tokens]]\ntoken = \"token-of-the-load-0123456789abcdef\"\nuser = \"root\"\npublish = { types = [\"medias\", \"raw\"] }\n";

const LEAVES: &str = "[[users]]\nid = \"leaves\"\ntoken = \"token-of-one-who-leaves-0123456789abcdef\"\nlibraries = \"read\"\n";

/// The load tester, at work on a server; killed when the test is over.
struct Load {
    child: Child,
    report: PathBuf,
}

impl Load {
    /// Connects the clients, which show these tokens in turn, and publishes for so many seconds.
    fn begin(server: &Server, tokens: &[&str], seconds: u32) -> Self {
        let [tokens_file, report] = ["tokens", "report.json"].map(|name| server.folder().join(name));
        std::fs::write(&tokens_file, tokens.join("\n")).expect("a temporary folder");
        let mix = ["sse", "plex-sse", "plex-ws", "mediabrowser", "socketio"].map(|dialect| format!("{dialect}={OF_EACH}")).join(",");
        let mut command = Command::new(tester());
        command.args(["run", "--quiet", "--token", "token-of-the-load-0123456789abcdef", "--events", "raw", "--rate", "100"]);
        command.args(["--warmup", "1", "--steps", "1", "--lateness-limit-us", "5000000", "--mix", &mix, "--target", server.url()]);
        command.args(["--seconds", &seconds.to_string()]).arg("--client-tokens-file").arg(tokens_file).arg("--json").arg(&report);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the load tester starts");
        eventually("all clients are in, and are sent events", 3 * PATIENCE, || {
            (server.metric("fanfare_connections") as usize == IN_ALL && server.metric("fanfare_deliveries_total") > 0.0).then_some(())
        });
        Self { child, report }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// What each client got, of what it should have, when the load is over.
    fn accounting(mut self) -> Value {
        self.child.wait().expect("our own child");
        let report = std::fs::read(&self.report).expect("the load tester could do its work");
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        report["accounting"].clone()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has mostly ended by itself.
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The load tester of this workspace, as it is now.
fn tester() -> PathBuf {
    let fanfare = Path::new(env!("CARGO_BIN_EXE_fanfare"));
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", "fanfare-loadtest"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success(), "the load tester cannot be built");
    fanfare.with_file_name("fanfare-loadtest")
}

fn counts(accounting: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| accounting[name].as_u64().unwrap_or_else(|| panic!("{name} in {accounting}"))).collect()
}

#[test]
fn ten_reloads_under_load_lose_nothing_in_any_protocol() {
    let server = Server::start(SETTINGS);
    let mut load = Load::begin(&server, &["token-of-one-who-stays-0123456789abcdef"], 6);
    for round in 0..10 {
        let token = format!("[[tokens]]\ntoken = \"token-{round}-0123456789abcdef0123456789\"\nread = \"read\"\n");
        let log = if round % 2 == 0 { "debug" } else { "info" };
        server.rewrite_settings(|text| {
            let server_lines = text.split("[engine]").next().expect("a beginning").lines().filter(|line| !line.starts_with("log = "));
            let server_lines: String = server_lines.map(|line| format!("{line}\n")).collect();
            let limits = SETTINGS.replace("batch_events = 1000", &format!("batch_events = {}\nhead = \"{}s\"", 1001 + round, 6 + round));
            format!("{server_lines}log = {log:?}\n{limits}{token}")
        });
        let answer = server.reload();
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json(), json!({"changed": ["server.log", "limits.batch_events", "limits.head", "tokens"], "needs_restart": []}));
        assert_eq!(server.metric("fanfare_connections_closed_total"), 0.0, "nobody drops");
        std::thread::park_timeout(Duration::from_millis(300)); // events go on between two reloads
    }
    assert!(load.is_running(), "it was under load to the end");
    let accounting = load.accounting();
    let [expected, received, rest @ ..] = &counts(
        &accounting,
        &["expected", "received", "skipped_announced", "skipped_reported", "lost_silently", "closed_by_server", "failed_to_connect"],
    )[..] else {
        panic!("{accounting}")
    };
    assert!(expected == received && *expected > 0 && rest.iter().all(|count| *count == 0), "{accounting}");
}

#[test]
fn the_clients_of_a_removed_user_go_within_a_second_in_every_protocol_and_the_others_stay() {
    let server = Server::start(&format!("{SETTINGS}{LEAVES}"));
    let load = Load::begin(&server, &["token-of-one-who-stays-0123456789abcdef", "token-of-one-who-leaves-0123456789abcdef"], 4);
    server.rewrite_settings(|text| text.replace(LEAVES, ""));
    let began = Instant::now();
    let answer = server.reload();
    assert_eq!(answer.json(), json!({"changed": ["users"], "needs_restart": []}), "{}", answer.body);
    eventually("the removed user's have gone", PATIENCE, || (server.metric("fanfare_connections") as usize == IN_ALL / 2).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let accounting = load.accounting();
    let half = (IN_ALL / 2) as u64;
    let names = ["closed_by_server", "clients_short", "skipped_announced", "skipped_reported", "failed_to_connect"];
    assert_eq!(counts(&accounting, &names), [half, half, 0, 0, 0], "only those who have gone are short of anything: {accounting}");
}
