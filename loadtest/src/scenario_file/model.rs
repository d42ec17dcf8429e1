//! The form of a scenario file, and how it becomes loads.
//!
//! The keys of a load are the options of `run` (of `drain` in a phase that drains), so there is no second list of them; what a command sets
//! by itself is not among them. A key that does not exist is an error with its name and with the keys there are.

use super::limits::Limits;
use crate::args::Arguments;
use crate::failure::Failure;
use clap::CommandFactory as _;
use serde::Deserialize;
use toml::{Table, Value};

/// Options that are the command's to set, or the command line's.
const RESERVED: [&str; 16] = [
    "target",
    "token",
    "admin-token",
    "client-tokens-file",
    "strangers-token",
    "server-pid",
    "server-cmd",
    "metrics",
    "json",
    "html",
    "hlog",
    "markdown",
    "path",
    "publish-path",
    "help",
    "version",
];
/// Keys of which a later table may have either, and then does without the earlier ones.
const EITHER: [&str; 3] = ["clients", "dialect", "mix"];

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What it shows, in a sentence.
    pub(crate) description: String,
    /// Settings of the server, where it is started for the scenario; as in its settings file.
    #[serde(default)]
    pub(crate) settings: Table,
    #[serde(default)]
    load: Table,
    #[serde(default)]
    limits: Table,
    #[serde(default)]
    short: Overrides,
    #[serde(default)]
    phases: Vec<RawPhase>,
}

/// What takes the place of a scenario's, or a phase's, own in a short run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overrides {
    #[serde(default)]
    load: Table,
    #[serde(default)]
    limits: Table,
    rounds: Option<usize>,
}

/// What a phase does with its load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Publishes and accounts.
    #[default]
    Run,
    /// Connects and holds.
    Idle,
    /// Connects all at once and drops all at once.
    Storm,
    /// Stops the server.
    Drain,
    /// Publishes beside none, a quarter, half and all of the strangers.
    Unrelated,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhase {
    name: String,
    #[serde(default)]
    kind: Kind,
    rounds: Option<usize>,
    #[serde(default)]
    load: Table,
    #[serde(default)]
    limits: Table,
    #[serde(default)]
    short: Overrides,
}

/// One phase, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// Its name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) kind: Kind,
    /// How often, for storms, and for what is measured beside strangers.
    pub(crate) rounds: usize,
    /// Its load, as options.
    pub(crate) load: Vec<String>,
    /// What must hold.
    pub(crate) limits: Limits,
}

impl Scenario {
    /// Reads a file's text; every phase is checked, in its long and its short form.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| Failure::new(format!("scenario {name}: {}", error.to_string().trim_end())))?;
        for short in [false, true] {
            scenario.phases(short).map_err(|failure| Failure::new(format!("scenario {name}: {failure}")))?;
        }
        Ok(scenario)
    }

    /// Its phases in order; one, called `run`, when the file names none.
    pub(crate) fn phases(&self, short: bool) -> Result<Vec<Phase>, Failure> {
        if self.phases.is_empty() {
            let only = RawPhase {
                name: "run".to_owned(),
                kind: Kind::Run,
                rounds: None,
                load: Table::new(),
                limits: Table::new(),
                short: Overrides::default(),
            };
            return Ok(vec![self.phase(&only, short)?]);
        }
        self.phases.iter().map(|phase| self.phase(phase, short)).collect()
    }

    fn phase(&self, raw: &RawPhase, short: bool) -> Result<Phase, Failure> {
        let (mut load, mut limits, mut rounds) = (self.load.clone(), self.limits.clone(), raw.rounds);
        override_with(&mut load, &raw.load);
        limits.extend(raw.limits.clone());
        if short {
            for overrides in [&self.short, &raw.short] {
                override_with(&mut load, &overrides.load);
                limits.extend(overrides.limits.clone());
                rounds = overrides.rounds.or(rounds);
            }
        }
        let within = |failure: String| Failure::new(format!("phase {}: {failure}", raw.name));
        Ok(Phase {
            name: raw.name.clone(),
            kind: raw.kind,
            rounds: rounds.unwrap_or(1),
            load: options(&load, if raw.kind == Kind::Drain { "drain" } else { "run" }).map_err(within)?,
            limits: limits.try_into().map_err(|error: toml::de::Error| within(format!("limits: {}", error.message())))?,
        })
    }
}

