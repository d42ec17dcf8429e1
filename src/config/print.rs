//! Settings as a file: every key with its value, in the words settings are read in.
//!
//! What it prints loads again to the same settings, but for secrets, which are shown as `…`. A file with such a place is
//! refused by its key until the secret is filled in, so that nobody runs by mistake with other people than before.

mod dialects;
mod value;

use std::fmt::Write as _;

use toml_edit::{Array, InlineTable, Value};

pub(super) use value::{moment, rights};

use self::value::{duration, list, number, path, publish_rights, size};
use super::{Auth, Engine, Folder, Jwt, JwtKey, Library, Limits, Server, Settings, Tls, Token, User};

/// What stands where a secret would.
const HIDDEN: &str = "…";

/// Finds where the value of a key came from; `None` is a default.
pub(super) type Origin<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The settings as TOML, each value that is no default with a comment that says where it came from.
pub(super) fn print(settings: &Settings, origin: Origin<'_>) -> String {
    // Every field is named here and below, so that a new setting cannot be forgotten.
    let Settings { server, tls, engine, limits, jwt, auth, folder, dialects, libraries, users, tokens } = settings;
    let mut page = Page { text: String::new(), table: String::new(), origin };
    print_server(&mut page, server);
    print_tls(&mut page, tls);
    print_engine(&mut page, engine);
    print_limits(&mut page, limits);
    print_jwt(&mut page, jwt);
    print_auth(&mut page, auth);
    print_folder(&mut page, folder);
    dialects::print(&mut page, dialects);
    libraries.iter().for_each(|library| print_library(&mut page, library));
    users.iter().for_each(|user| print_user(&mut page, user));
    tokens.iter().for_each(|token| print_token(&mut page, token));
    page.text
}

fn print_server(page: &mut Page<'_>, server: &Server) {
    let Server { listen, metrics_listen, metrics_libraries, log, name, data_dir, drain_window, allowed_origins, cookie, trusted_proxies } =
        server;
    page.table("server");
    page.key("listen", listen.to_string());
    page.key("metrics_listen", metrics_listen.to_string());
    page.key("metrics_libraries", metrics_libraries.iter().map(crate::id::LibraryId::as_str).collect::<Array>());
    page.key("log", log);
    page.key("name", name);
    page.key("data_dir", data_dir.display().to_string());
    page.key("drain_window", duration(*drain_window));
    page.key("allowed_origins", list(allowed_origins));
    page.key("cookie", cookie);
    page.key("trusted_proxies", trusted_proxies.iter().map(ToString::to_string).collect::<Array>());
}

fn print_tls(page: &mut Page<'_>, tls: &Tls) {
    let Tls { cert, key } = tls;
    page.table("tls");
    page.optional("cert", cert.as_deref().map(path));
    page.optional("key", key.as_deref().map(path));
}

fn print_jwt(page: &mut Page<'_>, jwt: &Jwt) {
    let Jwt { keys, jwks_file, issuer, audience, leeway } = jwt;
    page.table("jwt");
    if !keys.is_empty() {
        page.key("keys", keys.iter().map(jwt_key).collect::<Array>());
    }
    page.optional("jwks_file", jwks_file.as_deref().map(path));
    page.optional("issuer", (!issuer.is_empty()).then(|| list(issuer)));
    page.optional("audience", (!audience.is_empty()).then(|| list(audience)));
    page.key("leeway", duration(*leeway));
}

fn jwt_key(key: &JwtKey) -> Value {
    let JwtKey { id, algorithm, secret, secret_file, public_key_file } = key;
    let mut table = InlineTable::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            table.insert(key, value.into());
        }
    };
    put("id", id.clone());
    put("algorithm", Some(algorithm.name().to_owned()));
    put("secret", secret.as_ref().map(|_| HIDDEN.to_owned()));
    put("secret_file", secret_file.as_deref().map(path));
    put("public_key_file", public_key_file.as_deref().map(path));
    table.into()
}

