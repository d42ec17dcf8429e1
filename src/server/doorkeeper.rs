//! Who comes in: one authentication and one admission for the front door and for the HTTP server behind it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ipnet::IpNet;

use super::{
    PerMinute,
    address::{TrustedProxies, network},
    attempts::BadAttempts,
    engine_io::{Homes, Spoken},
    origin::{Headers, Origins, Page, Target},
    paths,
};
use crate::{
    access::{Asked, Authenticated, Caller, ConnectionGuard, Credential, Denied, Directory, Secret, TooManyConnections},
    connection::Details,
    dialect::{Answer, Dialect, NotAuthenticated, Opening, Refusal, Refused, Request},
    metrics::{AdmissionMetrics, AuthResult, Rejection},
    session::Authenticate,
};

/// The longest client name kept, in characters.
const MAX_CLIENT_NAME: usize = 120;

/// What the doorkeeper goes by, as the settings have it.
#[derive(Debug, Clone, Default)]
pub struct DoorRules {
    /// Origins whose pages may use cookies (`server.allowed_origins`).
    pub allowed_origins: Vec<String>,
    /// The cookie that may carry a token (`server.cookie`).
    pub cookie: String,
    /// Whose word about other addresses is believed (`server.trusted_proxies`).
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the listener speaks TLS.
    pub tls: bool,
    /// Bad tokens an address may show (`limits.bad_tokens_per_minute`).
    pub bad_tokens_per_minute: PerMinute,
}

/// Admits or refuses clients.
pub struct Doorkeeper {
    dialects: Vec<Arc<dyn Dialect>>,
    directory: Arc<Directory>,
    origins: Origins,
    proxies: TrustedProxies,
    tls: bool,
    attempts: BadAttempts,
    draining: Arc<AtomicBool>,
    metrics: Arc<AdmissionMetrics>,
    homes: Arc<Homes>,
}

/// A client that may come in.
pub(super) struct Admitted {
    pub(super) dialect: usize,
    pub(super) opening: Opening,
    pub(super) credential: Credential,
    pub(super) guard: ConnectionGuard,
    pub(super) details: Details,
    /// When it began to come in.
    pub(super) came: Instant,
}

/// What the doorkeeper says to a client.
pub(super) enum Decision {
    /// Come in.
    Admit(Box<Admitted>),
    /// No, in the dialect's words.
    Refuse(Refused),
    /// The same, to an address that has shown too many bad tokens: nobody need hurry to tell it.
    RefuseAgain(Refused),
    /// Somebody else may know this token: [`Doorkeeper::ask`], and come back with the answer.
    Ask(Question),
}

/// A token, and who may know it.
#[derive(Debug)]
pub(super) struct Question {
    token: Secret,
    asked: Asked,
}

/// Whose call it is, or why it is nobody's.
pub(super) type Identity = Result<Authenticated, Denied>;

/// Why somebody is nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unidentified {
    /// No token, or none that counts.
    Unknown,
    /// The token's user may not come in. Only dialects whose servers say so tell it.
    Disabled,
    /// The address has shown too many bad ones, and must wait so long.
    TooMany(Duration),
    /// Whoever may know it cannot be asked, or not for this address now.
    Unavailable,
    /// This one may know it, and has not been asked yet.
    Ask(Asked),
}

/// Why a client does not come in.
enum Outside {
    /// For that reason, and in these words.
    Refused(Rejection, Refusal),
    /// Because the request opens no stream, as its dialect says.
    Answered(Answer),
    /// Not before somebody else was asked.
    Ask(Question),
}

impl Outside {
    fn full(full: TooManyConnections) -> Self {
        let rejection = match full {
            TooManyConnections::OfUser { .. } => Rejection::UserFull,
            TooManyConnections::OfAddress { .. } => Rejection::AddressFull,
            TooManyConnections::InAll { .. } => Rejection::ServerFull,
        };
        Self::Refused(rejection, Refusal::Full)
    }
}

impl Doorkeeper {
    /// A doorkeeper for these dialects, whose places are their numbers.
    #[must_use]
    pub fn new(
        rules: DoorRules,
        dialects: Vec<Arc<dyn Dialect>>,
        directory: Arc<Directory>,
        metrics: Arc<AdmissionMetrics>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        let headers = dialects.iter().flat_map(|dialect| dialect.request_headers()).copied();
        let origins = Origins::new(rules.allowed_origins, rules.cookie, headers);
        Self {
            dialects,
            directory,
            origins,
            proxies: TrustedProxies::new(rules.trusted_proxies),
            tls: rules.tls,
            attempts: BadAttempts::new(rules.bad_tokens_per_minute),
            draining,
            metrics,
            homes: Arc::default(),
        }
    }

