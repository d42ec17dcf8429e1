//! `[[users]]` and `[[tokens]]`: who is known, by what, and with which rights.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de};

use super::{
    error::Invalid,
    library::check_ids,
    password::PasswordHash,
    rights::{LibraryRights, PublishRights},
    secret::{Secret, TokenHash},
};
use crate::{clock::Timestamp, id::UserId};

/// One of `[[users]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id events and other systems know the user by; required, unique.
    pub id: UserId,
    /// The name people read. Default: the id.
    pub name: String,
    /// Server admin. Default false.
    pub admin: bool,
    /// What the user may see. Default: no library.
    pub libraries: LibraryRights,
    /// The user's token, from `token` or `token_sha256`. Default none: the user comes in by other means.
    pub token: Option<TokenHash>,
    /// An argon2id hash of the password, for protocols with a log-in. Default none: the user cannot log in.
    pub password_hash: Option<PasswordHash>,
    /// Whether items marked explicit are shown, for dialects that know such a right. Default: left to the dialect.
    pub explicit: Option<bool>,
    /// Only items with one of these tags are shown, for dialects that know such a right. Default: all.
    pub tags: Option<Vec<String>>,
    /// Refused wherever the user comes in. Default false.
    pub disabled: bool,
    /// The user's ids in other protocols, `{ mediabrowser = "…" }`: what that protocol's clients and servers call him. Default
    /// none: the id itself where it has the protocol's form, else one derived from it.
    pub ids: BTreeMap<String, String>,
}

/// One of `[[tokens]]`: a further token of a user, or an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// From `token` or `token_sha256`; exactly one is required.
    pub hash: TokenHash,
    /// Whose token it is; it sees what that user sees. Default none: an API key.
    pub user: Option<UserId>,
    /// Server admin; for API keys only, a user's token has the user's rights. Default false.
    pub admin: bool,
    /// What an API key may see. Default nothing but `request` events for what it may publish.
    pub read: Option<LibraryRights>,
    /// What it may publish. Default nothing.
    pub publish: PublishRights,
    /// Whether it reads metrics where that asks for a token, and does nothing else. Default false.
    pub metrics: bool,
    /// When it ends: RFC 3339 with an offset, as text or as a TOML date and time. Default never.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUser {
    id: UserId,
    name: Option<String>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    libraries: LibraryRights,
    token: Option<Secret>,
    token_sha256: Option<TokenHash>,
    password_hash: Option<Secret>,
    explicit: Option<bool>,
    tags: Option<Vec<String>>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    ids: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToken {
    token: Option<Secret>,
    token_sha256: Option<TokenHash>,
    user: Option<UserId>,
    #[serde(default)]
    admin: bool,
    read: Option<LibraryRights>,
    #[serde(default)]
    publish: PublishRights,
    #[serde(default)]
    metrics: bool,
    expires: Option<Expiry>,
}

/// Checks users and gives them the form everybody else uses.
pub(super) fn users(raw: Vec<RawUser>) -> Result<Vec<User>, Invalid> {
    let mut users: Vec<User> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let key = format!("users[{index}]");
        if let Some(first) = users.iter().position(|other| other.id == raw.id) {
            return Err(Invalid::new(format!("{key}.id"), format!("{:?} is already the id of users[{first}]", raw.id)));
        }
        let token = one_token(&key, raw.token, raw.token_sha256)?;
        let password_hash = raw.password_hash.map(PasswordHash::read).transpose();
        let password_hash = password_hash.map_err(|reason| Invalid::new(format!("{key}.password_hash"), reason))?;
        let name = raw.name.unwrap_or_else(|| raw.id.as_str().to_owned());
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Invalid::new(format!("{key}.name"), "must not be empty or contain control characters"));
        }
        check_ids(&format!("{key}.ids"), &raw.ids)?;
        for (dialect, own) in &raw.ids {
            if let Some(first) = users.iter().position(|other| other.ids.get(dialect) == Some(own)) {
                return Err(Invalid::new(format!("{key}.ids.{dialect}"), format!("is already the id of users[{first}]")));
            }
        }
        users.push(User {
            id: raw.id,
            name,
            admin: raw.admin,
            libraries: raw.libraries,
            token,
            password_hash,
            explicit: raw.explicit,
            tags: raw.tags,
            disabled: raw.disabled,
            ids: raw.ids,
        });
    }
    Ok(users)
}

/// Checks tokens, against each other and against the users.
pub(super) fn tokens(raw: Vec<RawToken>, users: &[User]) -> Result<Vec<Token>, Invalid> {
    let mut tokens = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let key = format!("tokens[{index}]");
        let hash = one_token(&key, raw.token, raw.token_sha256)?
            .ok_or_else(|| Invalid::new(format!("{key}.token"), "is missing: token or token_sha256 is needed"))?;
        if let Some(user) = &raw.user {
            check_users_token(&key, user, raw.admin || raw.read.is_some(), users)?;
        }
        let has_more = raw.user.is_some() || raw.admin || raw.read.is_some() || raw.publish != PublishRights::Nothing;
        if raw.metrics && has_more {
            return Err(Invalid::new(format!("{key}.metrics"), "must stand alone: a token for metrics does nothing else"));
        }
        let expires = raw.expires.map(|expiry| expiry.0);
        let (publish, metrics) = (raw.publish, raw.metrics);
        tokens.push(Token { hash, user: raw.user, admin: raw.admin, read: raw.read, publish, metrics, expires });
    }
    check_unique(users, &tokens)?;
    Ok(tokens)
}

fn check_users_token(key: &str, user: &UserId, has_rights: bool, users: &[User]) -> Result<(), Invalid> {
    if !users.iter().any(|known| known.id == *user) {
        return Err(Invalid::new(format!("{key}.user"), format!("{user:?} is not the id of one of [[users]]")));
    }
    if has_rights {
        return Err(Invalid::new(key, "admin and read are for tokens without user: this one has its user's rights"));
    }
    Ok(())
}

fn one_token(key: &str, token: Option<Secret>, hash: Option<TokenHash>) -> Result<Option<TokenHash>, Invalid> {
    match (token, hash) {
        (Some(_), Some(_)) => Err(Invalid::new(format!("{key}.token_sha256"), "must not be given beside token: one of them is enough")),
        (Some(token), None) => Ok(Some(TokenHash::of(token.expose()))),
        (None, hash) => Ok(hash),
    }
}

/// One token cannot be two credentials.
fn check_unique(users: &[User], tokens: &[Token]) -> Result<(), Invalid> {
    let of_users = users.iter().enumerate().filter_map(|(index, user)| Some((format!("users[{index}]"), user.token?)));
    let of_tokens = tokens.iter().enumerate().map(|(index, token)| (format!("tokens[{index}]"), token.hash));
    let mut seen = std::collections::HashMap::new();
    for (key, hash) in of_users.chain(of_tokens) {
        if let Some(first) = seen.insert(*hash.as_bytes(), key.clone()) {
            return Err(Invalid::new(format!("{key}.token"), format!("is already the token of {first}")));
        }
    }
    Ok(())
}

/// A moment, as text or as TOML's own date and time.
struct Expiry(Timestamp);

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpiryVisitor)
    }
}

struct ExpiryVisitor;

impl<'de> de::Visitor<'de> for ExpiryVisitor {
    type Value = Expiry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date and time with an offset, such as 2027-01-31T12:00:00Z")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Expiry, E> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
        Ok(Expiry(Timestamp(moment.as_millisecond())))
    }

    /// The `toml` crate hands a date and time on as a table with one private key.
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Expiry, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key == "$__toml_private_datetime" => self.visit_str(&text),
            _ => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }
}
