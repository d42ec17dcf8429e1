//! The three lines a person at the terminal is shown at start: watch, publish, open. They work as they are pasted, in
//! another terminal and another directory.
//!
//! The one place that shows the token of the run, and only where the settings name nobody else who could come in.

use std::{
    env,
    path::{Path, absolute},
};

use serde_json::json;

use super::{
    run_file::{self, RunFile},
    terminal::printable,
};
use crate::config::Settings;

/// The lines, with a heading.
pub(super) fn first_lines(settings: &Settings, run_file: &RunFile, program: &str) -> String {
    lines(settings, run_file, program, run_file::default_data_dir().as_deref())
}

/// How the program is called: by its name where the shell found it, else by its whole path.
pub(super) fn program() -> String {
    let called = env::args_os().next().unwrap_or_else(|| "fanfare".into());
    let path = if Path::new(&called).components().count() > 1 { absolute(&called).ok() } else { None };
    path.map_or_else(|| called.display().to_string(), |path| path.display().to_string())
}

fn lines(settings: &Settings, run_file: &RunFile, program: &str, default_data_dir: Option<&Path>) -> String {
    let program = quoted(program);
    let data_dir = absolute(&settings.server.data_dir).unwrap_or_else(|_| settings.server.data_dir.clone());
    let flag = if default_data_dir == Some(&data_dir) {
        String::new()
    } else {
        format!(" --data-dir {}", quoted(&data_dir.display().to_string()))
    };
    let library = settings.libraries.first().map_or("films", |library| library.id.as_str());
    let data = quoted(&json!({"library": library, "message": "hello"}).to_string());
    let url = reachable(&run_file.url);
    // With people in the settings this token is for the commands on this machine, which find it by themselves.
    let fragment = if settings.names_nobody() { format!("#token={}", run_file.token) } else { String::new() };
    let lines = [format!("{program} tail{flag}"), format!("{program} publish library-status {data}{flag}"), format!("{url}/{fragment}")];
    format!("\nTo watch, to publish, and to open in a browser:\n\n  {}\n", lines.map(|line| printable(&line).into_owned()).join("\n  "))
}

/// An address to call: one that means "every address of this machine" can be listened on, but not opened everywhere.
fn reachable(url: &str) -> String {
    url.trim_end_matches('/').replacen("//0.0.0.0:", "//127.0.0.1:", 1).replacen("//[::]:", "//[::1]:", 1)
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(settings: &str, url: &str) -> Vec<String> {
        let settings = Settings::parse(settings).expect("valid");
        let run_file: RunFile = serde_json::from_value(json!({"url": url, "token": "canary"})).expect("a run file");
        let text = lines(&settings, &run_file, "fanfare", Some(Path::new("/home/me/data")));
        text.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
    }

    #[test]
    fn the_lines_are_as_short_as_they_can_be() {
        let lines = shown("server.data_dir = \"/home/me/data\"", "http://127.0.0.1:8400");
        let publish = r#"fanfare publish library-status '{"library":"films","message":"hello"}'"#;
        assert_eq!(lines, ["fanfare tail", publish, "http://127.0.0.1:8400/#token=canary"]);
    }

    #[test]
    fn another_data_folder_and_library_are_named_whatever_they_are_called() {
        let lines = shown("server.data_dir = \"/srv/it's here\"\nlibraries = [{ id = \"my 'films'\" }]", "http://[::]:1/");
        assert_eq!(lines[0], r"fanfare tail --data-dir '/srv/it'\''s here'");
        let publish = r#"fanfare publish library-status '{"library":"my '\''films'\''","message":"hello"}' --data-dir '/srv/it'\''s here'"#;
        assert_eq!(lines[1], publish);
        assert_eq!(lines[2], "http://[::1]:1/#token=canary");
    }

    #[test]
    fn no_token_is_shown_where_the_settings_name_somebody() {
        for people in ["[[users]]\nid = \"bob\"", "[[tokens]]\ntoken = \"x\"\npublish = true"] {
            let lines = shown(people, "http://0.0.0.0:8400");
            assert_eq!(lines[2], "http://127.0.0.1:8400/");
            assert!(!lines.iter().any(|line| line.contains("canary")), "{lines:?}");
        }
    }
}
