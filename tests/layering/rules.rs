//! The rules as data, and the check of one file against them.

use super::source::{CodePath, code_only, paths};

/// The longest a source file may be, in lines.
const MAX_LINES: usize = 450;

/// Which module may import which. Within itself a module is free.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Value types: free to all, so they import nothing, and among themselves only what stands in `AMONG_VALUES`.
    ("id", &[]),
    ("clock", &[]),
    ("metrics", &[]),
    ("frame", &[]),
    ("websocket", &[]),
    ("engineio", &[]),
    ("socketio", &[]),
    ("event", &[]),
    // Settings name event types and levels in rights: one list of their names, the event's. `event` never reads settings.
    ("config", &["event"]),
    ("access", &["event", "config"]),
    ("state", &["event", "access"]),
    // A dialect is made from its own part of the settings (`[dialects.NAME]`); settings know dialects as data only.
    ("topic", &["access"]),
    ("dialect", &["event", "access", "state", "config", "topic"]),
    ("shard", &["event", "state"]),
    ("connection", &["event"]),
    ("hub", &["connection", "event", "access", "state", "shard", "topic"]),
    ("source", &["shard", "event", "access", "state"]),
    // Sums up accepted events and publishes what comes of it: no client and no dialect's code.
    ("digest", &["event", "state", "shard", "source"]),
    ("session", &["hub", "connection", "dialect", "source", "event", "access", "state"]),
    ("backplane", &["event", "shard"]),
    // Where sockets become connections (`connection`), hubs are made with their credit (`shard`), and the API speaks of
    // levels and limits (`event`). All three are below what it imports anyway, and none of them knows the server.
    ("server", &["session", "hub", "connection", "shard", "source", "dialect", "event", "access", "state"]),
    ("cli", &["config", "event"]),
];

/// The value types that everybody may import.
const FREE_TO_ALL: &[&str] = &["id", "clock", "metrics", "frame", "websocket", "engineio", "socketio"];

/// The exceptions, for the value types themselves: they would otherwise be free to import each other in circles. A frame
/// tells clients until when their credentials count, so it knows what a time is; Engine.IO and Socket.IO are spoken in frames.
const AMONG_VALUES: &[(&str, &str)] = &[("frame", "clock"), ("engineio", "websocket"), ("socketio", "websocket")];

/// May import everything: it connects the parts.
const FREE_OF_RULES: &[&str] = &["app"];

/// Where a crate may be named; a path that ends in `/` is a folder, any other one file.
const HOMES: &[(&str, &[&str])] = &[
    ("prometheus", &["src/metrics/", "src/metrics.rs"]),
    ("socket2", &["src/connection/outlet.rs", "src/connection/outlet/", "src/server/", "loadtest/", "benches/", "tests/"]),
    ("actix_http", &["src/server/", "benches/"]),
    ("actix_server", &["src/server/", "benches/"]),
    ("mimalloc", &["src/main.rs", "benches/", "loadtest/"]),
];

/// What a module must not name, whoever else may.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("dialect", &["actix", "actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_web_actors", "tokio", "socket2"]),
    (
        "websocket",
        &["actix", "actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_web_actors", "tokio", "socket2"],
    ),
    (
        "engineio",
        &["actix", "actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_web_actors", "tokio", "socket2"],
    ),
    (
        "socketio",
        &["actix", "actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_web_actors", "tokio", "socket2"],
    ),
    ("event", &["actix", "actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_web_actors", "tokio", "socket2"]),
    ("access", &["actix", "actix_web", "actix_http", "actix_rt", "actix_server", "actix_service", "actix_web_actors", "tokio", "socket2"]),
];

/// The dialects, which the delivery path does not know by name.
const DIALECTS: &[&str] = &["redseat", "plex", "audiobookshelf", "mediabrowser", "jellyfin", "emby"];

/// The modules that must not name a dialect, not even as a word of the code.
const BLIND_TO_DIALECTS: &[&str] = &["hub", "shard", "connection"];

