//! What an event is about: every id it tells clients of, for whoever must understand it when it comes back.

use std::borrow::Cow;

use super::{Change, Command, Event, Object, Person};

impl Event {
    /// Calls `see` with the id of everything the event names – libraries, items, users and sessions alike – and before it the
    /// one its publisher gave for that dialect, if he gave one.
    pub fn each_id(&self, dialect: &str, mut see: impl FnMut(Option<Cow<'_, str>>, &str)) {
        if let (Some(library), false) = (self.library(), matches!(self, Self::Library(_))) {
            see(None, library.as_str());
        }
        match self {
            Self::Library(event) => object(&event.object, dialect, &mut see),
            Self::Medias(event)
            | Self::Episodes(event)
            | Self::Series(event)
            | Self::Movies(event)
            | Self::People(event)
            | Self::Tags(event)
            | Self::Collections(event) => changes(&event.items, dialect, &mut see),
            Self::Playlists(event) => {
                see(None, event.user.as_str());
                changes(&event.items, dialect, &mut see);
            }
            Self::UploadProgress(event) => see(None, &event.media),
            Self::ConvertProgress(event) => see(None, &event.media),
            Self::MediaProgress(event) => {
                see(None, event.user.as_str());
                see(None, &event.media);
            }
            Self::MediaRating(event) => {
                see(None, event.user.as_str());
                see(None, &event.media);
            }
            Self::Playback(event) => {
                see(event.body.given_id(dialect), &event.session);
                person(&event.user, dialect, &mut see);
                object(&event.item, dialect, &mut see);
            }
            Self::Transcode(event) => person(&event.user, dialect, &mut see),
            Self::Activity(event) => event.user.iter().for_each(|user| person(user, dialect, &mut see)),
            Self::User(event) => object(&event.object, dialect, &mut see),
            Self::Presence(event) => object(&event.object, dialect, &mut see),
            Self::Notification(event) => {
                person(&event.user, dialect, &mut see);
                event.items.iter().for_each(|item| object(item, dialect, &mut see));
            }
            Self::RemoteControl(event) => told(&event.command, &mut see),
            Self::BackgroundQueue(event) => see(event.body.given_id(dialect), &event.queue),
            // They name nothing but a library.
            Self::LibraryStatus(_)
            | Self::Backups(_)
            | Self::BackupsFiles(_)
            | Self::Scan(_)
            | Self::Preference(_)
            | Self::Reachability(_)
            | Self::Log(_)
            | Self::Server(_)
            | Self::Message(_)
            | Self::Request(_)
            | Self::Stats(_)
            | Self::Raw(_) => {}
        }
    }
}

fn changes(changes: &[Change], dialect: &str, see: &mut impl FnMut(Option<Cow<'_, str>>, &str)) {
    for change in changes {
        object(&change.object, dialect, see);
    }
}

fn object(object: &Object, dialect: &str, see: &mut impl FnMut(Option<Cow<'_, str>>, &str)) {
    see(object.given_id(dialect), &object.id);
}

fn told(command: &Command, see: &mut impl FnMut(Option<Cow<'_, str>>, &str)) {
    match command {
        Command::Browse(browse) => see(None, &browse.id),
        Command::Play(play) => play.items.iter().for_each(|item| see(None, item)),
        Command::Playstate { .. } | Command::General { .. } => {}
    }
}

fn person(person: &Person, dialect: &str, see: &mut impl FnMut(Option<Cow<'_, str>>, &str)) {
    see(person.object.as_ref().and_then(|object| object.given_id(dialect)), person.id.as_str());
}

#[cfg(test)]
mod tests {
    use crate::event::{EventKind, samples::sample_event};

    fn ids(kind: EventKind) -> Vec<(Option<String>, String)> {
        let mut ids = Vec::new();
        sample_event(kind).each_id("plex", |given, id| ids.push((given.map(std::borrow::Cow::into_owned), id.to_owned())));
        ids
    }

    #[test]
    fn items_libraries_users_and_sessions_are_named_with_what_was_given() {
        let own = |id: &str| (None, id.to_owned());
        assert_eq!(ids(EventKind::Movies), [own("films"), own("f1"), own("f2")]);
        assert_eq!(ids(EventKind::Playback), [own("29"), own("bob"), own("144504")]);
        assert_eq!(ids(EventKind::Activity), [own("films"), (Some("2".to_owned()), "bob".to_owned())]);
        assert_eq!(ids(EventKind::Library), [own("films")], "once");
        assert_eq!(ids(EventKind::Server), []);
    }
}
