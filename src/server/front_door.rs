//! The front door: reads one request head before any HTTP server does.
//!
//! A stream endpoint, plain and whole, becomes a session that owns its socket and never enters the HTTP dispatcher, which
//! would keep two buffers for its whole life. Everything else goes to the ordinary server, with the bytes already read put
//! back in front.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant, SystemTime},
};

use actix_http::{Protocol, header::HttpDate};
use actix_service::{Service, ServiceFactory};
use bytes::{Buf, Bytes};
use parking_lot::RwLock;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::{
    RequestLimits,
    doorkeeper::{Admitted, Decision, Doorkeeper, Identity, Question},
    engine_io::{AtTheDoor, Home, at_the_door, refused_websocket},
    head,
    held_back::HeldBack,
    opening::{self, SessionSettings},
    tls::Tls,
    transport::Transport,
    worker::{self, Worker},
};
use crate::{
    connection::SocketOptions,
    dialect::{self, Refused, Request},
    engineio::Fault,
    session::Carry,
    websocket::{
        frame,
        handshake::{self, Wanted},
    },
};

/// What one read may bring; a head that is longer is not for the door.
const SCRATCH: usize = 8 * 1024;

thread_local! {
    /// One buffer per worker: a connection that has sent nothing yet holds none.
    static SCRATCH_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// What the door itself is set up with.
#[derive(Clone)]
pub(super) struct DoorSettings {
    /// How long the first bytes may take (`limits.head`), the TLS handshake before them included. A reload may change it.
    pub(super) limits: Arc<RwLock<RequestLimits>>,
    /// How detached sockets are set up.
    pub(super) socket: SocketOptions,
    /// How sessions are.
    pub(super) session: SessionSettings,
}

impl DoorSettings {
    fn head(&self) -> Duration {
        self.limits.read().head
    }
}

/// A transport with bytes put back in front of it.
pub(super) struct Prefixed<Io> {
    prefix: Bytes,
    io: Io,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Prefixed<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.has_remaining() {
            let n = self.prefix.len().min(buffer.remaining());
            buffer.put_slice(&self.prefix[..n]);
            self.prefix.advance(n);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Prefixed<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The factory: one door per worker, in front of the ordinary server's factory.
pub(super) struct FrontDoor<F> {
    pub(super) http: F,
    pub(super) doorkeeper: Arc<Doorkeeper>,
    pub(super) settings: DoorSettings,
    /// `None`: clients speak plain HTTP.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) crew: Arc<worker::Crew>,
}

/// What goes on to the ordinary server.
pub(super) type Onward = (Prefixed<Transport>, Protocol, Option<SocketAddr>);

type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

impl<F> ServiceFactory<TcpStream> for FrontDoor<F>
where
    F: ServiceFactory<Onward, Config = ()>,
    F::Future: 'static,
    F::Service: 'static,
    F::InitError: 'static,
{
    type Response = ();
    type Error = F::Error;
    type Config = ();
    type Service = Door<F::Service>;
    type InitError = F::InitError;
    type Future = Boxed<Self::Service, Self::InitError>;

    fn new_service(&self, (): ()) -> Self::Future {
        let worker = Worker::of_this_thread(&self.crew);
        let (doorkeeper, settings, tls) = (Arc::clone(&self.doorkeeper), Rc::new(self.settings.clone()), self.tls.clone());
        let http = self.http.new_service(());
        Box::pin(async move { Ok(Door { http: Rc::new(http.await?), doorkeeper, settings, tls, worker, held: Rc::default() }) })
    }
}

/// One worker's door.
pub(super) struct Door<S> {
    http: Rc<S>,
    doorkeeper: Arc<Doorkeeper>,
    settings: Rc<DoorSettings>,
    tls: Option<Arc<Tls>>,
    worker: Worker,
    /// Clients that wait for their refusal.
    held: Rc<HeldBack>,
}

/// What the first bytes turned out to be.
enum Came {
    /// With the answer to its key, where it asked for a WebSocket.
    Client(Box<Admitted>, Option<String>),
    Refused(Refused, Option<String>),
    /// A WebSocket's client that is refused again and again.
    Storms(Refused, Option<String>),
    /// A client's, whose token somebody else may know.
    Unknown {
        head: Bytes,
        question: Question,
    },
    /// A WebSocket that wants to take over a session of Engine.IO, and the answer to its key.
    TakesOver(Home, String),
    Other(Bytes),
}

impl<S> Service<TcpStream> for Door<S>
where
    S: Service<Onward> + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Boxed<(), S::Error>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.http.poll_ready(cx)
    }

    fn call(&self, socket: TcpStream) -> Self::Future {
        let (http, doorkeeper, settings, worker) =
            (Rc::clone(&self.http), Arc::clone(&self.doorkeeper), Rc::clone(&self.settings), self.worker.clone());
        let (tls, held) = (self.tls.clone(), Rc::clone(&self.held));
        Box::pin(async move {
            let came_at = Instant::now();
            let opened = timeout(settings.head(), open(socket, tls, &doorkeeper)).await;
            let Ok(Ok((transport, peer, mut came))) = opened else {
                return Ok(()); // it said nothing, no TLS, or is gone: nobody to answer
            };
            if let Came::Unknown { head, question } = came {
                let answer = doorkeeper.ask(&question).await;
                came = look(&head, &doorkeeper, peer, Some(answer));
            }
            match came {
                Came::Unknown { .. } => {} // an answer was given: it is not asked twice
                Came::Other(prefix) => {
                    let protocol = transport.protocol();
                    // On the heap: a stream's client needs no room for the HTTP server's state while it comes in.
                    let served = Box::pin(http.call((Prefixed { prefix, io: transport }, protocol, peer)));
                    return served.await.map(drop);
                }
                Came::Storms(refused, accept) => {
                    held.wait().await;
                    refuse(transport, refused, accept, settings.head()).await;
                }
                Came::TakesOver(home, accept) => take_over(transport, home, &accept, &settings).await,
                Came::Refused(refused, accept) => refuse(transport, refused, accept, settings.head()).await,
                Came::Client(admitted, accept) => {
                    let admitted = Admitted { came: came_at, ..*admitted };
                    start_session(transport, (admitted, accept), (&doorkeeper, &worker), &settings);
                }
            }
            Ok(())
        })
    }
}

/// The handshake, if there is one, and the first bytes behind it.
async fn open(socket: TcpStream, tls: Option<Arc<Tls>>, doorkeeper: &Doorkeeper) -> io::Result<(Transport, Option<SocketAddr>, Came)> {
    let mut transport = match tls {
        Some(tls) => tls.accept(socket).await?,
        None => Transport::Plain(socket),
    };
    let peer = transport.peer();
    let came = match transport.protocol() {
        Protocol::Http1 => first_bytes(&mut transport, doorkeeper, peer).await?,
        _ => Came::Other(Bytes::new()), // nothing in it is the door's
    };
    Ok((transport, peer, came))
}

/// One read: a head in pieces is not for the door.
async fn first_bytes(transport: &mut Transport, doorkeeper: &Doorkeeper, peer: Option<SocketAddr>) -> io::Result<Came> {
    poll_fn(|cx| {
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *transport).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(look(buffer.filled(), doorkeeper, peer, None)))
        })
    })
    .await
}