    /// From now on nobody is let in.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether nobody is let in any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The stream endpoint that a path, undecoded, leads to: the number of its dialect, and its path as that names it. A
    /// WebSocket may be taken on a path that nobody owns; that is named as it came.
    pub(super) fn stream_at<'p>(&self, path: &'p str, is_websocket: bool) -> Option<(usize, &'p str)> {
        let decoded = paths::with_colons(path);
        let exact = self.stream_paths().find(|(_, known)| paths::leads_to(&decoded, known));
        exact.or_else(|| self.free_stream_at(path)).or_else(|| {
            let taker = || self.dialects.iter().position(|dialect| dialect.takes_other_websockets());
            let is_free = is_websocket && !paths::is_the_engines(path);
            is_free.then(taker).flatten().map(|taker| (taker, path))
        })
    }

    fn free_stream_at(&self, path: &str) -> Option<(usize, &'static str)> {
        self.dialects.iter().enumerate().find_map(|(number, dialect)| {
            let prefixes = dialect.prefixes()?;
            let known = dialect.stream_paths().iter().find(|known| paths::leads_freely_to(path, known, prefixes))?;
            Some((number, *known))
        })
    }

    /// How Engine.IO is spoken at a path, if it is.
    pub(super) fn engine_io_at<'p>(&self, path: &'p str) -> Option<Spoken<'p>> {
        let (number, path) = self.stream_at(path, false)?;
        Some((number, self.dialects[number].engine_io()?, path))
    }

    /// Where Engine.IO's sessions are.
    pub(super) fn homes(&self) -> &Arc<Homes> {
        &self.homes
    }

    /// The dialect of that number.
    pub(super) fn dialect(&self, number: usize) -> &Arc<dyn Dialect> {
        &self.dialects[number]
    }

    /// Every stream endpoint, with its dialect's number.
    fn stream_paths(&self) -> impl Iterator<Item = (usize, &'static str)> + '_ {
        self.dialects.iter().enumerate().flat_map(|(number, dialect)| dialect.stream_paths().iter().map(move |path| (number, *path)))
    }

    /// The dialects with their numbers.
    pub(crate) fn dialects(&self) -> impl Iterator<Item = (usize, &dyn Dialect)> {
        self.dialects.iter().map(AsRef::as_ref).enumerate()
    }

    /// The dialects' names, in their order.
    #[must_use]
    pub(crate) fn dialect_names(&self) -> Vec<&'static str> {
        self.dialects.iter().map(|dialect| dialect.name()).collect()
    }

    /// What each dialect says of itself on the start page.
    pub(super) fn guides(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.dialects.iter().map(|dialect| dialect.guide())
    }

    /// The client's address, through the proxies that are believed; `forwarded` are the values of `X-Forwarded-For`.
    pub(super) fn address<'h>(&self, peer: Option<SocketAddr>, forwarded: impl DoubleEndedIterator<Item = &'h [u8]>) -> Option<IpAddr> {
        peer.map(|peer| self.proxies.client(peer.ip(), forwarded))
    }

    /// Whether the client came over TLS; `forwarded` is the value of `X-Forwarded-Proto`.
    pub(super) fn is_secure(&self, peer: Option<SocketAddr>, forwarded: Option<&str>) -> bool {
        let of_proxy = || peer.is_some_and(|peer| self.proxies.trusts(peer.ip()));
        self.tls || forwarded.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https") && of_proxy())
    }

    /// Lets a client in, or says no in its dialect's words. `asked` is what [`Doorkeeper::ask`] answered.
    pub(super) fn admit(&self, dialect: usize, request: &Request<'_>, asked: Option<Identity>) -> Decision {
        match self.try_admit(dialect, request, asked) {
            Ok(admitted) => Decision::Admit(Box::new(admitted)),
            Err(Outside::Ask(question)) => Decision::Ask(question),
            Err(Outside::Refused(rejection, refusal)) => {
                let refused = self.refuse(dialect, request, rejection, refusal);
                let is_again = matches!(refusal, Refusal::TooManyAttempts(_));
                if is_again { Decision::RefuseAgain(refused) } else { Decision::Refuse(refused) }
            }
            Err(Outside::Answered(answer)) => {
                Decision::Refuse(self.say_no(dialect, request, Rejection::Malformed, Refused::Answer(answer)))
            }
        }
    }

    /// Says no in a dialect's words; counted.
    pub(super) fn refuse(&self, dialect: usize, request: &Request<'_>, rejection: Rejection, refusal: Refusal) -> Refused {
        self.say_no(dialect, request, rejection, self.dialects[dialect].refuse(request, refusal))
    }

    /// Says no; counted.
    pub(super) fn say_no(&self, dialect: usize, request: &Request<'_>, rejection: Rejection, mut refused: Refused) -> Refused {
        self.metrics.rejected(dialect, rejection);
        if let Refused::Answer(answer) = &mut refused {
            answer.headers.extend(self.cors((request.header)("origin")));
        }
        refused
    }

    fn try_admit(&self, number: usize, request: &Request<'_>, asked: Option<Identity>) -> Result<Admitted, Outside> {
        if self.is_draining() {
            return Err(Outside::Refused(Rejection::Draining, Refusal::Draining));
        }
        let dialect = &self.dialects[number];
        let token = self.token(dialect.as_ref(), request);
        let (caller, guard) = if token.is_none() && dialect.admits_nobody(request) {
            self.nobody(request)?
        } else {
            self.somebody((token.as_deref(), dialect.asks()), request, asked)?
        };
        let credential = caller.credential.clone().unwrap_or_else(Credential::nobody);
        let mut opening = dialect.open(request, &caller).map_err(Outside::Answered)?;
        opening.headers.extend(self.cors((request.header)("origin")));
        let client = dialect.client(request).as_deref().map(client_name);
        let details = Details::new(request.peer, request.address, client);
        Ok(Admitted { dialect: number, opening, credential, guard, details, came: Instant::now() })
    }

    /// A client that shows no token and may say later who it is.
    fn nobody(&self, request: &Request<'_>) -> Result<(Caller, ConnectionGuard), Outside> {
        self.metrics.authenticated(AuthResult::Missing);
        let guard = self.directory.admit_nobody(request.address.map(network)).map_err(Outside::full)?;
        Ok((Caller::default(), guard))
    }

    fn somebody(
        &self,
        shown: (Option<&str>, Asked),
        request: &Request<'_>,
        asked: Option<Identity>,
    ) -> Result<(Caller, ConnectionGuard), Outside> {
        let authenticated = self.identify(shown, request.address, asked).map_err(|why| match why {
            Unidentified::Unknown | Unidentified::Disabled => Outside::Refused(Rejection::Unauthorised, Refusal::Unauthorised),
            Unidentified::Unavailable => Outside::Refused(Rejection::Unavailable, Refusal::Full),
            Unidentified::TooMany(wait) => Outside::Refused(Rejection::TooManyAttempts, Refusal::TooManyAttempts(wait)),
            Unidentified::Ask(asked) => Outside::Ask(Question::new(shown.0.unwrap_or_default(), asked)),
        })?;
        if !authenticated.principal.may_open_streams() {
            return Err(Outside::Refused(Rejection::Unauthorised, Refusal::Unauthorised));
        }
        let admitted = self.directory.admit(authenticated.user(), request.address.map(network)).map_err(Outside::full)?;
        Ok((authenticated.into_caller(), admitted.guard))
    }

    /// The token a request shows, in its dialect's places for one or in a cookie where that counts.
    fn token(&self, dialect: &dyn Dialect, request: &Request<'_>) -> Option<String> {
        let shown = dialect.token(request);
        if shown.is_some() || !dialect.takes_cookies() {
            return shown;
        }
        let header = request.header;
        let target = Target { secure: request.secure, host: header("host") };
        let page = Page { origin: header("origin"), site: header("sec-fetch-site") };
        self.origins.cookie_token(page, target, header("cookie")).map(str::to_owned)
    }

    /// Who shows this token from this address, where that one may know it; counted. `answer` is what [`Doorkeeper::ask`]
    /// answered.
    pub(super) fn identify(
        &self,
        (token, asked): (Option<&str>, Asked),
        address: Option<IpAddr>,
        answer: Option<Identity>,
    ) -> Result<Authenticated, Unidentified> {
        let Some(token) = token else {
            self.metrics.authenticated(AuthResult::Missing);
            return Err(Unidentified::Unknown);
        };
        let now = Instant::now();
        let was_asked = answer.is_some();
        let denied = match answer.unwrap_or_else(|| self.directory.authenticate_by(token, asked)) {
            Ok(authenticated) => {
                if let Some(address) = address.filter(|_| was_asked) {
                    self.attempts.was_good(address);
                }
                self.metrics.authenticated(AuthResult::Accepted);
                return Ok(authenticated);
            }
            Err(denied) => denied,
        };
        let (result, is_bad) = match denied {
            Denied::Unknown => (AuthResult::Unknown, true),
            Denied::Expired => (AuthResult::Expired, true),
            Denied::Disabled => (AuthResult::Disabled, true),
            Denied::Unavailable => (AuthResult::Unavailable, false),
            // Nobody else is bothered much with an address that shows bad tokens. This one may be good: it is to come again.
            Denied::Ask(_) if address.is_some_and(|address| !self.attempts.may_ask(address, now)) => (AuthResult::Limited, false),
            Denied::Ask(asked) => return Err(Unidentified::Ask(asked)),
        };
        self.metrics.authenticated(result);
        if !is_bad {
            return Err(Unidentified::Unavailable);
        }
        match address.and_then(|address| self.attempts.failed(address, now)) {
            Some(wait) => Err(Unidentified::TooMany(wait)),
            None if denied == Denied::Disabled => Err(Unidentified::Disabled),
            None => Err(Unidentified::Unknown),
        }
    }

    /// Counts a log-in by what came of it, beside the tokens that were shown.
    pub(super) fn count_log_in(&self, result: AuthResult) {
        self.metrics.authenticated(result);
    }

    /// Counts a token that was shown where only some of them count; `Some` is how long the address must wait, because it was
    /// one bad one too many.
    pub(super) fn count_token(&self, result: AuthResult, address: Option<IpAddr>) -> Option<Duration> {
        self.metrics.authenticated(result);
        let is_bad = matches!(result, AuthResult::Unknown | AuthResult::Expired);
        address.filter(|_| is_bad).and_then(|address| self.attempts.failed(address, Instant::now()))
    }

    /// Has somebody else asked whose token it is.
    pub(super) async fn ask(&self, question: &Question) -> Identity {
        self.directory.ask(question.token.expose(), question.asked).await
    }

    /// Whether a dialect is told the cookies of a request with these headers: not those that another site's page had a browser send.
    pub(super) fn cookies_count<'h>(&self, header: impl Fn(&str) -> Option<&'h str>, secure: bool) -> bool {
        let page = Page { origin: header("origin"), site: header("sec-fetch-site") };
        self.origins.cookies_count(page, Target { secure, host: header("host") })
    }

    /// What lets pages of other origins read an answer.
    pub(super) fn cors(&self, origin: Option<&str>) -> Headers {
        self.origins.cors(origin)
    }

    /// The answer to a browser that asks before it sends `Authorization` or `Last-Event-ID`.
    pub(super) fn preflight(&self, origin: Option<&str>) -> Headers {
        self.origins.preflight(origin)
    }

    /// The directory behind the door.
    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }
}

