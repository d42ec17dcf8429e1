//! What all conversations of one server share, and what they are told of the present.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    DIALECT,
    encode::{CARRIED, Formats, NO_LOGS, public},
    place::Place,
    shapes::{log, user},
};
use crate::{
    access::{Asked, Directory, Filter, Principal, RawNames},
    clock::Timestamp,
    config,
    event::{Envelope, Event, EventKind, KindSet, json::quote},
    id::UserId,
    socketio::RESERVED,
    state::State,
};

/// Bytes of a day's log, its latest lines, and of all who are online, that are sent at once: half of what may wait for a client by
/// default. What is beyond is left out.
const AT_ONCE_BYTES: usize = 512 * 1024;

/// The server, as its conversations know it.
pub(super) struct Server {
    pub(super) settings: config::Audiobookshelf,
    pub(super) formats: &'static Formats,
    pub(super) state: Arc<State>,
    pub(super) directory: Arc<Directory>,
    /// RedSeat's twin on the same endpoint, if it is spoken.
    pub(super) twin: Option<Arc<super::super::redseat::Twin>>,
}

impl Server {
    pub(super) fn place(&self) -> &'static Place {
        self.formats.place
    }

    /// Who is asked about tokens that are not known here.
    pub(super) fn asks(&self) -> Asked {
        if self.settings.server.is_some() { Asked::AudiobookshelfServer } else { Asked::Callback }
    }

    /// The name people read: that of the settings, or what the server that knows him says.
    pub(super) fn user_name<'a>(&'a self, user: &'a UserId) -> Cow<'a, str> {
        match self.place().named(user) {
            Some(named) => Cow::Borrowed(&named.name),
            None => {
                self.directory.name_told(user).map_or_else(|| Cow::Borrowed(user.as_str()), |told| Cow::Owned(told.as_ref().to_owned()))
            }
        }
    }

    /// What a client is sent, of what that principal may see.
    pub(super) fn filter(principal: Arc<Principal>, logs: u8) -> Filter {
        let kinds = if logs == NO_LOGS { CARRIED } else { CARRIED.with(EventKind::Log) };
        let raw = RawNames::Except(RESERVED.iter().map(|name| (*name).to_owned()).collect());
        Filter { principal, dialect: DIALECT, kinds, raw, libraries: None, unscoped: true, connection: None }
    }

    /// The argument of `init`.
    pub(super) fn init(&self, principal: &Principal, user: &UserId, was: Option<&UserId>) -> String {
        let place = self.place();
        let (id, name) = (quote(&place.user_id(user)), quote(&self.user_name(user)));
        let scanning: Vec<String> = self.scanning(principal).iter().map(|library| quote(library)).collect();
        let online = principal.admin.then(|| format!(r#","usersOnline":[{}]"#, self.users_online(user, was).join(",")));
        format!(r#"{{"userId":{id},"username":{name},"librariesScanning":[{}]{}}}"#, scanning.join(","), online.unwrap_or_default())
    }

    /// The libraries that are being scanned, as far as he may see it.
    fn scanning(&self, principal: &Principal) -> BTreeSet<String> {
        let scans = self.state.activities(|envelope| envelope.kind() == EventKind::Scan && principal.is_in(&envelope.audience, None, None));
        scans.iter().filter_map(|envelope| envelope.library()).map(|library| self.place().library_id(library)).collect()
    }

    /// The activity that is a library's scan, by the id that clients know the library by.
    pub(super) fn scan_of(&self, library: &str) -> Option<String> {
        let is_it = |envelope: &Envelope| {
            let own = envelope.library().filter(|_| envelope.kind() == EventKind::Scan);
            own.is_some_and(|own| own.as_str() == library || self.place().library_id(own) == library)
        };
        self.state.activities(is_it).first()?.event.activity_id().map(std::borrow::Cow::into_owned)
    }

    /// Everybody who has a connection, and whoever has just shown that he is `user` on a connection that was `was`'s.
    fn users_online(&self, user: &UserId, was: Option<&UserId>) -> Vec<String> {
        let mut connections: BTreeMap<UserId, usize> =
            self.directory.users_connected().into_iter().map(|user| (user.clone(), self.directory.connections_of(&user))).collect();
        if was != Some(user) {
            *connections.entry(user.clone()).or_default() += 1;
            if let Some(left) = was.and_then(|was| connections.get_mut(was)) {
                *left = left.saturating_sub(1);
            }
        }
        let (mut playbacks, mut n_bytes) = (self.latest_playbacks(|_| true), 0);
        let online = connections.iter().filter(|(_, number)| **number > 0);
        let shown = online.map(|(user, number)| self.shown(user, playbacks.remove(user).as_deref(), Some(*number)));
        shown
            .take_while(|user| {
                n_bytes += user.len() + 1;
                n_bytes <= AT_ONCE_BYTES
            })
            .collect()
    }

    /// A user as administrators see him now.
    pub(super) fn public_user(&self, of: &UserId) -> String {
        self.shown(of, self.latest_playbacks(|user| user == of).remove(of).as_deref(), None)
    }

    /// What each of these users plays, or has just played.
    fn latest_playbacks(&self, wanted: impl Fn(&UserId) -> bool) -> HashMap<UserId, Arc<Envelope>> {
        // What an audience keeps from administrators is kept from them here, too.
        let may_be_shown = |envelope: &Envelope| envelope.audience.only.is_empty() && owner(envelope).is_some_and(&wanted);
        let playbacks = self.state.present(KindSet::of(&[EventKind::Playback]), may_be_shown);
        playbacks.into_iter().filter_map(|envelope| Some((owner(&envelope)?.clone(), envelope))).collect()
    }

    fn shown(&self, of: &UserId, playback: Option<&Envelope>, connections: Option<usize>) -> String {
        let (place, now, name) = (self.place(), Timestamp::now(), self.user_name(of));
        let accepted = playback.map_or(now, |envelope| envelope.accepted);
        user::with(&place.user_id(of), None, of, place, |user| {
            let user = user::User { name: &name, last_seen: Some(now.0), ..*user };
            public(&user, playback.map(|envelope| &envelope.event), place, accepted, connections)
        })
    }

    /// The argument of `daily_logs`: the latest lines of today.
    pub(super) fn daily_logs(&self, principal: &Principal) -> String {
        let (mut lines, mut n_bytes) = (Vec::new(), 0);
        let of_day = self.state.log_of_day(Timestamp::now());
        for line in of_day.iter().rev().filter(|line| principal.is_in(&line.audience, None, None)) {
            let line = log::line(&line.log, line.accepted);
            n_bytes += line.len() + 1;
            if n_bytes > AT_ONCE_BYTES {
                break;
            }
            lines.push(line);
        }
        lines.reverse();
        format!("[{}]", lines.join(","))
    }
}

/// Whose playback it is.
fn owner(envelope: &Envelope) -> Option<&UserId> {
    match &envelope.event {
        Event::Playback(playback) => Some(&playback.user.id),
        _ => None,
    }
}
