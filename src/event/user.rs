//! People: accounts, presence, messages to read, and what a client asks the media server to do.

use super::{
    Rule, Who,
    body::{Abridgement, Body},
    field::{FieldError, Source, one_of, optional_library, optional_user, pick, user},
    ids::{IdForm, ShownId},
    json::{Text, Value},
    object::{Action, Object},
    redact::Scope,
};
use crate::id::{LibraryId, UserId};

/// `user`: `{action, user:{id, name?, …}}`. That user and server admins see it; passwords and tokens only the latter.
#[derive(Debug, Clone)]
pub struct UserChange {
    /// What happened.
    pub action: Action,
    /// The user's id.
    pub user: UserId,
    /// The user.
    pub object: Object,
    pub(super) body: Body,
}

impl UserChange {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [action, object] = pick(value, ["action", "user"])?;
        let action = Action::read(action)?;
        let (user, object) = read_user(source, object)?;
        Ok(Self { action, user, object, body: Body::read(source, value, Abridgement::Secrets)? })
    }
}

/// `presence`: `{state: "online" | "offline", user:{id, name?, …}}`, for server admins. The engine makes it.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Whether the user came (his first connection) or went (his last one).
    pub online: bool,
    /// The user's id.
    pub user: UserId,
    /// The user.
    pub object: Object,
    pub(super) body: Body,
}

impl Presence {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [state, object] = pick(value, ["state", "user"])?;
        let online = one_of(state, "state", &[("online", true), ("offline", false)])?;
        let (user, object) = read_user(source, object)?;
        Ok(Self { online, user, object, body: Body::read(source, value, Abridgement::Secrets)? })
    }
}

fn read_user(source: Source<'_>, object: Option<Value<'_>>) -> Result<(UserId, Object), FieldError> {
    let object = object.ok_or_else(|| FieldError::new("user", "is required and must be an object"))?;
    let object = Object::read(source, object, Scope::User).map_err(|error| error.inside("user"))?;
    let user = UserId::parse(&object.id).map_err(|error| FieldError::new("user.id", error.to_string()))?;
    Ok((user, object))
}

/// Whose something is: a user's id, or an object with one.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user's id.
    pub id: UserId,
    /// What the publisher tells of the user beside the id.
    pub object: Option<Object>,
}

impl Person {
    pub(super) fn read(source: Source<'_>, value: Option<Value<'_>>, path: &'static str) -> Result<Self, FieldError> {
        match value {
            Some(object) if object.is_object() => {
                let (id, object) = read_user(source, Some(object))?;
                Ok(Self { id, object: Some(object) })
            }
            value => Ok(Self { id: user(value, path)?, object: None }),
        }
    }

    /// The user's name, if the publisher tells it.
    #[must_use]
    pub fn name(&self) -> Option<&Text> {
        self.object.as_ref()?.name.as_ref()
    }

    /// The user's id as that dialect shows it.
    #[must_use]
    pub fn shown_id(&self, dialect: &str) -> ShownId<'_> {
        let given = self.object.as_ref().and_then(|object| object.given_id(dialect));
        IdForm::of(dialect).show(given, self.id.as_str())
    }
}

/// `message`: `{text, header?, to?}`; `to` is `all` (also when absent), `user:ID` or `session:ID`.
#[derive(Debug, Clone)]
pub struct Message {
    /// What to read.
    pub text: Text,
    /// Its heading.
    pub header: Option<Text>,
    /// To whom: `Who::All`, `Who::User` or `Who::Session`.
    pub to: Who,
    pub(super) body: Body,
}

impl Message {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [text, header, to] = pick(value, ["text", "header", "to"])?;
        let to = source.optional_string(to, "to")?;
        let to = Who::parse_list(to.as_deref().unwrap_or("all")).ok().filter(|to| to.len() == 1).and_then(|mut to| to.pop());
        let to = to.filter(|to| matches!(to, Who::All | Who::User(_) | Who::Session(_)));
        Ok(Self {
            text: source.string(text, "text")?,
            header: source.optional_string(header, "header")?,
            to: to.ok_or_else(|| FieldError::new("to", "must be one of all, user:ID, session:ID"))?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        match &self.to {
            Who::User(user) => Rule::User(user.clone()),
            _ => Rule::Everyone,
        }
    }
}

/// `request`: `{kind, library?, target?, user?}`, for tokens that may publish for the library. The engine makes it.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked for, `cancel-scan` for example.
    pub kind: Text,
    /// The library it is about.
    pub library: Option<LibraryId>,
    /// What it is about (an activity's id, for example), as JSON text.
    pub target: Option<Text>,
    /// Who asks.
    pub user: Option<UserId>,
    pub(super) body: Body,
}

impl Request {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [kind, library, target, user] = pick(value, ["kind", "library", "target", "user"])?;
        Ok(Self {
            kind: source.id(kind, "kind")?,
            library: optional_library(library, "library")?,
            target: target.map(|target| source.piece(target)),
            user: optional_user(user, "user")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }
}
