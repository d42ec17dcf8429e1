//! One realistic message of each kind, for tests, benches and the descriptions that `schema` makes.

use super::{Event, EventKind};

/// The `data` a publisher would send.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one message of each kind")]
pub const fn sample(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Library => {
            r#"{"action":"Updated","library":{"id":"films","name":"Films","type":"movies","root":"/srv/films","settings":{"faceThreshold":0.50},"credentials":"c1","plugin":null,"hidden":false}}"#
        }
        EventKind::LibraryStatus => r#"{"message":"scan 10/200","library":"films","progress":5}"#,
        EventKind::Medias => {
            r#"{"library":"photos","medias":[{"action":"Added","media":{"id":"m-0001","name":"IMG_201112.jpg","type":"photo","mimetype":"image/jpeg","size":3482112,"added":1768600000000,"modified":1768600000000,"rating":4.50,"tags":[{"id":"t1"}]}}]}"#
        }
        EventKind::UploadProgress => r#"{"library":"photos","mediaId":"m-0002","progress":42.5,"filename":"holiday.mp4"}"#,
        EventKind::ConvertProgress => r#"{"library":"films","mediaId":"m-0003","progress":42,"status":"processing"}"#,
        EventKind::Episodes => {
            r#"{"library":"shows","episodes":[{"action":"Added","episode":{"serie":"s1","season":1,"number":2,"name":"The Second","airdate":1768600000000}}]}"#
        }
        EventKind::Series => {
            r#"{"library":"shows","series":[{"action":"Updated","serie":{"id":"s1","name":"Some Series","year":2024,"imdbRating":7.90}}]}"#
        }
        EventKind::Movies => {
            r#"{"library":"films","movies":[{"action":"Added","movie":{"id":"f1","name":"Some Film","type":"movie","year":1999}},{"action":"Deleted","movie":{"id":"f2"}}]}"#
        }
        EventKind::People => {
            r#"{"library":"films","people":[{"action":"Updated","person":{"id":"p1","name":"Zo\u00eb Kravitz","socials":[]}}]}"#
        }
        EventKind::Tags => r#"{"library":"photos","tags":[{"action":"Deleted","tag":{"id":"t1","name":"Beach","path":"/places/"}}]}"#,
        EventKind::Collections => {
            r#"{"library":"films","collections":[{"action":"Updated","collection":{"id":"c1","name":"Film noir","ids":{"plex":"5501"},"items":["f1"]}}]}"#
        }
        EventKind::Playlists => r#"{"user":"bob","playlists":[{"action":"Added","playlist":{"id":"pl1","name":"Sunday","items":["f1"]}}]}"#,
        EventKind::Backups => {
            r#"{"action":"Updated","backup":{"backup":{"id":"b1","name":"Nightly","library":"films","schedule":"0 3 * * *"},"status":{"library":"films","backup":"b1","status":"inProgress","total":200,"current":17}}}"#
        }
        EventKind::BackupsFiles => r#"{"library":"films","file":"m-0003","progress":42}"#,
        EventKind::MediaProgress => {
            r#"{"library":"films","progress":{"userRef":"bob","mediaRef":"m-0003","progress":125000,"modified":1768600000000}}"#
        }
        EventKind::MediaRating => {
            r#"{"library":"films","rating":{"userRef":"bob","mediaRef":"m-0003","rating":4.5,"modified":1768600000000}}"#
        }
        EventKind::Playback => PLAYBACK,
        EventKind::Transcode => TRANSCODE,
        EventKind::Scan => {
            r#"{"library":"films","name":"Films","state":"finished","progress":100,"results":{"added":3,"updated":1,"missing":0}}"#
        }
        EventKind::Activity => ACTIVITY,
        EventKind::Preference => PREFERENCE,
        EventKind::Reachability => r#"{"reachable":true}"#,
        EventKind::BackgroundQueue => r#"{"queue":"1","event":"queueRegenerated"}"#,
        EventKind::Log => r#"{"level":"warn","message":"disk almost full","source":"storage","timestamp":1768600000000}"#,
        EventKind::Server => r#"{"state":"restarting","reason":"update"}"#,
        EventKind::Message => r#"{"text":"The server restarts in 5 minutes.","header":"Maintenance","to":"all"}"#,
        EventKind::User => r#"{"action":"Updated","user":{"id":"bob","name":"Bob","token":"never-shown","settings":{"theme":"dark"}}}"#,
        EventKind::Notification => {
            r#"{"state":"added","user":"bob","notifications":[{"id":"n1","name":"Some Film is here","level":"normal","url":null}]}"#
        }
        EventKind::RemoteControl => {
            r#"{"to":"session:0-0-0","user":"bob","play":{"items":["f1","f2"],"command":"PlayNow","position":10000,"audio":1}}"#
        }
        EventKind::Presence => r#"{"state":"online","user":{"id":"bob","name":"Bob"}}"#,
        EventKind::Request => r#"{"kind":"cancel-scan","library":"films","target":"scan-1","user":"bob"}"#,
        EventKind::Stats => STATS,
        EventKind::Raw => r#"{"dialect":"redseat","name":"watched","payload":{"type":"movie","id":"imdb:tt0133093","date":1768600000000}}"#,
    }
}

