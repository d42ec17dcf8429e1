use std::{future::poll_fn, pin::pin};

use futures_util::FutureExt;

use super::{super::Moving, *};
use crate::websocket::{CloseCode, frame};

fn get(outlet: &PollOutlet) -> (Polled, oneshot::Receiver<PollAnswer>) {
    let (answer, answered) = oneshot::channel();
    (outlet.poll(answer), answered)
}

fn write(outlet: &PollOutlet, bytes: &[u8]) -> io::Result<usize> {
    outlet.try_write(&[IoSlice::new(bytes)])
}

fn answer(mut answered: oneshot::Receiver<PollAnswer>) -> Option<PollAnswer> {
    answered.try_recv().ok()
}

#[test]
fn a_get_is_held_until_there_is_something_and_then_gets_all_of_it() {
    let outlet = PollOutlet::default();
    let (polled, held) = get(&outlet);
    assert_eq!(polled, Polled::Held);
    write(&outlet, &frame::text("4one")).expect("taken");
    assert_eq!(answer(held), Some(Ok("4one".into())));
    assert!(outlet.has_handed_over());
    write(&outlet, &frame::text("4two")).expect("taken");
    write(&outlet, &frame::text("4three")).expect("taken");
    assert!(!outlet.has_handed_over());
    let (polled, answered) = get(&outlet);
    assert_eq!((polled, answer(answered)), (Polled::Answered, Some(Ok("4two\u{1e}4three".into()))));
}

#[test]
fn what_waits_is_bounded_and_a_get_makes_room() {
    let outlet = PollOutlet::default();
    let one = frame::text(&"x".repeat(1_000));
    let n_taken = std::iter::repeat_with(|| write(&outlet, &one)).take_while(Result::is_ok).count();
    assert!((BOUND / 1_100..=BOUND / 1_000 + 1).contains(&n_taken), "{n_taken}");
    assert_eq!(write(&outlet, &one).expect_err("full").kind(), io::ErrorKind::WouldBlock);
    assert!(poll_fn(|cx| outlet.poll_writable(cx)).now_or_never().is_none());
    let (_, answered) = get(&outlet);
    assert_eq!(answer(answered).expect("answered").expect("packets").len(), n_taken * 1_001 - 1);
    assert!(poll_fn(|cx| outlet.poll_writable(cx)).now_or_never().is_some());
    assert!(write(&outlet, &one).is_ok());
}

#[tokio::test]
async fn a_websocket_that_takes_over_gets_every_byte_in_order() {
    let outlet = PollOutlet::default();
    let frames = [frame::text("4one"), frame::text("4two"), frame::text("4three")].concat();
    write(&outlet, &frames[..9]).expect("taken");
    let (moving, mut ends) = Moving::relay();
    outlet.take_over(moving.land().expect("it lands"), b"said behind the probe".to_vec());
    assert!(!outlet.is_polling() && !outlet.holds_back());
    write(&outlet, &frames[9..]).expect("taken");
    let told = [ends.to_client.recv().await.expect("what waited"), ends.to_client.recv().await.expect("what came")].concat();
    assert_eq!(told, frames);
    ends.from_client.send(Bytes::from_static(b"more")).await.expect("room");
    let mut scratch = [0; 64];
    for expected in [&b"said behind the probe"[..], b"more"] {
        let said = pin!(poll_fn(|cx| outlet.poll_read(cx, &mut scratch, |bytes| bytes.to_vec()))).await;
        assert_eq!(said.as_deref(), Some(expected));
    }
    assert_eq!(answer(get(&outlet).1), Some(Err(Fault::BadRequest)));
}

#[tokio::test]
async fn what_a_websocket_does_not_take_yet_goes_first_when_it_does() {
    let outlet = PollOutlet::default();
    let long = frame::text(&"x".repeat(100_000));
    write(&outlet, &long).expect("a frame is taken whole");
    let (moving, mut ends) = Moving::relay();
    outlet.take_over(moving.land().expect("it lands"), Vec::new());
    assert!(outlet.holds_back());
    assert_eq!(write(&outlet, &frame::text("4next")).expect_err("not before").kind(), io::ErrorKind::WouldBlock);
    let mut told = Vec::new();
    while told.len() < long.len() {
        told.extend(ends.to_client.recv().await.expect("it goes on"));
        let _ = poll_fn(|cx| outlet.poll_writable(cx)).now_or_never(); // as far as there is room
    }
    assert!(told == long && !outlet.holds_back());
    write(&outlet, &frame::text("4next")).expect("taken");
    assert_eq!(ends.to_client.recv().await, Some(frame::text("4next")));
}

#[test]
fn an_end_is_told_to_the_get_that_is_held_or_once_to_the_next_of_who_is_told() {
    for (last_word, is_told_later, held_body, next) in [
        (frame::close_without_code(), false, "6", Ok(Bytes::from_static(b"6"))),
        (frame::close_without_code(), true, "6", Ok(Bytes::from_static(b"6"))),
        (frame::close(CloseCode::NORMAL, ""), false, "1", Err(Fault::UnknownSid)),
        (frame::close(CloseCode::NORMAL, ""), true, "1", Ok(Bytes::from_static(b"1"))),
    ] {
        let outlet = PollOutlet::default();
        let (_, held) = get(&outlet);
        write(&outlet, &last_word).expect("taken");
        outlet.close(is_told_later);
        assert_eq!(answer(held), Some(Ok(held_body.into())));
        assert_eq!(answer(get(&outlet).1), Some(Err(Fault::UnknownSid)));
        let outlet = PollOutlet::default();
        write(&outlet, &last_word).expect("taken");
        outlet.close(is_told_later);
        assert_eq!(answer(get(&outlet).1), Some(next));
        assert_eq!(answer(get(&outlet).1), Some(Err(Fault::UnknownSid)));
    }
    let outlet = PollOutlet::default();
    let last = [frame::text("4one"), frame::text("4two"), frame::close(CloseCode::NORMAL, ""), frame::text("4begun").slice(..3)].concat();
    write(&outlet, &last).expect("taken");
    outlet.close(true);
    assert!(poll_fn(|cx| outlet.poll_gone(cx)).now_or_never().is_none(), "it is waited for");
    assert_eq!(answer(get(&outlet).1), Some(Ok("4one\u{1e}4two\u{1e}1".into())), "behind what it had not fetched");
    assert!(poll_fn(|cx| outlet.poll_gone(cx)).now_or_never().is_some());
    assert_eq!(answer(get(&outlet).1), Some(Err(Fault::UnknownSid)));
}

#[test]
fn posts_that_nobody_waits_for_are_bounded() {
    let outlet = PollOutlet::default();
    let answers: Vec<_> = (0..MAX_POSTS + 1)
        .map(|_| {
            let (answer, answered) = oneshot::channel();
            outlet.post(vec![0; 10], answer);
            answered
        })
        .collect();
    let refused = answers.into_iter().filter_map(|mut answered| answered.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(refused, [Err(Fault::BadRequest)]);
}
