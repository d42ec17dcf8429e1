//! What the server says of itself to programs is what it does: every route is described, every described one answers,
//! schemathesis finds nothing, and the types for TypeScript are those of the described events.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    harness::{PEOPLE, Request, Server, Sse, token_of},
    routes::routes_in_the_source,
};

const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Where the types are kept for whoever writes a client.
const TYPES: &str = "docs/events.d.ts";

fn described(server: &Server, path: &str) -> Value {
    let answer = Request::new("GET", path).bearer(&token_of("guest")).send(server);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

#[test]
fn every_route_of_the_api_is_described_and_every_described_one_answers() {
    let server = Server::start(PEOPLE);
    let description = described(&server, "/api/openapi.json");
    let paths = description["paths"].as_object().expect("paths");
    let described: BTreeSet<String> = paths.keys().cloned().collect();
    // What a dialect has under /api/ is described by that dialect's own documents.
    let of_dialects = ["/api/authorize"];
    let routes = routes_in_the_source();
    let own: BTreeSet<String> = routes.iter().map(|route| route.to_string()).filter(|route| route.starts_with("/api/")).collect();
    let own: BTreeSet<String> = own.into_iter().filter(|route| !of_dialects.contains(&route.as_str())).collect();
    assert_eq!(described, own);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let path = path.replace("{user}", "nobody-here").replace("{id}", "0-0-0");
            let answer = Request::new(&method.to_uppercase(), &path).bearer(&token_of("root")).send(&server);
            let status = answer.status.to_string();
            assert!(answer.status != 405 && operation["responses"].get(&status).is_some(), "{method} {path}: {status} {}", answer.body);
        }
    }
    assert_eq!(Request::new("GET", "/api/openapi.json").send(&server).status, 401);
}

/// The root of [`PEOPLE`] with a token that may publish, too.
const PUBLISHING_ROOT: &str = "token-of-publishing-root-0123456789abcdef0123456789";
/// Where a schema cannot say all of what is allowed, what fits it may be refused for a field, and for nothing else (so no 400, which
/// says that something cannot be read). Of an event these are the rules of its type's `data` (lengths in bytes, ids, ranges, and who
/// may be its audience), which no keyword has; ending connections takes exactly one of two parameters, and OpenAPI 3.1 says nothing
/// of parameters together.
const TOO_WIDE: &str = r#"
[[operations]]
include-name = ["POST /api/events", "DELETE /api/connections"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
"#;

#[test]
fn schemathesis_finds_nothing_the_server_does_and_does_not_say() {
    // Tokens that are wrong on purpose are many here; what they lead to has tests of its own.
    let root = format!("[[tokens]]\ntoken = \"{PUBLISHING_ROOT}\"\nuser = \"root\"\npublish = true\n");
    let server = Server::start(&format!("[limits]\nbad_tokens_per_minute = 0\n{PEOPLE}{root}"));
    fs::write(server.folder().join("schemathesis.toml"), TOO_WIDE).expect("our own folder");
    let mut st = Command::new(install());
    st.args(["run", &format!("{}/api/openapi.json", server.url()), "-H", &format!("Authorization: Bearer {PUBLISHING_ROOT}")]);
    st.args(["--max-examples", "10", "--phases", "examples,coverage,fuzzing"]);
    st.args(["--generation-deterministic", "--continue-on-failure", "--no-color"]);
    let output = st.current_dir(server.folder()).output().expect("it runs");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// `pip install`, when it is not there in that version.
fn install() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let (program, done) = (folder.join("bin/st"), folder.join("installed"));
    if fs::read_to_string(&done).is_ok_and(|installed| installed == SCHEMATHESIS) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]));
    fs::write(done, SCHEMATHESIS).expect("our own folder");
    program
}

fn run(command: &mut Command) {
    let output = command.output().expect("install Debian's packages python3 and python3-venv");
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_comes_on_a_stream_is_what_its_description_says() {
    let server = Server::start(PEOPLE);
    let messages = described(&server, "/api/asyncapi.json")["components"]["messages"].clone();
    let messages = messages.as_object().expect("messages");
    // The engine makes these when it wants.
    let names: Vec<&str> = messages.keys().map(String::as_str).filter(|name| !["presence", "stats", "log"].contains(name)).collect();
    let mut sse = Sse::open(&server, &format!("/sse?events={}", names.join(",")), &token_of("root"));
    let for_somebody_else = ["media_progress", "media_rating", "playlists", "notification", "remote-control"];
    let mut n_heard = 0;
    for (name, message) in messages {
        let wrapper = message["payload"]["required"][0].as_str().expect("the one field");
        let example = &message["examples"][0]["payload"][wrapper];
        let publish = |data: &Value| server.publish(&token_of("publisher"), &json!({"type": name, "data": data})).0;
        let status = publish(example);
        if status != 200 || !names.contains(&name.as_str()) || for_somebody_else.contains(&name.as_str()) {
            // What only the engine makes, and what must be named to be published.
            assert!(matches!(status, 200 | 403 | 422), "{name}: {status}");
            continue;
        }
        for field in message["payload"]["properties"][wrapper]["required"].as_array().into_iter().flatten() {
            let mut without = example.clone();
            without.as_object_mut().expect("an object").remove(field.as_str().expect("a name"));
            assert_eq!(publish(&without), 422, "{name} without {field}");
        }
        let event = sse.expect(name);
        assert!(event.json().as_object().is_some_and(|data| data.len() == 1 && data.contains_key(wrapper)), "{}", event.data);
        n_heard += 1;
    }
    assert!(n_heard >= 15, "{n_heard}");
}

#[test]
fn the_types_for_typescript_are_those_of_the_described_events() {
    let server = Server::start(PEOPLE);
    let text = types(&described(&server, "/api/asyncapi.json"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TYPES);
    if std::env::var("FANFARE_GOLDEN").as_deref() == Ok("write") {
        fs::write(&path, &text).expect("written");
    }
    assert!(fs::read_to_string(path).unwrap_or_default() == text, "{TYPES} is not current: run this test with FANFARE_GOLDEN=write");
}

/// The events as TypeScript, from their schemas.
fn types(description: &Value) -> String {
    let mut text =
        "// The events of GET /sse by their names. Made from the server's own /api/asyncapi.json by a test; do not edit.\n".to_owned();
    let messages = description["components"]["messages"].as_object().expect("messages");
    text.push_str("\nexport interface FanfareEvents {\n");
    for (name, message) in messages {
        text.push_str(&format!("  {name:?}: {};\n", type_of(&message["payload"], 1)));
    }
    text.push_str("}\n\nexport type FanfareEventName = keyof FanfareEvents;\n");
    text
}

fn type_of(schema: &Value, depth: usize) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    if let Some(either) = schema["anyOf"].as_array() {
        return either.iter().map(|one| type_of(one, depth)).collect::<Vec<_>>().join(" | ");
    }
    match schema["type"].as_str() {
        Some(plain @ ("string" | "number" | "boolean")) => plain.to_owned(),
        Some("array") => format!("Array<{}>", type_of(&schema["items"], depth)),
        Some("object") => object_type(schema, depth),
        _ => "unknown".to_owned(),
    }
}

fn object_type(schema: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth + 1);
    let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|own| own == name));
    let mut text = "{\n".to_owned();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let optional = if is_required(name) { "" } else { "?" };
        text.push_str(&format!("{indent}{name:?}{optional}: {};\n", type_of(field, depth + 1)));
    }
    if schema["additionalProperties"] == true {
        text.push_str(&format!("{indent}[field: string]: unknown;\n"));
    }
    text + &"  ".repeat(depth) + "}"
}