fn print_auth(page: &mut Page<'_>, auth: &Auth) {
    let Auth { callback, timeout, cache, cache_refusals, cache_entries, calls, keep_unchecked } = auth;
    page.table("auth");
    // What stands behind the path may be the operator's own secret.
    let shown = callback.as_deref().map(|callback| match callback.split_once('?') {
        Some((address, _)) => format!("{address}?{HIDDEN}"),
        None => callback.to_owned(),
    });
    page.optional("callback", shown);
    page.key("timeout", duration(*timeout));
    page.key("cache", duration(*cache));
    page.key("cache_refusals", duration(*cache_refusals));
    page.key("cache_entries", number(*cache_entries));
    page.key("calls", number(*calls));
    page.key("keep_unchecked", duration(*keep_unchecked));
}

fn print_engine(page: &mut Page<'_>, engine: &Engine) {
    let Engine {
        workers,
        shards,
        shard_threads,
        feed_entries,
        feed_bytes,
        feed_age,
        feeds_bytes_per_worker,
        hub_stall,
        stall_limit,
        idempotency,
        idempotency_keys,
        credit,
        shard_mailbox,
        hub_mailbox,
        session_mailbox,
        outbox_frames,
        outbox_bytes,
        backlog_frames,
        backlog_bytes,
        send_buffer,
        notsent_lowat,
    } = engine;
    page.table("engine");
    page.key("workers", number(*workers));
    page.key("shards", number(*shards));
    page.key("shard_threads", *shard_threads);
    page.key("feed_entries", number(*feed_entries));
    page.key("feed_bytes", size(*feed_bytes));
    page.key("feed_age", duration(*feed_age));
    page.key("feeds_bytes_per_worker", size(*feeds_bytes_per_worker));
    page.key("hub_stall", duration(*hub_stall));
    page.key("stall_limit", stall_limit.map_or_else(|| "off".to_owned(), duration));
    page.key("idempotency", duration(*idempotency));
    page.key("idempotency_keys", number(*idempotency_keys));
    page.key("credit", number(*credit));
    page.key("shard_mailbox", number(*shard_mailbox));
    page.key("hub_mailbox", number(*hub_mailbox));
    page.key("session_mailbox", number(*session_mailbox));
    page.key("outbox_frames", number(*outbox_frames));
    page.key("outbox_bytes", size(*outbox_bytes));
    page.key("backlog_frames", number(*backlog_frames));
    page.key("backlog_bytes", size(*backlog_bytes));
    page.key("send_buffer", size(*send_buffer));
    page.key("notsent_lowat", size(*notsent_lowat));
}

fn print_limits(page: &mut Page<'_>, limits: &Limits) {
    let Limits {
        connections,
        connections_per_user,
        connections_per_address,
        unidentified,
        unidentified_per_address,
        bad_tokens_per_minute,
        event_bytes,
        event_items,
        event_depth,
        batch_events,
        body_bytes,
        inbound_bytes,
        inbound_fragments,
        inbound_per_minute,
        head,
        body,
    } = limits;
    page.table("limits");
    page.key("connections", number(*connections));
    page.key("connections_per_user", number(*connections_per_user));
    page.key("connections_per_address", number(*connections_per_address));
    page.key("unidentified", number(*unidentified));
    page.key("unidentified_per_address", number(*unidentified_per_address));
    page.key("bad_tokens_per_minute", i64::from(*bad_tokens_per_minute));
    page.key("event_bytes", size(*event_bytes));
    page.key("event_items", number(*event_items));
    page.key("event_depth", number(*event_depth));
    page.key("batch_events", number(*batch_events));
    page.key("body_bytes", size(*body_bytes));
    page.key("inbound_bytes", size(*inbound_bytes));
    page.key("inbound_fragments", number(*inbound_fragments));
    page.key("inbound_per_minute", i64::from(*inbound_per_minute));
    page.key("head", duration(*head));
    page.key("body", duration(*body));
}