/// Every rule a file breaks, each as `file:line: what`.
pub(crate) fn violations(file: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut found = Vec::new();
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        found.push(format!("{file}: {n_lines} lines, at most {MAX_LINES} are allowed"));
    }
    let module = module(file);
    for path in paths(&code) {
        let said = module.and_then(|module| import(module, file, &path)).or_else(|| away_from_home(file, &path));
        let said = said.or_else(|| module.and_then(|module| forbidden(module, &path)));
        if let Some(said) = said {
            found.push(format!("{file}:{}: {} – {said}", path.line, path.segments.join("::")));
        }
    }
    if module.is_some_and(|module| BLIND_TO_DIALECTS.contains(&module)) {
        found.extend(named_dialects(file, &code));
    }
    found
}

/// The top-level module a file of `src/` belongs to; none for `main.rs`, `lib.rs` and files outside `src/`.
fn module(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    match inside.split_once('/') {
        Some((folder, _)) => Some(folder),
        None => inside.strip_suffix(".rs").filter(|name| !matches!(*name, "main" | "lib")),
    }
}

fn import(module: &str, file: &str, path: &CodePath) -> Option<String> {
    let target = imported(file, path)?;
    if target == module || FREE_OF_RULES.contains(&module) {
        return None;
    }
    if FREE_TO_ALL.contains(&target) {
        let free = !FREE_TO_ALL.contains(&module) || AMONG_VALUES.contains(&(module, target));
        return (!free).then(|| format!("`{module}` is free to all, so it must not import `{target}`"));
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        return Some(format!("`{module}` is not in the table of imports: add it there and in ARCHITECTURE.md"));
    };
    if allowed.contains(&target) {
        return None;
    }
    // A name re-exported by lib.rs starts with a capital letter and is no module.
    if target.starts_with(char::is_uppercase) {
        return Some(format!("import `{target}` from its module, not from the crate root"));
    }
    let list = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    Some(format!("`{module}` may import {list} (and {})", FREE_TO_ALL.join(", ")))
}

/// The top-level module a path leads to: `crate::x`, or as many `super::` as lead to the root.
fn imported<'a>(file: &str, path: &'a CodePath) -> Option<&'a str> {
    let first = path.segments.first()?;
    if first == "crate" || first == "fanfare" {
        return path.segments.get(1).map(String::as_str);
    }
    let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
    let inside = file.strip_prefix("src/")?;
    let depth = inside.matches('/').count() + usize::from(!inside.ends_with("mod.rs"));
    // One `super` more is allowed for a module in the file itself, such as `tests`; beyond the root there is nothing.
    (ups > 0 && ups == depth).then(|| path.segments.get(ups).map(String::as_str)).flatten().filter(|name| is_module(name))
}

fn is_module(name: &str) -> bool {
    MAY_IMPORT.iter().any(|(module, _)| *module == name) || FREE_OF_RULES.contains(&name)
}

fn away_from_home(file: &str, path: &CodePath) -> Option<String> {
    let (name, homes) = HOMES.iter().find(|(name, _)| path.segments.first().is_some_and(|first| first == name))?;
    let at_home = homes.iter().any(|home| if home.ends_with('/') { file.starts_with(home) } else { file == *home });
    (!at_home).then(|| format!("`{name}` may be named only in {}", homes.join(", ")))
}

fn forbidden(module: &str, path: &CodePath) -> Option<String> {
    let (_, names) = FORBIDDEN.iter().find(|(name, _)| *name == module)?;
    let first = path.segments.first()?;
    names.contains(&first.as_str()).then(|| format!("`{module}` contains no actor and no socket: not {}", names.join(", ")))
}