/// The sample as an event.
///
/// # Panics
/// Never: a test reads every sample.
#[must_use]
#[expect(clippy::expect_used, reason = "the samples are constants, and a test reads each of them")]
pub fn sample_event(kind: EventKind) -> Event {
    Event::parse(kind, sample(kind)).expect("a sample is a valid message")
}

// Of one dialect, shard and worker, where nobody was behind.
const STATS: &str = r#"{"at":1768600000000,"seconds":1.0,"connections":12,"lagging":0,"published":25.0,"offered":300.0,"delivered":300.0,"skipped":0.0,"bytes":61200.0,"opened":1.0,"closed":0.0,"latency_ms":{"p50":0.25,"p95":0.5,"p99":1.0,"p999":2.5},"dialects":[{"dialect":"redseat","connections":12,"lagging":0,"delivered":300.0,"skipped":0.0,"latency_ms":null}],"shards":[{"shard":0,"waiting":0,"capacity":256,"outstanding":0,"credit":4096,"published":25.0}],"workers":[{"worker":0,"connections":12,"busy":0.03,"delay_ms":1.0}]}"#;
// As long as the wire notes on Plex, section 6, have them.
const PLAYBACK: &str = r#"{"session":"29","user":"bob","client":{"id":"abcd1234","name":"Living room","product":"Player"},"item":{"id":"144504","name":"Some Film","type":"movie"},"state":"playing","position":154000,"duration":8574912,"transcode":"4avh8p7h64n4e9a16xsqvr9e","playQueue":{"id":7,"item":22631}}"#;
const TRANSCODE: &str = r#"{"id":"4avh8p7h64n4e9a16xsqvr9e","user":"bob","session":"29","state":"update","throttled":false,"complete":false,"progress":1.3,"size":-22,"speed":23.6,"duration":8574912,"remaining":361000,"context":"streaming","sourceVideoCodec":"h264","sourceAudioCodec":"dca","videoDecision":"copy","audioDecision":"transcode","protocol":"dash","container":"mp4","videoCodec":"h264","audioCodec":"aac","audioChannels":2,"width":1920,"height":1080,"hwRequested":true,"hwFullPipeline":false,"timestamp":1704824487950,"maxOffset":124900,"minOffset":0}"#;
const ACTIVITY: &str = r#"{"id":"c30c1edc-8df0-4713-a7f1-f1373f6db8e9","state":"updated","type":"library.refresh.items","title":"Refreshing","subtitle":"Checking files","progress":33,"cancellable":true,"user":{"id":"bob","name":"Bob","ids":{"plex":"2"}},"library":"films","context":{"accessible":true,"exists":true,"key":"/library/metadata/513"}}"#;
const PREFERENCE: &str = r#"{"id":"FriendlyName","label":"Friendly name","summary":"","type":"text","default":"","value":"Den","hidden":false,"advanced":false,"group":"general"}"#;
