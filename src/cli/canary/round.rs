//! One round: every way is opened, the marked events are published, and each way tells when its own has come.

use std::{
    io::{BufRead, BufReader, Read},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{Outcome, answer::Answer, http, target::Target},
    way::{Open, Way},
};

/// What is read of the answer to publishing.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words.
    pub(super) text: String,
    /// What it means for the exit code.
    pub(super) outcome: Outcome,
}

impl Failure {
    pub(super) fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { text: text.into(), outcome }
    }
}

/// What became of one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The event came.
    Heard {
        /// How long it took until events could come.
        opened: Duration,
        /// From before publishing until the event was there.
        delivered: Duration,
    },
    /// The server does not serve it, or not to this token, which may use others; and nobody has named it.
    Off,
    /// It did not, or not in time.
    Failed(Failure),
}

/// What one round has found.
#[derive(Debug)]
pub(super) struct Round {
    /// How long publishing took.
    pub(super) published: Result<Duration, Failure>,
    /// Each way, in the order of their list.
    pub(super) ways: Vec<(Way, Found)>,
    /// How long all of it took.
    pub(super) took: Duration,
}

/// What a way tells from its thread.
enum News {
    Opened(Duration),
    Heard(Instant),
    Failed(Failure),
    Off,
}

impl Round {
    /// Opens, publishes, listens. `timeout` is for the opening, and again for the way back.
    pub(super) fn run(target: &Target, named: &[Way], audience: &str, timeout: Duration) -> Self {
        let (began, ways) = (Instant::now(), Way::those(named));
        let mark = match mark() {
            Ok(mark) => mark,
            Err(failure) => return Self::failed(&ways, &failure),
        };
        let (tell, told) = channel();
        for (index, way) in ways.iter().copied().enumerate() {
            let (target, mark, tell) = (target.clone(), mark.clone(), tell.clone());
            // Not waited for at the end: one that hangs ends by its own deadlines.
            thread::spawn(move || listen(way, &target, &mark, (began, timeout), |news| drop(tell.send((index, news)))));
        }
        drop(tell);
        let mut seen = Seen::new(ways.len(), !named.is_empty());
        seen.take_until(&told, began + timeout, |seen| seen.all_opened());
        let n_open = seen.opened.iter().flatten().count();
        let sent = Instant::now();
        let published = if n_open == 0 {
            Err(seen.worst().unwrap_or_else(|| Failure::new(Outcome::Refused, "no way is open")))
        } else {
            publish(target, &ways, audience, &mark, timeout).map(|()| sent.elapsed())
        };
        if published.is_ok() {
            seen.take_until(&told, sent + timeout, |seen| seen.all_found());
        }
        let ways = ways.iter().copied().zip(seen.found(sent, &published, timeout)).collect();
        Self { published, ways, took: began.elapsed() }
    }

    /// A round in which there was nobody to ask.
    pub(super) fn without_server(named: &[Way], why: &str) -> Self {
        Self::failed(&Way::those(named), &Failure::new(Outcome::Unavailable, why))
    }

    fn failed(ways: &[Way], failure: &Failure) -> Self {
        let ways = ways.iter().map(|way| (*way, Found::Failed(failure.clone()))).collect();
        Self { published: Err(failure.clone()), ways, took: Duration::ZERO }
    }

    /// The worst of it.
    pub(super) fn outcome(&self) -> Outcome {
        self.failures().map(|(_, failure)| failure.outcome).max().unwrap_or(Outcome::Done)
    }

    /// What does not work, in one line; empty when everything does.
    pub(super) fn trouble(&self) -> String {
        self.failures().map(|(name, failure)| format!("{name}: {}", failure.text)).collect::<Vec<_>>().join("; ")
    }

    fn failures(&self) -> impl Iterator<Item = (&'static str, &Failure)> {
        let publishing = self.published.as_ref().err().map(|failure| ("publishing", failure));
        publishing.into_iter().chain(self.ways.iter().filter_map(|(way, found)| match found {
            Found::Failed(failure) => Some((way.name(), failure)),
            Found::Heard { .. } | Found::Off => None,
        }))
    }
}

/// What has been told so far, by the number of the way.
struct Seen {
    opened: Vec<Option<Duration>>,
    heard: Vec<Option<Instant>>,
    failed: Vec<Option<Failure>>,
    off: Vec<bool>,
    /// Whether a way that is off was asked for by name.
    are_named: bool,
}

impl Seen {
    fn new(n_ways: usize, are_named: bool) -> Self {
        Self { opened: vec![None; n_ways], heard: vec![None; n_ways], failed: vec![None; n_ways], off: vec![false; n_ways], are_named }
    }

