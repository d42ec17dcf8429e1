//! Users and their notifications.

use bytes::BytesMut;

use super::{
    super::{message::put, place::Place, user_dto::UserDto, values},
    DIALECT, overlay,
};
use crate::event::{Action, Event, Notification, NotificationState, UserChange, json::quote, without_user_secrets};

/// `UserUpdated` and `UserDeleted`. What the user may do is not told: whoever publishes the change need not know.
pub(super) fn put_user(change: &UserChange, event: &Event, place: &Place, out: &mut BytesMut) {
    let id = place.account_id(&change.object, &change.user);
    if change.action == Action::Deleted {
        return put(out, "UserDeleted", Some(&quote(&id)));
    }
    let name = change.object.name.as_deref().unwrap_or_else(|| change.user.as_str());
    let user = UserDto { id, name, server: &place.server, rights: None }.json();
    let overlays = [event.overlay(DIALECT), change.object.overlay(DIALECT)];
    let user = overlays.into_iter().flatten().fold(user, |user, over| overlay::merged(&user, &without_user_secrets(over)));
    put(out, "UserUpdated", Some(&user));
}

/// `NotificationAdded` and `NotificationUpdated`, one message each, and `NotificationsMarkedRead`, one for all: texts, not
/// objects (wire notes, section 5.8).
pub(super) fn put_notifications(notification: &Notification, place: &Place, out: &mut BytesMut) {
    let user = place.person_id(&notification.user);
    let ids = notification.items.iter().map(|item| item.shown_id(DIALECT).text);
    let kind = match notification.state {
        NotificationState::Added => "NotificationAdded",
        NotificationState::Updated => "NotificationUpdated",
        NotificationState::Read => {
            let ids: Vec<_> = ids.collect();
            let text = format!("{}|{user}|{}", ids.join("|"), notification.read);
            return put(out, "NotificationsMarkedRead", Some(&quote(&text)));
        }
    };
    for id in ids {
        put(out, kind, Some(&quote(&format!("{}|{}", values::dashed(&user), values::dashed(&id)))));
    }
}
