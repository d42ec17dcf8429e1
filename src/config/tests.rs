//! The whole of settings: precedence, defaults, and the exact line of each refusal.

use std::time::Duration;

use super::*;
use crate::{event::EventKind, id::LibraryId};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/home/of/nobody")];
    home.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), text).expect("written");
    file
}

/// The error line of a file with this text, with the file's name as `FILE`.
fn refusal(text: &str) -> String {
    let file = file(text);
    let error = Settings::load(Some(file.path()), &variables(&[]), &[]).expect_err(text).to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error.replace(&file.path().display().to_string(), "FILE")
}

#[test]
fn nothing_set_is_all_defaults() {
    let settings = Settings::load(None, &variables(&[]), &[]).expect("defaults are allowed");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8400");
    assert_eq!(settings.server.metrics_listen.to_string(), "127.0.0.1:8401");
    assert_eq!(settings.server.data_dir.to_str(), Some("/home/of/nobody/.local/state/fanfare"));
    assert_eq!(settings.engine, Engine::default());
    assert!(settings.engine.workers > 0 && settings.engine.shards == settings.engine.workers);
    assert_eq!((settings.limits, settings.folder, settings.dialects), (Limits::default(), Folder::default(), Dialects::default()));
    assert!(Settings::parse("").expect("empty is allowed").names_nobody());
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = file("[server]\nname = \"file\"\nlisten = \"127.0.0.1:1\"\n[engine]\nworkers = 3\nfeed_age = \"1m\"\n");
    let environment = variables(&[
        ("FANFARE_SERVER__NAME", "123"),
        ("FANFARE_SERVER__LISTEN", "127.0.0.1:2"),
        ("FANFARE_DIALECTS__REDSEAT__ENABLED", "false"),
        ("FANFARE_LIMITS__CONNECTIONS", "12"),
        ("FANFARE_LOG", "debug"),
    ]);
    let flags = [Flag { flag: "--listen", key: "server.listen", value: "127.0.0.1:3".to_owned() }];
    let settings = Settings::load(Some(file.path()), &environment, &flags).expect("valid");
    assert_eq!(settings.server.name, "123", "a name that looks like a number is a name");
    assert_eq!(settings.server.listen.port(), 3);
    assert_eq!((settings.engine.workers, settings.engine.shards), (3, 3), "as many shards as workers");
    assert_eq!(settings.engine.feed_age, Duration::from_secs(60));
    assert!(!settings.dialects.redseat.enabled);
    assert_eq!(settings.limits.connections, 12);
}

