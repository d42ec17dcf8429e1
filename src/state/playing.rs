//! What is being played, and what is transcoded for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::runs::{Bounds, Runs, Step};
use crate::{
    event::{Envelope, Event, PlaybackState, TranscodeState},
    id::UserId,
};

/// A player speaks every ten seconds or so. One client ends a session it has not heard of for five minutes (wire notes on
/// Plex, section 6.1), so that a lost end does not leave somebody playing for days; so do we.
const SILENCE: Duration = Duration::from_secs(300);

/// Sessions remembered, and bytes of their messages.
const BOUNDS: Bounds = Bounds { runs: 4096, bytes: 4 << 20, silence: SILENCE };

/// The playback sessions by user and id: media servers count them from one, so that two servers have a session 1 each.
#[derive(Debug)]
pub(super) struct Playing(Runs<(UserId, String)>);

/// The transcodes by user and id, for the same reason.
#[derive(Debug)]
pub(super) struct Transcodes(Runs<(UserId, String)>);

impl Default for Playing {
    fn default() -> Self {
        Self(Runs::new(BOUNDS))
    }
}

impl Default for Transcodes {
    fn default() -> Self {
        Self(Runs::new(BOUNDS))
    }
}

impl Playing {
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    /// Every event tells the whole of its session, so nothing stands beside the latest.
    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        let Event::Playback(playback) = &envelope.event else { return };
        let step = if playback.state == PlaybackState::Stopped { Step::End } else { Step::Begin };
        self.0.fold((playback.user.id.clone(), playback.session.to_string()), step, envelope);
    }

    pub(super) fn present(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.present(now, wanted, into);
    }

    pub(super) fn running(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.running(now, wanted, into);
    }
}

impl Transcodes {
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        let Event::Transcode(transcode) = &envelope.event else { return };
        let step = if transcode.state == TranscodeState::End { Step::End } else { Step::Begin };
        self.0.fold((transcode.user.id.clone(), transcode.id.to_string()), step, envelope);
    }

    pub(super) fn present(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.present(now, wanted, into);
    }

    pub(super) fn running(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.running(now, wanted, into);
    }
}
