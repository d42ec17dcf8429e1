//! `fanfare token inspect`: what a token is, from the settings file, the run file and the token itself.
//!
//! Contacts nobody, and shows nothing of a token but, of a JWT, what it says in clear.

use std::{
    error::Error,
    io::{Read, Write},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use serde_json::{Map, Value};

use super::FileArgs;
use crate::{
    cli::{
        Outcome, run_file,
        target::{Token as Presented, TokenError},
        terminal::{printable, printable_json},
    },
    clock::Timestamp,
    config::{self, LibraryRights, PublishRights, Settings, Token, TokenHash, User},
    event::EventKind,
};

/// Tell whose a token is and what it may do, or what a JWT says.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct InspectArgs {
    /// The token; `-` reads it from standard input, where other users of this machine cannot see it
    #[arg(value_name = "TOKEN")]
    pub token: String,

    /// The settings file that tells whose it is.
    #[command(flatten)]
    pub file: FileArgs,
}

const EXAMPLES: &str = "\
Examples:
  fanfare token inspect - < token.txt
  fanfare token inspect - --config /etc/fanfare.toml < token.txt

Exit codes: 0 known and not ended, 1 it cannot be told, 2 wrong usage, 3 unknown, ended or disabled.

Nobody is contacted: rights that were changed while a server ran are not seen, and the signature of a JWT is not checked.";

/// What is larger is no token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

pub(super) fn run(args: &InspectArgs, stdin: &mut dyn Read, out: &mut dyn Write) -> Result<Outcome, Box<dyn Error>> {
    let token = if args.token == "-" {
        let mut text = String::new();
        stdin.take(MAX_TOKEN_BYTES).read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
        text
    } else {
        args.token.clone()
    };
    // The same rule as for sending one: what cannot be sent is nobody's.
    token.parse::<Presented>().map_err(|error: TokenError| error.to_string())?;
    let environment = config::environment();
    let file = config::file_to_read(args.file.config.as_deref(), &environment)?;
    let settings = Settings::load(file.as_deref(), &environment, &[])?;
    let (report, outcome) = inspect(token.trim(), &settings, file.as_deref(), Timestamp::now())?;
    write!(out, "{report}")?;
    Ok(outcome)
}

fn inspect(token: &str, settings: &Settings, file: Option<&Path>, now: Timestamp) -> Result<(String, Outcome), run_file::RunFileError> {
    let hash = TokenHash::of(token);
    let file = file.map_or_else(|| "the settings".to_owned(), |file| printable(&file.display().to_string()).into_owned());
    if let Some(user) = settings.users.iter().find(|user| user.token == Some(hash)) {
        return Ok(of_user(user, None, &file, now));
    }
    if let Some(token) = settings.tokens.iter().find(|token| token.hash == hash) {
        let user = token.user.as_ref().and_then(|id| settings.users.iter().find(|user| user.id == *id));
        return Ok(user.map_or_else(|| of_key(token, &file, now), |user| of_user(user, Some(token), &file, now)));
    }
    let run_file = run_file::read(&settings.server.data_dir)?;
    if let Some(run_file) = run_file.filter(|run_file| TokenHash::of(&run_file.token) == hash) {
        let url = printable(&run_file.url).into_owned();
        return Ok((format!("token of the server's own run, at {url}: everything, until that server stops\n"), Outcome::Done));
    }
    Ok(jwt(token, now).unwrap_or_else(|| (format!("unknown: no token of {file}, and no JWT\n"), Outcome::Unauthorised)))
}

fn of_user(user: &User, token: Option<&Token>, file: &str, now: Timestamp) -> (String, Outcome) {
    let kind = if token.is_some() { "a further token" } else { "the token" };
    let disabled = if user.disabled { ", who is disabled" } else { "" };
    let (expires, ended) = expires(token.and_then(|token| token.expires), now);
    let publish = token.map_or_else(|| "nothing".to_owned(), |token| may_publish(&token.publish));
    let report = format!(
        "{kind} of user {}{disabled}, in {file}\nadmin: {}\nlibraries: {}\npublish: {publish}\nexpires: {expires}\n",
        printable(user.id.as_str()),
        yes_or_no(user.admin),
        libraries(Some(&user.libraries)),
    );
    (report, outcome(ended || user.disabled))
}

