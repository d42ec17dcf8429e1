//! Imports between the parts of the engine go one way, dependencies have one home, files stay short.
//!
//! The table is the one ARCHITECTURE.md gives; it is data here, and the checker is tested on planted snippets, so that a
//! checker that finds nothing cannot pass for a tree that breaks nothing. It reads text, not types: what a macro
//! produces is not seen.

#[path = "layering/rules.rs"]
mod rules;
#[path = "layering/source.rs"]
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use rules::violations;

#[test]
fn imports_go_one_way_and_every_dependency_stays_at_home() {
    let mut found = Vec::new();
    let files = rust_files(&root().join("src"));
    assert!(files.len() > 5, "only {} files under src: the walk is broken", files.len());
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file is readable text");
        found.extend(violations(&relative(&file), &text));
    }
    assert!(found.is_empty(), "{} violations of the layering:\n  {}", found.len(), found.join("\n  "));
}

#[test]
fn no_file_outside_src_is_too_long_or_takes_a_dependency_from_its_home() {
    let mut found = Vec::new();
    for folder in ["tests", "benches", "examples", "loadtest"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source file is readable text");
            found.extend(violations(&relative(&file), &text));
        }
    }
    assert!(found.is_empty(), "{} violations outside src:\n  {}", found.len(), found.join("\n  "));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some("target" | "node_modules")))
        // A folder that does not exist holds no file; an unreadable one would fail the build first.
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}
