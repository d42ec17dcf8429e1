//! `UserDto`: a user as its clients read one (wire notes on MediaBrowser, section 5.7).

use crate::event::json::{ObjectWriter, quote};

/// What is told of a user.
pub(super) struct UserDto<'a> {
    /// 32 hexadecimal digits.
    pub(super) id: String,
    pub(super) name: &'a str,
    pub(super) server: &'a str,
    /// What he may do; `None`: whoever tells of him does not know, and clients keep what they have.
    pub(super) rights: Option<Rights>,
}

/// What a user may do, as far as clients read it.
pub(super) struct Rights {
    pub(super) admin: bool,
    pub(super) disabled: bool,
    /// The libraries he may read; `None`: all of them.
    pub(super) folders: Option<Vec<String>>,
}

/// What a client may find in `Configuration`: the preferences of the client itself, which nobody keeps here.
const CONFIGURATION: &str = r#"{"PlayDefaultAudioTrack":true,"SubtitleLanguagePreference":"","DisplayMissingEpisodes":false,"GroupedFolders":[],"SubtitleMode":"Default","DisplayCollectionsView":false,"EnableLocalPassword":false,"OrderedViews":[],"LatestItemsExcludes":[],"MyMediaExcludes":[],"HidePlayedInLatest":true,"RememberAudioSelections":true,"RememberSubtitleSelections":true,"EnableNextEpisodeAutoPlay":true}"#;

/// What no right here says anything of.
const POLICY: &str = r#""IsHidden":true,"EnableCollectionManagement":false,"EnableSubtitleManagement":false,"EnableLyricManagement":false,"BlockedTags":[],"AllowedTags":[],"EnableUserPreferenceAccess":true,"AccessSchedules":[],"BlockUnratedItems":[],"EnableSharedDeviceControl":false,"EnableRemoteAccess":true,"EnableLiveTvManagement":false,"EnableLiveTvAccess":false,"EnableMediaPlayback":true,"EnableAudioPlaybackTranscoding":true,"EnableVideoPlaybackTranscoding":true,"EnablePlaybackRemuxing":true,"ForceRemoteSourceTranscoding":false,"EnableContentDeletion":false,"EnableContentDeletionFromFolders":[],"EnableContentDownloading":true,"EnableSyncTranscoding":false,"EnableMediaConversion":false,"EnabledDevices":[],"EnableAllDevices":true,"EnabledChannels":[],"EnableAllChannels":false,"InvalidLoginAttemptCount":0,"LoginAttemptsBeforeLockout":-1,"MaxActiveSessions":0,"EnablePublicSharing":false,"BlockedMediaFolders":[],"BlockedChannels":[],"RemoteClientBitrateLimit":0,"AuthenticationProviderId":"Fanfare","PasswordResetProviderId":"Fanfare","SyncPlayAccess":"None""#;

impl UserDto<'_> {
    /// As JSON text.
    pub(super) fn json(&self) -> String {
        let mut out = String::with_capacity(2048);
        let mut user = ObjectWriter::open(&mut out);
        user.field("Name", &quote(self.name)).field("ServerId", &quote(self.server)).field("Id", &quote(&self.id));
        user.field("HasPassword", "true").field("HasConfiguredPassword", "true").field("HasConfiguredEasyPassword", "false");
        user.field("EnableAutoLogin", "false").field("Configuration", CONFIGURATION);
        if let Some(rights) = &self.rights {
            rights.write(user.name("Policy"));
        }
        user.close();
        out
    }
}

impl Rights {
    fn write(&self, out: &mut String) {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let mut policy = ObjectWriter::open(out);
        policy.field("IsAdministrator", flag(self.admin)).field("IsDisabled", flag(self.disabled));
        policy.field("EnableRemoteControlOfOtherUsers", flag(self.admin));
        policy.field("EnableAllFolders", flag(self.folders.is_none()));
        let folders: Vec<String> = self.folders.iter().flatten().map(|folder| quote(folder)).collect();
        policy.field("EnabledFolders", &format!("[{}]", folders.join(",")));
        policy.close();
        out.pop();
        out.push(',');
        out.push_str(POLICY);
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::{super::values, *};

    #[test]
    fn a_user_is_whole_json_with_and_without_rights() {
        let rights = Rights { admin: true, disabled: false, folders: Some(vec!["f".repeat(32)]) };
        let mut user = UserDto { id: values::shown("bob"), name: "B\"ob", server: "s", rights: Some(rights) };
        let json: serde_json::Value = serde_json::from_str(&user.json()).expect("JSON");
        assert_eq!((&json["Name"], &json["Policy"]["IsAdministrator"]), (&"B\"ob".into(), &true.into()));
        assert_eq!(json["Policy"]["EnabledFolders"], serde_json::json!(["f".repeat(32)]));
        user.rights = None;
        let json: serde_json::Value = serde_json::from_str(&user.json()).expect("JSON");
        assert_eq!(json.get("Policy"), None);
    }
}