fn look(bytes: &[u8], doorkeeper: &Doorkeeper, peer: Option<SocketAddr>, asked: Option<Identity>) -> Came {
    head::read(bytes, |head| {
        let header = |name: &str| head.header(name);
        let accept = match handshake::wanted(&header, &|name, word| head.lists(name, word)) {
            Wanted::WebSocket { accept } => Some(accept),
            Wanted::Nothing => None,
            Wanted::OtherVersion | Wanted::Malformed => return None, // odd
        };
        let (dialect, path) = doorkeeper.stream_at(head.path, accept.is_some())?;
        let request = Request {
            path,
            websocket: accept.is_some(),
            query: head.query,
            header: &header,
            peer,
            address: doorkeeper.address(peer, head.lines("x-forwarded-for")),
            secure: doorkeeper.is_secure(peer, head.header("x-forwarded-proto")),
        };
        if doorkeeper.dialect(dialect).engine_io().is_some() {
            let refuse = |fault| Some(Came::Refused(refused_websocket(doorkeeper, dialect, &request, fault), None));
            match at_the_door(head.query, accept.is_some()) {
                AtTheDoor::Open => {}
                AtTheDoor::Other => return None,
                AtTheDoor::Refuse(fault) => return refuse(fault),
                AtTheDoor::TakeOver(sid) => {
                    let Some((home, accept)) = doorkeeper.homes().find(sid).zip(accept) else { return refuse(Fault::UnknownSid) };
                    return Some(Came::TakesOver(home, accept));
                }
            }
        }
        Some(match doorkeeper.admit(dialect, &request, asked) {
            Decision::Admit(admitted) => Came::Client(admitted, accept),
            Decision::RefuseAgain(refused) if accept.is_some() => Came::Storms(refused, accept),
            Decision::Refuse(refused) | Decision::RefuseAgain(refused) => Came::Refused(refused, accept),
            Decision::Ask(question) => Came::Unknown { head: Bytes::copy_from_slice(bytes), question },
        })
    })
    .unwrap_or_else(|| Came::Other(Bytes::copy_from_slice(bytes)))
}

