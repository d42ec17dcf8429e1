//! Accounts with planted losses, repetitions and events that come late.

use super::*;

fn everything() -> Ledger {
    Ledger::new(Subscription::of_client(0, 1, 0))
}

fn outcome(expected: u64, missing: u64, announced: u64) -> Outcome {
    Outcome { expected, missing, announced, unannounced: missing - announced, ..Outcome::default() }
}

#[test]
fn a_whole_stream_closes_with_nothing_missing() {
    let mut ledger = everything();
    (0..100).for_each(|seq| ledger.observe(seq));
    assert!(ledger.is_complete(100));
    assert_eq!(ledger.close(100, &[], false), outcome(100, 0, 0));
}

#[test]
fn planted_losses_in_the_middle_and_at_the_end_are_counted() {
    let mut ledger = everything();
    (0..100).filter(|seq| ![0, 17, 18, 50, 99].contains(seq)).for_each(|seq| ledger.observe(seq));
    assert!(!ledger.is_complete(100));
    assert_eq!(ledger.close(100, &[], false), outcome(100, 5, 0));
    assert_eq!(ledger.received, 95);
}

#[test]
fn duplicates_and_late_ones_are_told_apart() {
    let mut ledger = everything();
    [0, 1, 1, 4, 3, 2, 3, 5].into_iter().for_each(|seq| ledger.observe(seq));
    assert_eq!((ledger.received, ledger.duplicated, ledger.reordered), (6, 2, 2));
    assert_eq!(ledger.close(6, &[], false), outcome(6, 0, 0));
}

#[test]
fn announced_gaps_are_not_silent_and_announcing_too_many_is_seen() {
    let mut ledger = everything();
    [0, 1, 5, 6].into_iter().for_each(|seq| ledger.observe(seq));
    ledger.gap_comments = 3;
    assert_eq!(ledger.close(7, &[], false), outcome(7, 3, 3));
    ledger.gap_comments = 2;
    assert_eq!(ledger.close(7, &[], false).unannounced, 1);
    ledger.gap_comments = 4;
    assert_eq!(ledger.close(7, &[], false).overannounced, 1);
}

#[test]
fn a_gap_told_by_comment_and_event_counts_once() {
    let mut ledger = everything();
    [0, 3].into_iter().for_each(|seq| ledger.observe(seq));
    (ledger.gap_comments, ledger.gap_events) = (2, 2);
    assert_eq!(ledger.close(4, &[], false), outcome(4, 2, 2));
}

#[test]
fn refused_events_are_not_expected_and_are_noticed_when_they_come_all_the_same() {
    let mut ledger = everything();
    (0..10).filter(|seq| *seq != 4).for_each(|seq| ledger.observe(seq));
    let closed = ledger.close(10, &[4, 6], false);
    assert_eq!((closed.expected, closed.missing, closed.unaccepted), (8, 0, 1));
}

#[test]
fn a_filtered_client_expects_only_its_libraries() {
    for client in 0..10 {
        let subscription = Subscription::of_client(client, 10, 3);
        let names = subscription.names().unwrap();
        let mut ledger = Ledger::new(subscription.clone());
        let members: Vec<u32> = (0..1000).filter(|seq| names.contains(&(seq % 10))).collect();
        assert!(members.iter().all(|seq| subscription.contains(*seq)));
        members.iter().for_each(|seq| ledger.observe(*seq));
        assert_eq!(ledger.close(1000, &[], false), outcome(300, 0, 0));
        ledger.observe((0..10).find(|seq| !names.contains(seq)).unwrap());
        assert_eq!(ledger.foreign, 1);
    }
}

#[test]
fn a_filtered_client_that_misses_one_shows_exactly_one() {
    let subscription = Subscription::of_client(3, 10, 4);
    let mut ledger = Ledger::new(subscription.clone());
    let lost = (500..).find(|seq| subscription.contains(*seq)).unwrap();
    (0..1000).filter(|seq| subscription.contains(*seq) && *seq != lost).for_each(|seq| ledger.observe(seq));
    assert_eq!(ledger.close(1000, &[], false), outcome(400, 1, 0));
}

#[test]
fn a_client_that_joined_late_and_left_early_expects_only_what_lies_between() {
    let mut ledger = everything();
    ledger.join_at(50);
    [48, 49, 50, 52].into_iter().for_each(|seq| ledger.observe(seq));
    assert_eq!(ledger.close(1000, &[], true), outcome(5, 1, 0));
    let mut later = everything();
    later.join_at(50);
    later.observe(53);
    assert_eq!(later.close(1000, &[], true), outcome(4, 3, 0));
}

#[test]
fn under_a_skewed_load_a_client_expects_exactly_the_events_drawn_for_its_libraries() {
    let spread = Spread::new(50, 1.1).unwrap();
    for client in 0..20 {
        let subscription = Subscription::of_client(client, spread.clone(), 3);
        let names = subscription.names().unwrap();
        let members: Vec<u32> = (0..4000).filter(|seq| names.contains(&spread.library(*seq))).collect();
        let mut ledger = Ledger::new(subscription.clone());
        let lost = members[members.len() / 2];
        members.iter().filter(|seq| **seq != lost).for_each(|seq| ledger.observe(*seq));
        assert_eq!(ledger.close(4000, &[], false), outcome(members.len() as u64, 1, 0), "client {client}");
        let stranger = (0..).find(|seq| !names.contains(&spread.library(*seq))).unwrap();
        ledger.observe(stranger);
        assert_eq!(ledger.foreign, 1);
        assert_eq!(subscription.members(1000, 3000), members.iter().filter(|seq| (1000..3000).contains(*seq)).count() as u64);
    }
}

