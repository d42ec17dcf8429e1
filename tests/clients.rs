//! Real clients, unmodified: three SSE packages from npm and the `EventSource` of a headless Chromium; clients of Plex, of
//! the MediaBrowser family and of Audiobookshelf from npm and PyPI, and one that does what document 004 says; the start page
//! and the example page in that Chromium; nginx and Caddy in front, as the examples set them up.
//!
//! The tests themselves are in `tests/clients/` and run by node's test runner; this only gives them the binary and what
//! they need. Nothing is skipped: a machine without node, npm, python3 or Chromium fails with the name of what is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod node;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use node::{run, tests_in};

#[test]
fn real_clients_hear_what_they_were_written_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let chromium = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    assert!(chromium.exists(), "no Chromium at {}: install Debian's package chromium, or set CHROMIUM", chromium.display());
    let python = install_python(&folder);
    run(tests_in(&folder, env!("CARGO_BIN_EXE_fanfare")).env("CHROMIUM", chromium).env("PYTHON", python));
}

/// A Python with the packages of `requirements.txt`, installed when that file is another one than at the last installation.
fn install_python(folder: &Path) -> PathBuf {
    let requirements = folder.join("requirements.txt");
    let wanted = fs::read(&requirements).expect("the requirements are part of the repository");
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-python");
    let (python, installed) = (environment.join("bin/python"), environment.join("installed-requirements.txt"));
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        // aioaudiobookshelf says that it wants Python 3.12; with 3.11, which Debian 12 has, it does the same.
        .args(["--ignore-requires-python", "--requirement"])
        .arg(requirements));
    fs::write(installed, wanted).expect("our own folder");
    python
}
