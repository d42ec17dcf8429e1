//! The people every test knows, and the events they are sent.

use serde_json::{Value, json};

/// Users of every level for library `lib1`, an API key that may publish, and one that may publish for `lib1` only.
pub(crate) const PEOPLE: &str = r#"
[[users]]
id = "root"
token = "token-of-root-0123456789abcdef0123456789"
admin = true

[[users]]
id = "libadmin"
token = "token-of-libadmin-0123456789abcdef0123456789"
libraries = { lib1 = "admin" }

[[users]]
id = "writer"
token = "token-of-writer-0123456789abcdef0123456789"
libraries = { lib1 = "write" }

[[users]]
id = "reader"
token = "token-of-reader-0123456789abcdef0123456789"
libraries = { lib1 = "read" }

[[users]]
id = "owner"
token = "token-of-owner-0123456789abcdef0123456789"
libraries = { lib1 = "read" }

[[users]]
id = "stranger"
token = "token-of-stranger-0123456789abcdef0123456789"
libraries = { lib2 = "read" }

[[users]]
id = "guest"
token = "token-of-guest-0123456789abcdef0123456789"

[[tokens]]
token = "token-of-publisher-0123456789abcdef0123456789"
publish = true

[[tokens]]
token = "token-of-lib1-publisher-0123456789abcdef0123456789"
publish = { libraries = ["lib1"], types = ["medias"] }
"#;

/// The token of a person in [`PEOPLE`].
pub(crate) fn token_of(name: &str) -> String {
    format!("token-of-{name}-0123456789abcdef0123456789")
}

/// A `medias` event of one added photo.
pub(crate) fn medias(library: &str, id: &str) -> Value {
    json!({"type": "medias", "data": {"library": library, "medias": [
        {"action": "Added", "media": {"id": id, "name": format!("{id}.jpg"), "type": "photo"}}
    ]}})
}

/// A `media_progress` event, which only that user gets, whatever libraries he may read.
pub(crate) fn progress_of(user: &str, media: &str) -> Value {
    json!({"type": "media_progress", "data": {"library": "lib1",
        "progress": {"mediaRef": media, "userRef": user, "progress": 125_000, "modified": 1_768_600_000_000_i64}}})
}
