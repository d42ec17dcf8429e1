//! The scenarios that come with the load tester, so that the binary alone can run them by name.

use super::model::Scenario;
use crate::failure::Failure;
use std::path::Path;

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        /// Each with its text.
        pub(crate) const SCENARIOS: [(&str, &str); [$($name),*].len()] =
            [$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*];
    };
}

scenarios![
    "idle",
    "fan-out",
    "burst",
    "mixed",
    "libraries",
    "unrelated",
    "slow-clients",
    "connect-storm",
    "reconnect-storm",
    "churn",
    "drain",
    "soak",
    "every-dialect",
];

/// A scenario by its name, or from a file.
pub(crate) fn find(name: &str) -> Result<Scenario, Failure> {
    if let Some((_, text)) = SCENARIOS.iter().find(|(known, _)| *known == name) {
        return Scenario::parse(name, text);
    }
    if !Path::new(name).exists() {
        let known = SCENARIOS.map(|(name, _)| name).join(", ");
        return Err(Failure::new(format!("scenario: {name:?} is no file, and none of {known}")));
    }
    let text = std::fs::read_to_string(name).map_err(|error| Failure::io(&format!("scenario {name}"), error))?;
    Scenario::parse(name, &text)
}

/// Names and descriptions, a line each.
pub(crate) fn list() -> Result<String, Failure> {
    let lines = SCENARIOS.iter().map(|(name, text)| Ok(format!("{name:<16} {}\n", Scenario::parse(name, text)?.description)));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::under_test::UnderTest;

    #[test]
    fn every_scenario_that_comes_along_is_understood_long_and_short() {
        for (name, text) in SCENARIOS {
            let scenario = Scenario::parse(name, text).unwrap();
            for phase in [false, true].into_iter().flat_map(|short| scenario.phases(short).unwrap()) {
                if phase.kind != super::super::Kind::Drain {
                    UnderTest::floor().run_args(&phase.load).unwrap_or_else(|failure| panic!("{name}, {}: {failure}", phase.name));
                }
            }
        }
        assert_eq!(list().unwrap().lines().count(), SCENARIOS.len());
    }

    #[test]
    fn every_file_of_the_folder_comes_along() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap();
        let mut files: Vec<String> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let mut known = SCENARIOS.map(|(name, _)| format!("{name}.toml"));
        files.sort();
        known.sort();
        assert_eq!(files, known);
    }

    #[test]
    fn a_name_nobody_knows_is_answered_with_those_there_are() {
        let failure = find("fan-in").unwrap_err().to_string();
        assert!(failure.contains("\"fan-in\"") && failure.contains("fan-out"), "{failure}");
    }
}
