//! `UserDataChanged`: where a user is in what he plays, and what he thinks of it, in batches (wire notes on MediaBrowser,
//! section 5.2).
//!
//! An event tells one of these things and the message has all of them, so the rest is what was told last. Positions on the way are
//! remembered only: clients are told of them with the next thing that counts.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::{DIALECT, Digest, recent::Recent};
use crate::{
    event::{
        Audience, Event, IdForm, MediaProgress, MediaRating,
        json::{ObjectWriter, Value, quote},
    },
    id::UserId,
};

/// How long a user must rest, and after how long he is told if he does not.
const QUIET: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(2);
/// Items in one message, and items that wait of one user before he rests.
const ITEMS: usize = 500;
/// Users of whom something waits; then all are told at once.
const USERS: usize = 4096;
/// Items of users of which it is remembered what was told.
const REMEMBERED: usize = 25_000;
/// What the clients count in: 100 ns.
const TICKS_PER_MILLISECOND: f64 = 10_000.0;

/// An item of a user.
type Subject = (UserId, u128);

/// What changed for whom, and what is known.
#[derive(Debug)]
pub(super) struct WhatUsersDid {
    pending: HashMap<(UserId, Audience), Pending>,
    /// What was said last.
    known: Recent<Subject, UserData>,
    is_full: bool,
    /// What clients are shown as ids of users, where the settings say it.
    user_ids: BTreeMap<UserId, String>,
}

#[derive(Debug)]
struct Pending {
    first: Instant,
    last: Instant,
    /// Each item once, the latest, with what the publisher wants to be merged over it.
    items: HashMap<u128, (UserData, Option<Box<str>>)>,
}

/// What a user has done with an item.
#[derive(Debug, Clone, Default, PartialEq)]
struct UserData {
    position_ms: f64,
    play_count: u64,
    is_favorite: bool,
    played: bool,
    rating: Option<f64>,
    duration_ms: Option<f64>,
    last_played: Option<jiff::Timestamp>,
}

impl WhatUsersDid {
    pub(super) fn new(user_ids: BTreeMap<UserId, String>) -> Self {
        Self { pending: HashMap::new(), known: Recent::new(REMEMBERED), is_full: false, user_ids }
    }

    /// `item` is the media as clients are shown it.
    pub(super) fn progress(&mut self, progress: &MediaProgress, item: u128, event: &Event, audience: &Audience, now: Instant) {
        let subject = (progress.user.clone(), item);
        let mut data = self.known(&subject);
        let object = Value::of_compact(&progress.object);
        let state = object.field("state").and_then(Value::string);
        data.progress(progress, object, state.as_deref() == Some("started"));
        if state.as_deref() == Some("playing") {
            self.known.put(subject, data);
        } else {
            self.put(subject, data, event.overlay(DIALECT), audience, now);
        }
    }

    pub(super) fn rating(&mut self, rating: &MediaRating, item: u128, event: &Event, audience: &Audience, now: Instant) {
        let subject = (rating.user.clone(), item);
        let mut data = self.known(&subject);
        data.rating = Some(rating.rating);
        data.read(Value::of_compact(&rating.object));
        self.put(subject, data, event.overlay(DIALECT), audience, now);
    }

    pub(super) fn due(&mut self, now: Instant) -> Vec<Digest> {
        if std::mem::take(&mut self.is_full) {
            return self.all();
        }
        self.tell(|pending| now >= (pending.last + QUIET).min(pending.first + CAP) || pending.items.len() >= ITEMS)
    }

    pub(super) fn all(&mut self) -> Vec<Digest> {
        self.tell(|_| true)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn tell(&mut self, is_due: impl Fn(&Pending) -> bool) -> Vec<Digest> {
        let told = self.pending.extract_if(|_, pending| is_due(pending));
        let shown = |user: &UserId| IdForm::of(DIALECT).show(self.user_ids.get(user).map(Into::into), user.as_str()).text.into_owned();
        told.flat_map(|((user, audience), pending)| pending.digests(&shown(&user), &audience)).collect()
    }

    fn put(&mut self, subject: Subject, data: UserData, overlay: Option<&str>, audience: &Audience, now: Instant) {
        self.is_full |= self.pending.len() >= USERS;
        let (user, item) = subject.clone();
        let pending =
            self.pending.entry((user, audience.clone())).or_insert_with(|| Pending { first: now, last: now, items: HashMap::new() });
        pending.last = now;
        pending.items.insert(item, (data.clone(), overlay.map(Into::into)));
        self.known.put(subject, data);
    }

    fn known(&self, subject: &Subject) -> UserData {
        self.known.get(subject).cloned().unwrap_or_default()
    }
}

impl UserData {
    fn progress(&mut self, progress: &MediaProgress, object: Value<'_>, starts: bool) {
        self.position_ms = progress.position_ms;
        self.play_count += u64::from(starts);
        self.last_played = progress.modified.as_deref().and_then(time).or(self.last_played);
        self.duration_ms = object.field("duration").and_then(Value::number).filter(|duration| *duration > 0.0).or(self.duration_ms);
        self.read(object);
    }

