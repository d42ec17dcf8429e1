//! Reports that were written as JSON, read again: to compare them, or to make other files of them.

use crate::failure::Failure;
use crate::html::Group;
use crate::report::{Report, SCHEMA};
use serde::Deserialize;
use std::path::Path;

/// The runs of a file by side: floor or other server first, where there is one, the server last.
pub(crate) struct Stored {
    sides: Vec<(&'static str, Vec<Report>)>,
}

/// The file of `bench`, or of a single run.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Bench {
        server: Vec<Report>,
        floor: Vec<Report>,
        #[serde(default)]
        vs_server: Vec<Report>,
    },
    Run(Box<Report>),
}

/// The schema of a file, read before the rest.
#[derive(Deserialize)]
struct Named {
    schema: String,
}

impl Stored {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let named = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Failure::io(&named, error))?;
        Self::of(&text).map_err(|reason| Failure::new(format!("{named}: {reason}")))
    }

    /// The runs of the server, or of whatever a single run was of.
    pub(crate) fn runs(&self) -> &[Report] {
        self.sides.last().map_or(&[], |(_, runs)| runs)
    }

    /// The runs of the floor in the same pairs, if there are any.
    pub(crate) fn floor(&self) -> &[Report] {
        self.sides.first().filter(|(name, _)| *name == "floor" && self.sides.len() > 1).map_or(&[], |(_, runs)| runs)
    }

    /// All sides, for a page or a log.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        self.sides.iter().map(|(name, runs)| Group { name: (*name).to_owned(), runs }).collect()
    }

    fn of(text: &str) -> Result<Self, String> {
        let schema = serde_json::from_str::<Named>(text).map_err(|error| error.to_string())?.schema;
        if ![SCHEMA, crate::bench::SCHEMA].contains(&schema.as_str()) {
            return Err(format!("schema {schema:?} is neither {SCHEMA} nor {}", crate::bench::SCHEMA));
        }
        let sides = match serde_json::from_str(text).map_err(|error| error.to_string())? {
            File::Bench { server, floor, vs_server } => vec![("floor", floor), ("vs server", vs_server), ("server", server)],
            File::Run(run) => vec![(side_of(&run), vec![*run])],
        };
        Ok(Self { sides: sides.into_iter().filter(|(_, runs)| !runs.is_empty()).collect() })
    }
}

/// What a single run was of.
pub(crate) fn side_of(run: &Report) -> &'static str {
    if run.load.target == "floor" { "floor" } else { "server" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_and_a_bench_are_read_and_other_files_refused() {
        let run = Report { schema: SCHEMA.to_owned(), ..Report::default() };
        let stored = Stored::of(&serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!((stored.runs().len(), stored.floor().len(), stored.groups().len()), (1, 0, 1));
        let bench = serde_json::json!({ "schema": crate::bench::SCHEMA, "floor": [run, run], "server": [run, run], "vs_server": [] });
        let stored = Stored::of(&bench.to_string()).unwrap();
        assert_eq!((stored.runs().len(), stored.floor().len(), stored.groups().len()), (2, 2, 2));
        for (text, named) in [("{\"schema\":\"other/1\"}", "other/1"), ("{}", "schema"), ("no json", "expected")] {
            let error = Stored::of(text).err().unwrap();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_report_of_an_earlier_version_is_read_with_what_it_has() {
        let stored = Stored::of("{\"schema\":\"fanfare-loadtest/1\",\"latency\":{\"p99_us\":7.0}}").unwrap();
        assert_eq!(stored.runs()[0].latency.p99_us, 7.0);
    }
}