fn print_folder(page: &mut Page<'_>, folder: &Folder) {
    let Folder { quiet, batch } = folder;
    page.table("folder");
    page.key("quiet", duration(*quiet));
    page.key("batch", number(*batch));
}

fn print_library(page: &mut Page<'_>, library: &Library) {
    let Library { id, name, kind, path: folder, ids } = library;
    page.entry("libraries");
    page.key("id", id.as_str());
    page.optional("name", name.as_ref());
    page.key("kind", kind.as_str());
    page.optional("path", folder.as_deref().map(path));
    page.optional("ids", (!ids.is_empty()).then(|| Value::from(ids.iter().collect::<InlineTable>())));
}

fn print_user(page: &mut Page<'_>, user: &User) {
    let User { id, name, admin, libraries, token, password_hash, explicit, tags, disabled, ids } = user;
    page.entry("users");
    page.key("id", id.as_str());
    page.key("name", name);
    page.key("admin", *admin);
    page.key("libraries", rights(libraries));
    page.optional("token_sha256", token.map(|_| HIDDEN));
    page.optional("password_hash", password_hash.as_ref().map(|_| HIDDEN));
    page.optional("explicit", *explicit);
    page.optional("tags", tags.as_deref().map(list));
    page.key("disabled", *disabled);
    page.optional("ids", (!ids.is_empty()).then(|| Value::from(ids.iter().collect::<InlineTable>())));
}

fn print_token(page: &mut Page<'_>, token: &Token) {
    let Token { hash: _, user, admin, read, publish, metrics, expires } = token;
    page.entry("tokens");
    page.key("token_sha256", HIDDEN);
    page.optional("user", user.as_ref().map(|user| user.as_str()));
    if user.is_none() {
        page.key("admin", *admin);
    }
    page.optional("read", read.as_ref().map(rights));
    page.key("publish", publish_rights(publish));
    page.key("metrics", *metrics);
    page.optional("expires", expires.map(moment));
}

/// The text so far and the table it has come to.
struct Page<'a> {
    text: String,
    table: String,
    origin: Origin<'a>,
}