fn named_dialects(file: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let line = line.to_lowercase();
        let named = DIALECTS.iter().filter(|dialect| line.contains(*dialect));
        found.extend(named.map(|dialect| format!("{file}:{}: names the dialect `{dialect}`: the delivery path knows none", index + 1)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(file: &str, text: &str) -> String {
        let found = violations(file, text);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().expect("one")
    }

    #[test]
    fn an_allowed_import_is_no_violation() {
        assert_eq!(violations("src/hub/mod.rs", "use crate::{event::Event, hub::group, id::UserId, shard::Credit};"), Vec::<String>::new());
        assert_eq!(violations("src/app.rs", "use crate::server::Server; use crate::hub::Hub;"), Vec::<String>::new());
        assert_eq!(violations("src/main.rs", "use fanfare::app; use mimalloc::MiMalloc;"), Vec::<String>::new());
    }

    #[test]
    fn an_import_against_the_table_names_file_line_and_import() {
        let said = only("src/event/scan.rs", "\nuse crate::{id::UserId, hub::Hub};");
        assert!(said.starts_with("src/event/scan.rs:2: crate::hub::Hub – `event` may import nothing"), "{said}");
        let said = only("src/hub/flush.rs", "fn f() { crate::session::go() }");
        assert!(said.contains("crate::session::go") && said.contains("`hub` may import connection, event"), "{said}");
    }

    #[test]
    fn what_is_free_to_all_imports_nothing_itself() {
        assert_eq!(violations("src/frame.rs", "use crate::clock::Timestamp;"), Vec::<String>::new());
        assert!(only("src/clock.rs", "use crate::frame::Keepalive;").contains("`clock` is free to all"));
        assert!(only("src/metrics/export.rs", "use crate::id::UserId;").contains("`metrics` is free to all"));
        assert!(only("src/metrics/export.rs", "use crate::event::EventKind;").contains("`metrics` may import nothing"));
    }

    #[test]
    fn no_two_modules_may_import_each_other_not_even_by_a_detour() {
        fn reach<'a>(module: &'a str, seen: &mut Vec<&'a str>) {
            let (_, targets) = MAY_IMPORT.iter().find(|(name, _)| *name == module).expect("every target is in the table");
            for target in *targets {
                if !seen.contains(target) {
                    seen.push(target);
                    reach(target, seen);
                }
            }
        }
        for (module, _) in MAY_IMPORT {
            let mut seen = Vec::new();
            reach(module, &mut seen);
            assert!(!seen.contains(module), "`{module}` reaches itself: {seen:?}");
        }
    }

    #[test]
    fn a_way_round_the_crate_root_is_seen() {
        assert_eq!(violations("src/event/scan.rs", "use super::{Audience, kind};"), Vec::<String>::new());
        assert!(only("src/event/scan.rs", "use super::super::hub::Hub;").contains("`event` may import nothing"));
        assert!(only("src/event/mod.rs", "use super::hub::Hub;").contains("`event` may import nothing"));
        assert!(only("src/event/scan.rs", "use crate::Envelope;").contains("from its module"));
    }

    #[test]
    fn a_module_outside_the_table_must_be_added_to_it() {
        assert!(only("src/cache/mod.rs", "use crate::event::Event;").contains("`cache` is not in the table"));
    }

    #[test]
    fn a_dependency_away_from_home_is_found() {
        assert!(only("src/hub/mod.rs", "use prometheus::Counter;").contains("only in src/metrics/"));
        assert!(only("src/session/mod.rs", "let s = socket2::Socket::from(x);").contains("src/connection/outlet.rs"));
        assert!(only("src/session/mod.rs", "use actix_http::ws::Item;").contains("only in src/server/"));
        assert!(only("src/app.rs", "use mimalloc::MiMalloc;").contains("src/main.rs"));
        assert_eq!(violations("src/connection/outlet.rs", "use socket2::SockRef;"), Vec::<String>::new());
        assert_eq!(violations("src/server/front_door.rs", "use actix_http::HttpService; use socket2::SockRef;"), Vec::<String>::new());
        assert_eq!(violations("benches/fanout.rs", "use mimalloc::MiMalloc;"), Vec::<String>::new());
    }

    #[test]
    fn dialects_events_and_access_hold_no_actor_and_no_socket() {
        assert!(only("src/dialect/redseat/mod.rs", "use tokio::net::TcpStream;").contains("no actor and no socket"));
        assert!(only("src/event/mod.rs", "use actix::Message;").contains("no actor and no socket"));
        assert!(only("src/access/filter.rs", "impl actix_web::Responder for X {}").contains("no actor and no socket"));
    }

    #[test]
    fn the_delivery_path_names_no_dialect() {
        assert!(only("src/hub/mod.rs", "let x = 1;\nlet slot = RedseatFormat;").contains("src/hub/mod.rs:2: names the dialect `redseat`"));
        assert_eq!(violations("src/hub/mod.rs", "// plex clients are many\n"), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        assert!(only("src/id.rs", &"\n".repeat(451)).contains("451 lines"));
        assert_eq!(violations("src/id.rs", &"\n".repeat(450)), Vec::<String>::new());
    }
}
