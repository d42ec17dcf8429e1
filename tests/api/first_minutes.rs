//! The first five minutes: start it, paste what it shows, make a token, check the settings. Everything in a fresh HOME
//! and with the commands as a person types them.

use std::{
    fs::{self, File},
    io::Read,
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{PATIENCE, Request, Server, Sse, eventually, medias};

const CANARY: &str = "canary-0123456789abcdef0123456789abcdef";

/// A person with an empty home directory and the binary on PATH.
struct Person {
    home: TempDir,
}

impl Person {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// A command with nothing of the developer's own environment; ports are free ones unless the test says otherwise.
    fn command(&self, program: &str) -> Command {
        let binaries = Path::new(env!("CARGO_BIN_EXE_fanfare")).parent().expect("it lies in a folder");
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).current_dir("/").stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/bin:/bin", binaries.display()));
        command.env("FANFARE_SERVER__LISTEN", "127.0.0.1:0").env("FANFARE_SERVER__METRICS_LISTEN", "127.0.0.1:0");
        command
    }

    /// Runs `fanfare` with these arguments to its end.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command("fanfare").args(arguments).output().expect("it runs")
    }

    /// Runs a line in a shell to its end.
    fn paste(&self, line: &str) -> Output {
        self.command("/bin/sh").args(["-c", line]).output().expect("it runs")
    }

    /// Starts `fanfare` at a terminal.
    fn start(&self, arguments: &[&str]) -> Typed {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        unlockpt(&terminal).expect("our own terminal");
        let screen = ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("its other end");
        let mut command = self.command("fanfare");
        command.args(arguments).stdout(screen.try_clone().expect("a second handle")).stderr(screen);
        Typed::spawn(command, Some(terminal))
    }

    /// Starts a line in a shell and collects what it prints.
    fn keep_running(&self, line: &str) -> Typed {
        let mut command = self.command("/bin/sh");
        command.args(["-c", &format!("exec {line}")]).stdout(Stdio::piped());
        Typed::spawn(command, None)
    }
}

