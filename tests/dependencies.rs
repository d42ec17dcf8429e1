//! What we depend on: licences we may ship, one registry, and nothing that no code uses.
//!
//! Reads `cargo metadata`, so it needs no tool beyond cargo. `./test` asks `cargo deny` as well, for advisories too where
//! their database can be had; that deny.toml says what is said here is checked here.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{fs, path::Path, process::Command};

use serde_json::Value;

/// Licences that ask for no more than to be named.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "MIT-0",
    "Unlicense",
    "Unicode-3.0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];

/// Dependencies that no path names, each with the reason it is there all the same.
const NOT_NAMED_IN_CODE: &[(&str, &str)] = &[];

#[test]
fn every_dependency_has_a_licence_we_may_ship_and_comes_from_the_registry() {
    let mut found = Vec::new();
    for package in array(&metadata(&[]), "packages").iter().filter(|package| !package["source"].is_null()) {
        let named = format!("{} {}", text(package, "name"), text(package, "version"));
        if !text(package, "source").starts_with("registry+") {
            found.push(format!("{named} comes from {}", text(package, "source")));
        }
        if !permits(text(package, "license")) {
            found.push(format!("{named} has the licence `{}`; allowed are {}", text(package, "license"), ALLOWED.join(", ")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_dependency_is_used() {
    let mut found = Vec::new();
    for package in array(&metadata(&["--no-deps"]), "packages") {
        let folder = Path::new(text(package, "manifest_path")).parent().expect("a manifest lies in a folder");
        let code = code_under(folder);
        for dependency in array(package, "dependencies") {
            let name = dependency["rename"].as_str().unwrap_or(text(dependency, "name"));
            let known = NOT_NAMED_IN_CODE.iter().any(|(known, _)| *known == name);
            if !known && !is_named(&code, &name.replace('-', "_")) {
                found.push(format!("{}: no code names the dependency `{name}`", text(package, "name")));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn deny_toml_allows_the_same_licences() {
    assert_eq!(strings_in(&read("deny.toml"), "\nallow = ["), ALLOWED);
}

#[test]
fn every_excepted_advisory_has_a_reason_and_both_tools_except_the_same() {
    let (deny, audit) = (read("deny.toml"), read(".cargo/audit.toml"));
    let excepted: Vec<_> = strings_in(&deny, "\nignore = [").into_iter().filter(|text| text.starts_with("RUSTSEC-")).collect();
    assert_eq!(excepted, strings_in(&audit, "\nignore = ["));
    assert!(!excepted.is_empty(), "the list was not found");
    for id in excepted {
        let line = deny.lines().find(|line| line.contains(id)).unwrap_or_default();
        let reason = line.split_once("reason = \"").map_or("", |(_, reason)| reason);
        assert!(reason.len() > 40, "{id} is excepted without a reason in deny.toml: {line}");
    }
}

#[test]
fn a_licence_expression_is_read_as_its_parts_say() {
    for good in
        ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception OR GPL-2.0"]
    {
        assert!(permits(good), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND AGPL-3.0", "Apache-2.0 WITH Other-exception"] {
        assert!(!permits(bad), "{bad}");
    }
}

#[test]
fn a_name_inside_another_name_is_no_use_of_it() {
    assert!(is_named("use serde::Serialize;", "serde"));
    assert!(is_named("x = bytes::Bytes::new()", "bytes"));
    assert!(!is_named("use serde_json::Value; // serde", "serde"));
    assert!(!is_named("event::bytes()", "bytes"));
}

/// All parts joined by AND must hold one alternative that is allowed; the registry's expressions nest no deeper.
fn permits(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let alternatives = |part: &str| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        part.split(" OR ").any(|licence| ALLOWED.contains(&licence.trim()))
    };
    expression.split(" AND ").all(alternatives)
}

/// Whether a path of the code begins with the name, or it is imported as a whole.
fn is_named(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let begins = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') || code[..at].ends_with(" ::");
        let after = &code[at + name.len()..];
        begins && (after.starts_with("::") || (code[..at].ends_with("use ") && after.starts_with([';', ' ', '{'])))
    })
}

/// The texts of the array that begins there; none of them holds a bracket or an escape.
fn strings_in<'t>(toml: &'t str, begin: &str) -> Vec<&'t str> {
    let (_, behind) = toml.split_once(begin).expect("the array is there");
    let array = behind.split_once(']').expect("the array ends").0;
    array.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a readable file")
}

fn code_under(folder: &Path) -> String {
    let mut code = String::new();
    for part in ["src", "tests", "benches", "examples", "build.rs"] {
        for entry in walkdir::WalkDir::new(folder.join(part)).into_iter().filter_map(Result::ok) {
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                code += &fs::read_to_string(entry.path()).expect("a source file is readable text");
            }
        }
    }
    code
}

fn metadata(more: &[&str]) -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked", "--all-features"]).args(more).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
