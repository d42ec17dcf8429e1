//! Users: in full for themselves and for whoever administers them, and as all administrators see who is online.

use crate::{
    config::LibraryRights,
    dialect::audiobookshelf::{
        DIALECT,
        json::{list, merged},
        place::{Place, Rights},
    },
    event::{
        Event, Notification, Object, UserChange, Visibility,
        json::{Value, quote},
        without_user_secrets,
    },
    id::UserId,
};

/// What is told of a user.
pub(in super::super) struct User<'a> {
    /// A UUID.
    pub(in super::super) id: &'a str,
    pub(in super::super) name: &'a str,
    /// `root`, `admin`, `user` or `guest`.
    pub(in super::super) kind: &'a str,
    /// `None`: whoever tells of him does not know what he may do.
    pub(in super::super) rights: Option<&'a Rights>,
    pub(in super::super) last_seen: Option<i64>,
    /// Zero where nobody has said.
    pub(in super::super) created: i64,
}

/// `admin` and `user` are all the kinds that rights here tell apart.
pub(in super::super) const fn kind(admin: bool) -> &'static str {
    if admin { "admin" } else { "user" }
}

impl User<'_> {
    /// In full. `token` is empty unless it is the user's own, who has just logged in.
    pub(in super::super) fn json(&self, token: &str, place: &Place) -> String {
        let rights = self.rights;
        format!(
            r#"{{"id":{id},"username":{name},"email":null,"type":{kind},"token":{token},"mediaProgress":[],"seriesHideFromContinueListening":[],"bookmarks":[],"isActive":{active},"isLocked":false,"lastSeen":{seen},"createdAt":{created},"permissions":{permissions},"librariesAccessible":{libraries},"itemTagsSelected":{tags},"hasOpenIDLink":false}}"#,
            id = quote(self.id),
            name = quote(self.name),
            kind = quote(self.kind),
            token = quote(token),
            active = !rights.is_some_and(|rights| rights.disabled),
            seen = or_null(self.last_seen),
            created = self.created,
            permissions = permissions(self.kind, rights),
            libraries = list(&rights.map(|rights| libraries(rights, place)).unwrap_or_default()),
            tags = list(rights.and_then(|rights| rights.tags.as_deref()).unwrap_or_default()),
        )
    }

    /// As administrators see who is online; `session` and `recent` are objects or `null`.
    pub(in super::super) fn public(&self, session: &str, recent: &str, connections: Option<usize>) -> String {
        let connections = connections.map_or_else(String::new, |number| format!(r#","connections":{number}"#));
        format!(
            r#"{{"id":{id},"username":{name},"type":{kind},"session":{session},"mostRecent":{recent},"lastSeen":{seen},"createdAt":{created}{connections}}}"#,
            id = quote(self.id),
            name = quote(self.name),
            kind = quote(self.kind),
            seen = or_null(self.last_seen),
            created = self.created,
        )
    }
}

fn permissions(kind: &str, rights: Option<&Rights>) -> String {
    let admin = matches!(kind, "root" | "admin");
    let every = rights.is_none_or(|rights| rights.admin || matches!(rights.libraries, LibraryRights::Every(_)));
    let (tags, explicit) = (rights.is_none_or(|rights| rights.tags.is_none()), rights.is_none_or(|rights| rights.explicit != Some(false)));
    format!(
        r#"{{"download":true,"update":{admin},"delete":{admin},"upload":{admin},"createEreader":false,"accessAllLibraries":{every},"accessAllTags":{tags},"accessExplicitContent":{explicit},"selectedTagsNotAccessible":false}}"#
    )
}

fn libraries(rights: &Rights, place: &Place) -> Vec<String> {
    match &rights.libraries {
        LibraryRights::Named(levels) if !rights.admin => levels.keys().map(|library| place.library_id(library)).collect(),
        LibraryRights::Named(_) | LibraryRights::Every(_) => Vec::new(),
    }
}

/// The user an account's change tells of. What he may do is as the settings have it, unless the publisher says otherwise.
pub(in super::super) fn account(change: &UserChange, event: &Event, place: &Place) -> String {
    let object = &change.object;
    let id = place.account_id(Some(object), &change.user);
    let shape = with(&id, Some(object), &change.user, place, |user| user.json("", place));
    let overlays = [event.overlay(DIALECT), object.overlay(DIALECT)];
    overlays.into_iter().flatten().fold(shape, |shape, over| merged(&shape, &without_user_secrets(over)))
}

/// Calls with what is known of a user: by the settings, and by what an event tells of him.
pub(in super::super) fn with<T>(id: &str, object: Option<&Object>, user: &UserId, place: &Place, call: impl FnOnce(&User<'_>) -> T) -> T {
    let named = place.named(user);
    let told = object.and_then(|object| object.field("type")).and_then(Value::string);
    let told = told.filter(|told| matches!(&**told, "root" | "admin" | "user" | "guest"));
    let admin = object.and_then(|object| object.field("admin")).map(|admin| admin.text() == "true");
    let admin = admin.unwrap_or_else(|| named.is_some_and(|named| named.rights.admin));
    let number = |name: &str| object.and_then(|object| object.field(name)).and_then(Value::number).map(|number| number as i64);
    call(&User {
        id,
        name: object.and_then(|object| object.name.as_deref()).unwrap_or_else(|| place.user_name(user)),
        kind: told.as_deref().unwrap_or(kind(admin)),
        rights: named.map(|named| &named.rights),
        last_seen: number("lastSeen"),
        created: number("createdAt").unwrap_or_default(),
    })
}

fn or_null(number: Option<i64>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

/// What `notifications_updated` carries: the settings, of which only the list is anybody's to publish.
pub(in super::super) fn notifications(told: &Notification, event: &Event) -> String {
    let items: Vec<_> = told.items.iter().map(|item| item.text(Visibility::Abridged)).collect();
    let shape = format!(
        r#"{{"id":"notification-settings","appriseType":"api","appriseApiUrl":null,"notifications":[{}],"maxFailedAttempts":5,"maxNotificationQueue":20,"notificationDelay":1000}}"#,
        items.join(",")
    );
    super::overlaid_by_message(shape, event)
}
