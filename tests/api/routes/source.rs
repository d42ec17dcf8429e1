//! The routes there are, read from the source.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Whatever makes a route, here or in a later version; only the first two are understood.
const ROUTE_MAKERS: [&str; 7] = ["web::resource(", ".route(", "web::scope(", "Files::new(", "default_service(", "#[route(", "#[get("];

/// Every route of the main listener and of the metrics: the literals behind `resource(` and `route(` in the server, and the
/// stream paths of the dialects. Fails on any other way to make one, which it would then not know.
pub(crate) fn routes_in_the_source() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut routes = BTreeSet::new();
    for file in rust_files(&root) {
        let text = fs::read_to_string(&file).expect("a source file");
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for call in ROUTE_MAKERS {
            for (at, _) in code.match_indices(call) {
                let argument = code[at + call.len()..].trim_start();
                assert!(file.starts_with(root.join("server")), "{} makes a route outside the server: {call}", file.display());
                // What has no path of its own: the methods of a resource, and the loops over the paths collected below.
                let of_a_resource =
                    call == ".route(" && ["web::", "route.to(", "preflighted)"].iter().any(|made| argument.starts_with(made));
                let of_a_loop =
                    argument.starts_with("ANY_PATH)") && (file.ends_with("server/mount.rs") || file.ends_with("server/endpoint.rs"));
                let of_dialects = call == "web::resource(" && of_a_loop;
                if of_a_resource || of_dialects {
                    continue;
                }
                let literal = argument.strip_prefix('"').filter(|_| matches!(call, "web::resource(" | ".route("));
                let path = literal.and_then(|rest| rest.split('"').next());
                routes.insert(path.unwrap_or_else(|| panic!("{}: this test does not understand {call}", file.display())).to_owned());
            }
        }
        if file.starts_with(root.join("dialect")) {
            routes.extend(stream_paths(&code));
            routes.extend(endpoints(&code));
        }
    }
    routes
}

/// The literals a dialect gives as its stream paths.
fn stream_paths(code: &str) -> Vec<String> {
    let given = code.match_indices("fn stream_paths(&self) -> &'static [&'static str] {").flat_map(|(at, signature)| {
        let body = &code[at + signature.len()..];
        let paths: Vec<_> = body[..body.find('}').expect("its end")].split('"').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!paths.is_empty(), "stream_paths must be literals for this test to know them: {body}");
        paths
    });
    given.collect()
}

/// The paths a dialect gives its plain endpoints.
fn endpoints(code: &str) -> Vec<String> {
    let given = code.match_indices("Endpoint { method: ").map(|(at, _)| {
        let literal = code[at..].split_once(", path: \"").and_then(|(_, rest)| rest.split('"').next());
        literal.unwrap_or_else(|| panic!("an endpoint's path must be a literal for this test to know it")).to_owned()
    });
    given.collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a source folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}