    fn take_until(&mut self, told: &Receiver<(usize, News)>, deadline: Instant, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let Ok((way, news)) = told.recv_timeout(deadline.saturating_duration_since(Instant::now())) else { return };
            match news {
                News::Opened(took) => self.opened[way] = Some(took),
                News::Heard(at) => self.heard[way] = Some(at),
                News::Failed(failure) => self.failed[way] = Some(failure),
                News::Off if self.are_named => self.failed[way] = Some(Failure::new(Outcome::Refused, "the server does not serve it")),
                News::Off => self.off[way] = true,
            }
        }
    }

    fn is_over(&self, way: usize) -> bool {
        self.off[way] || self.failed[way].is_some()
    }

    fn all_opened(&self) -> bool {
        (0..self.off.len()).all(|way| self.opened[way].is_some() || self.is_over(way))
    }

    fn all_found(&self) -> bool {
        (0..self.off.len()).all(|way| self.heard[way].is_some() || self.opened[way].is_none() || self.is_over(way))
    }

    fn worst(&self) -> Option<Failure> {
        self.failed.iter().flatten().max_by_key(|failure| failure.outcome).cloned()
    }

    fn found(self, sent: Instant, published: &Result<Duration, Failure>, timeout: Duration) -> Vec<Found> {
        let one_is_open = self.opened.iter().any(Option::is_some);
        let late = |what: &str| Found::Failed(Failure::new(Outcome::Refused, format!("{what} within {:.1} s", timeout.as_secs_f64())));
        (0..self.off.len())
            .map(|way| match (&self.failed[way], self.opened[way], self.heard[way], published) {
                _ if self.off[way] => Found::Off,
                // Audiobookshelf lets users in only, and an administrator's token need not be a user's.
                (Some(failure), None, ..) if failure.outcome == Outcome::Unauthorised && one_is_open && !self.are_named => Found::Off,
                (Some(failure), ..) => Found::Failed(failure.clone()),
                (None, Some(opened), Some(at), _) => Found::Heard { opened, delivered: at.saturating_duration_since(sent) },
                (None, None, ..) => late("not open"),
                (None, Some(_), None, Err(_)) => Found::Failed(Failure::new(Outcome::Refused, "nothing was published to hear of")),
                (None, Some(_), None, Ok(_)) => late("the event did not come"),
            })
            .collect()
    }
}

/// Opens one way and waits for its event; everything on one thread that may block.
fn listen(way: Way, target: &Target, mark: &str, (began, timeout): (Instant, Duration), tell: impl Fn(News)) {
    // Publishing takes its time, too, and begins when the slowest way is open.
    let (opening, end) = (began + timeout, began + 3 * timeout);
    let mut open = match way.open(target, opening, end) {
        Ok(Some(open)) => open,
        Ok(None) => return tell(News::Off),
        Err(failure) => return tell(News::Failed(failure)),
    };
    tell(News::Opened(began.elapsed()));
    tell(match hear(&mut open, mark, end) {
        Ok(()) => News::Heard(Instant::now()),
        Err(failure) => News::Failed(failure),
    });
}

fn hear(open: &mut Open, mark: &str, end: Instant) -> Result<(), Failure> {
    match open {
        Open::Events(body) => {
            let mut lines = BufReader::new(body as &mut dyn Read);
            let mut line = Vec::new();
            loop {
                line.clear();
                match lines.read_until(b'\n', &mut line) {
                    Ok(0) => return Err(Failure::new(Outcome::Refused, "the server ended the stream")),
                    // A mark elsewhere than in an event's data would be no delivery.
                    Ok(_) if line.starts_with(b"data:") && String::from_utf8_lossy(&line).contains(mark) => return Ok(()),
                    Ok(_) => {}
                    Err(error) => return Err(Failure::new(Outcome::Refused, format!("the stream broke: {error}"))),
                }
            }
        }
        Open::Messages(socket, speech) => loop {
            let text = socket.next_text(end)?;
            if text.contains(mark) {
                return Ok(());
            }
            if let Some(reply) = speech.reply(&text) {
                socket.say(&reply)?;
            }
        },
    }
}

