//! Real clients, unmodified: python-plexapi, plexwebsocket and plexjs; three SSE packages from npm and the `EventSource` of a headless Chromium; the start page and
//! the example page in that Chromium; nginx and Caddy in front, as the examples set them up.
//!
//! The tests themselves are in `tests/clients/` and run by node's test runner; this only gives them the binary and
//! what they need. Nothing is skipped: a machine without node, npm or Chromium fails with the name of what is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn real_clients_receive_every_event_of_document_002() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let chromium = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    assert!(chromium.exists(), "no Chromium at {}: install Debian's package chromium, or set CHROMIUM", chromium.display());
    install(&folder);
    let mut node = Command::new("node");
    // The server under test is the one just built, whatever the developer's shell says.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FANFARE_")) {
        node.env_remove(name);
    }
    let node = node.arg("--test").current_dir(&folder).env("FANFARE_BIN", env!("CARGO_BIN_EXE_fanfare")).env("CHROMIUM", chromium);
    let node = node.env("PLEX_PYTHON", python(&folder.join("plex/requirements.txt")));
    run(node);
}

/// `npm ci`, when the lock file is another one than that of the last installation.
fn install(folder: &Path) {
    let lock = fs::read(folder.join("package-lock.json")).expect("the lock file is part of the repository");
    let installed = folder.join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return;
    }
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder));
    fs::write(installed, lock).expect("node_modules is writable");
}

/// A python with these packages, installed when the list is another one than that of the last installation.
fn python(requirements: &Path) -> PathBuf {
    let list = fs::read(requirements).expect("the list is part of the repository");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plex-clients");
    let (program, done) = (folder.join("bin/python"), folder.join("installed"));
    if fs::read(&done).is_ok_and(|installed| installed == list) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(requirements));
    fs::write(done, list).expect("the folder is writable");
    program
}

fn run(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().unwrap_or_else(|error| panic!("cannot run `{program}` (install Debian's packages nodejs and npm): {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success(), "`{program}` failed with {}:\n{text}", output.status);
}