impl Question {
    pub(super) fn new(token: &str, asked: Asked) -> Self {
        Self { token: Secret::new(token.to_owned()), asked }
    }
}

/// Finds out whose the tokens are that clients show in the middle of a conversation, as if they had come with them.
pub(super) fn authenticate(doorkeeper: &Arc<Doorkeeper>) -> Authenticate {
    let doorkeeper = Arc::clone(doorkeeper);
    Arc::new(move |token, asks, address| {
        let doorkeeper = Arc::clone(&doorkeeper);
        Box::pin(async move {
            let shown = (Some(token.expose()), asks);
            let mut identified = doorkeeper.identify(shown, address, None);
            if let Err(Unidentified::Ask(asked)) = identified {
                let answer = doorkeeper.ask(&Question::new(token.expose(), asked)).await;
                identified = doorkeeper.identify(shown, address, Some(answer));
            }
            match identified {
                Ok(authenticated) if authenticated.principal.may_open_streams() => Ok(authenticated.into_caller()),
                Ok(_) | Err(Unidentified::Unknown) => Err(NotAuthenticated::Refused),
                Err(Unidentified::Disabled) => Err(NotAuthenticated::Disabled),
                Err(Unidentified::TooMany(wait)) => Err(NotAuthenticated::TooManyAttempts(wait)),
                Err(Unidentified::Unavailable | Unidentified::Ask(_)) => Err(NotAuthenticated::Unavailable),
            }
        })
    })
}

/// What a client calls itself, fit for logs and lists.
fn client_name(name: &str) -> Box<str> {
    name.chars().filter(|c| !c.is_control()).take(MAX_CLIENT_NAME).collect::<String>().into()
}
