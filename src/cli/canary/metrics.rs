//! The canary's figures as Prometheus text (exposition format 0.0.4).

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use super::round::{Found, Round};

/// What all rounds together have found; shared with whoever is asked for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Figures>>);

#[derive(Debug, Default)]
struct Figures {
    rounds: u64,
    /// When the last round ended, by the wall clock.
    at: Duration,
    published: Option<Duration>,
    publish_failures: u64,
    ways: BTreeMap<&'static str, OfWay>,
}

#[derive(Debug, Default)]
struct OfWay {
    /// Of the last round: opening, delivery.
    last: Option<(Duration, Duration)>,
    failures: u64,
}

impl Tally {
    /// Takes a round. A way that is not served has no series.
    pub(super) fn take(&self, round: &Round) {
        let mut figures = self.0.lock();
        figures.rounds += 1;
        figures.at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        figures.published = round.published.as_ref().ok().copied();
        figures.publish_failures += u64::from(round.published.is_err());
        for (way, found) in &round.ways {
            match found {
                Found::Off => _ = figures.ways.remove(way.name()),
                Found::Heard { opened, delivered } => figures.ways.entry(way.name()).or_default().last = Some((*opened, *delivered)),
                Found::Failed(_) => {
                    let of_way = figures.ways.entry(way.name()).or_default();
                    of_way.last = None;
                    of_way.failures += 1;
                }
            }
        }
    }

    /// The text; before the first round there is nothing in it but its count.
    pub(super) fn text(&self) -> String {
        let figures = self.0.lock();
        let mut text = Text::default();
        text.family("rounds_total", "counter", "Rounds that have ended.", [(None, figures.rounds.to_string())]);
        if figures.rounds == 0 {
            return text.0;
        }
        let at = figures.at.as_secs_f64().to_string();
        text.family("last_round_timestamp_seconds", "gauge", "When the last round ended.", [(None, at)]);
        let publish_up = u8::from(figures.published.is_some()).to_string();
        text.family("publish_up", "gauge", "Whether the last round's events were accepted.", [(None, publish_up)]);
        let took = figures.published.map(|took| (None, took.as_secs_f64().to_string()));
        text.family("publish_seconds", "gauge", "How long publishing took in the last round.", took);
        text.family(
            "publish_failures_total",
            "counter",
            "Rounds whose events were not accepted.",
            [(None, figures.publish_failures.to_string())],
        );
        let each = |value: fn(&OfWay) -> Option<String>| {
            figures.ways.iter().filter_map(move |(way, of_way)| Some((Some(*way), value(of_way)?))).collect::<Vec<_>>()
        };
        text.family(
            "up",
            "gauge",
            "Whether the last round's event came back by this way in time.",
            each(|way| Some(u8::from(way.last.is_some()).to_string())),
        );
        text.family(
            "open_seconds",
            "gauge",
            "How long opening took in the last round that event came in.",
            each(|way| way.last.map(|(opened, _)| opened.as_secs_f64().to_string())),
        );
        text.family(
            "delivery_seconds",
            "gauge",
            "From before publishing until the event was there, in the last round.",
            each(|way| way.last.map(|(_, delivered)| delivered.as_secs_f64().to_string())),
        );
        text.family(
            "failures_total",
            "counter",
            "Rounds whose event did not come back by this way.",
            each(|way| Some(way.failures.to_string())),
        );
        text.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str, series: impl IntoIterator<Item = (Option<&'static str>, String)>) {
        // Writing to a string cannot fail.
        _ = writeln!(self.0, "# HELP fanfare_canary_{name} {help}\n# TYPE fanfare_canary_{name} {kind}");
        for (way, value) in series {
            let labels = way.map(|way| format!("{{way=\"{way}\"}}")).unwrap_or_default();
            _ = writeln!(self.0, "fanfare_canary_{name}{labels} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::Outcome, round::Failure, way::Way},
        *,
    };

    #[test]
    fn a_way_that_fails_is_down_and_one_that_is_off_is_not_there() {
        let tally = Tally::default();
        assert!(tally.text().ends_with("fanfare_canary_rounds_total 0\n"), "{}", tally.text());
        let heard = Found::Heard { opened: Duration::from_millis(2), delivered: Duration::from_millis(10) };
        let failed = Found::Failed(Failure::new(Outcome::Refused, "no"));
        let round = |sse: &Found| Round {
            published: Ok(Duration::from_millis(5)),
            ways: vec![(Way::Sse, sse.clone()), (Way::PlexWs, Found::Off)],
            took: Duration::ZERO,
        };
        tally.take(&round(&heard));
        let text = tally.text();
        for line in [
            "fanfare_canary_up{way=\"sse\"} 1\n",
            "fanfare_canary_delivery_seconds{way=\"sse\"} 0.01\n",
            "fanfare_canary_open_seconds{way=\"sse\"} 0.002\n",
            "fanfare_canary_publish_seconds 0.005\n",
            "fanfare_canary_failures_total{way=\"sse\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("plex-ws"), "{text}");
        tally.take(&round(&failed));
        let text = tally.text();
        for line in ["up{way=\"sse\"} 0\n", "failures_total{way=\"sse\"} 1\n", "rounds_total 2\n"] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("delivery_seconds{"), "{text}");
    }
}