impl Page<'_> {
    fn table(&mut self, name: &str) {
        name.clone_into(&mut self.table);
        self.begin(&format!("[{name}]"));
    }

    fn entry(&mut self, name: &str) {
        // Where an entry comes from is told once: its keys come from where its array does.
        let line = format!("[[{name}]]{}", self.comment(name));
        self.table.clear();
        self.begin(&line);
    }

    fn begin(&mut self, line: &str) {
        let blank = if self.text.is_empty() { "" } else { "\n" };
        self.line(&format!("{blank}{line}"));
    }

    fn key(&mut self, key: &str, value: impl Into<Value>) {
        let comment = if self.table.is_empty() { String::new() } else { self.comment(&format!("{}.{key}", self.table)) };
        let value: Value = value.into();
        self.line(&format!("{key} = {}{comment}", value.to_string().trim()));
    }

    fn optional(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }

    fn comment(&self, key: &str) -> String {
        (self.origin)(key).map(|origin| format!("  # {origin}")).unwrap_or_default()
    }

    fn line(&mut self, line: &str) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(settings: &Settings) -> String {
        print(settings, &|_| None)
    }

    #[test]
    fn what_is_printed_loads_again_to_the_same_settings() {
        let defaults = Settings::parse("").expect("valid");
        assert_eq!(Settings::parse(&printed(&defaults)).expect("loads"), defaults);
        let other = Settings::parse(
            r#"
            server = { name = "a \"name\" # of mine", listen = "[::1]:1", allowed_origins = ["https://a", "https://b"], cookie = "c", trusted_proxies = ["::1", "10.0.0.0/8"], drain_window = "1ms" }
            engine = { stall_limit = "off", feed_bytes = 8388609, feed_age = "90s", idempotency = "0s", backlog_bytes = 0, workers = 3 }
            jwt = { keys = [{ algorithm = "RS256", id = "a", public_key_file = "/k.pem" }], issuer = ["i"], audience = ["x", "y"], leeway = "5s" }
            auth = { callback = "http://127.0.0.1:1/who", cache = "2m", calls = 3 }
            dialects.redseat = { spelling = "server", enabled = false }
            dialects.plex = { enabled = false, ping_interval = "5s", rest = false, server = "http://[::1]:32400/p" }
            dialects.mediabrowser = { enabled = false, ping_interval = "5s", rest = false, server = "https://j.example/p", legacy_credentials = false, identity = false, library_quiet = "2s", library_cap = "1m", least_interval = "750ms", discovery = "[::]:7359" }
            dialects.audiobookshelf = { enabled = false, base = "/books/and-more", rest = false, server = "https://b.example/p", ping_interval = "300ms", ping_timeout = "200ms", access_expires = "2s", refresh_expires = "1m", twin = false }
            [[users]]
            id = "carol"
            ids = { mediabrowser = "0123456789abcdef0123456789abcdef", plex = "7" }
            [[tokens]]
            token = "for-metrics"
            metrics = true
            [[libraries]]
            id = "a film=\u0022x\u0022"
            name = "N"
            kind = "movies"
            path = "/"
            ids = { plex = "2", audiobookshelf = "c30c1edc-8df0-4713-a7f1-f1373f6db8e9" }
            [[users]]
            id = "bob"
            libraries = { "a film" = "read", music = "admin" }
            tags = ["a, b"]
            explicit = false
            [[users]]
            id = "eve"
            admin = true
            libraries = "write"
            disabled = true
            "#,
        )
        .expect("valid");
        let text = printed(&other);
        let filled_in = text.replace(HIDDEN, &super::super::TokenHash::of("for-metrics").to_hex());
        assert_eq!(Settings::parse(&filled_in).expect(&text), other);
    }

    #[test]
    fn secrets_are_hidden_and_a_file_with_hidden_ones_does_not_load_until_they_are_filled_in() {
        let settings = Settings::parse(
            r#"
            [jwt]
            keys = [{ algorithm = "HS256", secret = "canary-secret-canary-secret-canary" }]
            [auth]
            callback = "https://example.org/who?key=canary"
            [[users]]
            id = "bob"
            token = "canary-one"
            password_hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmE"
            [[tokens]]
            token = "canary-two"
            publish = { types = ["raw"], libraries = ["b", "a"] }
            expires = 2027-01-31T12:00:00.5Z
            [[tokens]]
            token = "canary-three"
            user = "bob"
            publish = true
            "#,
        )
        .expect("valid");
        let text = printed(&settings);
        let digests = ["canary-one", "canary-two", "canary-three"].map(|token| super::super::TokenHash::of(token).to_hex());
        assert!(!text.contains("canary") && !digests.iter().any(|digest| text.contains(&digest[..8])), "{text}");
        let refused = Settings::parse(&text).expect_err("hidden").to_string();
        assert!(refused.contains("token_sha256: must be a SHA-256"), "{refused}");
        let [one, two, three] = digests;
        let text = text.replace("?…", "?key=canary").replace("secret = \"…\"", "secret = \"canary-secret-canary-secret-canary\"");
        let filled = text.replace(
            "password_hash = \"…\"",
            "password_hash = \"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmE\"",
        );
        let filled = filled.replacen('…', &one, 1).replacen('…', &two, 1).replacen('…', &three, 1);
        assert_eq!(Settings::parse(&filled).expect(&filled), settings);
    }

    #[test]
    fn a_value_says_where_it_came_from_unless_it_is_a_default() {
        let settings = Settings::parse("").expect("valid");
        let text = print(&settings, &|key| (key == "server.listen").then(|| "--listen".to_owned()));
        assert!(text.starts_with("[server]\nlisten = \"127.0.0.1:8400\"  # --listen\nmetrics_listen = \"127.0.0.1:8401\"\n"), "{text}");
        assert_eq!(text.matches('#').count(), 1);
    }
}
