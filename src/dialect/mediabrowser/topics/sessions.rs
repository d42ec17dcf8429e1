//! `Sessions`: to administrators all of them, to a user his own (event map, section 7).

use std::sync::Arc;

use bytes::Bytes;

use super::{
    super::{
        server::{Server, is_somebody},
        session_info,
    },
    shared::Frames,
};
use crate::{
    access::{LibraryRights, Principal},
    event::{Event, Level},
    id::UserId,
    state::devices::{Moment, NowPlaying, Session},
    topic::Topic,
};

pub(super) struct Sessions {
    server: Arc<Server>,
    frames: Frames<Who>,
}

/// Whose sessions are shown.
#[derive(PartialEq, Eq, Hash)]
enum Who {
    Everybody,
    /// With his rights: what others play on a device he uses too is of libraries.
    User(UserId, LibraryRights),
    /// A key that is no administrator's has none.
    Nobody,
}

impl Sessions {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server, frames: Frames::new("Sessions") }
    }
}

impl Topic for Sessions {
    fn name(&self) -> &'static str {
        "Sessions"
    }

    fn version(&self) -> u64 {
        self.server.devices().version()
    }

    fn frame(&self, principal: &Principal, version: u64, before: Option<&Bytes>, again: bool) -> Option<Bytes> {
        if !is_somebody(principal) {
            return None;
        }
        let (who, own) = match &principal.user {
            _ if principal.admin => (Who::Everybody, version),
            Some(user) => (Who::User(user.clone(), principal.libraries.clone()), self.server.devices().version_of(user)),
            None => (Who::Nobody, 0),
        };
        Some(self.frames.frame(who, (version, own), (before, again), || all(principal, &self.server)))
    }
}

fn all(principal: &Principal, server: &Server) -> String {
    let (devices, others) = visible(principal, server);
    let devices = devices.iter().map(|session| session_info::of_device(session, server));
    format!("[{}]", devices.chain(others).collect::<Vec<_>>().join(","))
}

/// The sessions he may see, and as JSON text what is played elsewhere.
pub(in super::super) fn visible(principal: &Principal, server: &Server) -> (Vec<Session>, Vec<String>) {
    let (devices, now) = (server.devices(), Moment::now());
    let sessions = match &principal.user {
        _ if principal.admin => devices.all(now),
        Some(user) => devices.of(user, now).into_iter().map(|session| shown_to(principal, session)).collect(),
        None => Vec::new(),
    };
    let is_other = |session: &str| !devices.plays_as(session);
    let playing = server.state.playing(|envelope| {
        let Event::Playback(playback) = &envelope.event else { return false };
        principal.is_in(&envelope.audience, None, None) && is_other(&playback.session)
    });
    (sessions, playing.iter().filter_map(|envelope| session_info::of_playback(envelope, server)).collect())
}

/// The session as he may see it: that he uses somebody else's device too shows him nothing of libraries that he may not
/// read.
pub(in super::super) fn shown_to(principal: &Principal, session: Session) -> Session {
    let is_his = principal.admin || session.user.as_ref().is_some_and(|user| principal.reads_as(user));
    let may_see = |playing: &NowPlaying| match &playing.told.event {
        Event::Playback(playback) => {
            let may_read = |library| principal.has(library, Level::Read);
            principal.admin || principal.reads_as(&playback.user.id) || playback.library.as_ref().is_some_and(may_read)
        }
        _ => false,
    };
    Session { playing: session.playing.filter(may_see), viewing: session.viewing.filter(|_| is_his), ..session }
}
