//! One session as it is kept.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Abandoned, Capabilities, CheckIn, Identity, Moment, NowPlaying, Seen, Session, SessionId, Viewing};
use crate::{
    access::{Caller, Device},
    clock::Timestamp,
    event::{Envelope, Event, PlaybackState},
    id::{ConnectionId, UserId},
};

/// How long an authenticated request lets WebSockets without a token join (event map, section 7).
pub(super) const JOINS_WITHIN: Duration = Duration::from_secs(300);
/// Bytes of each thing a client calls itself or its device; the rest is cut off.
const NAME_BYTES: usize = 256;

/// A session.
#[derive(Debug)]
pub(super) struct Entry {
    /// Of the device alone, as it describes itself.
    pub(super) of_device: SessionId,
    pub(super) device: Arc<Device>,
    pub(super) user: Option<UserId>,
    pub(super) additional: Vec<UserId>,
    pub(super) address: Option<IpAddr>,
    /// When it was last heard from.
    pub(super) active: Moment,
    /// When that last counted as a change.
    pub(super) shown: Instant,
    pub(super) capabilities: Option<Arc<Capabilities>>,
    pub(super) viewing: Option<Arc<Viewing>>,
    /// Its WebSockets, and when something last came in on each.
    pub(super) sockets: Vec<(ConnectionId, Instant)>,
    /// Its latest authenticated request.
    pub(super) requested: Option<Request>,
    checked_in: Option<Timestamp>,
    check_in: Option<Arc<CheckIn>>,
    playing: Option<Playing>,
}

/// An authenticated request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) caller: Caller,
    pub(super) address: IpAddr,
    pub(super) at: Instant,
}

/// What is played.
#[derive(Debug)]
struct Playing {
    told: Arc<Envelope>,
    /// When something was last said of it.
    touched: Instant,
}

impl Entry {
    pub(super) fn new(seen: &Seen<'_>, now: Moment) -> Self {
        Self {
            of_device: SessionId::of(seen.device, None),
            device: Arc::new(clipped(seen.device)),
            user: seen.caller.principal.user.clone(),
            additional: Vec::new(),
            address: seen.address,
            active: now,
            shown: now.instant,
            capabilities: None,
            viewing: None,
            sockets: Vec::new(),
            requested: None,
            checked_in: None,
            check_in: None,
            playing: None,
        }
    }

