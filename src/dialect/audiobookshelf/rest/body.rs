//! What whoever has logged in is told: himself, and the settings of the server that clients ask for (wire notes, section 8).

use super::super::{
    json::{merged, or_null},
    place::{Place, Rights, SERVER_VERSION},
    shapes::user::{self, User},
};
use crate::{
    access::{LibraryRights, Principal},
    event::{Level, json::quote},
    id::UserId,
};

/// The tokens a body tells of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// What clients of the older kind keep.
    pub(super) token: Option<&'a str>,
    pub(super) access: Option<&'a str>,
    pub(super) refresh: Option<&'a str>,
}

/// What clients read of a server's settings; no such setting is ours.
const SETTINGS: &str = r#""id":"server-settings","scannerFindCovers":false,"scannerCoverProvider":"google","scannerParseSubtitle":false,"scannerPreferMatchedMetadata":false,"scannerDisableWatcher":false,"storeCoverWithItem":false,"storeMetadataWithItem":false,"metadataFileFormat":"json","rateLimitLoginRequests":10,"rateLimitLoginWindow":600000,"backupSchedule":false,"backupsToKeep":2,"maxBackupSize":1,"loggerDailyLogsToKeep":7,"loggerScannerLogsToKeep":2,"homeBookshelfView":1,"bookshelfView":1,"podcastEpisodeSchedule":"0 * * * *","sortingIgnorePrefix":false,"sortingPrefixes":["the"],"chromecastEnabled":false,"dateFormat":"MM/dd/yyyy","timeFormat":"HH:mm","language":"en-us","logLevel":2,"authActiveAuthMethods":["local"]"#;

/// The body of `/login`, `/api/authorize` and `/auth/refresh`.
pub(super) fn login_body((id, name): (&UserId, &str), principal: &Principal, tokens: Tokens<'_>, place: &Place) -> String {
    let rights = Rights {
        admin: principal.admin,
        disabled: false,
        libraries: principal.libraries.clone(),
        explicit: principal.explicit,
        tags: principal.tags.clone(),
    };
    let shown = place.user_id(id);
    // A guest is a user nobody names: he has no rights of his own.
    let kind = if principal.member { user::kind(principal.admin) } else { "guest" };
    let user = User { id: &shown, name, kind, rights: Some(&rights), last_seen: None, created: 0 };
    let (token, access, refresh) = (or_null(tokens.token), or_null(tokens.access), or_null(tokens.refresh));
    let tokens = format!(r#"{{"token":{token},"accessToken":{access},"refreshToken":{refresh}}}"#);
    let user = merged(&user.json("", place), &tokens);
    let library = or_null(first_library(principal, place));
    format!(
        r#"{{"user":{user},"userDefaultLibraryId":{library},"serverSettings":{{{SETTINGS},"version":{version}}},"ereaderDevices":[],"Source":"fanfare"}}"#,
        version = quote(SERVER_VERSION)
    )
}

/// The first of the libraries that he may read and that hold what these clients know.
fn first_library<'p>(principal: &Principal, place: &'p Place) -> Option<&'p str> {
    let may_read = |library| match &principal.libraries {
        _ if principal.admin => true,
        LibraryRights::Every(_) => true,
        LibraryRights::Named(_) => principal.has(library, Level::Read),
    };
    place.libraries().find(|(library, _)| place.media_type(library).is_some() && may_read(library)).map(|(_, shown)| shown)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Settings;

    #[test]
    fn a_body_tells_rights_tokens_and_a_library_to_begin_with() {
        let settings = Settings::parse(
            "[[libraries]]\nid = \"films\"\nkind = \"movies\"\n[[libraries]]\nid = \"books\"\nkind = \"books\"\n\
             ids = { audiobookshelf = \"c30c1edc-8df0-4713-a7f1-f1373f6db8e9\" }\n[[libraries]]\nid = \"casts\"\nkind = \"podcasts\"\n\
             [[users]]\nid = \"bob\"\nids = { audiobookshelf = \"0f6a9c0b-3d3e-4a52-9d0b-0d6f3f0b1c2d\" }\n",
        )
        .expect("valid");
        let place = Place::new(&settings.libraries, &settings.users);
        let body = |principal: &Principal, tokens: Tokens<'_>| -> Value {
            let bob = UserId::parse("bob").expect("an id");
            serde_json::from_str(&login_body((&bob, "B \"B\""), principal, tokens, &place)).expect("JSON")
        };
        let read = |library: &str| (crate::id::LibraryId::parse(library).expect("an id"), Level::Read);
        let reader = Principal {
            member: true,
            libraries: LibraryRights::Named([read("casts"), read("books")].into()),
            explicit: Some(false),
            tags: Some(vec!["kids".to_owned()]),
            ..Principal::default()
        };
        let told = body(&reader, Tokens { token: Some("t"), access: Some("a"), refresh: None });
        let user = &told["user"];
        assert_eq!((&user["id"], &user["username"]), (&json!("0f6a9c0b-3d3e-4a52-9d0b-0d6f3f0b1c2d"), &json!("B \"B\"")));
        assert_eq!((&user["token"], &user["accessToken"], &user["refreshToken"]), (&json!("t"), &json!("a"), &Value::Null));
        assert_eq!((&user["type"], &user["isActive"]), (&json!("user"), &json!(true)));
        let permissions = &user["permissions"];
        assert_eq!((&permissions["accessAllLibraries"], &permissions["accessExplicitContent"]), (&json!(false), &json!(false)));
        assert_eq!((&permissions["accessAllTags"], &user["itemTagsSelected"]), (&json!(false), &json!(["kids"])));
        assert_eq!(user["librariesAccessible"].as_array().map(Vec::len), Some(2));
        assert_eq!(told["userDefaultLibraryId"], "c30c1edc-8df0-4713-a7f1-f1373f6db8e9", "films are not for these clients");
        assert_eq!(told["serverSettings"]["version"], SERVER_VERSION);

        let none = Tokens { token: None, access: None, refresh: None };
        let admin = body(&Principal { member: true, admin: true, ..Principal::default() }, none);
        assert_eq!((&admin["user"]["type"], &admin["user"]["permissions"]["update"]), (&json!("admin"), &json!(true)));
        assert!(!admin["userDefaultLibraryId"].is_null());
        let guest = body(&Principal::default(), none);
        assert_eq!((&guest["user"]["type"], &guest["userDefaultLibraryId"]), (&json!("guest"), &Value::Null));
    }
}