fn of_key(token: &Token, file: &str, now: Timestamp) -> (String, Outcome) {
    let (expires, ended) = expires(token.expires, now);
    let report = format!(
        "an API key, in {file}\nadmin: {}\nlibraries: {}\npublish: {}\nexpires: {expires}\n",
        yes_or_no(token.admin),
        libraries(token.read.as_ref()),
        may_publish(&token.publish),
    );
    (report, outcome(ended))
}

/// What a JWT says of itself; `None` when it is none: two parts of base64url that are JSON objects, and a third part.
fn jwt(token: &str, now: Timestamp) -> Option<(String, Outcome)> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (object(parts.next()?)?, object(parts.next()?)?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let at = |claim: &str| claims.get(claim).and_then(Value::as_f64).map(milliseconds);
    let (expires, ended) = expires(at("exp"), now);
    let early = at("nbf").is_some_and(|begin| begin > now);
    let early_line = if early { "not before: it does not count yet\n" } else { "" };
    let signed = if signature.is_empty() { "there is none" } else { "not checked" };
    let shown = |object: Map<String, Value>| printable_json(&Value::Object(object).to_string()).into_owned();
    let report = format!(
        "a JWT, which says of itself:\nheader: {}\nclaims: {}\nexpires: {expires}\n{early_line}signature: {signed}\n",
        shown(header),
        shown(claims.clone()),
    );
    Some((report, outcome(ended || early)))
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// A NumericDate (RFC 7519) as the moments settings use.
fn milliseconds(seconds: f64) -> Timestamp {
    // The cast saturates: a moment that far away is as good as any.
    Timestamp((seconds * 1000.0) as i64)
}

fn expires(expires: Option<Timestamp>, now: Timestamp) -> (String, bool) {
    let Some(end) = expires else { return ("never".to_owned(), false) };
    let moment = jiff::Timestamp::from_millisecond(end.0).map_or_else(|_| "a moment without a date".to_owned(), |end| end.to_string());
    if end <= now { (format!("{moment}, it has ended"), true) } else { (moment, false) }
}

fn outcome(is_refused: bool) -> Outcome {
    if is_refused { Outcome::Unauthorised } else { Outcome::Done }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn libraries(rights: Option<&LibraryRights>) -> String {
    match rights {
        Some(LibraryRights::Every(level)) => format!("every one, {level:?}").to_lowercase(),
        Some(LibraryRights::Named(levels)) if !levels.is_empty() => {
            let named =
                levels.iter().map(|(library, level)| format!("{} ({})", printable(library.as_str()), format!("{level:?}").to_lowercase()));
            named.collect::<Vec<_>>().join(", ")
        }
        _ => "none".to_owned(),
    }
}

fn may_publish(rights: &PublishRights) -> String {
    let PublishRights::Some { kinds, libraries } = rights else { return "nothing".to_owned() };
    let kinds: Vec<&str> = EventKind::ALL.iter().filter(|kind| kinds.contains(**kind)).map(|kind| kind.name()).collect();
    let everywhere = || "for every library".to_owned();
    let named = |libraries: &Vec<_>| format!("for {}", libraries.iter().map(crate::id::LibraryId::as_str).collect::<Vec<_>>().join(", "));
    format!("{} {}", kinds.join(", "), printable(&libraries.as_ref().map_or_else(everywhere, named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn settings() -> Settings {
        let folder = tempfile::tempdir().expect("folder");
        let text = r#"
            [[users]]
            id = "bob"
            token = "canary-bob"
            libraries = { films = "read", music = "admin" }
            [[users]]
            id = "eve"
            token = "canary-eve"
            disabled = true
            [[tokens]]
            token = "canary-phone"
            user = "bob"
            publish = { types = ["medias"], libraries = ["films"] }
            expires = 2027-01-01T00:00:00Z
            [[tokens]]
            token = "canary-key"
            read = "read"
            publish = true
        "#;
        Settings::parse(&format!("server.data_dir = \"{}\"\n{text}", folder.path().display())).expect("valid")
    }

    fn shown(token: &str) -> (String, Outcome) {
        let (report, outcome) = inspect(token, &settings(), Some(Path::new("f.toml")), NOW).expect("readable");
        assert!(!report.contains("canary"), "{report}");
        (report, outcome)
    }

    fn jwt_of(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_configured_token_is_told_with_its_user_and_rights() {
        let (report, outcome) = shown("canary-bob");
        assert_eq!(outcome, Outcome::Done);
        let expected =
            "the token of user bob, in f.toml\nadmin: no\nlibraries: films (read), music (admin)\npublish: nothing\nexpires: never\n";
        assert_eq!(report, expected);
        let (report, outcome) = shown("canary-key");
        assert!(report.starts_with("an API key, in f.toml\nadmin: no\nlibraries: every one, read\npublish: library, "), "{report}");
        assert!(report.contains("for every library") && !report.contains("raw"), "{report}");
        assert_eq!(outcome, Outcome::Done);
    }

    #[test]
    fn one_that_has_ended_or_is_nobodys_is_told_by_the_exit_code_too() {
        let (report, outcome) = shown("canary-phone");
        assert!(report.contains("a further token of user bob") && report.contains("publish: medias for films"), "{report}");
        assert!(report.contains("expires: 2027-01-01T00:00:00Z, it has ended"), "{report}");
        assert_eq!(outcome, Outcome::Unauthorised);
        let (report, outcome) = shown("canary-eve");
        assert!(report.contains("user eve, who is disabled") && outcome == Outcome::Unauthorised, "{report}");
        assert_eq!(shown("canary-none"), ("unknown: no token of f.toml, and no JWT\n".to_owned(), Outcome::Unauthorised));
    }

    #[test]
    fn a_jwt_says_what_it_says_and_that_its_signature_was_not_checked() {
        let (report, outcome) = shown(&jwt_of(r#"{"alg":"HS256"}"#, r#"{"sub":"b\u001bob","exp":1800000001}"#, "canary"));
        let expected = "a JWT, which says of itself:\nheader: {\"alg\":\"HS256\"}\nclaims: {\"sub\":\"b\\u001bob\",\"exp\":1800000001}\n\
                        expires: 2027-01-15T08:00:01Z\nsignature: not checked\n";
        assert_eq!((report.as_str(), outcome), (expected, Outcome::Done));
        let (report, outcome) = shown(&jwt_of(r#"{"alg":"none"}"#, r#"{"exp":1799999999.5}"#, ""));
        assert!(report.contains("it has ended") && report.contains("signature: there is none"), "{report}");
        assert_eq!(outcome, Outcome::Unauthorised);
        let (report, outcome) = shown(&jwt_of("{}", r#"{"nbf":1800000001}"#, "x"));
        assert!(report.contains("does not count yet") && outcome == Outcome::Unauthorised, "{report}");
        for none in ["a.b.c", &jwt_of("[]", "{}", "x"), &format!("{}.d", jwt_of("{}", "{}", "x"))] {
            assert!(shown(none).0.starts_with("unknown"), "{none}");
        }
    }

    #[test]
    fn standard_input_is_read_for_a_dash_and_what_is_no_token_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("f.toml");
        let data_dir = format!("server.data_dir = \"{}\"\n", folder.path().display());
        std::fs::write(&path, format!("{data_dir}[[users]]\nid = \"bob\"\ntoken = \"canary\"\n")).expect("written");
        let args = InspectArgs { token: "-".to_owned(), file: FileArgs { config: Some(path) } };
        let mut out = Vec::new();
        assert_eq!(run(&args, &mut "canary\n".as_bytes(), &mut out).expect("told"), Outcome::Done);
        assert!(out.starts_with(b"the token of user bob"));
        for none in ["", "two words"] {
            assert!(run(&args, &mut none.as_bytes(), &mut Vec::new()).is_err(), "{none}");
        }
    }
}
