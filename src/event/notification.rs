//! Notifications: what a user has been told, and which of it he has read.

use super::{
    Rule,
    body::{Abridgement, Body},
    field::{FieldError, Source, flag, one_of, pick},
    json::Value,
    object::Object,
    redact::Scope,
    user::Person,
};

/// What became of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationState {
    /// They are new.
    Added,
    /// They changed.
    Updated,
    /// They were marked as read, or as unread.
    Read,
}

impl NotificationState {
    const WORDS: [(&'static str, Self); 3] = [("added", Self::Added), ("updated", Self::Updated), ("read", Self::Read)];
}

/// `notification`: `{state, user, notifications:[{id, name?, …}], read?}`. Only that user sees it.
///
/// `user` is an id, or an object with one; `read` is of the state `read` only.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What became of them.
    pub state: NotificationState,
    /// Whose they are.
    pub user: Person,
    /// At least one, and at most as many as the limit on items.
    pub items: Vec<Object>,
    /// For [`NotificationState::Read`]: whether they count as read from now on, `read`; absent means yes.
    pub read: bool,
    pub(super) body: Body,
}

impl Notification {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [state, user, notifications, read] = pick(value, ["state", "user", "notifications", "read"])?;
        let state = one_of(state, "state", &NotificationState::WORDS)?;
        let read = flag(read, "read")?;
        if read.is_some() && state != NotificationState::Read {
            return Err(FieldError::new("read", "is allowed with the state read only"));
        }
        let mut items = Vec::new();
        for (index, item) in source.items(notifications, "notifications")?.enumerate() {
            let item = Object::read(source, item, Scope::Outside);
            items.push(item.map_err(|error| error.inside(&format!("notifications[{index}]")))?);
        }
        if items.is_empty() {
            return Err(FieldError::new("notifications", "must hold at least one notification"));
        }
        let user = Person::read(source, user, "user")?;
        Ok(Self { state, user, items, read: read.unwrap_or(true), body: Body::read(source, value, Abridgement::Secrets)? })
    }

    pub(super) fn rule(&self) -> Rule {
        Rule::User(self.user.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind, ShardKey};

    fn read(data: &str) -> Result<Notification, String> {
        match Event::parse(EventKind::Notification, data) {
            Ok(Event::Notification(event)) => Ok(event),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_was_read_says_so_and_only_its_user_sees_it() {
        let event = read(r#"{"state":"read","user":{"id":"bob"},"notifications":[{"id":"n1"},{"id":"n2","level":1.50}]}"#).expect("valid");
        assert!(event.read && event.items.len() == 2);
        assert!(!read(r#"{"state":"read","user":"bob","notifications":[{"id":"n1"}],"read":false}"#).expect("valid").read);
        let event = Event::Notification(event);
        assert_eq!(event.rule(), Rule::User(crate::id::UserId::parse("bob").expect("an id")));
        assert!(matches!(event.shard_key(), ShardKey::User(user) if user.as_str() == "bob"));
        assert!(event.conflation().is_none() && event.message().contains("1.50"));
    }

    #[test]
    fn a_bad_field_is_named() {
        for (data, expected) in [
            (r#"{"state":"gone","user":"bob","notifications":[{"id":"n"}]}"#, "`data.state` must be one of added, updated, read"),
            (r#"{"state":"added","notifications":[{"id":"n"}]}"#, "`data.user` is required"),
            (r#"{"state":"added","user":"bob"}"#, "`data.notifications` is required and must be an array"),
            (r#"{"state":"added","user":"bob","notifications":[]}"#, "`data.notifications` must hold at least one notification"),
            (r#"{"state":"added","user":"bob","notifications":[{"id":"n"},{}]}"#, "`data.notifications[1].id` is required"),
            (
                r#"{"state":"added","user":"bob","notifications":[{"id":"n"}],"read":true}"#,
                "`data.read` is allowed with the state read only",
            ),
            (r#"{"state":"read","user":"bob","notifications":[{"id":"n"}],"read":1}"#, "`data.read` must be true or false"),
        ] {
            let error = read(data).expect_err(data);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
