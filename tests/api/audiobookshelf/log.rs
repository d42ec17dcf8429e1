//! The log: for administrators, from the level they want on; the day's lines, the engine's own among them.

use serde_json::{Value, json};

use super::{Client, publish, sentinel, start};
use crate::harness::{PATIENCE, eventually};

fn line(level: &str) -> Value {
    json!({"type": "log", "data": {"level": level, "message": format!("a line of {level}"), "source": "test"}})
}

/// The levels of the test's own lines before the sentinel.
fn levels(client: &mut Client) -> Vec<u64> {
    let mut levels = Vec::new();
    loop {
        let (name, argument) = client.next();
        match name.as_str() {
            "sentinel" => return levels,
            "log" if argument["source"] == "test" => levels.push(argument["level"].as_u64().expect("a number")),
            _ => {}
        }
    }
}

#[test]
fn a_listener_is_sent_lines_from_its_level_on_while_it_listens() {
    let server = start();
    let mut root = Client::of(&server, "root");
    let all = ["trace", "debug", "info", "warn", "error", "fatal"].map(line);
    let publish_all = || all.iter().chain([&sentinel()]).for_each(|event| publish(&server, event));
    for (wish, expected) in [
        (None, &[][..]),
        (Some(json!(3)), &[3, 4, 5]),
        (Some(json!("2")), &[3, 4, 5]),
        (Some(json!(7)), &[3, 4, 5]),
        (Some(json!(1)), &[1, 2, 3, 4, 5]),
        (Some(json!(6)), &[5]),
    ] {
        if let Some(level) = &wish {
            root.emit("set_log_listener", level);
            root.emit("ping", &Value::Null);
            while root.next().0 != "pong" {}
        }
        publish_all();
        assert_eq!(levels(&mut root), expected, "{wish:?}");
    }
    root.emit("remove_log_listener", &Value::Null);
    root.emit("ping", &Value::Null);
    while root.next().0 != "pong" {}
    publish_all();
    assert_eq!(levels(&mut root), Vec::<u64>::new());
}

#[test]
fn a_line_is_written_as_clients_read_one() {
    let server = start();
    let mut root = Client::of(&server, "root");
    root.emit("set_log_listener", &json!(4));
    root.emit("ping", &Value::Null);
    root.expect("pong");
    publish(&server, &json!({"type": "log", "data": {"level": "error", "message": "m", "timestamp": "2026-11-21T08:05:28.456Z"}}));
    let expected = json!({"timestamp": "2026-11-21 08:05:28.456", "source": "", "message": "m", "levelName": "ERROR", "level": 4});
    assert_eq!(root.expect("log"), expected);
}

#[test]
fn the_days_lines_hold_the_engines_own_and_nobody_but_administrators_has_them() {
    let server = start();
    let (mut root, mut reader) = (Client::of(&server, "root"), Client::of(&server, "reader"));
    publish(&server, &line("info"));
    eventually("the line that says that the server is ready", PATIENCE, || {
        root.emit("fetch_daily_logs", &Value::Null);
        let lines = root.expect("daily_logs");
        let has = |text: &str| {
            lines.as_array().expect("a list").iter().any(|line| line["message"].as_str().is_some_and(|own| own.contains(text)))
        };
        (has("ready url=") && has("a line of info")).then_some(())
    });
    reader.emit("fetch_daily_logs", &Value::Null);
    reader.emit("set_log_listener", &json!(0));
    reader.emit("ping", &Value::Null);
    reader.expect("pong");
    publish(&server, &line("fatal"));
    publish(&server, &sentinel());
    assert_eq!(levels(&mut reader), Vec::<u64>::new());
}
