//! The operator's own back end: a token is posted to it, and it answers in our words.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::question::{Said, agent, plain};
use crate::{
    access::{credential::Grant, granted::Granted, strict::Strict},
    clock::Timestamp,
    config::{Auth, LibraryRights, PublishRights},
    id::UserId,
};

/// The longest answer read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The callback.
pub(super) struct Callback {
    agent: ureq::Agent,
    address: String,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may hold a key in its query.
        f.write_str("Callback(…)")
    }
}

impl Callback {
    pub(super) fn new(settings: &Auth) -> Option<Self> {
        Some(Self { agent: agent(settings), address: settings.callback.clone()? })
    }

    /// Shows the token and waits for the answer.
    pub(super) fn ask(&self, token: &str) -> Said {
        let body = json!({"token": token}).to_string();
        let asked =
            self.agent.post(&self.address).header("content-type", "application/json").header("accept", "application/json").send(body);
        let mut answer = match asked {
            Ok(answer) => answer,
            Err(error) => return Said::Unavailable(plain(&error).to_owned()),
        };
        match answer.status().as_u16() {
            200 => match answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec() {
                Ok(bytes) => read(&bytes).unwrap_or_else(|| Said::Unavailable("its answer is not as it must be".to_owned())),
                Err(error) => Said::Unavailable(plain(&error).to_owned()),
            },
            401 | 403 | 404 => Said::Refused,
            status => Said::Unavailable(format!("it answers {status}")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    user: Option<UserId>,
    admin: Option<bool>,
    libraries: Option<LibraryRights>,
    publish: Option<PublishRights>,
    explicit: Option<bool>,
    tags: Option<Vec<String>>,
    expires: Option<Value>,
}

/// Reads an answer; `None` when it says something else than it may, or nothing about anybody.
fn read(bytes: &[u8]) -> Option<Said> {
    let Strict(json) = serde_json::from_slice(bytes).ok()?;
    json.is_object().then_some(())?;
    let answer: Answer = serde_json::from_value(json).ok()?;
    let expires = match &answer.expires {
        None => None,
        Some(Value::String(text)) => Some(Timestamp(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())),
        Some(number) => Some(Timestamp(i64::try_from(number.as_u64()?).ok()?.checked_mul(1000)?)),
    };
    let alone = answer.admin.is_some()
        || answer.libraries.is_some()
        || answer.publish.is_some()
        || answer.explicit.is_some()
        || answer.tags.is_some();
    (alone || answer.user.is_some()).then_some(())?;
    let granted = Granted {
        admin: answer.admin.unwrap_or_default(),
        libraries: answer.libraries,
        publish: answer.publish.unwrap_or_default(),
        explicit: answer.explicit,
        tags: answer.tags,
    };
    let own = if alone { granted.into_principal() } else { Granted::default().into_principal() };
    Some(Said::Granted(Box::new(Grant { user: answer.user, name: None, own, alone }), expires))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_is_wholly_understood_lets_anybody_in() {
        let granted = |text: &str| match read(text.as_bytes()) {
            Some(Said::Granted(grant, expires)) => Some((*grant, expires)),
            _ => None,
        };
        let (bob, _) = granted(r#"{"user":"bob"}"#).expect("a user");
        assert!(!bob.alone && bob.user.is_some());
        let (key, expires) = granted(r#"{"libraries":"read","expires":"2027-01-31T12:00:00Z"}"#).expect("rights");
        assert!(key.alone && key.user.is_none() && key.own.member);
        assert_eq!(expires, Some(Timestamp(1_801_396_800_000)));
        assert_eq!(granted(r#"{"user":"bob","expires":1801396800}"#).expect("seconds").1, expires);
        let bad = [
            "",
            "null",
            "true",
            "[]",
            "{}",
            r#"{"user":null}"#,
            r#"{"user":""}"#,
            r#"{"user":1}"#,
            r#"{"user":"bob","admin":"yes"}"#,
            r#"{"user":"bob","disabled":true}"#,
            r#"{"user":"bob","user":"root"}"#,
            r#"{"user":"bob","libraries":"all"}"#,
            r#"{"user":"bob","expires":"tomorrow"}"#,
            r#"{"user":"bob","expires":-1}"#,
            r#"{"user":"bob","expires":1.5}"#,
            r#"{"user":"bob"} x"#,
            r#"["bob",true,null,null,null,null,null]"#,
            r#"{"user":"bob","publish":{"types":["presence"]}}"#,
        ];
        for bad in bad {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
