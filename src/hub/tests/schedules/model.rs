//! The reference: people's rights and who may see what, written down without the engine's rules.

use std::{collections::HashMap, sync::Arc};

use crate::{
    access::{LibraryRights, PrincipalChange, RawNames},
    connection::Counts,
    event::{Envelope, Event, EventKind, KindSet, Level},
    hub::tests::world::{Client, FORMATS, World, media},
    id::{LibraryId, UserId},
};

const USERS: [&str; 3] = ["bob", "ann", "root"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Films,
    Music,
    Upload,
    ScanProgress,
    BobsProgress,
    Secret,
    Watched,
    Liked,
}

impl What {
    pub(super) const ALL: [Self; 8] =
        [Self::Films, Self::Music, Self::Upload, Self::ScanProgress, Self::BobsProgress, Self::Secret, Self::Watched, Self::Liked];

    pub(super) fn event(self, n_bytes: usize) -> Event {
        let x = "x".repeat(n_bytes);
        let raw = |name| format!(r#"{{"dialect":"{}","name":"{name}","payload":"{x}"}}"#, crate::event::DIALECTS[0]);
        let (kind, data) = match self {
            Self::Films => return media("films", n_bytes),
            Self::Music => return media("music", n_bytes),
            Self::Upload => {
                (EventKind::UploadProgress, format!(r#"{{"library":"films","mediaId":"m","progress":{},"x":"{x}"}}"#, n_bytes % 100))
            }
            Self::ScanProgress => (EventKind::Scan, format!(r#"{{"library":"films","state":"progress","x":"{x}"}}"#)),
            Self::BobsProgress => (
                EventKind::MediaProgress,
                format!(r#"{{"library":"films","progress":{{"userRef":"bob","mediaRef":"m","progress":1}},"x":"{x}"}}"#),
            ),
            Self::Secret => {
                (EventKind::Library, format!(r#"{{"action":"Updated","library":{{"id":"films","credentials":"c","x":"{x}"}}}}"#))
            }
            Self::Watched => (EventKind::Raw, raw("watched")),
            Self::Liked => (EventKind::Raw, raw("liked")),
        };
        Event::parse(kind, &data).expect("valid")
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Narrowing {
    Nothing,
    MusicOnly,
    MediasOnly,
    WatchedOnly,
}

impl Narrowing {
    pub(super) const ALL: [Self; 4] = [Self::Nothing, Self::MusicOnly, Self::MediasOnly, Self::WatchedOnly];

    fn lets_pass(self, what: What) -> bool {
        match self {
            Self::Nothing => true,
            Self::MusicOnly => matches!(what, What::Music | What::Watched | What::Liked),
            Self::MediasOnly => matches!(what, What::Films | What::Music),
            Self::WatchedOnly => what != What::Liked,
        }
    }
}

/// What a user may do: server admin, level in films, reads music.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    admin: bool,
    films: Option<Level>,
    music: bool,
}

/// The rights of the three users; `None` is refused.
pub(super) struct People([Option<Rights>; 3]);

impl Default for People {
    fn default() -> Self {
        Self(START.map(Some))
    }
}

const START: [Rights; 3] = [
    Rights { admin: false, films: Some(Level::Read), music: false },
    Rights { admin: false, films: Some(Level::Admin), music: true },
    Rights { admin: true, films: None, music: false },
];

impl People {
    pub(super) fn rights(&self, user: usize) -> Option<Rights> {
        self.0[user]
    }

    /// Changes a user's rights, in the directory, the hub and here.
    pub(super) fn change(&mut self, world: &mut World, live: &mut [Follower], user: usize, change: usize) {
        let id = UserId::parse(USERS[user]).expect("id");
        let next = [
            Some(START[user]),
            Some(Rights { admin: false, films: None, music: true }),
            Some(Rights { admin: false, films: Some(Level::Read), music: true }),
            Some(Rights { admin: false, films: Some(Level::Admin), music: false }),
            Some(Rights { admin: true, films: Some(Level::Read), music: false }),
            None,
        ][change];
        self.0[user] = next;
        // What is in the server's chunk by now was sent under the old rights.
        for follower in live.iter_mut().filter(|follower| follower.user == user) {
            follower.client.pull();
            follower.pulled_untold = true;
        }
        match next {
            Some(rights) => {
                let mut libraries = HashMap::new();
                libraries.extend(rights.films.map(|level| (LibraryId::parse("films").expect("id"), level)));
                libraries.extend(rights.music.then(|| (LibraryId::parse("music").expect("id"), Level::Read)));
                let libraries = Some(LibraryRights::Named(libraries.into_iter().collect()));
                let change = PrincipalChange { admin: Some(rights.admin), libraries, disabled: Some(false), ..PrincipalChange::default() };
                world.directory.put_principal(&id, change).expect("kept");
            }
            None => {
                world.directory.delete_principal(&id).expect("kept");
            }
        }
        world.hub.rights_changed(&id);
        for follower in live.iter_mut().filter(|follower| follower.user == user) {
            match next {
                Some(rights) => {
                    follower.rights.push((follower.client.bytes.len(), rights));
                }
                None => follower.closes = true,
            }
        }
    }
}

/// One client and what it should be sent.
pub(super) struct Follower {
    pub(super) client: Client,
    user: usize,
    narrowing: Narrowing,
    /// Its rights, and from which byte on they count.
    rights: Vec<(usize, Rights)>,
    pub(super) offered: Vec<(What, Arc<Envelope>)>,
    /// Events its hub missed.
    pub(super) lost: u64,
    /// Bytes were taken of which the hub has not been told.
    pub(super) pulled_untold: bool,
    /// It was refused, and is closed at the next flush.
    pub(super) closes: bool,
}

impl Follower {
    pub(super) fn join(world: &mut World, user: usize, narrowing: Narrowing, rights: Rights) -> Self {
        let client = world.join_with(USERS[user], FORMATS, |filter| match narrowing {
            Narrowing::Nothing => {}
            Narrowing::MusicOnly => filter.libraries = Some(vec![LibraryId::parse("music").expect("id")]),
            Narrowing::MediasOnly => {
                filter.kinds = KindSet::of(&[EventKind::Medias]);
                filter.raw = RawNames::Only(Vec::new());
            }
            Narrowing::WatchedOnly => filter.raw = RawNames::Only(vec!["watched".to_owned()]),
        });
        let rights = vec![(0, rights)];
        Self { client, user, narrowing, rights, offered: Vec::new(), lost: 0, pulled_untold: false, closes: false }
    }

    /// Whether it may see that now.
    pub(super) fn may_see(&self, what: What) -> bool {
        self.rights.last().is_some_and(|(_, rights)| self.allows(*rights, what))
    }

    fn allows(&self, rights: Rights, what: What) -> bool {
        let films = if rights.admin { Some(Level::Admin) } else { rights.films };
        let allowed = match what {
            What::Films | What::Upload | What::Secret => films.is_some(),
            What::ScanProgress => films == Some(Level::Admin),
            What::Music => rights.admin || rights.music,
            What::BobsProgress => USERS[self.user] == "bob",
            What::Watched | What::Liked => true,
        };
        allowed && self.narrowing.lets_pass(what)
    }

    fn offer(&self, event: (u16, u64)) -> Option<&(What, Arc<Envelope>)> {
        self.offered.iter().find(|(_, envelope)| (envelope.shard, envelope.order) == event)
    }

    /// Nothing it may not see, nothing in a form it may not see, nothing twice, each shard in order.
    pub(super) fn check_received(&self) {
        let mut last = [0, 0];
        for frame in self.client.frames() {
            let Some(event) = frame.event() else { continue };
            let (shard, order) = event;
            assert!(order > last[usize::from(shard)], "{event:?} after {last:?}");
            last[usize::from(shard)] = order;
            let (what, _) = self.offer(event).unwrap_or_else(|| panic!("{event:?} was not offered"));
            let (_, rights) = self.rights.iter().rfind(|(from, _)| *from <= frame.at).expect("rights from the first byte on");
            assert!(self.allows(*rights, *what), "{what:?} was begun under {rights:?}");
            let whole = match what {
                What::Secret => rights.admin,
                What::ScanProgress => true,
                _ => false,
            };
            assert_eq!(frame.data.contains(" full "), whole, "{what:?} under {rights:?}");
        }
    }

    /// What it was offered and not sent is explained by the counts, each for a reason of its own.
    pub(super) fn check_missing(&self, counts: &Counts) {
        let received = self.client.events();
        let missing: Vec<_> = self.offered.iter().filter(|(_, envelope)| !received.contains(&(envelope.shard, envelope.order))).collect();
        assert_eq!(missing.len() as u64, counts.conflated + counts.filtered + counts.skipped_lag);
        let superseded = missing.iter().filter(|(_, envelope)| envelope.is_superseded()).count() as u64;
        assert!(counts.conflated <= superseded, "only what was replaced is conflated");
        let forbidden =
            missing.iter().filter(|(what, _)| self.rights.iter().any(|(_, rights)| !self.allows(*rights, *what))).count() as u64;
        assert!(counts.filtered <= forbidden, "only what rights forbade is filtered");
    }
}
