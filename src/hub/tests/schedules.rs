//! Random schedules against a reference: after every step the counts add up, and what a client was sent is what a
//! plain list of "who may see what" says.

mod model;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use self::model::{Follower, Narrowing, People, What};
use super::world::{World, roomy};
use crate::{
    connection::{CloseReason, OutboxLimits},
    event::Who,
    hub::HubSettings,
};

#[derive(Debug, Clone)]
enum Step {
    Publish {
        what: What,
        n_bytes: usize,
        to_one: Option<usize>,
    },
    Missed {
        what: What,
        n_events: u64,
    },
    Join {
        user: usize,
        narrowing: Narrowing,
    },
    Leave(usize),
    Read(usize),
    /// A wake-up without cause.
    Poke(usize),
    Rights {
        user: usize,
        change: usize,
    },
    Flush {
        n_writes: u32,
    },
    Age,
}

fn steps(ageing: bool) -> impl Strategy<Value = Vec<Step>> {
    let what = || proptest::sample::select(What::ALL.to_vec());
    // Where nothing may be lost most are small: a client that takes nothing keeps the feed, and hides what goes too early.
    let small = if ageing { 1 } else { 60 };
    let n_bytes = prop_oneof![small => Just(10_usize), 1 => Just(3_000), 1 => Just(9_000), 1 => Just(20_000), 1 => Just(40_000)];
    // Most are in one group, so that passes over it are long.
    let user = || prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(2)];
    let narrowing = prop_oneof![4 => Just(Narrowing::Nothing), 1 => proptest::sample::select(Narrowing::ALL.to_vec())];
    let to_one = proptest::option::weighted(0.15, any::<usize>());
    let step = prop_oneof![
        10 => (what(), n_bytes, to_one).prop_map(|(what, n_bytes, to_one)| Step::Publish { what, n_bytes, to_one }),
        1 => (what(), 1..4_u64).prop_map(|(what, n_events)| Step::Missed { what, n_events }),
        3 => (user(), narrowing).prop_map(|(user, narrowing)| Step::Join { user, narrowing }),
        2 => any::<usize>().prop_map(Step::Leave),
        4 => any::<usize>().prop_map(Step::Read),
        1 => any::<usize>().prop_map(Step::Poke),
        2 => (user(), 0..6_usize).prop_map(|(user, change)| Step::Rights { user, change }),
        8 => (1..6_u32).prop_map(|n_writes| Step::Flush { n_writes }),
        u32::from(ageing) => Just(Step::Age),
    ];
    proptest::collection::vec(step, 1..120)
}

fn tight() -> HubSettings {
    let mut settings = roomy();
    (settings.feed.entries, settings.feed.bytes, settings.feed.age) = (4, 60_000, Duration::from_secs(10));
    settings.feeds_bytes = 150_000;
    settings.backlog = OutboxLimits { entries: 2, bytes: 40_000 };
    settings
}

struct Run {
    world: World,
    people: People,
    live: Vec<Follower>,
    ended: Vec<Follower>,
}

impl Run {
    fn new(settings: HubSettings) -> Self {
        Self { world: World::new(settings), people: People::default(), live: Vec::new(), ended: Vec::new() }
    }