/// `over` counts where both have a key.
fn override_with(load: &mut Table, over: &Table) {
    if EITHER.iter().any(|key| over.contains_key(*key)) {
        load.retain(|key, _| !EITHER.contains(&key));
    }
    load.extend(over.clone());
}

/// A load as options of a command.
fn options(load: &Table, command: &str) -> Result<Vec<String>, String> {
    let program = Arguments::command();
    let known: Vec<String> = program
        .find_subcommand(command)
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| argument.get_long())
        .filter(|long| !RESERVED.contains(long))
        .map(|long| long.replace('-', "_"))
        .collect();
    let mut words = Vec::new();
    for (key, value) in load {
        if !known.contains(key) {
            return Err(format!("load.{key}: there is no such key; there are {}", known.join(", ")));
        }
        if matches!(value, Value::Boolean(false)) {
            continue;
        }
        words.push(format!("--{}", key.replace('_', "-")));
        if !matches!(value, Value::Boolean(true)) {
            words.push(word(value).ok_or_else(|| format!("load.{key}: {value} cannot be an option's value"))?);
        }
    }
    Ok(words)
}

/// A value as on the command line: lists and tables with commas.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Array(values) => values.iter().map(word).collect::<Option<Vec<_>>>().map(|words| words.join(",")),
        Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| Some(format!("{key}={}", word(value)?)));
            pairs.collect::<Option<Vec<_>>>().map(|pairs| pairs.join(","))
        }
        Value::Boolean(_) | Value::Datetime(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        description = "a test"
        [load]
        clients = 5
        rate = 7
        [limits]
        p99_ms = 9
        [short.load]
        rate = 1
        [[phases]]
        name = "one"
        [[phases]]
        name = "two"
        kind = "storm"
        rounds = 3
        load = { mix = { sse = 2, plex-ws = 1 }, pin_client = [0, 1] }
        limits = { skipped = 0 }
        short = { load = { rate = 2 }, limits = { p99_ms = 1000 }, rounds = 1 }
    "#;

    #[test]
    fn a_phase_has_the_scenarios_load_with_its_own_in_place() {
        let phases = Scenario::parse("t", TEXT).unwrap().phases(false).unwrap();
        assert_eq!(phases[0].load, ["--clients", "5", "--rate", "7"]);
        assert_eq!(phases[1].load, ["--mix", "plex-ws=1,sse=2", "--pin-client", "0,1", "--rate", "7"]);
        assert_eq!(
            (phases[1].kind, phases[1].rounds, phases[1].limits.p99_ms, phases[1].limits.skipped),
            (Kind::Storm, 3, Some(9.0), Some(0.0))
        );
    }

    #[test]
    fn a_short_run_takes_the_short_values_those_of_the_phase_last() {
        let phases = Scenario::parse("t", TEXT).unwrap().phases(true).unwrap();
        assert!(phases[0].load.ends_with(&["--rate".to_owned(), "1".to_owned()]));
        assert!(phases[1].load.ends_with(&["--rate".to_owned(), "2".to_owned()]));
        assert_eq!((phases[1].limits.p99_ms, phases[1].rounds), (Some(1000.0), 1));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_keys_there_are() {
        let wrong = |text: &str| Scenario::parse("t", &format!("description = \"\"\n{text}")).unwrap_err().to_string();
        for (text, named) in [
            ("load_it = 1", ["load_it", "limits"]),
            ("[load]\nclient = 1", ["load.client:", "clients"]),
            ("[load]\ntoken = \"x\"", ["load.token:", "clients"]),
            ("[limits]\np98_ms = 1", ["p98_ms", "p99_ms"]),
            ("[short.load]\nsecond = 1", ["load.second:", "seconds"]),
            ("[[phases]]\nname = \"x\"\nkind = \"walk\"", ["walk", "storm"]),
            ("[[phases]]\nname = \"x\"\nshort = { load_it = 1 }", ["load_it", "limits"]),
        ] {
            let error = wrong(text);
            assert!(named.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