    /// Its own user, and those who use it too.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.user.iter().chain(&self.additional)
    }

    /// What it holds beside a fixed size.
    pub(super) fn n_bytes(&self) -> usize {
        let Device { client, id, name, version } = self.device.as_ref();
        let device = client.len() + id.len() + name.len() + version.len();
        let said = self.capabilities.as_ref().map_or(0, |said| said.n_bytes()) + self.viewing.as_ref().map_or(0, |said| said.n_bytes());
        let playing = self.playing.as_ref().map_or(0, |playing| size_of::<Envelope>() + playing.told.event.message().len());
        size_of::<Self>() + device + said + playing + self.check_in.as_ref().map_or(0, |said| said.n_bytes())
    }

    /// Whether a request says other things of the device, or comes from elsewhere.
    pub(super) fn differs(&self, seen: &Seen<'_>) -> bool {
        let own = self.device.as_ref();
        own.name != clip(&seen.device.name)
            || own.version != clip(&seen.device.version)
            || (seen.address.is_some() && seen.address != self.address)
    }

    pub(super) fn describe(&mut self, seen: &Seen<'_>) {
        self.device = Arc::new(clipped(seen.device));
        self.address = seen.address.or(self.address);
    }

    pub(super) fn requested(&mut self, seen: &Seen<'_>, now: Moment) {
        // Where nobody knows the address, nobody else can be from the same.
        let request = seen.address.map(|address| Request { caller: seen.caller.clone(), address, at: now.instant });
        self.requested = request.or_else(|| self.requested.take());
    }

    /// Whether a WebSocket from there may join without a token (event map, section 7).
    pub(super) fn lets_in(&self, identity: &Identity, address: IpAddr, now: Moment) -> bool {
        let is_recent = |request: &Request| request.address == address && now.since(request.at) < JOINS_WITHIN;
        // What a key may is more than an address and a name can vouch for.
        self.user.is_some() && self.requested.as_ref().is_some_and(is_recent) && identity.is_of(&self.device)
    }

    pub(super) fn check_in(&mut self, check_in: Arc<CheckIn>, now: Moment) {
        self.checked_in = Some(now.wall);
        self.check_in = Some(check_in);
        if let Some(playing) = &mut self.playing {
            playing.touched = now.instant;
        }
    }

    pub(super) fn still_plays(&mut self, now: Moment) {
        if let Some(playing) = &mut self.playing {
            playing.touched = now.instant;
            self.checked_in = Some(now.wall);
        }
    }

    pub(super) fn play(&mut self, envelope: &Arc<Envelope>) {
        self.checked_in = Some(envelope.accepted);
        self.playing = Some(Playing { told: Arc::clone(envelope), touched: envelope.stamped });
    }

    /// What it plays, for when it plays it no more.
    pub(super) fn abandoned(&self, now: Moment) -> Option<Abandoned> {
        let playing = self.playing.as_ref()?;
        let shown = self.show_playing(playing, now)?;
        Some(Abandoned { told: shown.told, position_ms: shown.position_ms.unwrap_or_default() })
    }

    pub(super) fn stop(&mut self) {
        self.playing = None;
        self.check_in = None;
    }

    /// For how long nothing was said of what it plays; `None` when it plays nothing.
    pub(super) fn silence(&self, now: Moment) -> Option<Duration> {
        self.playing.as_ref().map(|playing| now.since(playing.touched))
    }

    /// Whether what it shows advances by the clock.
    pub(super) fn moves(&self) -> bool {
        let state = self.playing.as_ref().and_then(|playing| match &playing.told.event {
            Event::Playback(playback) => Some(playback.state),
            _ => None,
        });
        state == Some(PlaybackState::Playing)
    }

    pub(super) fn show(&self, id: SessionId, now: Moment) -> Session {
        Session {
            id,
            device: Arc::clone(&self.device),
            user: self.user.clone(),
            additional_users: self.additional.clone(),
            address: self.address,
            last_activity: self.active.wall,
            last_check_in: self.checked_in,
            capabilities: self.capabilities.clone(),
            viewing: self.viewing.clone(),
            n_sockets: self.sockets.len(),
            playing: self.playing.as_ref().and_then(|playing| self.show_playing(playing, now)),
        }
    }

    fn show_playing(&self, playing: &Playing, now: Moment) -> Option<NowPlaying> {
        let Event::Playback(playback) = &playing.told.event else { return None };
        let check_in = self.check_in.as_ref().filter(|said| said.item == playback.item.id.as_str());
        let advanced = if playback.state == PlaybackState::Playing { now.since(playing.told.stamped) } else { Duration::ZERO };
        let position = playback.position_ms.saturating_add(u64::try_from(advanced.as_millis()).unwrap_or(u64::MAX));
        let is_known = check_in.is_none_or(|said| said.position_known);
        Some(NowPlaying {
            told: Arc::clone(&playing.told),
            // A client may report to be beyond the end; that is left as it says.
            position_ms: is_known.then(|| playback.duration_ms.map_or(position, |end| position.min(end.max(playback.position_ms)))),
            paused: playback.state == PlaybackState::Paused,
            check_in: check_in.map(Arc::clone),
        })
    }
}

fn clipped(device: &Device) -> Device {
    let [client, id, name, version] = [&device.client, &device.id, &device.name, &device.version].map(|text| clip(text).to_owned());
    Device { client, id, name, version }
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES)]
}
