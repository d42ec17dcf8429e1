//! Who comes in: one authentication and one admission for the front door and for the HTTP server behind it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    access::{Authenticated, ConnectionGuard, Credential, Denied, Directory, TooManyConnections},
    clock::Timestamp,
    connection::Details,
    dialect::{Answer, Dialect, Opening, Refusal, Request},
    metrics::{AdmissionMetrics, AuthResult, Rejection},
};

/// The longest client name kept, in characters.
const MAX_CLIENT_NAME: usize = 120;

/// Admits or refuses clients.
pub struct Doorkeeper {
    dialects: Vec<Arc<dyn Dialect>>,
    directory: Arc<Directory>,
    allowed_origins: Vec<String>,
    draining: Arc<AtomicBool>,
    metrics: Arc<AdmissionMetrics>,
}

/// A client that may come in.
pub(super) struct Admitted {
    pub(super) dialect: usize,
    pub(super) opening: Opening,
    pub(super) credential: Credential,
    pub(super) guard: ConnectionGuard,
    pub(super) details: Details,
}

impl Doorkeeper {
    /// A doorkeeper for these dialects, whose places are their numbers.
    #[must_use]
    pub fn new(
        dialects: Vec<Arc<dyn Dialect>>,
        directory: Arc<Directory>,
        allowed_origins: Vec<String>,
        metrics: Arc<AdmissionMetrics>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        Self { dialects, directory, allowed_origins, draining, metrics }
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

    /// The number of the dialect whose stream endpoint that path is.
    pub(super) fn dialect_at(&self, path: &str) -> Option<usize> {
        self.dialects.iter().position(|dialect| dialect.stream_paths().contains(&path))
    }

    /// Every stream endpoint, with its dialect's number.
    pub(super) fn stream_paths(&self) -> impl Iterator<Item = (usize, &'static str)> + '_ {
        self.dialects.iter().enumerate().flat_map(|(number, dialect)| dialect.stream_paths().iter().map(move |path| (number, *path)))
    }

    /// What each dialect says of itself on the start page.
    pub(super) fn guides(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.dialects.iter().map(|dialect| dialect.guide())
    }

    /// Lets a client in, or says no in its dialect's words.
    pub(super) fn admit(&self, dialect: usize, request: &Request<'_>) -> Result<Admitted, Answer> {
        self.try_admit(dialect, request).map_err(|rejection| {
            self.metrics.rejected(dialect, rejection);
            let refusal = match rejection {
                Rejection::Unauthorised | Rejection::Malformed => Refusal::Unauthorised,
                Rejection::ServerFull | Rejection::UserFull => Refusal::Full,
                Rejection::Draining => Refusal::Draining,
            };
            self.with_cors(self.dialects[dialect].refuse(request, refusal), request)
        })
    }

    fn try_admit(&self, number: usize, request: &Request<'_>) -> Result<Admitted, Rejection> {
        if self.is_draining() {
            return Err(Rejection::Draining);
        }
        let dialect = &self.dialects[number];
        let token = dialect.token(request);
        let authenticated = self.authenticate(token.as_deref()).ok_or(Rejection::Unauthorised)?;
        let Authenticated { principal, credential, .. } = authenticated;
        let admitted = self.directory.admit(principal.user.as_ref()).map_err(|full| match full {
            TooManyConnections::OfUser { .. } => Rejection::UserFull,
            TooManyConnections::InAll { .. } => Rejection::ServerFull,
        })?;
        let mut opening = dialect.open(request, principal);
        opening.headers.extend(self.cors((request.header)("origin")));
        let details = Details {
            dialect: dialect.name(),
            peer: request.peer,
            client: (request.header)("user-agent").map(client_name),
            opened: Timestamp::now(),
        };
        Ok(Admitted { dialect: number, opening, credential, guard: admitted.guard, details })
    }

    /// Who shows this token; counted.
    fn authenticate(&self, token: Option<&str>) -> Option<Authenticated> {
        let Some(token) = token else {
            self.metrics.authenticated(AuthResult::Missing);
            return None;
        };
        let (result, authenticated) = match self.directory.authenticate(token) {
            Ok(authenticated) => (AuthResult::Accepted, Some(authenticated)),
            Err(Denied::Unknown) => (AuthResult::Unknown, None),
            Err(Denied::Expired) => (AuthResult::Expired, None),
            Err(Denied::Disabled) => (AuthResult::Disabled, None),
        };
        self.metrics.authenticated(result);
        authenticated
    }

    /// Who makes this call, by `Authorization: Bearer`.
    pub(super) fn caller(&self, authorization: Option<&str>) -> Option<Authenticated> {
        let bearer = authorization.and_then(|header| header.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        self.authenticate(bearer.map(|(_, token)| token.trim()))
    }

    fn with_cors(&self, mut answer: Answer, request: &Request<'_>) -> Answer {
        answer.headers.extend(self.cors((request.header)("origin")));
        answer
    }

    /// Requests carry tokens, not cookies, so any origin may read the answers; credentials only for listed ones.
    pub(super) fn cors(&self, origin: Option<&str>) -> Vec<(&'static str, String)> {
        match origin.filter(|origin| self.allowed_origins.iter().any(|allowed| allowed == origin)) {
            Some(origin) => vec![
                ("access-control-allow-origin", origin.to_owned()),
                ("access-control-allow-credentials", "true".to_owned()),
                ("vary", "Origin".to_owned()),
            ],
            None if self.allowed_origins.is_empty() => vec![("access-control-allow-origin", "*".to_owned())],
            None => vec![("access-control-allow-origin", "*".to_owned()), ("vary", "Origin".to_owned())],
        }
    }

    /// The directory behind the door.
    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }
}

/// What a client calls itself, fit for logs and lists.
fn client_name(user_agent: &str) -> Box<str> {
    user_agent.chars().filter(|c| !c.is_control()).take(MAX_CLIENT_NAME).collect::<String>().into()
}

/// The address of a peer, if it still has one.
pub(super) fn peer_of(socket: &tokio::net::TcpStream) -> Option<SocketAddr> {
    socket.peer_addr().ok()
}
