//! Takes secrets out of what everybody but server admins may see.
//!
//! From `library` objects: `root`, `settings`, `credentials`, `password` and tokens (event map, section 1); from `user`
//! objects: `password` and tokens. At every depth inside such an object: a field less is better than a secret too many.

use std::borrow::Cow;

use super::json::{ObjectWriter, Value};

/// What kind of object we are in, which decides what is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Outside,
    Library,
    User,
}

/// A publisher's JSON without the secrets of `library` and `user` objects in it, for encoders that show everybody the same.
#[must_use]
pub fn without_secrets(compact: &str) -> Cow<'_, str> {
    redact(Value::of_compact(compact), Scope::Outside).map_or(Cow::Borrowed(compact), Cow::Owned)
}

/// The same for what tells of a user all by itself: its own `password` and tokens go, too.
#[must_use]
pub fn without_user_secrets(compact: &str) -> Cow<'_, str> {
    redact(Value::of_compact(compact), Scope::User).map_or(Cow::Borrowed(compact), Cow::Owned)
}

/// The text without secrets; `None` when it holds none, the common case.
pub(super) fn redact(value: Value<'_>, scope: Scope) -> Option<String> {
    if scope == Scope::Outside && !may_hold_secrets(value.text()) {
        return None;
    }
    let mut out = String::with_capacity(value.text().len());
    let mut found = false;
    copy(value, scope, &mut out, &mut found);
    found.then_some(out)
}

/// Whether there could be a `library` or `user` object at all, alone, in a list or in a map; a name may be written with
/// escapes. Most messages name their library or user by its id, which is no reason to look closer.
fn may_hold_secrets(text: &str) -> bool {
    let holds_objects = |name: &str| text.match_indices(name).any(|(at, _)| text[at + name.len()..].starts_with(['{', '[']));
    ["\"library\":", "\"libraries\":", "\"user\":", "\"users\":"].into_iter().any(holds_objects) || text.contains("\\u00")
}

fn copy(value: Value<'_>, scope: Scope, out: &mut String, found: &mut bool) {
    if value.is_object() {
        let mut object = ObjectWriter::open(out);
        for field in value.fields() {
            if is_secret(&field.name, scope) {
                *found = true;
            } else {
                copy(field.value, inner_scope(&field.name, scope), object.lexeme(field.lexeme), found);
            }
        }
        return object.close();
    }
    if !value.is_array() {
        return out.push_str(value.text());
    }
    out.push('[');
    for (index, item) in value.items().enumerate() {
        if index > 0 {
            out.push(',');
        }
        copy(item, scope, out, found);
    }
    out.push(']');
}

fn inner_scope(name: &str, scope: Scope) -> Scope {
    match name {
        "library" | "libraries" => Scope::Library,
        "user" | "users" => Scope::User,
        _ => scope,
    }
}

fn is_secret(name: &str, scope: Scope) -> bool {
    let token = name == "token" || name == "tokens" || name.ends_with("_token") || name.ends_with("Token");
    match scope {
        Scope::Outside => false,
        Scope::Library => token || matches!(name, "root" | "settings" | "credentials" | "password"),
        Scope::User => token || name == "password",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> Option<String> {
        redact(Value::of_compact(text), Scope::Outside)
    }

    #[test]
    fn a_library_loses_its_secrets_and_keeps_the_rest() {
        let text = r#"{"action":"Added","library":{"id":"l","root":"/srv","settings":{"x":1},"credentials":"c","p\u0061ssword":"p","token":"t","api_token":"t","accessToken":"t","size":1.50,"plugin":{"refreshToken":"t","n":1}}}"#;
        assert_eq!(redacted(text).expect("secrets"), r#"{"action":"Added","library":{"id":"l","size":1.50,"plugin":{"n":1}}}"#);
    }

    #[test]
    fn secrets_are_found_in_lists_and_maps_of_such_objects() {
        for (name, secret) in [("library", "root"), ("libraries", "credentials"), ("user", "password"), ("users", "token")] {
            for (open, close) in [("", ""), ("[", "]"), ("{\"a\":", "}")] {
                let text = |object: &str| format!(r#"{{"x":{{"{name}":{open}{object}{close}}}}}"#);
                let told = redacted(&text(&format!(r#"{{"id":"i","{secret}":"s"}}"#)));
                assert_eq!(told, Some(text(r#"{"id":"i"}"#)), "{name} {open}");
            }
        }
        assert!(!may_hold_secrets(r#"{"library":"l","user":"u","libraries":null}"#));
    }

    #[test]
    fn what_tells_of_a_user_loses_its_own_secrets_at_the_top() {
        let text = r#"{"password":"p","authToken":"t","title":"Bob","library":{"root":"/srv","id":"l"}}"#;
        assert_eq!(without_user_secrets(text), r#"{"title":"Bob","library":{"id":"l"}}"#);
        assert_eq!(without_secrets(r#"{"token":"t"}"#), r#"{"token":"t"}"#, "of nobody in particular");
    }

    #[test]
    fn other_objects_keep_such_fields() {
        assert_eq!(redacted(r#"{"library":"l","medias":[{"media":{"root":"r","settings":{},"token":"t"}}]}"#), None);
        assert_eq!(redacted(r#"{"user":{"id":"u","settings":1,"token":"t"}}"#).as_deref(), Some(r#"{"user":{"id":"u","settings":1}}"#));
        assert_eq!(redacted(r#"{"medias":[{"libraries":[{"root":"r"}]}]}"#).as_deref(), Some(r#"{"medias":[{"libraries":[{}]}]}"#));
    }
}