/// Publishes one event for each protocol among the ways, in one batch.
fn publish(target: &Target, ways: &[Way], audience: &str, mark: &str, timeout: Duration) -> Result<(), Failure> {
    let mut events: Vec<serde_json::Value> = Vec::new();
    for way in ways {
        let event = way.event(audience, mark);
        if !events.contains(&event) {
            events.push(event);
        }
    }
    let unreachable = |error: &dyn std::fmt::Display| Failure::new(Outcome::Unavailable, format!("cannot reach {}: {error}", target.url));
    let agent = http::agent(target).map_err(|error| unreachable(&error))?;
    let mut request = agent.post(target.at("/api/events")).content_type("application/cloudevents-batch+json");
    if let Some(token) = &target.token {
        request = request.header("authorization", token.header());
    }
    let request = request.config().timeout_global(Some(timeout)).build();
    let mut response = request.send(serde_json::Value::from(events).to_string()).map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).lossy_utf8(true).read_to_string().unwrap_or_default();
    // A protocol that is off takes no events either, and none is waited for there.
    let one_accepted = serde_json::from_str::<Vec<serde_json::Value>>(&text)
        .is_ok_and(|answers| answers.iter().any(|answer| answer.get("order").is_some()));
    if matches!(status, 200..=299) && (one_accepted || status != 207) {
        return Ok(());
    }
    // Of a batch each item has an answer; the first that was refused says why.
    let items = serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap_or_default();
    let first = items.iter().find(|answer| answer.get("error").is_some());
    let own = first.and_then(|answer| answer["status"].as_u64()).and_then(|status| u16::try_from(status).ok());
    let (status, text) = first.map_or((status, text.clone()), |answer| (own.unwrap_or(status), answer.to_string()));
    let outcome = http::outcome(status).max(Outcome::Refused);
    Err(Failure::new(outcome, format!("the server answered {status}: {}", Answer::new(&text, Some(status)).human(None))))
}

/// A text that nothing else holds.
fn mark() -> Result<String, Failure> {
    let number = getrandom::u64().map_err(|error| Failure::new(Outcome::Refused, format!("no randomness: {error}")))?;
    Ok(format!("fanfare-canary-{number:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(news: Vec<(usize, News)>, n_ways: usize, are_named: bool) -> Seen {
        let (tell, told) = channel();
        news.into_iter().for_each(|one| tell.send(one).expect("it listens"));
        drop(tell);
        let mut seen = Seen::new(n_ways, are_named);
        seen.take_until(&told, Instant::now(), |_| false);
        seen
    }

    #[test]
    fn each_way_has_its_own_end() {
        let sent = Instant::now();
        let (opened, delivered) = (Duration::from_millis(3), Duration::from_millis(7));
        let failure = Failure::new(Outcome::Unauthorised, "401");
        let news = || {
            vec![
                (0, News::Opened(opened)),
                (1, News::Opened(opened)),
                (2, News::Failed(failure.clone())),
                (3, News::Off),
                (0, News::Heard(sent + delivered)),
            ]
        };
        let said = seen(news(), 5, false);
        assert!(!said.all_opened() && !said.all_found(), "the last one has said nothing, the second has heard nothing");
        let found = said.found(sent, &Ok(delivered), Duration::from_secs(2));
        assert_eq!(found[0], Found::Heard { opened, delivered });
        assert_eq!((&found[2], &found[3]), (&Found::Off, &Found::Off), "one is not for this token, which others let in");
        let text = |found: &Found| if let Found::Failed(failure) = found { failure.text.clone() } else { panic!("{found:?}") };
        assert_eq!([text(&found[1]), text(&found[4])], ["the event did not come within 2.0 s", "not open within 2.0 s"]);
        let named = seen(news(), 5, true).found(sent, &Ok(delivered), opened);
        assert!(matches!((&named[2], &named[3]), (Found::Failed(_), Found::Failed(_))), "they were named: {named:?}");
        let alone = seen(vec![(0, News::Failed(failure.clone()))], 1, false);
        assert_eq!(alone.found(sent, &Err(failure.clone()), opened), [Found::Failed(failure)], "it counts nowhere");
    }

    #[test]
    fn the_worst_decides_how_it_ends() {
        let failed = |outcome| Found::Failed(Failure::new(outcome, "no"));
        let round = |found: Vec<Found>| Round {
            published: Ok(Duration::ZERO),
            ways: Way::those(&[]).into_iter().zip(found).collect(),
            took: Duration::ZERO,
        };
        assert_eq!(round(vec![Found::Off]).outcome(), Outcome::Done);
        let bad = round(vec![failed(Outcome::Refused), failed(Outcome::Unauthorised), Found::Off]);
        assert_eq!((bad.outcome(), bad.trouble().as_str()), (Outcome::Unauthorised, "sse: no; plex-sse: no"));
    }
}
