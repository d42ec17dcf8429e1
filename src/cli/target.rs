//! Which server a client subcommand talks to, and with which token.
//!
//! From flags and variables, else from the run file of a server on this machine. The run file's token is only ever sent
//! to the run file's address.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use rustls::pki_types::{
    CertificateDer,
    pem::{self, PemObject},
};

use super::run_file::{self, RunFile, RunFileError};

const DEFAULT_URL: &str = "http://127.0.0.1:8400";

/// What is larger is no token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Where the server is and who asks; shared by `publish` and `tail`.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// The server's address [default: that of the server running on this machine, else http://127.0.0.1:8400]
    #[arg(long, env = "FANFARE_URL", value_name = "URL")]
    pub url: Option<String>,

    /// The token; other users of this machine can see flags, so prefer FANFARE_TOKEN or --token-file
    #[arg(long, env = "FANFARE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Token>,

    /// A file that holds the token, `-` is standard input; goes before --token and FANFARE_TOKEN
    // No clap conflict: it would count the variable too, and refuse the flag to whoever has set it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// The data directory of the server running on this machine, where its address and token are found
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl TargetArgs {
    /// Whether the token is to be read from standard input.
    pub(super) fn wants_stdin(&self) -> bool {
        self.token_file.as_deref() == Some(Path::new("-"))
    }

    /// The same with the token of standard input, if that is where it is: it can be read only once.
    pub(super) fn with_token_of(&self, stdin: &mut dyn Read) -> Result<Self, TargetError> {
        let mut own = self.clone();
        if self.wants_stdin() {
            let mut text = String::new();
            let path = PathBuf::from("-");
            stdin
                .take(MAX_TOKEN_BYTES)
                .read_to_string(&mut text)
                .map_err(|source| TargetError::TokenFile { path: path.clone(), source })?;
            own.token = Some(text.parse().map_err(|source| TargetError::TokenFileContent { path, source })?);
            own.token_file = None;
        }
        Ok(own)
    }
}

/// A bearer token. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// For what is no `Authorization` header; it must go nowhere else.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a text cannot be sent as a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is one or more visible ASCII characters without blanks")]
pub struct TokenError;

impl std::str::FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why there is no server to talk to.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error("--url {0}: must begin with http:// or https://, without user and password")]
    Url(String),
    #[error("--token-file {path}: {source}", path = path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("--token-file {path}: {source}", path = path.display())]
    TokenFileContent { path: PathBuf, source: TokenError },
    #[error("{path}, the certificate of the server on this machine: {source}", path = path.display())]
    Certificate { path: PathBuf, source: pem::Error },
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    RunFile(#[from] RunFileError),
    #[error("no server runs here (no run file {}): start one with `fanfare`, or name one with --url and --token-file", .0.display())]
    NoServer(PathBuf),
    #[error("no server is named and HOME is not set, so none can be found: give --url and --token-file, or --data-dir")]
    Nowhere,
    #[error("the run file's token is malformed: {0}")]
    RunFileToken(#[from] TokenError),
}

/// A server to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The base address, without a slash at its end.
    pub(super) url: String,
    pub(super) token: Option<Token>,
    /// The one certificate that is trusted, for the server on this machine; else the public authorities are.
    pub(super) certificate: Option<CertificateDer<'static>>,
}

impl Target {
    /// Reads the files the arguments name. Called again before each reconnect: a restarted server has a new run file.
    pub(super) fn resolve(args: &TargetArgs) -> Result<Self, TargetError> {
        let token = own_token(args)?;
        let complete = args.url.is_some() && token.is_some();
        let data_dir = args.data_dir.clone().or_else(run_file::default_data_dir);
        let run_file = match &data_dir {
            Some(data_dir) if !complete => run_file::read(data_dir)?,
            // Nothing is missing; but if it is the server of this machine, its certificate is needed to trust it.
            Some(data_dir) => run_file::read(data_dir).ok().flatten(),
            _ => None,
        };
        if args.url.is_none() && token.is_none() && run_file.is_none() {
            // Nobody is let in without a token, so asking the default address could only fail in a way that says less.
            let place = data_dir.map(|data_dir| data_dir.join(run_file::RUN_FILE_NAME));
            return Err(place.map_or(TargetError::Nowhere, TargetError::NoServer));
        }
        Self::choose(args.url.as_deref(), token, run_file)
    }

    fn choose(url: Option<&str>, token: Option<Token>, run_file: Option<RunFile>) -> Result<Self, TargetError> {
        let url = match (url, &run_file) {
            (Some(url), _) => checked_url(url)?,
            (None, Some(run_file)) => checked_url(&run_file.url)?,
            (None, None) => DEFAULT_URL.to_owned(),
        };
        // A token for the local server must not be sent to another one, and its certificate says nothing about another.
        let run_file = run_file.filter(|run_file| run_file.url.trim_end_matches('/') == url);
        let certificate = run_file.as_ref().and_then(|run_file| run_file.certificate.as_deref()).map(certificate_in).transpose()?;
        let token = match (token, run_file) {
            (Some(token), _) => Some(token),
            (None, Some(run_file)) => Some(run_file.token.parse()?),
            (None, None) => None,
        };
        Ok(Self { url, token, certificate })
    }

