//! Where events come from: the open-loop publisher in front of a server, or the floor, which makes them itself in a child process.

use crate::args::{Events, PublishStyle, RunArgs};
use crate::client::Shared;
use crate::clock::{SECOND, now_ns};
use crate::failure::Failure;
use crate::floor::FloorReport;
use crate::frame::{Family, Template};
use crate::http;
use crate::publisher::{Destination, Published, Publisher};
use crate::schedule::Schedule;
use crate::spread::Spread;
use std::io::{BufRead, BufReader};
use std::net::SocketAddrV4;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// Time between choosing the start and the first event.
const LEAD_NS: u64 = SECOND / 5;

/// What is measured, and how its events are made.
pub(crate) enum Target {
    /// A server that is already running.
    Server(Destination),
    /// The floor.
    Floor(Floor),
}

/// Events on their way.
pub(crate) enum Flow {
    /// By the publisher's threads.
    Published(Publisher),
    /// By the floor.
    Made(Floor),
}

/// Everything that was published, and the floor, which holds its connections until this is dropped.
pub(crate) struct Finished {
    /// What became of it.
    pub(crate) published: Published,
    /// The floor's process, for as long as its connections are needed.
    pub(crate) _floor: Option<Floor>,
}

/// The floor's process; killed when dropped.
pub(crate) struct Floor {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddrV4,
}

impl Target {
    /// Finds the server, or starts the floor.
    pub(crate) fn open(args: &RunArgs) -> Result<Self, Failure> {
        if args.target == "floor" {
            return Floor::start(args).map(Self::Floor);
        }
        let address = http::loopback_address(&args.target)?;
        Ok(Self::Server(Destination {
            address,
            path: args.publish_path.clone(),
            token: args.access.token.clone(),
            style: args.publish_style,
            pause_ms: args.publisher_pause_ms,
        }))
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        match self {
            Self::Server(destination) => destination.address,
            Self::Floor(floor) => floor.address,
        }
    }

    /// The process to watch, when it is known.
    pub(crate) fn pid(&self, args: &RunArgs) -> Option<u32> {
        match self {
            Self::Server(_) => args.access.server_pid,
            Self::Floor(floor) => Some(floor.child.id()),
        }
    }

    /// Starts the events and returns their schedule.
    pub(crate) fn start(self, args: &RunArgs, shared: &Arc<Shared>) -> Result<(Flow, Schedule), Failure> {
        let seconds = args.warmup + args.seconds;
        match self {
            Self::Server(destination) => {
                let schedule = Schedule::new(now_ns() + LEAD_NS, args.rate, seconds);
                let publisher = Publisher::start(&destination, schedule, templates(args, &destination)?, Arc::clone(shared))?;
                Ok((Flow::Published(publisher), schedule))
            }
            Self::Floor(floor) => {
                let start_ns = floor.begin()?;
                Ok((Flow::Made(floor), Schedule::new(start_ns, args.rate, seconds)))
            }
        }
    }
}

/// One template for each family of events that the clients need.
fn templates(args: &RunArgs, destination: &Destination) -> Result<Vec<(Family, Template)>, Failure> {
    let mix = args.load.who.mix();
    let with_book = mix.parts().iter().any(|(dialect, _)| dialect.is_socketio());
    let spread = Spread::new(args.load.libraries, args.load.skew)?;
    if args.publish_style == PublishStyle::Post {
        let head = destination.post_head();
        return Ok(vec![(Family::Medias, Template::post(&head, args.load.payload_bytes, &spread)?)]);
    }
    let of = |family| Ok((family, Template::item(family, args.load.payload_bytes, &spread, with_book)?));
    mix.families(args.events == Events::Raw).into_iter().map(of).collect()
}

impl Flow {
    /// Waits until everything has been published and answered.
    pub(crate) fn finish(self) -> Result<Finished, Failure> {
        match self {
            Self::Published(publisher) => publisher.finish().map(|published| Finished { published, _floor: None }),
            Self::Made(mut floor) => floor.finish().map(|published| Finished { published, _floor: Some(floor) }),
        }
    }
}

impl Floor {
    fn start(args: &RunArgs) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::io("own path", error))?;
        let seconds = args.warmup + args.seconds;
        let mut command = Command::new(program);
        command.args(["floor", "--hold"]).args(["--listen", "127.0.0.1:0"]).args([
            "--rate",
            &args.rate.to_string(),
            "--seconds",
            &seconds.to_string(),
        ]);
        command.args(["--payload-bytes", &args.load.payload_bytes.to_string(), "--libraries", &args.load.libraries.to_string()]);
        if let Some(cpu) = args.pin_floor {
            command.args(["--pin", &cpu.to_string()]);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| Failure::io("start the floor", error))?;
        let output = child.stdout.take().ok_or_else(|| Failure::new("the floor has no output"))?;
        let mut floor = Self { child, output: BufReader::new(output), address: SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0) };
        let line = floor.line()?;
        let value: serde_json::Value = serde_json::from_str(&line).map_err(|_| Failure::new(format!("the floor said: {line}")))?;
        let address = value["listening"].as_str().and_then(|address| address.parse().ok());
        floor.address = address.ok_or_else(|| Failure::new(format!("the floor said: {line}")))?;
        Ok(floor)
    }

    /// Gives the start signal and returns the time the first frame is due.
    fn begin(&self) -> Result<u64, Failure> {
        let (_, body) = http::request(self.address, "POST", "/start", None)?;
        let text = String::from_utf8_lossy(&body).into_owned();
        text.parse().map_err(|_| Failure::new(format!("the floor's start time is `{text}`")))
    }

    fn finish(&mut self) -> Result<Published, Failure> {
        let line = self.line()?;
        let report: FloorReport = serde_json::from_str(&line).map_err(|error| Failure::new(format!("the floor said: {line} ({error})")))?;
        let failure = (report.overrun > 0).then(|| format!("the floor closed {} clients that fell a whole ring behind", report.overrun));
        Ok(Published { sent: report.frames, lateness: report.lateness, failure, ..Published::default() })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| Failure::io("the floor's output", error))?;
        if line.is_empty() { Err(Failure::new("the floor ended early")) } else { Ok(line) }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