/// The transport becomes a session of this worker.
fn start_session(
    transport: Transport,
    (admitted, accept): (Admitted, Option<String>),
    door: (&Doorkeeper, &Worker),
    settings: &DoorSettings,
) {
    let (doorkeeper, worker) = door;
    let outlet = match transport.into_outlet(settings.socket) {
        Ok(outlet) => outlet,
        Err(error) => {
            tracing::debug!(%error, "a socket option was refused");
            return;
        }
    };
    let head = match (admitted.opening.transport, &accept) {
        (dialect::Transport::WebSocket, Some(accept)) => switching_head(accept, &admitted.opening.headers),
        // No content-length and no chunking: the stream ends when the connection does.
        _ => response_head(200, &admitted.opening.headers, None),
    };
    let dialect = doorkeeper.dialect(admitted.dialect);
    // Where the rights have ended meanwhile there is nothing left to say.
    let _ = opening::begin(admitted, (outlet, head), dialect, worker.hub(), &settings.session);
}

/// The transport is handed to the session that it wants to take over, wherever that is.
async fn take_over(mut transport: Transport, home: Home, accept: &str, settings: &DoorSettings) {
    let hand_over = async {
        transport.write_all(&switching_head(accept, &[("access-control-allow-origin", "*".to_owned())])).await?;
        transport.flush().await?;
        let moving = transport.into_moving(settings.socket)?;
        home.send(Carry::TakeOver(Box::new(moving))).await;
        io::Result::Ok(())
    };
    // A client that does not take the answer goes on polling, or does not come again.
    if let Ok(Err(error)) = timeout(settings.head(), hand_over).await {
        tracing::debug!(%error, "a WebSocket could not take over");
    }
}

/// Says no: with an answer, or on a WebSocket that is closed as it opens.
async fn refuse(mut transport: Transport, refused: Refused, accept: Option<String>, deadline: Duration) {
    let bytes = match (refused, accept) {
        (Refused::Answer(answer), _) => {
            [&response_head(answer.status, &answer.headers, Some(answer.body.len()))[..], &answer.body].concat()
        }
        (Refused::Close(code), Some(accept)) => [switching_head(&accept, &[]), frame::close(code, "")].concat(),
        (Refused::Close(_), None) => response_head(503, &[], Some(0)).to_vec(), // no dialect closes what was not asked for
    };
    let say_no = async {
        transport.write_all(&bytes).await?;
        transport.shutdown().await
    };
    // A client that does not take its refusal within the deadline is dropped with it.
    let _ = timeout(deadline, say_no).await;
}

/// What a client is told whose head was not whole in time.
pub(super) fn too_late() -> Bytes {
    response_head(408, &[], Some(0))
}

fn switching_head(accept: &str, headers: &[(&'static str, String)]) -> Bytes {
    let mut head = format!("HTTP/1.1 101 Switching Protocols\r\ndate: {}\r\n", date());
    put_headers(&mut head, [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)]);
    put_headers(&mut head, headers.iter().map(|(name, value)| (*name, value.as_str())));
    head.push_str("\r\n");
    head.into()
}

fn response_head(status: u16, headers: &[(&'static str, String)], content_length: Option<usize>) -> Bytes {
    let reason = actix_http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut head = format!("HTTP/1.1 {status} {reason}\r\ndate: {}\r\n", date());
    put_headers(&mut head, headers.iter().map(|(name, value)| (*name, value.as_str())));
    if let Some(length) = content_length {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("connection: close\r\n\r\n");
    head.into()
}

/// As the HTTP server writes it.
fn date() -> HttpDate {
    SystemTime::now().into()
}

fn put_headers<'h>(head: &mut String, headers: impl IntoIterator<Item = (&'h str, &'h str)>) {
    for (name, value) in headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
}
