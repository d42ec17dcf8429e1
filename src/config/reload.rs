//! What is different between two settings, and what of it can be put in force while a server runs.

use std::collections::HashMap;

use serde_json::Value;

use super::{Settings, User};
use crate::id::UserId;

/// Keys whose new values count at once.
const LIVE: [&str; 19] = [
    "users",
    "tokens",
    "server.log",
    "limits.connections",
    "limits.connections_per_user",
    "limits.connections_per_address",
    "limits.unidentified",
    "limits.unidentified_per_address",
    "limits.event_bytes",
    "limits.event_items",
    "limits.event_depth",
    "limits.batch_events",
    "limits.body_bytes",
    "limits.body",
    "limits.head",
    "limits.inbound_bytes",
    "limits.inbound_fragments",
    "limits.inbound_per_minute",
    "limits.bad_tokens_per_minute",
];

/// Keys whose new values count at once where both settings have a certificate: whether TLS is spoken is settled at the start.
const LIVE_WITH_TLS: [&str; 2] = ["tls.cert", "tls.key"];

/// What has changed from one to another, by its keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// What can be put in force at once.
    pub live: Vec<String>,
    /// What counts only after a restart.
    pub after_restart: Vec<String>,
}

impl Settings {
    /// What is different in other settings.
    #[must_use]
    pub fn difference(&self, next: &Self) -> Difference {
        let mut keys = Vec::new();
        let (before, after) = (self.shown(), next.shown());
        for section in ["server", "tls", "engine", "limits", "folder", "dialects", "jwt", "auth"] {
            different(section, before.get(section), after.get(section), &mut keys);
        }
        // Their secrets are not shown, so they are compared themselves.
        let hidden = [("jwt", self.jwt != next.jwt), ("auth", self.auth != next.auth)];
        keys.extend(
            hidden
                .into_iter()
                .filter(|(name, is)| *is && !keys.iter().any(|key| key.starts_with(name)))
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>(),
        );
        let lists =
            [("libraries", self.libraries != next.libraries), ("users", self.users != next.users), ("tokens", self.tokens != next.tokens)];
        keys.extend(lists.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_owned()));
        let is_live = |key: &str| LIVE.contains(&key) || (self.keeps_tls(next) && LIVE_WITH_TLS.contains(&key));
        let (live, mut after_restart): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| is_live(key));
        after_restart.extend(self.differently_called(next));
        Difference { live, after_restart }
    }

    /// These settings with what can be put in force at once of others: what a server that has reloaded those runs with.
    #[must_use]
    pub fn reloaded(&self, next: &Self) -> Self {
        let mut settings = self.clone();
        settings.users.clone_from(&next.users);
        settings.tokens.clone_from(&next.tokens);
        settings.server.log.clone_from(&next.server.log);
        settings.limits.clone_from(&next.limits);
        if self.keeps_tls(next) {
            settings.tls.clone_from(&next.tls);
        }
        settings
    }

    fn keeps_tls(&self, next: &Self) -> bool {
        self.tls.pair().is_some() && next.tls.pair().is_some()
    }

    /// Dialects know from the start what users are called.
    fn differently_called(&self, next: &Self) -> Option<String> {
        let called = |user: &User| (user.name.clone(), user.ids.clone());
        let before: HashMap<&UserId, &User> = self.users.iter().map(|user| (&user.id, user)).collect();
        let is_other = |user: &&User| match before.get(&user.id) {
            Some(before) => called(before) != called(user),
            None => user.name != user.id.as_str() || !user.ids.is_empty(),
        };
        next.users.iter().any(|user| is_other(&user)).then(|| "users: names, and ids in other protocols".to_owned())
    }
}

fn different(path: &str, before: Option<&Value>, after: Option<&Value>, keys: &mut Vec<String>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let gone = before.keys().filter(|key| !after.contains_key(*key));
            for key in after.keys().chain(gone) {
                different(&format!("{path}.{key}"), before.get(key), after.get(key), keys);
            }
        }
        (before, after) if before != after => keys.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        Settings::parse(text).expect("valid settings")
    }

    #[test]
    fn what_differs_is_named_and_sorted_by_when_it_counts() {
        let before = settings("[[users]]\nid = \"bob\"\ntoken = \"a-token\"");
        let after = settings(
            "[server]\nname = \"Other\"\nlog = \"debug\"\n[engine]\nworkers = 7\n[limits]\nconnections_per_user = 3\nhead = \"9s\"\n\
             [dialects.plex]\nenabled = false\n[jwt]\nkeys = [{ algorithm = \"HS256\", secret = \"0123456789012345678901234567890123\" }]\n\
             [[users]]\nid = \"bob\"\ntoken = \"another-token\"\n[[users]]\nid = \"ann\"\nname = \"Ann\"",
        );
        let Difference { mut live, mut after_restart } = before.difference(&after);
        live.sort();
        after_restart.sort();
        assert_eq!(live, ["limits.connections_per_user", "limits.head", "server.log", "users"]);
        let restart = ["dialects.plex.enabled", "engine.shards", "engine.workers", "jwt.keys", "server.name"];
        assert!(restart.iter().all(|key| after_restart.iter().any(|found| found == key) || *key == "engine.shards"), "{after_restart:?}");
        assert!(after_restart.iter().any(|key| key.starts_with("users: names")), "{after_restart:?}");
        assert_eq!(before.difference(&before), Difference::default());
    }

    #[test]
    fn what_was_reloaded_is_no_difference_any_more_and_the_rest_stays_one() {
        let (before, after) = (settings(""), settings("[limits]\nevent_items = 300\n[folder]\nbatch = 9\n[[users]]\nid = \"bob\""));
        let running = before.reloaded(&after);
        assert_eq!(running.difference(&after), Difference { live: Vec::new(), after_restart: vec!["folder.batch".to_owned()] });
        assert_eq!(after.reloaded(&before).users, before.users);
    }

    #[test]
    fn every_limit_counts_at_once() {
        let shown = settings("").shown();
        let limits = shown["limits"].as_object().expect("a table");
        let missing: Vec<_> = limits.keys().map(|key| format!("limits.{key}")).filter(|key| !LIVE.contains(&key.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn another_certificate_counts_at_once_and_whether_there_is_one_does_not() {
        let [none, old, new] = ["", "[tls]\ncert = \"old\"\nkey = \"old\"", "[tls]\ncert = \"new\"\nkey = \"old\""].map(settings);
        assert_eq!(old.difference(&new), Difference { live: vec!["tls.cert".to_owned()], after_restart: Vec::new() });
        assert_eq!(old.reloaded(&new).tls, new.tls);
        for (before, after) in [(&none, &old), (&old, &none)] {
            let Difference { live, after_restart } = before.difference(after);
            assert!(live.is_empty() && after_restart.iter().all(|key| key.starts_with("tls")) && !after_restart.is_empty());
            assert_eq!(before.reloaded(after).tls, before.tls);
        }
    }
}
