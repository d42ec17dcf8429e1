//! What the guides say is so: links lead somewhere, settings exist and are taken as they are written, and systemd takes the
//! unit. The snippets of docs/clients.md are run by tests/clients/guide.test.mjs.
//!
//! Needs Debian's package systemd, as `./test` does; nothing is skipped where it is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use fanfare::config::Settings;

const UNIT: &str = "examples/systemd/fanfare.service";
/// What `systemd-analyze security` may say of the unit, in tenths: 0 is a service that can do nothing, 100 one that can do all.
const EXPOSURE: &str = "20";

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut broken = Vec::new();
    let mut n_links = 0;
    for page in pages() {
        let text = read(&page);
        for link in links(&prose(&text)) {
            n_links += 1;
            if let Some(reason) = fault(&page, link) {
                broken.push(format!("{}: {link}: {reason}", page.display()));
            }
        }
    }
    assert!(n_links > 60, "only {n_links} links: the walk is broken");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = Path::new("README.md");
    assert_eq!(fault(page, "docs/systemd.md#install"), None);
    assert_eq!(fault(page, "#quick-start"), None);
    assert_eq!(fault(page, "#slow-start"), Some("no such heading".to_owned()));
    assert_eq!(fault(page, "docs/nothing.md"), Some("no such file".to_owned()));
    assert_eq!(fault(Path::new("docs/systemd.md"), "README.md"), Some("no such file".to_owned()));
    assert_eq!(links("a [b](c.md) ![d](e.png) [f](https://g) [h](#i)"), ["c.md", "e.png", "#i"]);
}

#[test]
fn every_setting_that_is_named_exists() {
    let mut unknown = Vec::new();
    let mut n_named = 0;
    for page in pages() {
        for key in prose(&read(&page)).split('`').skip(1).step_by(2).filter_map(setting) {
            n_named += 1;
            let error = Settings::parse(&format!("[{}]\n{} = {{}}\n", key.0, key.1)).err().map(|error| error.to_string());
            // What a key may hold is another matter than whether there is one.
            if error.is_some_and(|error| error.contains("unknown key")) {
                unknown.push(format!("{}: {}.{}", page.display(), key.0, key.1));
            }
        }
    }
    assert!(n_named > 40, "only {n_named} settings are named: the walk is broken");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert_eq!(setting("dialects.plex.ping_interval"), Some(("dialects.plex", "ping_interval")));
    assert_eq!([setting("fanfare.toml"), setting("engine")], [None, None]);
}

#[test]
fn every_file_of_settings_in_a_guide_is_taken() {
    let mut n_taken = 0;
    for page in pages().into_iter().filter(|page| page.starts_with("docs")) {
        for block in read(&page).split("\n```toml\n").skip(1) {
            // A folder that is there on every machine.
            let settings = block.split("\n```").next().unwrap_or_default().replace("/srv/films", env!("CARGO_MANIFEST_DIR"));
            let taken = Settings::parse(&settings);
            assert!(taken.is_ok(), "{}:\n{settings}\n{:?}", page.display(), taken.err());
            n_taken += 1;
        }
    }
    assert!(n_taken >= 2, "only {n_taken} files of settings");
}

#[test]
fn systemd_takes_the_unit_and_finds_it_well_shut() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = folder.path().join("fanfare.service");
    let text = read(Path::new(UNIT));
    assert_eq!(text.matches("/usr/local/bin/fanfare").count(), 2, "the start, and the check before a reload");
    fs::write(&unit, text.replace("/usr/local/bin/fanfare", env!("CARGO_BIN_EXE_fanfare"))).expect("written");
    let taken = analyze(&["verify", "--man=no"], &unit);
    assert!(taken.status.success() && !stderr(&taken).contains("fanfare.service"), "{}", stderr(&taken));
    let shut = analyze(&["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE}")], &unit);
    assert!(shut.status.success(), "{}", String::from_utf8_lossy(&shut.stdout));

    fs::write(&unit, text.replace("Type=exec", "Typ=exec")).expect("written");
    assert!(stderr(&analyze(&["verify", "--man=no"], &unit)).contains("Typ"), "a key that systemd does not know is found");
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(arguments).arg(unit).output().expect("install Debian's package systemd")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &Path) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// The pages a reader is led to, below the root.
fn pages() -> Vec<PathBuf> {
    let folders = [".", "docs", "dashboards", "examples", "loadtest", "benches"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).expect("a folder"));
    let paths = files.map(|file| file.expect("readable").path()).filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<PathBuf> = paths.map(|path| path.strip_prefix(root()).expect("below the root").components().collect()).collect();
    pages.sort();
    pages
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the links go, without those to other sites.
fn links(prose: &str) -> Vec<&str> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// Why a link on a page leads nowhere.
fn fault(page: &Path, link: &str) -> Option<String> {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { page.to_owned() } else { page.parent().unwrap_or(Path::new("")).join(file) };
    if !root().join(&target).exists() {
        return Some("no such file".to_owned());
    }
    let heading = heading.filter(|_| target.extension().is_some_and(|extension| extension == "md"))?;
    let is_there = prose(&read(&target)).lines().any(|line| line.starts_with('#') && slug(line) == heading);
    (!is_there).then(|| "no such heading".to_owned())
}

/// What a heading is called in an address: as GitHub does it.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// `limits.head` as section and key, where the section is one of the settings file.
fn setting(code: &str) -> Option<(&str, &str)> {
    let (section, key) = code.rsplit_once('.')?;
    let is_section =
        matches!(section, "server" | "tls" | "engine" | "limits" | "folder" | "jwt" | "auth") || section.starts_with("dialects.");
    let is_key = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    // Files are written in the same way.
    (is_section && is_key && !["toml", "rs", "md", "sh"].contains(&key)).then_some((section, key))
}
