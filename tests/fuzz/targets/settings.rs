//! Settings: no text makes them panic, and no error, warning or debug print shows a value, which may be a secret.

use std::collections::BTreeMap;

use fanfare::config::{ConfigError, Flag, Settings};
use figment::{
    providers::{Format, Toml},
    value::{Dict, Value},
};

/// Stands where an input has `SECRET`; nothing a message says by itself.
const CANARY: &str = "zq7Xw9canary5Kv3";

pub(super) fn target(data: &[u8]) {
    let [file, variables] = super::parts(data);
    let (file, variables) = (String::from_utf8_lossy(file), String::from_utf8_lossy(variables));
    let _ = of_a_file(&file.replace("SECRET", CANARY));
    // A secret in front of, and behind, whatever else is there.
    let user = format!("[[users]]\nid = \"bob\"\ntoken = \"{CANARY}\"\n");
    for text in [format!("{user}{file}"), format!("{file}\n{user}")] {
        if let Some(settings) = of_a_file(&text) {
            assert!(!format!("{settings:?} {:?}", settings.warnings()).contains(CANARY), "shown by {text:?}");
        }
    }
    of_variables(&variables);
}

fn of_a_file(text: &str) -> Option<Settings> {
    let error = match Settings::parse(text) {
        Ok(settings) => return Some(settings),
        Err(error) => error,
    };
    // A key is named; what is a secret as a key is none of ours.
    let keys = Toml::from_str::<Dict>(text).unwrap_or_default();
    if !names(&keys).any(|key| key.contains(CANARY)) {
        told_in_one_line(&error, text);
    }
    None
}

/// `NAME=value` lines, as variables, and the same as flags.
fn of_variables(lines: &str) {
    let environment: BTreeMap<String, String> = lines
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !name.contains("SECRET") && !name.contains(CANARY))
        .map(|(name, value)| (format!("FANFARE_{name}"), value.replace("SECRET", CANARY)))
        .collect();
    let keys_inside = environment.values().any(|value| value.contains('{') && value.contains(CANARY));
    if let Err(error) = Settings::load(None, &environment, &[])
        && !keys_inside
    {
        told_in_one_line(&error, lines);
    }
    let flags = [Flag { flag: "--listen", key: "server.listen", value: lines.replace("SECRET", CANARY) }];
    if let Err(error) = Settings::load(None, &BTreeMap::new(), &flags)
        && !lines.contains('{')
    {
        told_in_one_line(&error, lines);
    }
}

fn told_in_one_line(error: &ConfigError, text: &str) {
    let told = error.to_string();
    assert!(!told.contains(CANARY), "a value is told: {told:?} of {text:?}");
    assert!(!told.chars().any(char::is_control), "more than a line: {told:?} of {text:?}");
}

/// Every key at every level.
fn names(table: &Dict) -> Box<dyn Iterator<Item = &str> + '_> {
    Box::new(table.iter().flat_map(|(key, value)| std::iter::once(key.as_str()).chain(names_in(value))))
}

fn names_in(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::Dict(_, table) => names(table),
        Value::Array(_, items) => Box::new(items.iter().flat_map(names_in)),
        _ => Box::new(std::iter::empty()),
    }
}
