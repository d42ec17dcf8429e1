//! A hard end for work that waits for a server, for threads, for the kernel: it runs on a thread of its own, which says what it waits for, and
//! when its time is over the caller has an error with those words. What the work is stays unknown here.

use crate::failure::Failure;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

thread_local! {
    /// Who is told what this thread waits for; nobody where there is no deadline.
    static LISTENER: RefCell<Option<Sender<Cow<'static, str>>>> = const { RefCell::new(None) };
}

/// Says what the calling thread waits for from now on.
pub(crate) fn waiting_for(what: impl Into<Cow<'static, str>>) {
    // Nobody listens any more when the time is over, and the end of this thread does not matter then.
    LISTENER.with_borrow(|listener| listener.as_ref().map(|listener| listener.send(what.into())));
}

/// Does the work, or gives it up after so many seconds; then its thread is left behind, for the process to end with.
pub(crate) fn within<T: Send + 'static>(seconds: u64, work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let (listener, words) = channel();
    let body = move || {
        LISTENER.set(Some(listener));
        let result = work();
        LISTENER.set(None);
        result
    };
    let thread = thread::Builder::new().name("run".to_owned()).spawn(body).map_err(|error| Failure::io("thread of a run", error))?;
    let began = Instant::now();
    let (mut waiting, mut since) = (Cow::Borrowed("the first thing it does"), began);
    loop {
        match words.recv_timeout(Duration::from_secs(seconds).saturating_sub(began.elapsed())) {
            Ok(what) => (waiting, since) = (what, Instant::now()),
            Err(RecvTimeoutError::Disconnected) => return thread.join().map_err(|_| Failure::new("the thread of a run panicked"))?,
            Err(RecvTimeoutError::Timeout) => {
                let waited = since.elapsed().as_secs();
                return Err(Failure::new(format!("not over after {seconds} s, of which it waited the last {waited} s for {waiting}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_ends_in_time_hands_over_what_it_found() {
        assert_eq!(within(60, || Ok(7)).unwrap(), 7);
        assert_eq!(within::<()>(60, || Err(Failure::new("no luck"))).unwrap_err().to_string(), "no luck");
        assert_eq!(within::<()>(60, || panic!("planted")).unwrap_err().to_string(), "the thread of a run panicked");
    }

    #[test]
    fn work_that_hangs_is_given_up_and_what_it_waited_for_is_named() {
        let hang = || {
            waiting_for("the tide");
            waiting_for(format!("{} ships", 3));
            loop {
                thread::park();
            }
        };
        let failure = within::<()>(1, hang).unwrap_err().to_string();
        assert!(failure.starts_with("not over after 1 s") && failure.ends_with("for 3 ships"), "{failure}");
    }
}
