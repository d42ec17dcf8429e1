//! Tests that node runs: its packages from npm, and the binary they are for.

use std::{fs, path::Path, process::Command};

/// All tests of a folder, with the packages of its lock file, against that binary.
pub(crate) fn tests_in(folder: &Path, binary: &str) -> Command {
    install(folder);
    let mut node = Command::new("node");
    // The server under test is the one just built, whatever the developer's shell says.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FANFARE_")) {
        node.env_remove(name);
    }
    node.arg("--test").current_dir(folder).env("FANFARE_BIN", binary);
    node
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

/// Runs a command to its good end; its output is shown where it has another.
pub(crate) fn run(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run `{program}` (install Debian's packages nodejs, npm and python3-venv): {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success(), "`{program}` failed with {}:\n{text}", output.status);
}
