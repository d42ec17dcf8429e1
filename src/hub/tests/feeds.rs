//! A feed's bounds.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::world::media;
use crate::{
    connection::Offer,
    event::Envelope,
    hub::{FeedLimits, feed::Feed},
};

const ROOMY: FeedLimits = FeedLimits { entries: 100, bytes: 1_000, age: Duration::from_secs(10) };

fn offer(n_bytes: usize) -> Rc<Offer> {
    let event = media("films", 1);
    let audience = event.audience();
    let envelope = Arc::new(Envelope::new(event, audience, "e".into(), 0, 1));
    Rc::new(Offer::new(envelope, Bytes::from(vec![b'x'; n_bytes])))
}

fn sizes(feed: &Feed, position: u64) -> Vec<usize> {
    feed.from(position).map(|offer| offer.frame.len()).collect()
}

#[test]
fn more_entries_than_the_bound_push_out_the_oldest() {
    let ledger: Rc<Cell<usize>> = Rc::default();
    let mut feed = Feed::new(Rc::clone(&ledger));
    for n_bytes in 1..=5 {
        feed.push(offer(n_bytes), &FeedLimits { entries: 3, ..ROOMY });
    }
    assert_eq!((feed.base(), feed.head()), (2, 5));
    assert_eq!(sizes(&feed, 4), [5]);
    assert_eq!(sizes(&feed, 0), [3, 4, 5], "an overtaken cursor begins at the oldest");
    assert_eq!(sizes(&feed, 5), [0; 0]);
    assert_eq!(ledger.get(), 12);
}

#[test]
fn more_bytes_than_the_bound_push_out_the_oldest_but_never_the_newest() {
    let ledger: Rc<Cell<usize>> = Rc::default();
    let mut feed = Feed::new(Rc::clone(&ledger));
    for n_bytes in [400, 400, 400] {
        feed.push(offer(n_bytes), &ROOMY);
    }
    assert_eq!(sizes(&feed, 0), [400, 400]);
    feed.push(offer(5_000), &ROOMY);
    assert_eq!(sizes(&feed, 0), [5_000], "an event larger than the bound still reaches whoever keeps up");
    assert_eq!((feed.base(), feed.head(), ledger.get()), (3, 4, 5_000));
}

#[test]
fn what_is_older_than_the_bound_goes_and_the_newer_stays() {
    let ledger: Rc<Cell<usize>> = Rc::default();
    let mut feed = Feed::new(Rc::clone(&ledger));
    feed.push(offer(1), &ROOMY);
    let between = Instant::now();
    feed.push(offer(2), &ROOMY);
    assert!(feed.oldest().is_some_and(|oldest| oldest <= between));
    feed.trim_older_than(between);
    assert_eq!(sizes(&feed, 0), [2]);
    feed.trim_to(2);
    assert_eq!((feed.base(), feed.head(), feed.oldest(), ledger.get()), (2, 2, None, 0));
}

#[test]
fn a_frame_that_several_feeds_hold_is_counted_once_until_the_last_lets_go() {
    let ledger: Rc<Cell<usize>> = Rc::default();
    let mut feeds = [Feed::new(Rc::clone(&ledger)), Feed::new(Rc::clone(&ledger))];
    let shared = offer(100);
    for feed in &mut feeds {
        feed.push(Rc::clone(&shared), &ROOMY);
    }
    drop(shared);
    assert_eq!(ledger.get(), 100);
    feeds[0].trim_to(1);
    assert_eq!(ledger.get(), 100);
    feeds[1].trim_to(1);
    assert_eq!(ledger.get(), 0);
}
