//! Which changed paths have been quiet long enough to be looked at. Pure: it is told the time and touches no disk.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How much longer a missing path waits: its other half may be about to appear under a new name.
const MISSING_GRACE: Duration = Duration::from_millis(150);

/// Paths that changed a moment ago.
#[derive(Debug)]
pub(super) struct Settling {
    quiet: Duration,
    /// A file that never gets quiet is looked at this often all the same.
    longest: Duration,
    waiting: HashMap<PathBuf, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    first: Instant,
    due: Instant,
    missing: bool,
}

/// A path whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) path: PathBuf,
    /// It was missing before already.
    pub(super) missing: bool,
    /// It has waited as long as anything may.
    pub(super) overdue: bool,
    first: Instant,
}

impl Settling {
    pub(super) fn new(quiet: Duration, longest: Duration) -> Self {
        Self { quiet, longest, waiting: HashMap::new() }
    }

    /// The path changed now.
    pub(super) fn touch(&mut self, path: PathBuf, now: Instant) {
        let waiting = self.waiting.entry(path).or_insert(Waiting { first: now, due: now, missing: false });
        waiting.due = (now + self.quiet).min(waiting.first + self.longest);
        waiting.missing = false;
    }

    /// Takes out what is due.
    pub(super) fn take_ready(&mut self, now: Instant) -> Vec<Ready> {
        let longest = self.longest;
        self.waiting
            .extract_if(|_, waiting| waiting.due <= now)
            .map(|(path, waiting)| Ready {
                path,
                missing: waiting.missing,
                overdue: now.duration_since(waiting.first) >= longest,
                first: waiting.first,
            })
            .collect()
    }

    /// Puts back a path that turned out to be still changing.
    pub(super) fn wait_again(&mut self, ready: Ready, now: Instant, rest: Duration) {
        let due = (now + rest).min(ready.first + self.longest);
        self.waiting.entry(ready.path).or_insert(Waiting { first: ready.first, due, missing: false });
    }

    /// Puts back a path that is missing for the first time.
    pub(super) fn wait_for_return(&mut self, ready: Ready, now: Instant) {
        let waiting = Waiting { first: ready.first, due: now + MISSING_GRACE, missing: true };
        self.waiting.entry(ready.path).or_insert(waiting);
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.waiting.contains_key(path)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(300);
    const LONGEST: Duration = Duration::from_secs(5);

    fn names(ready: &[Ready]) -> Vec<&Path> {
        ready.iter().map(|ready| ready.path.as_path()).collect()
    }

    #[test]
    fn a_path_is_ready_once_when_it_has_been_quiet() {
        let start = Instant::now();
        let mut settling = Settling::new(QUIET, LONGEST);
        settling.touch("a".into(), start);
        settling.touch("a".into(), start + QUIET / 2);
        assert!(settling.take_ready(start + QUIET).is_empty());
        assert_eq!(names(&settling.take_ready(start + QUIET * 2)), [Path::new("a")]);
        assert!(settling.take_ready(start + QUIET * 9).is_empty());
    }

    #[test]
    fn a_path_that_never_gets_quiet_is_ready_at_the_longest_wait() {
        let start = Instant::now();
        let mut settling = Settling::new(QUIET, LONGEST);
        let mut now = start;
        while now < start + LONGEST {
            settling.touch("a".into(), now);
            assert!(settling.take_ready(now).is_empty());
            now += QUIET / 3;
        }
        let ready = settling.take_ready(start + LONGEST);
        assert!(ready[0].overdue);
    }

    #[test]
    fn a_missing_path_waits_a_little_longer_for_its_other_half() {
        let start = Instant::now();
        let mut settling = Settling::new(QUIET, LONGEST);
        settling.touch("a".into(), start);
        let now = start + QUIET;
        let ready = settling.take_ready(now).remove(0);
        settling.wait_for_return(ready, now);
        assert!(settling.take_ready(now).is_empty());
        assert!(settling.take_ready(now + MISSING_GRACE)[0].missing);
    }
}