/// A process that runs until the test is over, and what it has shown so far.
struct Typed {
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Typed {
    fn spawn(mut command: Command, terminal: Option<OwnedFd>) -> Self {
        let mut child = command.spawn().expect("it starts");
        // The command holds the terminal's other end, which would keep it open.
        drop(command);
        let output: OwnedFd = terminal.unwrap_or_else(|| child.stdout.take().expect("piped").into());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&shown);
        std::thread::spawn(move || {
            let (mut output, mut buffer) = (File::from(output), [0; 4096]);
            // A terminal nobody has open any more ends with an error.
            while let Ok(n_read @ 1..) = output.read(&mut buffer) {
                shared.lock().extend_from_slice(&buffer[..n_read]);
            }
        });
        Self { child, shown }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock()).replace('\r', "")
    }

    /// The three lines to paste, once they are all there.
    fn lines(&self) -> [String; 3] {
        eventually("three lines to paste", PATIENCE, || {
            let lines: Vec<String> = self
                .text()
                .split_inclusive('\n')
                .filter_map(|line| line.strip_prefix("  ")?.strip_suffix('\n').map(str::to_owned))
                .collect();
            lines.try_into().ok()
        })
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        // It may have ended already; what matters is that none outlives its test.
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- shown ---\n{}", self.text());
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn run_token(data_dir: &Path) -> String {
    let run: Value = serde_json::from_str(&fs::read_to_string(data_dir.join("run.json")).expect("a run file")).expect("JSON");
    run["token"].as_str().expect("a token").to_owned()
}

/// Pastes the watching and the publishing line, and waits until the one shows what the other sent.
fn watch_and_publish(person: &Person, lines: &[String; 3]) {
    let tail = person.keep_running(&lines[0]);
    eventually("tail shows what was published", PATIENCE, || {
        // Until tail is connected nobody sees it, so it is sent again.
        let published = person.paste(&lines[1]);
        assert!(published.status.success(), "{}", text(&published.stderr));
        tail.text().contains("hello").then_some(())
    });
}

#[test]
fn the_three_lines_work_as_they_are_pasted() {
    let person = Person::new();
    let server = person.start(&[]);
    let lines = server.lines();
    assert_eq!(lines[0], "fanfare tail");
    watch_and_publish(&person, &lines);
    let (url, token) = lines[2].split_once("/#token=").expect("the address with the token");
    let host = url.strip_prefix("http://").expect("http");
    let answer = Request::new("GET", "/api/connections").bearer(token).send_to(host).expect("an answer");
    assert_eq!(answer.status, 200, "the token of the last line counts");
    assert_eq!(server.text().matches(token).count(), 1, "it is shown once and is in no log line");
}

#[test]
fn the_lines_of_a_server_with_another_data_folder_work_too() {
    let person = Person::new();
    let folder = person.path("it's data");
    let server = person.start(&["--data-dir", folder.to_str().expect("text")]);
    let lines = server.lines();
    assert!(lines[0].contains("--data-dir"), "{lines:?}");
    watch_and_publish(&person, &lines);
}

#[test]
fn with_people_in_the_settings_no_token_is_shown() {
    let person = Person::new();
    let added = person.run(&["token", "new", "--user", "bob", "--read", "films"]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let server = person.start(&[]);
    let lines = server.lines();
    assert!(lines[2].ends_with('/'), "{lines:?}");
    assert!(!server.text().contains(&run_token(&person.path(".local/state/fanfare"))));
    watch_and_publish(&person, &lines);
}

#[test]
fn the_token_of_the_run_counts_wherever_a_token_may_be() {
    let server = Server::start("");
    let token = run_token(&server.data());
    for request in [
        Request::new("GET", "/sse").bearer(&token),
        Request::new("GET", &format!("/sse?token={token}")),
        Request::new("GET", "/sse").header("cookie", &format!("fanfare_token={token}")),
        Request::new("GET", "/:/eventsource/notifications").header("x-plex-token", &token),
        Request::new("GET", &format!("/:/eventsource/notifications?X-Plex-Token={token}")),
    ] {
        assert_eq!(Sse::ask(&server, &request).head().status, 200);
    }
    assert_eq!(server.publish(&token, &medias("films", "m1")).0, 200);
    assert_eq!(Request::new("GET", "/api/connections").bearer(&token).send(&server).status, 200);
}

#[test]
fn a_service_writes_no_token_and_no_lines() {
    let mut server = Server::start("");
    let token = run_token(&server.data());
    // After its end everything it had to say is there.
    server.stop();
    let log = server.log();
    assert!(log.contains("ready") && !log.contains(&token) && !log.contains("token="), "{log}");
    assert!(!log.contains("fanfare tail"), "{log}");
}

#[test]
fn a_new_token_lets_its_user_in_after_a_restart() {
    let person = Person::new();
    let bob = person.run(&["token", "new", "--user", "bob", "--read", "films", "--expires", "1h"]);
    let key = person.run(&["token", "new", "--publish", "--name", "the scanner"]);
    assert!(text(&bob.stderr).contains("after a reload"), "{}", text(&bob.stderr));
    let file = person.path(".config/fanfare/fanfare.toml");
    assert_eq!(fs::metadata(&file).expect("made").permissions().mode() & 0o777, 0o600);
    let (bob, key) = (text(&bob.stdout), text(&key.stdout));
    let settings = fs::read_to_string(&file).expect("text");
    for token in [&bob, &key] {
        assert_eq!((token.len(), token.ends_with('\n')), (65, true));
        assert!(!settings.contains(token.trim()));
    }
    fs::write(person.path("bob"), &bob).expect("written");
    let inspected = person.paste("fanfare token inspect - < ~/bob");
    assert!(text(&inspected.stdout).starts_with("a further token of user bob, in "), "{}", text(&inspected.stderr));
    assert!(!text(&inspected.stdout).contains(bob.trim()) && inspected.status.success());

    let server = person.start(&[]);
    server.lines();
    assert!(server.text().contains("settings read") && server.text().contains("fanfare.toml"), "{}", server.text());
    let tail = person.keep_running("fanfare tail --token-file - < ~/bob");
    let publish = format!(
        "FANFARE_TOKEN={} fanfare publish medias '{}'",
        key.trim(),
        r#"{"library":"films","medias":[{"action":"Added","media":{"id":"m1","name":"a.mkv","type":"video"}}]}"#
    );
    eventually("bob sees what the key published", PATIENCE, || {
        let published = person.paste(&publish);
        assert!(published.status.success(), "{}", text(&published.stderr));
        tail.text().contains("a.mkv").then_some(())
    });
}

/// `[[users]]` with a secret, before or after which something is wrong.
fn with_a_secret(wrong: &str) -> String {
    format!("{wrong}\n[[users]]\nid = \"bob\"\ntoken = \"{CANARY}\"\n")
}

#[test]
fn settings_that_are_not_allowed_are_told_in_one_line_by_check_and_by_start() {
    let person = Person::new();
    let file = person.path("f.toml");
    let shown = file.to_str().expect("text");
    for (settings, key) in [
        (with_a_secret("[server]\nsurprise = 1"), "server.surprise"),
        (with_a_secret("[engine]\nfeed_entries = \"many\""), "engine.feed_entries"),
        (with_a_secret("[server]\nlisten = \"127.0.0.1:70000\""), "server.listen"),
        (with_a_secret("[[users]]\nid = \"eve\"\ntoken = \"\""), "users[0].token"),
        (with_a_secret("[[users]]\nid = \"bob\""), "users[1].id"),
        (with_a_secret("[[users]"), "line 1"),
    ] {
        fs::write(&file, &settings).expect("written");
        for arguments in [&["config", "check", "--config", shown][..], &["config", "print", "--config", shown], &["--config", shown]] {
            refused(&person, arguments, &[shown, key]);
        }
    }
    fs::create_dir(person.path("folder")).expect("made");
    // A file that is there and cannot be read, not even by root.
    symlink("/proc/self/mem", person.path("unreadable")).expect("linked");
    for (name, words) in [("folder", "is a directory"), ("unreadable", "cannot be read"), ("missing", "cannot be read")] {
        let path = person.path(name);
        let path = path.to_str().expect("text");
        refused(&person, &["config", "check", "--config", path], &[path, words]);
        refused(&person, &["--config", path], &[path, words]);
    }
}

/// Ends with an error within two seconds and one line that holds these words and no secret.
fn refused(person: &Person, arguments: &[&str], words: &[&str]) {
    let mut command = person.command("fanfare");
    // A variable would win over the address in the file.
    command.env_remove("FANFARE_SERVER__LISTEN").args(arguments);
    let began = Instant::now();
    let output = command.output().expect("it runs");
    assert!(began.elapsed() < Duration::from_secs(2), "{arguments:?} took {:?}", began.elapsed());
    let line = text(&output.stderr);
    assert_eq!((output.status.code(), line.lines().count(), output.stdout.len()), (Some(1), 1, 0), "{arguments:?}: {line}");
    for word in words {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }
    assert!(!line.contains("canary"), "a secret is shown: {line}");
}

#[test]
fn settings_that_are_allowed_are_ok_with_their_warnings_and_printed_without_secrets() {
    let person = Person::new();
    let file = person.path("f.toml");
    fs::write(&file, with_a_secret("[server]\nname = \"Home\"")).expect("written");
    let shown = file.to_str().expect("text");
    let checked = person.run(&["config", "check", "--config", shown]);
    assert_eq!((text(&checked.stdout), checked.status.code()), (format!("ok: {shown}\n"), Some(0)));
    assert!(text(&checked.stderr).contains("warning: no token may publish"), "{}", text(&checked.stderr));
    let printed = text(&person.run(&["config", "print", "--config", shown]).stdout);
    assert!(printed.contains(&format!("name = \"Home\"  # {shown}\n")) && printed.contains("token_sha256 = \"…\""), "{printed}");
    assert!(printed.contains("listen = \"127.0.0.1:0\"  # FANFARE_SERVER__LISTEN\n"), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
    let defaults = text(&person.run(&["config", "print", "--defaults"]).stdout);
    assert!(defaults.contains("listen = \"127.0.0.1:8400\"\n"), "{defaults}");
    fs::write(&file, defaults).expect("written");
    assert!(person.run(&["config", "check", "--config", shown]).status.success(), "what is printed loads again");
}

#[test]
fn a_port_in_use_is_named_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    refused(&Person::new(), &["--listen", &address, "--metrics-listen", "127.0.0.1:0"], &[&address]);
}

#[test]
fn without_a_server_the_clients_say_how_to_get_one() {
    let person = Person::new();
    for line in ["fanfare tail", "fanfare publish message '{\"text\":\"x\"}'"] {
        let output = person.paste(line);
        assert_eq!(output.status.code(), Some(4), "{line}");
        let said = text(&output.stderr);
        let place = person.path(".local/state/fanfare/run.json");
        let expected = format!("fanfare: no server runs here (no run file {}): start one with `fanfare`", place.display());
        assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn completions_are_what_bash_can_read() {
    let checked = Person::new().paste("fanfare completions bash | bash -n && fanfare completions zsh | grep -q compdef && fanfare completions fish | grep -q 'complete -c fanfare'");
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn every_subcommand_has_examples() {
    let person = Person::new();
    for command in
        ["", "serve", "publish", "tail", "token", "token new", "token inspect", "config", "config check", "config print", "completions"]
    {
        let help = text(&person.paste(&format!("fanfare {command} --help")).stdout);
        assert!(help.contains("Examples:\n  "), "{command}: {help}");
    }
}