    /// The address of a path of the server.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn own_token(args: &TargetArgs) -> Result<Option<Token>, TargetError> {
    let Some(path) = &args.token_file else { return Ok(args.token.clone()) };
    let text = std::fs::read_to_string(path).map_err(|source| TargetError::TokenFile { path: path.clone(), source })?;
    let token = text.parse().map_err(|source| TargetError::TokenFileContent { path: path.clone(), source })?;
    Ok(Some(token))
}

/// The first certificate of the file is the server's own.
fn certificate_in(path: &Path) -> Result<CertificateDer<'static>, TargetError> {
    CertificateDer::from_pem_file(path).map_err(|source| TargetError::Certificate { path: path.to_owned(), source })
}

fn checked_url(url: &str) -> Result<String, TargetError> {
    let url = url.trim().trim_end_matches('/');
    let refused = || TargetError::Url(super::terminal::printable(url.split('@').next_back().unwrap_or_default()).into_owned());
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).ok_or_else(refused)?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') || url.contains(['?', '#', ' ']) || url.contains(char::is_control) {
        return Err(refused());
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_file() -> Option<RunFile> {
        Some(RunFile { url: "http://127.0.0.1:9000/".into(), metrics_url: None, certificate: None, token: "local".into() })
    }

    fn token(text: &str) -> Token {
        text.parse().expect("a token")
    }

    #[test]
    fn flags_come_first_then_the_run_file_then_the_default() {
        let chosen = Target::choose(None, None, run_file()).expect("valid");
        assert_eq!(chosen, Target { url: "http://127.0.0.1:9000".into(), token: Some(token("local")), certificate: None });
        let chosen = Target::choose(None, Some(token("own")), run_file()).expect("valid");
        assert_eq!(chosen.token, Some(token("own")));
        let chosen = Target::choose(None, None, None).expect("valid");
        assert_eq!(chosen, Target { url: DEFAULT_URL.into(), token: None, certificate: None });
        assert_eq!(Target::choose(Some("http://h/base/"), None, None).expect("valid").at("/sse"), "http://h/base/sse");
    }

    #[test]
    fn the_run_files_token_goes_to_no_other_server() {
        assert_eq!(Target::choose(Some("http://elsewhere"), None, run_file()).expect("valid").token, None);
        assert_eq!(Target::choose(Some("http://127.0.0.1:9000"), None, run_file()).expect("valid").token, Some(token("local")));
    }

    #[test]
    fn an_unusable_address_names_the_flag_and_keeps_its_password_to_itself() {
        for url in ["ftp://h", "https://", "localhost:8400", "http://", "http://u:secret@h", "http://h/?token=x"] {
            let message = checked_url(url).expect_err(url).to_string();
            assert!(message.starts_with("--url ") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_token_is_one_line_of_visible_characters_and_is_never_shown() {
        assert_eq!("a b".parse::<Token>(), Err(TokenError));
        assert_eq!("\n".parse::<Token>(), Err(TokenError));
        assert!(!format!("{:?}", token("secret\n")).contains("secret"));
    }

    #[test]
    fn without_a_server_here_it_is_said_how_to_get_one() {
        let dir = tempfile::tempdir().expect("dir");
        let args = TargetArgs { data_dir: Some(dir.path().to_owned()), ..TargetArgs::default() };
        let message = Target::resolve(&args).expect_err("none").to_string();
        let place = dir.path().join("run.json");
        let expected = format!("no server runs here (no run file {}): start one with `fanfare`, or name one with", place.display());
        assert!(message.starts_with(&expected), "{message}");
        let named = TargetArgs { token: Some(token("own")), ..args };
        assert_eq!(Target::resolve(&named).expect("the default address").url, DEFAULT_URL);
    }

    #[test]
    fn a_dash_is_standard_input_and_read_once() {
        let args = TargetArgs { token_file: Some("-".into()), url: Some("http://h".into()), ..TargetArgs::default() };
        let own = args.with_token_of(&mut "abc\n".as_bytes()).expect("read");
        assert!(args.wants_stdin() && !own.wants_stdin());
        assert_eq!(Target::resolve(&own).expect("resolves").token, Some(token("abc")));
        let message = args.with_token_of(&mut "".as_bytes()).expect_err("empty").to_string();
        assert!(message.starts_with("--token-file -: "), "{message}");
    }

    #[test]
    fn a_token_file_is_read_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("token");
        let mut args = TargetArgs { url: Some("http://h".into()), token_file: Some(path.clone()), ..TargetArgs::default() };
        let message = Target::resolve(&args).expect_err("missing").to_string();
        assert!(message.starts_with("--token-file "), "{message}");
        std::fs::write(&path, "abc\n").expect("writes");
        args.data_dir = Some(dir.path().to_owned());
        assert_eq!(Target::resolve(&args).expect("resolves").token, Some(token("abc")));
    }
}