#[test]
fn a_user_may_read_what_the_client_of_the_same_number_expects() {
    assert_eq!(libraries_of_user(3, 10, 4), [2, 3, 4, 5]);
    assert_eq!(libraries_of_user(2, 10, 4), [8, 9, 0, 1]);
    assert_eq!(libraries_of_user(7, 3, 0), [0, 1, 2]);
}

/// Clients with some of the libraries and with all, under an even and a skewed load.
fn several_libraries() -> Vec<Ledger> {
    let spreads = [Spread::even(12), Spread::new(12, 1.0).unwrap()];
    let of = |spread: &Spread| [3, 0].map(|width| Ledger::new(Subscription::of_client(2, spread.clone(), width)));
    spreads.iter().flat_map(of).collect()
}

/// The sequence numbers below 400 that are for a client.
fn for_client(ledger: &Ledger) -> Vec<u32> {
    (0..400).filter(|seq| ledger.subscription.contains(*seq)).collect()
}

#[test]
fn a_pair_is_out_of_order_within_a_library_and_not_across_libraries() {
    for fresh in several_libraries() {
        let (all, library) = (for_client(&fresh), |seq: u32| fresh.subscription.spread.library(seq));
        let apart = all.windows(2).position(|pair| library(pair[0]) != library(pair[1])).unwrap();
        let mut across = (fresh.clone(), all.clone());
        across.1.swap(apart, apart + 1);
        let same = (1..).find(|place| library(all[*place]) == library(all[0])).unwrap();
        let mut within = (fresh.clone(), all.clone());
        within.1.swap(0, same);
        for ((mut ledger, order), reordered) in [(across, 0), (within, 1)] {
            order.iter().for_each(|seq| ledger.observe(*seq));
            assert_eq!((ledger.reordered > 0, ledger.duplicated), (reordered > 0, 0), "{:?}", ledger.subscription);
            assert_eq!(ledger.close(400, &[], false), outcome(all.len() as u64, 0, 0));
            assert!(ledger.is_complete(*all.last().unwrap()));
        }
    }
}

#[test]
fn a_shard_that_lags_behind_another_loses_nothing_and_one_lost_of_it_is_one() {
    for fresh in several_libraries() {
        let all = for_client(&fresh);
        let lags = |seq: &u32| fresh.subscription.spread.library(*seq) % 2 == 1;
        let (slow, fast): (Vec<u32>, Vec<u32>) = all.iter().partition(|seq| lags(seq));
        let mut ledger = fresh.clone();
        fast.iter().chain(&slow[..slow.len() - 1]).for_each(|seq| ledger.observe(*seq));
        assert!(!ledger.is_complete(400), "the last one may still come");
        assert_eq!(ledger.close(400, &[], false), outcome(all.len() as u64, 1, 0));
        assert_eq!(ledger.close(400, &slow[slow.len() - 1..], false).missing, 0, "a refused one is not expected");
        assert_eq!(ledger.close(400, &[], true).missing, 0, "nothing of its library came behind it");
        ledger.observe(slow[slow.len() - 1]);
        ledger.observe(slow[0]);
        assert_eq!((ledger.reordered, ledger.duplicated, ledger.close(400, &[], false).missing), (0, 1, 0));
    }
}

#[test]
fn one_lost_in_the_middle_of_a_library_is_lost_for_a_client_that_left_too() {
    for mut ledger in several_libraries() {
        let all = for_client(&ledger);
        let lost = all[0];
        all[1..].iter().for_each(|seq| ledger.observe(*seq));
        assert_eq!(ledger.close(400, &[], true), outcome(all.len() as u64, 1, 0), "{lost}");
    }
}

#[test]
fn a_client_of_several_libraries_that_joined_late_may_have_what_was_on_its_way() {
    for mut ledger in several_libraries() {
        let all = for_client(&ledger);
        let (early, joined) = (all.len() / 2 - 3, all.len() / 2);
        ledger.join_at(all[joined]);
        let order: Vec<u32> = all[joined..].iter().chain(&all[early..joined]).copied().collect();
        order[..2].iter().for_each(|seq| ledger.observe(*seq));
        ledger.join_at(399);
        order[2..].iter().for_each(|seq| ledger.observe(*seq));
        let came = (all.len() - early) as u64;
        assert_eq!((ledger.received, ledger.duplicated), (came, 0));
        assert_eq!(ledger.close(400, &[], true), outcome(came, 0, 0));
        ledger.observe(all[early]);
        assert_eq!(ledger.duplicated, 1);
    }
}

#[test]
fn whatever_a_stranger_gets_is_foreign() {
    let mut ledger = Ledger::new(Subscription::none());
    ledger.observe(0);
    ledger.observe(7);
    assert_eq!((ledger.foreign, ledger.received, ledger.close(9, &[], false)), (2, 0, outcome(0, 0, 0)));
}

#[test]
fn an_account_takes_no_more_room_than_a_client_may_have() {
    assert!(size_of::<Ledger>() <= 128, "{}", size_of::<Ledger>());
}
