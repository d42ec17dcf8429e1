//! The baseline: an actor per connection with a mailbox of its own, as the framework's examples have it.
//!
//! One actix-web worker; each client's response body is an `HttpContext`, and a broadcaster sends every session the
//! event's bytes.

use std::{net::SocketAddr, sync::Arc};

use actix::{Actor, AsyncContext, Handler, Message, Recipient};
use actix_web::{App, HttpResponse, HttpServer, web};
use actix_web_actors::HttpContext;
use bytes::Bytes;
use parking_lot::Mutex;

/// What a session is sent: the bytes of one event.
#[derive(Message)]
#[rtype(result = "()")]
struct Frame(Bytes);

type Sessions = Arc<Mutex<Vec<Recipient<Frame>>>>;

struct Session(Sessions);

impl Actor for Session {
    type Context = HttpContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.0.lock().push(ctx.address().recipient());
    }
}

impl Handler<Frame> for Session {
    type Result = ();

    fn handle(&mut self, Frame(bytes): Frame, ctx: &mut Self::Context) {
        ctx.write(bytes);
    }
}

/// The server on a thread of its own.
pub(crate) struct Textbook {
    pub(crate) address: SocketAddr,
    sessions: Sessions,
}

impl Textbook {
    /// Starts it; it lives as long as the process.
    pub(crate) fn start() -> Self {
        let sessions = Sessions::default();
        let (address, bound) = std::sync::mpsc::channel();
        let of_app = Arc::clone(&sessions);
        std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let sessions = web::Data::new(of_app);
                let app = move || App::new().app_data(sessions.clone()).route("/", web::get().to(open));
                let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
                address.send(server.addrs()[0]).expect("the bench waits");
                server.run().await.expect("the server runs");
            });
        });
        Self { address: bound.recv().expect("the server starts"), sessions }
    }

    /// How many sessions there are.
    pub(crate) fn n_sessions(&self) -> usize {
        self.sessions.lock().len()
    }

    /// Sends every session the bytes.
    pub(crate) fn publish(&self, frame: &Bytes) {
        for session in self.sessions.lock().iter() {
            session.try_send(Frame(frame.clone())).expect("one event at a time fits every mailbox");
        }
    }
}

async fn open(sessions: web::Data<Sessions>) -> HttpResponse {
    let session = Session(Arc::clone(&sessions));
    HttpResponse::Ok().content_type("text/event-stream").streaming(HttpContext::create(session))
}
