//! The dispatcher between publishers and hubs that keep up or do not.

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::*;
use crate::event::{Event, samples::sample_event};

/// A hub that only listens.
struct Ear(Arc<Mutex<Vec<FromShard>>>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<FromShard> for Ear {
    type Result = ();

    fn handle(&mut self, message: FromShard, _: &mut Self::Context) {
        self.0.lock().push(message);
    }
}

struct Bench {
    dispatcher: Dispatcher,
    heard: Vec<Arc<Mutex<Vec<FromShard>>>>,
    credits: Vec<Arc<Credit>>,
}

impl Bench {
    fn new(n_hubs: usize, credit: usize, hub_stall: Duration) -> Self {
        let heard: Vec<_> = (0..n_hubs).map(|_| Arc::default()).collect();
        let credits: Vec<_> = (0..n_hubs).map(|_| Arc::new(Credit::new(credit, Arc::new(Notify::new())))).collect();
        let hubs =
            heard.iter().zip(&credits).map(|(heard, credit)| HubLink::new(Ear(Arc::clone(heard)).start().recipient(), Arc::clone(credit)));
        let settings = DispatcherSettings {
            shard: 0,
            mailbox: 16,
            hub_stall,
            idempotency: (Duration::from_secs(300), 100),
            id_prefix: "t".into(),
            libraries: Arc::default(),
            waiting: Arc::default(),
        };
        let dispatcher = Dispatcher::new(settings, hubs.collect(), Arc::default(), Arc::default());
        Self { dispatcher, heard, credits }
    }

    fn accept(&mut self, events: Vec<Event>) -> Option<Vec<Receipt>> {
        self.accept_as(events.into_iter().map(|event| (event, None)).collect())
    }

    fn accept_as(&mut self, events: Vec<(Event, Option<&str>)>) -> Option<Vec<Receipt>> {
        let submission = |(event, id): (Event, Option<&str>)| Submission {
            audience: event.audience(),
            event,
            id: id.map(Into::into),
            source: id.map(Into::into),
        };
        self.dispatcher.accept(events.into_iter().map(submission).collect(), Instant::now()).ok()
    }

    /// The orders a hub was sent, once it has read its mailbox.
    async fn orders(&self, hub: usize) -> Vec<u64> {
        settle().await;
        let heard = self.heard[hub].lock();
        let delivered = heard.iter().filter_map(|message| match message {
            FromShard::Deliver { envelopes, .. } => Some(envelopes),
            FromShard::Missed(_) => None,
        });
        delivered.flat_map(|envelopes| envelopes.iter().map(|envelope| envelope.order)).collect()
    }

    /// What a hub was told it missed: kinds and numbers.
    async fn missed(&self, hub: usize) -> Vec<(EventKind, u64)> {
        settle().await;
        let heard = self.heard[hub].lock();
        let told = heard.iter().filter_map(|message| if let FromShard::Missed(missed) = message { Some(missed) } else { None });
        let mut missed: Vec<_> = told.flatten().map(|(envelope, n_events)| (envelope.kind(), *n_events)).collect();
        missed.sort_by_key(|(kind, n_events)| (kind.name(), *n_events));
        missed
    }
}

/// Lets the listening actors read their mailboxes.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn tags(n_events: usize) -> Vec<Event> {
    (0..n_events).map(|_| sample_event(EventKind::Tags)).collect()
}