#[test]
fn people_and_libraries_are_read_in_every_form() {
    let settings = Settings::parse(
        r#"
        [engine]
        stall_limit = "off"
        [dialects.redseat]
        spelling = "server"
        [[libraries]]
        id = "films"
        name = "Films"
        kind = "movies"
        [[users]]
        id = "bob"
        token = "bobs-token"
        libraries = { films = "read", music = "admin" }
        explicit = false
        tags = ["child"]
        password_hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmE"
        [[users]]
        id = "eve"
        admin = true
        token_sha256 = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
        disabled = true
        [[tokens]]
        token = "of-the-scanner"
        publish = { libraries = ["films"], types = ["medias", "raw"] }
        expires = 2027-01-31T12:00:00Z
        [[tokens]]
        token = "of-bobs-phone"
        user = "bob"
        publish = true
        expires = "2027-01-31T13:00:00+01:00"
        "#,
    )
    .expect("valid");
    assert_eq!(settings.engine.stall_limit, None);
    assert_eq!(settings.dialects.redseat.spelling, Spelling::Server);
    assert_eq!((settings.libraries[0].name(), settings.libraries[0].kind), ("Films", LibraryKind::Movies));
    assert!(settings.users[1].token == Some(TokenHash::of("abc")) && settings.users[1].disabled);
    assert_eq!(settings.users[0].name, "bob");
    let films = LibraryId::parse("films").expect("id");
    assert!(settings.tokens[0].publish.allows(EventKind::Raw, Some(&films)));
    assert!(!settings.tokens[0].publish.allows(EventKind::Scan, Some(&films)));
    assert_eq!(settings.tokens[0].expires, settings.tokens[1].expires);
    assert_eq!(settings.tokens[0].expires.map(|expires| expires.0), Some(1_801_396_800_000));
    assert_eq!(settings.warnings(), Vec::<&str>::new());
    let shown = format!("{settings:?}");
    assert!(!["bobs-token", "of-the-scanner", "argon2id"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn what_is_allowed_but_surprising_is_warned_about() {
    let open = Settings::parse("[server]\nlisten = \"0.0.0.0:8400\"").expect("allowed");
    assert!(open.warnings()[0].starts_with("no user and no token is set and server.listen is not loopback"));
    let silent = Settings::parse("[[users]]\nid = \"bob\"").expect("allowed");
    assert_eq!(silent.warnings(), ["no token may publish: events can come only from watched folders"]);
    assert!(Settings::parse("").expect("allowed").warnings().is_empty());
}

/// Settings files and the line each is refused with.
const BAD_KEYS: &[(&str, &str)] = &[
    (
        "[server]\nlisen = \"x\"",
        "FILE: server.lisen: unknown key, allowed are listen, metrics_listen, metrics_libraries, log, name, data_dir, drain_window, allowed_origins, cookie, trusted_proxies",
    ),
    (
        "[quic]\ncert = \"x\"",
        "FILE: quic: unknown key, allowed are server, tls, engine, limits, folder, dialects, jwt, auth, libraries, users, tokens",
    ),
    ("[dialects.kodi]\nenabled = true", "FILE: dialects.kodi: unknown key, allowed are redseat, plex, mediabrowser, audiobookshelf"),
    ("[dialects.plex]\nspelling = \"wild\"", "FILE: dialects.plex.spelling: unknown key, allowed are enabled, ping_interval, rest, server"),
    ("[dialects.plex]\nping_interval = \"0s\"", "FILE: dialects.plex.ping_interval: must be from 1s to 3600s"),
    (
        "[[libraries]]\nid = \"a\"\nids = { kodi = \"1\" }",
        "FILE: libraries[0].ids.kodi: unknown key, allowed are redseat, plex, audiobookshelf, mediabrowser",
    ),
    ("[[libraries]]\nid = \"a\"\nids = { plex = \"x1\" }", "FILE: libraries[0].ids.plex: must be a decimal number below 2^52"),
    ("[dialects.redseat]\nrest = true", "FILE: dialects.redseat.rest: unknown key, allowed are enabled, spelling, ping_interval"),
    (
        "[server]\nlisten = \"127.0.0.1:70000\"",
        "FILE: server.listen: must be an IP address and a port from 0 to 65535, such as \"127.0.0.1:8400\"",
    ),
    (
        "[server]\nmetrics_listen = 8401",
        "FILE: server.metrics_listen: must be an IP address and a port from 0 to 65535, such as \"127.0.0.1:8400\", not a number",
    ),
    ("[server]\nname = \"\"", "FILE: server.name: must be 1 to 128 bytes without control characters"),
    ("[server]\nmetrics_listen = \"127.0.0.1:8400\"", "FILE: server.metrics_listen: must differ from server.listen"),
    ("[server]\ndrain_window = \"31s\"", "FILE: server.drain_window: must be at most 30s"),
    (
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/33\"]",
        "FILE: server.trusted_proxies: must be addresses or networks, such as \"127.0.0.1\" or \"10.0.0.0/8\"",
    ),
    ("[server]\ncookie = \"a b\"", "FILE: server.cookie: must be letters, digits, `-` and `_`"),
    (
        "[server]\nallowed_origins = [\"https://a.example\", \"*\"]",
        "FILE: server.allowed_origins[1]: must be a scheme, a host and perhaps a port, such as https://media.example",
    ),
    ("[server]\ndata_dir = \"/dev/null\"", "FILE: server.data_dir: must be a directory"),
    (
        "[engine]\nfeed_age = 10",
        "FILE: engine.feed_age: must be a duration with its unit, such as \"500ms\", \"2s\", \"5m\" or \"1h\", not a number",
    ),
    (
        "[engine]\nstall_limit = \"1 minute\"",
        "FILE: engine.stall_limit: must be a duration with its unit, such as \"500ms\", \"2s\", \"5m\" or \"1h\", or \"off\"",
    ),
    ("[engine]\nworkers = -1", "FILE: engine.workers: must be a whole number"),
    ("[engine]\nworkers = \"two\"", "FILE: engine.workers: must be a whole number, not text"),
    ("[engine]\nshards = 5000", "FILE: engine.shards: must be from 1 to 1024"),
    (
        "[engine]\nfeed_bytes = \"8MB\"",
        "FILE: engine.feed_bytes: must be a number of bytes, or text with a unit, such as \"128KiB\" or \"8MiB\"",
    ),
    (
        "[engine]\nfeeds_bytes_per_worker = \"1MiB\"",
        "FILE: engine.feeds_bytes_per_worker: must be at least engine.feed_bytes, which is 8388608",
    ),
    ("[tls]\ncert = \"x\"", "FILE: tls.cert: tls.key must be set too"),
    ("[tls]\nkey = \"x\"", "FILE: tls.key: tls.cert must be set too"),
    ("[tls]\nticket = 1", "FILE: tls.ticket: unknown key, allowed are cert, key"),
    ("[engine]\ncredit = 10", "FILE: engine.credit: must be from 256 to 16777216"),
    ("[engine]\nhub_stall = \"0s\"", "FILE: engine.hub_stall: must be from 100ms to 60s"),
    ("[limits]\nhead = \"2h\"", "FILE: limits.head: must be from 100ms to 3600s"),
    ("[folder]\nbatch = 501", "FILE: folder.batch: must be from 1 to 500"),
    ("[dialects.redseat]\nspelling = \"wild\"", "FILE: dialects.redseat.spelling: must be \"document\" or \"server\""),
    ("[dialects.redseat]\nenabled = \"yes\"", "FILE: dialects.redseat.enabled: must be true or false, not text"),
    ("[dialects.mediabrowser]\nping_interval = \"0s\"", "FILE: dialects.mediabrowser.ping_interval: must be from 1s to 3600s"),
    ("[dialects.mediabrowser]\nlibrary_cap = \"1s\"", "FILE: dialects.mediabrowser.library_cap: must be from 5s to 3600s"),
    ("[dialects.mediabrowser]\nlibrary_quiet = \"50ms\"", "FILE: dialects.mediabrowser.library_quiet: must be from 100ms to 3600s"),
    ("[dialects.mediabrowser]\nleast_interval = \"1ms\"", "FILE: dialects.mediabrowser.least_interval: must be from 100ms to 60s"),
    ("[dialects.audiobookshelf]\nping_timeout = \"1ms\"", "FILE: dialects.audiobookshelf.ping_timeout: must be from 100ms to 3600s"),
    ("[dialects.audiobookshelf]\naccess_expires = \"0s\"", "FILE: dialects.audiobookshelf.access_expires: must be from 1s to 2592000s"),
    (
        "[dialects.audiobookshelf]\naccess_expires = \"2h\"\nrefresh_expires = \"1h\"",
        "FILE: dialects.audiobookshelf.refresh_expires: must be from 7200s to 31622400s",
    ),
    (
        "[dialects.audiobookshelf]\nbase = \"abs\"",
        "FILE: dialects.audiobookshelf.base: must be empty or begin with a slash, such as \"/audiobookshelf\"",
    ),
    (
        "[dialects.audiobookshelf]\nbase = \"/abs/\"",
        "FILE: dialects.audiobookshelf.base: must be a path such as \"/audiobookshelf\": letters, digits, \"-\", \"_\" and \"~\" between slashes, none at its end",
    ),
    (
        "[dialects.audiobookshelf]\nbase = \"/Api/abs\"",
        "FILE: dialects.audiobookshelf.base: must not begin with a path of this server itself",
    ),
    (
        "[dialects.mediabrowser]\ndiscovery = true",
        "FILE: dialects.mediabrowser.discovery: must be an IP address and a port from 0 to 65535, such as \"127.0.0.1:8400\", not true or false",
    ),
    ("server = 1", "FILE: server: must be a table, not a number"),
    ("users = {}", "FILE: users: must be an array, not a table"),
];

#[test]
fn each_bad_key_is_refused_in_one_line_that_says_where_and_what_is_allowed() {
    for (text, expected) in BAD_KEYS {
        assert_eq!(refusal(text), *expected, "{text}");
    }
}

/// The same for people and libraries; `hunter2` and `8675309` are secrets there.
const BAD_PEOPLE: &[(&str, &str)] = &[
    ("[[libraries]]\nname = \"x\"", "FILE: libraries[0].id: is missing"),
    ("[[libraries]]\nid = \"\"", "FILE: libraries[0].id: must not be empty"),
    ("[[libraries]]\nid = \"a\\nb\"", "FILE: libraries[0].id: must not contain control characters"),
    ("[[libraries]]\nid = \"a\"\n[[libraries]]\nid = \"a\"", "FILE: libraries[1].id: \"a\" is already the id of libraries[0]"),
    (
        "[[libraries]]\nid = \"a\"\nkind = \"films\"",
        "FILE: libraries[0].kind: must be one of movies, shows, music, photos, books, podcasts, other",
    ),
    ("[[libraries]]\nid = \"a\"\nkind = 0", "FILE: libraries[0].kind: must be text, not a number"),
    ("[[libraries]]\nid = \"a\"\npath = \"/nowhere/at/all\"", "FILE: libraries[0].path: library \"a\": the folder does not exist"),
    ("[[libraries]]\nid = \"a\"\npath = \"/dev/null\"", "FILE: libraries[0].path: library \"a\": a file is there, a folder is needed"),
    ("[[users]]\nid = \"bob\"\n[[users]]\nid = \"bob\"", "FILE: users[1].id: \"bob\" is already the id of users[0]"),
    ("[[users]]\nid = \"bob\"\ntoken = \"\"", "FILE: users[0].token: must not be empty"),
    ("[[users]]\nid = \"bob\"\ntoken = \"hunter 2\"", "FILE: users[0].token: must not contain blanks or control characters"),
    ("[[users]]\nid = \"bob\"\ntoken = 8675309", "FILE: users[0].token: must be text, not a number"),
    ("[[users]]\nid = \"bob\"\ntoken_sha256 = \"8675309\"", "FILE: users[0].token_sha256: must be a SHA-256 in 64 hexadecimal digits"),
    (
        "[[users]]\nid = \"bob\"\npassword_hash = \"hunter2\"",
        "FILE: users[0].password_hash: must be an argon2id hash, which starts with $argon2id$",
    ),
    (
        "[[users]]\nid = \"bob\"\nlibraries = \"all\"",
        "FILE: users[0].libraries: must be \"read\", \"write\" or \"admin\" for every library, or a table such as { films = \"read\" }",
    ),
    ("[[users]]\nid = \"bob\"\nlibraries = { films = 1 }", "FILE: users[0].libraries.films: must be text, not a number"),
    (
        "[[users]]\nid = \"bob\"\nlibraries = { films = \"all\" }",
        "FILE: users[0].libraries.films: must be \"read\", \"write\" or \"admin\"",
    ),
    (
        "[[users]]\nid = \"bob\"\npassword = \"hunter2\"",
        "FILE: users[0].password: unknown key, allowed are id, name, admin, libraries, token, token_sha256, password_hash, explicit, tags, disabled, ids",
    ),
    (
        "[[users]]\nid = \"bob\"\nids = { mediabrowser = \"8675309\" }",
        "FILE: users[0].ids.mediabrowser: must be 32 lower-case hexadecimal digits",
    ),
    (
        "[[users]]\nid = \"bob\"\nids = { plex = \"1\" }\n[[users]]\nid = \"eve\"\nids = { plex = \"1\" }",
        "FILE: users[1].ids.plex: is already the id of users[0]",
    ),
    ("[[tokens]]\npublish = true", "FILE: tokens[0].token: is missing: token or token_sha256 is needed"),
    ("[[tokens]]\ntoken = \"hunter2\"\nuser = \"bob\"", "FILE: tokens[0].user: \"bob\" is not the id of one of [[users]]"),
    (
        "[[users]]\nid = \"bob\"\n[[tokens]]\ntoken = \"hunter2\"\nuser = \"bob\"\nadmin = true",
        "FILE: tokens[0]: admin and read are for tokens without user: this one has its user's rights",
    ),
    (
        "[[users]]\nid = \"bob\"\ntoken = \"hunter2\"\n[[tokens]]\ntoken = \"hunter2\"",
        "FILE: tokens[0].token: is already the token of users[0]",
    ),
    (
        "[[tokens]]\ntoken = \"hunter2\"\nmetrics = true\npublish = true",
        "FILE: tokens[0].metrics: must stand alone: a token for metrics does nothing else",
    ),
    (
        "[[tokens]]\ntoken = \"hunter2\"\npublish = \"all\"",
        "FILE: tokens[0].publish: must be true, false, or a table of libraries and types, not text",
    ),
    (
        "[[tokens]]\ntoken = \"hunter2\"\npublish = { kinds = [] }",
        "FILE: tokens[0].publish.kinds: unknown key, allowed are libraries, types",
    ),
    (
        "[[tokens]]\ntoken = \"hunter2\"\nexpires = \"tomorrow\"",
        "FILE: tokens[0].expires: must be a date and time with an offset, such as 2027-01-31T12:00:00Z",
    ),
    (
        "[[tokens]]\ntoken = \"hunter2\"\nexpires = 2027-01-31",
        "FILE: tokens[0].expires: must be a date and time with an offset, such as 2027-01-31T12:00:00Z",
    ),
];

#[test]
fn each_bad_person_or_library_is_refused_in_one_line_without_secrets() {
    for (text, expected) in BAD_PEOPLE {
        let line = refusal(text);
        assert_eq!(line, *expected, "{text}");
        assert!(!line.contains("hunter2") && !line.contains("8675309"), "{line}");
    }
    let both = format!("[[users]]\nid = \"bob\"\ntoken = \"hunter2\"\ntoken_sha256 = \"{}\"", "a".repeat(64));
    assert_eq!(refusal(&both), "FILE: users[0].token_sha256: must not be given beside token: one of them is enough");
    let engine_made = refusal("[[tokens]]\ntoken = \"hunter2\"\npublish = { types = [\"medias\", \"presence\"] }");
    assert!(engine_made.starts_with("FILE: tokens[0].publish.types[1]: must be a type that can be published: library, "), "{engine_made}");
}

#[test]
fn a_bad_variable_or_flag_is_named_as_it_was_given() {
    let load = |pairs: &[(&str, &str)], flags: &[Flag]| {
        let file = file("[server]\nlisten = \"127.0.0.1:1\"");
        Settings::load(Some(file.path()), &variables(pairs), flags).expect_err("bad").to_string()
    };
    assert_eq!(
        load(&[("FANFARE_SERVER__LISTEN", "here")], &[]),
        "FANFARE_SERVER__LISTEN: server.listen: must be an IP address and a port from 0 to 65535, such as \"127.0.0.1:8400\""
    );
    assert_eq!(load(&[("FANFARE_ENGINE__SHARDS", "5000")], &[]), "FANFARE_ENGINE__SHARDS: engine.shards: must be from 1 to 1024");
    let unknown = load(&[("FANFARE_SERVER__LISEN", "x")], &[]);
    assert!(unknown.starts_with("FANFARE_SERVER__LISEN: server.lisen: unknown key, allowed are listen, "), "{unknown}");
    let flags = [Flag { flag: "--workers", key: "engine.workers", value: "5000".to_owned() }];
    assert_eq!(load(&[("FANFARE_ENGINE__WORKERS", "2")], &flags), "--workers: engine.workers: must be from 1 to 1024");
    let nowhere = Settings::load(None, &BTreeMap::new(), &[]).expect_err("no home").to_string();
    assert_eq!(nowhere, "default: server.data_dir: must be set, because neither XDG_STATE_HOME nor HOME is an absolute path");
}

#[test]
fn a_folder_of_the_command_line_that_cannot_be_watched_is_named_by_its_library() {
    let folder = tempfile::tempdir().expect("folder");
    let mut settings = Settings::parse("[[libraries]]\nid = \"films\"\nname = \"Films\"").expect("valid");
    let mut add = |id: &str, path: &Path| {
        let id = LibraryId::parse(id).expect("id");
        settings.add_library(id, path.to_owned()).map_err(|error| error.to_string())
    };
    let refused = |reason: &str| Err(format!("--library films: {reason}"));
    assert_eq!(add("films", Path::new("/nowhere/at/all")), refused("the folder does not exist"));
    assert_eq!(add("films", Path::new("/dev/null")), refused("a file is there, a folder is needed"));
    assert_eq!(add("films", folder.path()), Ok(()), "a refused folder changes nothing");
    assert_eq!(add("films", folder.path()), refused("the library has a folder already"));
    assert_eq!(settings.libraries[0].path.as_deref(), Some(folder.path()));
}

/// `8388608` as `8MiB`, as the table has it.
fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes % (1 << 20) == 0 => format!("`{}MiB`", bytes >> 20),
        bytes => format!("`{}KiB`", bytes >> 10),
    }
}

#[test]
fn the_readme_has_the_defaults() {
    let (engine, limits, folder) = (Engine::default(), Limits::default(), Folder::default());
    let (server, redseat, plex, mediabrowser) = (Server::default(), RedSeat::default(), Plex::default(), MediaBrowser::default());
    let audiobookshelf = Audiobookshelf::default();
    let (jwt, auth) = (Jwt::default(), Auth::default());
    let rows = [
        format!("`listen` | `{}` |", server.listen),
        format!("`metrics_listen` | `{}` |", server.metrics_listen),
        "| `metrics_libraries` | `[]`, at most 20 |".to_owned(),
        format!("`name` | `{}` |", server.name),
        format!("`drain_window` | `{:?}`, at most `30s` |", server.drain_window),
        "| `cert`, `key` | none |".to_owned(),
        format!("`shard_threads` | `{}` |", engine.shard_threads),
        format!("`feed_age` | {}, {}, `{:?}` |", engine.feed_entries, size(engine.feed_bytes), engine.feed_age),
        format!("`feeds_bytes_per_worker` | {} |", size(engine.feeds_bytes_per_worker)),
        format!("`hub_stall` | `{:?}` |", engine.hub_stall),
        format!("`stall_limit` | `{:?}`, `\"off\"` |", engine.stall_limit.expect("on")),
        format!("`idempotency_keys` | `{}m`, {} |", engine.idempotency.as_secs() / 60, engine.idempotency_keys),
        format!("`credit` | {}, at least 256 |", engine.credit),
        format!("`session_mailbox` | {}, {}, {} |", engine.shard_mailbox, engine.hub_mailbox, engine.session_mailbox),
        format!("`outbox_bytes` | {}, {} |", engine.outbox_frames, size(engine.outbox_bytes)),
        format!("`backlog_bytes` | {}, {} |", engine.backlog_frames, size(engine.backlog_bytes)),
        format!("`notsent_lowat` | {}, {} |", size(engine.send_buffer), size(engine.notsent_lowat)),
        format!("`connections_per_user` | {}, 0: no limit |", limits.connections_per_user),
        format!("`event_items` | {}, {} |", limits.event_bytes, limits.event_items),
        format!("`event_depth` | {} |", limits.event_depth),
        format!("`body_bytes` | {}, {} |", limits.batch_events, size(limits.body_bytes)),
        format!("`inbound_bytes`, `inbound_fragments` | {}, {} |", size(limits.inbound_bytes), limits.inbound_fragments),
        format!("`unidentified`, `unidentified_per_address` | {}, {} |", limits.unidentified, limits.unidentified_per_address),
        format!("`inbound_per_minute` | {} |", limits.inbound_per_minute),
        format!("`body` | `{:?}`, `{:?}` |", limits.head, limits.body),
        format!("`quiet` | `{:?}` |", folder.quiet),
        format!("`batch` | {} |", folder.batch),
        format!("`ping_interval` | `{}`, `document`, `{:?}` |", redseat.enabled, redseat.ping_interval),
        format!("`enabled`, `ping_interval`, `rest` | `{}`, `{:?}`, `{}` |", plex.enabled, plex.ping_interval, plex.rest),
        "| `server` | none |".to_owned(),
        format!("`ping_interval`, `rest` | `{}`, `{:?}`, `{}` |", mediabrowser.enabled, mediabrowser.ping_interval, mediabrowser.rest),
        format!("`legacy_credentials`, `identity` | `{}`, `{}` |", mediabrowser.legacy_credentials, mediabrowser.identity),
        format!("`library_quiet`, `library_cap` | `{:?}`, `{:?}` |", mediabrowser.library_quiet, mediabrowser.library_cap),
        format!("`least_interval` | `{:?}` |", mediabrowser.least_interval),
        "| `discovery` | none |".to_owned(),
        format!(
            "`base`, `rest`, `twin` | `{}`, `{}`, `{}`, `{}` |",
            audiobookshelf.enabled, audiobookshelf.base, audiobookshelf.rest, audiobookshelf.twin
        ),
        format!("`ping_interval`, `ping_timeout` | `{:?}`, `{:?}` |", audiobookshelf.ping_interval, audiobookshelf.ping_timeout),
        format!(
            "`access_expires`, `refresh_expires` | `{}h`, `{}d` |",
            audiobookshelf.access_expires.as_secs() / 3600,
            audiobookshelf.refresh_expires.as_secs() / 86_400
        ),
        format!("`leeway` | `{}s`, at most `60s` |", jwt.leeway.as_secs()),
        format!("`timeout` | `{:?}` |", auth.timeout),
        format!("`cache`, `cache_refusals` | `{:?}`, `{:?}` |", auth.cache, auth.cache_refusals),
        format!("`cache_entries`, `calls` | {}, {} |", auth.cache_entries, auth.calls),
        format!("`keep_unchecked` | `{}m` |", auth.keep_unchecked.as_secs() / 60),
    ];
    for row in rows {
        assert!(include_str!("../../README.md").contains(&row), "the table of settings has no `{row}`");
    }
}

#[test]
fn a_file_that_is_none_is_refused_by_its_name() {
    let folder = tempfile::tempdir().expect("folder");
    let load = |path: &Path| Settings::load(Some(path), &variables(&[]), &[]).expect_err("bad").to_string();
    let shown = folder.path().display();
    assert_eq!(load(folder.path()), format!("{shown}: is a directory, a settings file is expected"));
    let path = folder.path().join("fanfare.toml");
    assert_eq!(load(&path), format!("{}: cannot be read: entity not found", path.display()));
    std::fs::write(&path, [0xff, 0xfe]).expect("written");
    assert_eq!(load(&path), format!("{}: is not UTF-8", path.display()));
}

#[test]
fn broken_toml_is_refused_by_line_without_the_line() {
    for (text, line) in [
        ("[server]\nname = \"a\"\n[[users]]\nid = \"bob\"\ntoken = \"hunter2", 5),
        ("[[users]]\nid = \"bob\"\ntoken = hunter2\n", 3),
        ("[server]\nname = \"a\"\nname = \"b\"", 3),
    ] {
        let refused = refusal(text);
        assert!(refused.starts_with(&format!("FILE: line {line}: ")), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