    /// What a publisher may say beside position and rating.
    fn read(&mut self, object: Value<'_>) {
        let flag = |names: &[&str]| names.iter().find_map(|name| object.field(name)).map(|value| value.text() == "true");
        if let Some(played) = flag(&["played", "finished", "isFinished", "watched"]) {
            self.played = played;
            // Who has played it has done so once at least, and goes on from its beginning.
            self.play_count = self.play_count.max(u64::from(played));
        }
        if flag(&["finished", "isFinished"]) == Some(true) {
            self.position_ms = 0.0;
        }
        self.is_favorite = flag(&["favorite", "isFavorite"]).unwrap_or(self.is_favorite);
        let count = object.field("playCount").and_then(|count| count.text().parse().ok());
        self.play_count = count.unwrap_or(self.play_count);
    }

    /// The required fields, and those that are known.
    fn write(&self, item: u128, overlay: Option<&str>) -> String {
        let mut fields = vec![
            ("PlaybackPositionTicks", ticks(self.position_ms).to_string()),
            ("PlayCount", self.play_count.to_string()),
            ("IsFavorite", self.is_favorite.to_string()),
            ("Played", self.played.to_string()),
            ("Key", format!("\"{item:032x}\"")),
            ("ItemId", format!("\"{item:032x}\"")),
        ];
        fields.extend(self.rating.map(|rating| ("Rating", rating.to_string())));
        let percentage = self.duration_ms.map(|duration| (self.position_ms / duration * 100.0).clamp(0.0, 100.0));
        fields.extend(percentage.map(|percentage| ("PlayedPercentage", percentage.to_string())));
        fields.extend(self.last_played.map(|time| ("LastPlayedDate", format!("\"{time:.7}\""))));
        let over = overlay.map(Value::of_compact).filter(|over| over.is_object());
        let mut out = String::new();
        let mut object = ObjectWriter::open(&mut out);
        for (name, value) in &fields {
            let own = over.and_then(|over| over.fields().find(|field| field.name == *name));
            object.field(name, own.map_or(value.as_str(), |own| own.value.text()));
        }
        for own in over.iter().flat_map(|over| over.fields()).filter(|own| fields.iter().all(|(name, _)| own.name != *name)) {
            object.lexeme(own.lexeme).push_str(own.value.text());
        }
        object.close();
        out
    }
}

impl Pending {
    /// `user` is his id as clients are shown it.
    fn digests(self, user: &str, audience: &Audience) -> Vec<Digest> {
        let user = quote(user);
        let mut items: Vec<_> = self.items.into_iter().collect();
        items.sort_unstable_by_key(|(item, _)| *item);
        let written: Vec<_> = items.iter().map(|(item, (data, overlay))| data.write(*item, overlay.as_deref())).collect();
        let payloads = written.chunks(ITEMS).map(|part| format!(r#"{{"UserId":{user},"UserDataList":[{}]}}"#, part.join(",")));
        payloads.filter_map(|payload| Digest::new("UserDataChanged", &payload, None, audience)).collect()
    }
}

/// Whole ticks; what no client's number type holds is cut off.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions are not negative, and a cast saturates")]
fn ticks(position_ms: f64) -> u64 {
    ((position_ms * TICKS_PER_MILLISECOND).round() as u64).min(1 << 53)
}

/// Milliseconds since the epoch, or RFC 3339 in quotes.
fn time(text: &str) -> Option<jiff::Timestamp> {
    match Value::of_compact(text).string() {
        Some(text) => text.parse().ok(),
        None => text.parse().ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()),
    }
}