fn raw(name: &str) -> Event {
    Event::parse(EventKind::Raw, &format!(r#"{{"dialect":"{}","name":"{name}","payload":1}}"#, crate::event::DIALECTS[0])).expect("valid")
}

#[actix::test]
async fn a_batch_is_accepted_whole_or_not_at_all() {
    let mut bench = Bench::new(2, 3, Duration::from_secs(60));
    assert_eq!(bench.accept(tags(2)).expect("room").iter().map(|receipt| receipt.order).collect::<Vec<_>>(), [1, 2]);
    assert!(bench.accept_as(tags(2).into_iter().map(|tag| (tag, Some("a"))).collect()).is_none(), "one place is left");
    assert_eq!(bench.credits[0].outstanding(), 2);
    bench.credits[0].give_back(2);
    assert!(bench.accept(tags(2)).is_none(), "the other hub has no room");
    bench.credits[1].give_back(2);
    let receipts = bench.accept_as(vec![(sample_event(EventKind::Tags), Some("a"))]).expect("room again");
    assert!(!receipts[0].duplicate && receipts[0].order == 3, "what was refused was not remembered: {receipts:?}");
    assert_eq!(bench.orders(0).await, [1, 2, 3]);
    assert_eq!(bench.orders(1).await, [1, 2, 3]);
}

#[actix::test]
async fn a_repeat_answers_the_first_order_and_is_not_delivered_again() {
    let mut bench = Bench::new(1, 10, Duration::from_secs(60));
    let event = || sample_event(EventKind::Tags);
    bench.accept_as(vec![(event(), Some("a")), (event(), Some("b"))]).expect("room");
    let receipts = bench.accept_as(vec![(event(), Some("b")), (event(), Some("c")), (event(), Some("c"))]).expect("room");
    let answers: Vec<_> = receipts.iter().map(|receipt| (&*receipt.id, receipt.order, receipt.duplicate)).collect();
    assert_eq!(answers, [("b", 2, true), ("c", 3, false), ("c", 3, true)]);
    assert_eq!(bench.orders(0).await, [1, 2, 3]);
    assert_eq!(bench.credits[0].outstanding(), 3);
}

#[actix::test]
async fn a_hub_that_stalls_loses_its_say_and_is_told_what_it_missed_when_it_moves_again() {
    let mut bench = Bench::new(2, 2, Duration::ZERO);
    bench.accept(tags(2)).expect("room");
    bench.credits[1].give_back(2);
    assert!(bench.accept(tags(1)).is_none(), "full, and first seen so");
    bench.accept(vec![raw("watched"), raw("liked")]).expect("the stalled hub has lost its say");
    bench.credits[1].give_back(2);
    bench.accept(vec![raw("watched"), sample_event(EventKind::MediaProgress)]).expect("still without it");
    assert_eq!(bench.orders(1).await, [1, 2, 3, 4, 5, 6]);
    bench.credits[0].give_back(2);
    bench.credits[1].give_back(2);
    bench.accept(tags(1)).expect("room");
    assert_eq!(bench.orders(0).await, [1, 2, 7]);
    assert_eq!(bench.missed(0).await, [(EventKind::MediaProgress, 1), (EventKind::Raw, 1), (EventKind::Raw, 2)]);
    assert_eq!(bench.credits[0].outstanding(), 1);
}

#[actix::test]
async fn a_slow_hub_that_moves_keeps_its_say() {
    let mut bench = Bench::new(1, 2, Duration::ZERO);
    bench.accept(tags(2)).expect("room");
    assert!(bench.accept(tags(2)).is_none());
    bench.credits[0].give_back(1);
    assert!(bench.accept(tags(2)).is_none(), "it moved: its clock begins again");
    bench.credits[0].give_back(1);
    bench.accept(tags(2)).expect("room");
    assert!(bench.missed(0).await.is_empty());
}

#[actix::test]
async fn an_idle_hub_does_not_lose_its_say_for_a_batch_larger_than_all_credit() {
    let mut bench = Bench::new(1, 2, Duration::ZERO);
    for _ in 0..3 {
        assert!(bench.accept(tags(3)).is_none());
    }
    bench.accept(tags(2)).expect("room");
    assert_eq!(bench.orders(0).await.len(), 2);
}

#[actix::test]
async fn progress_is_marked_when_later_progress_of_its_key_and_audience_is_accepted() {
    let upload = |progress: u32| {
        Event::parse(EventKind::UploadProgress, &format!(r#"{{"library":"films","mediaId":"m","progress":{progress}}}"#)).expect("valid")
    };
    let mut bench = Bench::new(1, 10, Duration::from_secs(60));
    bench.accept(vec![upload(1), upload(2)]).expect("room");
    bench.accept(vec![upload(100), upload(3)]).expect("room");
    settle().await;
    let heard = bench.heard[0].lock();
    let marks = heard.iter().flat_map(|message| match message {
        FromShard::Deliver { envelopes, .. } => envelopes.iter().map(|envelope| envelope.is_superseded()).collect(),
        FromShard::Missed(_) => Vec::new(),
    });
    assert_eq!(marks.collect::<Vec<_>>(), [true, true, false, false], "an end is never replaced");
}

#[actix::test]
async fn a_playbacks_change_of_state_is_never_marked() {
    let playback = |state: &str, position: u64| {
        let data = format!(r#"{{"session":"s","user":"bob","item":{{"id":"m"}},"state":"{state}","position":{position}}}"#);
        Event::parse(EventKind::Playback, &data).expect("valid")
    };
    let mut bench = Bench::new(1, 10, Duration::from_secs(60));
    let events = [("playing", 1), ("playing", 2), ("paused", 3), ("playing", 4), ("playing", 5), ("stopped", 6)];
    bench.accept(events.map(|(state, position)| playback(state, position)).into()).expect("room");
    settle().await;
    let heard = bench.heard[0].lock();
    let marks = heard.iter().flat_map(|message| match message {
        FromShard::Deliver { envelopes, .. } => envelopes.iter().map(|envelope| envelope.is_superseded()).collect(),
        FromShard::Missed(_) => Vec::new(),
    });
    assert_eq!(marks.collect::<Vec<_>>(), [true, false, false, true, false, false], "only positions of one state replace each other");
}