    fn some(&mut self, index: usize) -> Option<usize> {
        (!self.live.is_empty()).then(|| index % self.live.len())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { what, n_bytes, to_one } => self.publish(what, n_bytes, to_one),
            Step::Missed { what, n_events } => {
                let event = what.event(10);
                let audience = event.audience();
                let envelope = self.world.stamp(event, audience);
                self.world.hub.missed(&[(envelope, n_events)]);
                for follower in self.live.iter_mut().filter(|follower| follower.may_see(what)) {
                    follower.lost += n_events;
                }
            }
            Step::Join { user, narrowing } => {
                if let Some(rights) = self.people.rights(user) {
                    self.live.push(Follower::join(&mut self.world, user, narrowing, rights));
                }
            }
            Step::Leave(index) => {
                if let Some(index) = self.some(index) {
                    let follower = &self.live[index];
                    self.world.hub.leave(&follower.client.connection, CloseReason::Gone);
                }
            }
            Step::Read(index) => {
                if let Some(index) = self.some(index) {
                    self.world.read(&mut self.live[index].client);
                }
            }
            Step::Poke(index) => {
                if let Some(index) = self.some(index) {
                    self.live[index].client.connection.unblock();
                    self.world.hub.make_ready(&self.live[index].client.connection);
                }
            }
            Step::Rights { user, change } => self.people.change(&mut self.world, &mut self.live, user, change),
            Step::Flush { n_writes } => {
                self.world.hub.flush_at_most(n_writes, Duration::from_secs(60));
            }
            Step::Age => self.world.hub.tick(Instant::now() + Duration::from_secs(20)),
        }
        let (ended, live) = std::mem::take(&mut self.live).into_iter().partition(|follower| follower.client.connection.ended.get());
        self.live = live;
        self.ended.extend::<Vec<_>>(ended);
    }

    fn publish(&mut self, what: What, n_bytes: usize, to_one: Option<usize>) {
        let to_one = to_one.and_then(|index| self.some(index));
        let only = to_one.map(|index| Who::Session(self.live[index].client.connection.id));
        let envelope = self.world.publish(what.event(n_bytes), only.into_iter().collect());
        for (index, follower) in self.live.iter_mut().enumerate() {
            if to_one.is_none_or(|one| one == index) && follower.may_see(what) {
                follower.offered.push((what, Arc::clone(&envelope)));
            }
        }
    }

    /// What must hold at every instant.
    fn check(&self) {
        let mut waiting = 0;
        for follower in &self.live {
            let counts = self.world.counts(&follower.client);
            assert!(counts.add_up(), "{counts:?}");
            assert_eq!(counts.offered, follower.offered.len() as u64 + follower.lost, "{counts:?}");
            assert_eq!(counts.skipped_hub, follower.lost);
            if !follower.pulled_untold {
                assert_eq!(counts.delivered, follower.client.events().len() as u64);
            }
            follower.check_received();
            waiting += counts.waiting;
        }
        let counters = &self.world.counters.dialects[0];
        let settled = counters.delivered.iter().chain(&counters.skipped).map(|counter| counter.get()).sum::<u64>();
        let others = counters.conflated.get() + counters.filtered.get() + counters.abandoned.get();
        assert_eq!(counters.offered.get(), settled + others + waiting);
        let offered = self.live.iter().chain(&self.ended).map(|follower| follower.offered.len() as u64 + follower.lost).sum::<u64>();
        assert_eq!(counters.offered.get(), offered);
        assert_eq!(counters.connections[1].get(), self.live.len() as u64);
    }

    /// Everybody reads everything.
    fn drain(&mut self) {
        let mut n_bytes = None;
        loop {
            let now: usize = self.live.iter().map(|follower| follower.client.bytes.len()).sum();
            if n_bytes.replace(now) == Some(now) {
                return;
            }
            for index in 0..self.live.len() {
                self.world.read(&mut self.live[index].client);
                self.live[index].pulled_untold = false;
            }
            while self.world.hub.flush_at_most(1_000, Duration::from_secs(60)) {}
            self.live.retain(|follower| !follower.client.connection.ended.get() || follower.closes);
            for index in 0..self.live.len() {
                self.world.read(&mut self.live[index].client);
            }
        }
    }

    fn check_end(&mut self, lossless: bool) {
        self.drain();
        while self.world.hub.flush_at_most(1_000, Duration::from_secs(60)) {}
        let (ended, live) = std::mem::take(&mut self.live).into_iter().partition(|follower| follower.client.connection.ended.get());
        self.live = live;
        self.ended.extend::<Vec<_>>(ended);
        self.check();
        for follower in &self.live {
            let counts = self.world.counts(&follower.client);
            assert_eq!(counts.waiting, 0, "{counts:?}");
            assert_eq!(follower.client.told(), counts.skipped_lag + counts.skipped_hub, "gaps told are gaps charged");
            assert!(!lossless || counts.skipped_lag == 0, "nothing goes while there is room: {counts:?}");
            follower.check_missing(&counts);
        }
        assert_eq!(self.world.held(), 0, "nobody is behind");
        for credit in &self.world.credits {
            assert_eq!(credit.outstanding(), 0, "all credit is back");
        }
    }
}

fn run(settings: HubSettings, steps: Vec<Step>, lossless: bool) {
    let mut run = Run::new(settings);
    for _ in 0..4 {
        run.step(Step::Join { user: 0, narrowing: Narrowing::Nothing });
    }
    for step in steps {
        run.step(step);
        run.check();
    }
    run.check_end(lossless);
}

/// Fewer than usual, as each is a long one, unless `PROPTEST_CASES` says how many.
fn config() -> ProptestConfig {
    let usual = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { usual } else { ProptestConfig { cases: 96, ..usual } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_account_of_every_session_adds_up_when_feeds_are_small(steps in steps(true)) {
        run(tight(), steps, false);
    }

    #[test]
    fn every_session_gets_all_it_may_see_when_feeds_are_large(steps in steps(false)) {
        run(roomy(), steps, true);
    }
}
