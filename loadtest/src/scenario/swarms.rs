//! The client threads of a run: started pinned, told to connect in steps, stopped.

use super::CONNECT_PATIENCE_SECONDS;
use crate::args::RunArgs;
use crate::client::{Plan, Role, Shared, Swarm, ThreadResult};
use crate::clock::{self, SECOND, now_ns};
use crate::deadline::waiting_for;
use crate::failure::Failure;
use crate::machine::pin_current_thread;
use crate::report::Memory;
use crate::stats::{Line, fit};
use crate::watch::{MemorySample, resident_kib};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};

/// Rest after a step before memory is read.
const SETTLE_MS: u64 = 400;

/// Client threads at work.
pub(super) struct Swarms {
    threads: Vec<JoinHandle<Result<ThreadResult, Failure>>>,
    shared: Arc<Shared>,
}

impl Swarms {
    /// Starts one thread per CPU given, or one that is not pinned. The calling thread moves to the same CPUs, and with it the publisher.
    pub(super) fn start(args: &RunArgs, plan: &Arc<Plan>, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let count = args.load.pin_client.len().max(1);
        let mut threads = Vec::new();
        for number in 0..count {
            let share = all_clients(args).filter(|(index, _)| index % count == number).collect();
            let swarm = Swarm::new(Arc::clone(plan), Arc::clone(shared), share)?;
            let cpu = args.load.pin_client.get(number).copied();
            let body = move || {
                if let Some(cpu) = cpu {
                    pin_current_thread(&[cpu])?;
                }
                swarm.run()
            };
            let spawned = thread::Builder::new().name(format!("client-{number}")).spawn(body);
            threads.push(spawned.map_err(|error| Failure::io("client thread", error))?);
        }
        if let Some(cpu) = args.load.pin_client.first() {
            pin_current_thread(&[*cpu])?;
        }
        Ok(Self { threads, shared: Arc::clone(shared) })
    }

    /// Connects everybody in equal steps and samples memory after each. Returns what a client costs the load tester itself, in KiB.
    pub(super) fn connect_in_steps(
        &self,
        args: &RunArgs,
        pid: Option<u32>,
        mut memory: Option<&mut Memory>,
    ) -> Result<Option<Line>, Failure> {
        let mut own = Vec::new();
        let total = args.connections();
        for step in 1..=args.steps {
            let wanted = total * step / args.steps;
            self.shared.wanted.store(wanted, Relaxed);
            self.wait_for(wanted as u64, args)?;
            clock::sleep_ms(SETTLE_MS);
            own.push((self.shared.live.load(Relaxed) as f64, resident_kib(std::process::id()) as f64));
            if let (Some(memory), Some(pid)) = (memory.as_deref_mut(), pid) {
                memory.connecting.push(MemorySample::take(pid, self.shared.live.load(Relaxed)).with_slabs());
            }
        }
        if let Some(memory) = memory {
            let points = |value: fn(&MemorySample) -> u64| {
                memory.connecting.iter().map(|sample| (sample.connections as f64, value(sample) as f64)).collect::<Vec<_>>()
            };
            memory.rss_per_connection = fit(&points(|sample| sample.rss_kib));
            memory.sockets_per_connection = fit(&points(|sample| sample.socket_kib));
        }
        Ok(fit(&own))
    }

    /// Connects everybody as fast as the connect rate allows; returns how many nanoseconds passed until the last had its stream or was refused.
    pub(super) fn connect_at_once(&self, args: &RunArgs) -> Result<u64, Failure> {
        let total = args.connections();
        let began = now_ns();
        self.shared.wanted.store(total, Relaxed);
        self.wait_for(total as u64, args)?;
        Ok(now_ns() - began)
    }

    /// Stops the threads and collects what they found.
    pub(super) fn stop(self) -> Result<Vec<ThreadResult>, Failure> {
        waiting_for("the client threads to end");
        self.shared.stop.store(true, Relaxed);
        self.threads.into_iter().map(|thread| thread.join().map_err(|_| Failure::new("a client thread panicked"))?).collect()
    }

    fn wait_for(&self, wanted: u64, args: &RunArgs) -> Result<(), Failure> {
        waiting_for(format!("{wanted} clients to have their streams"));
        let give_up = now_ns() + CONNECT_PATIENCE_SECONDS * SECOND + wanted * SECOND / args.connect_rate as u64;
        loop {
            let (live, failed) = (self.shared.live.load(Relaxed), self.shared.failed.load(Relaxed));
            if live + failed >= wanted {
                if live == 0 && wanted > 0 {
                    let reason = self.shared.first_failure().unwrap_or_default();
                    return Err(Failure::new(format!("no client got a stream: {reason}")));
                }
                return Ok(());
            }
            if now_ns() > give_up {
                return Err(Failure::new(format!("only {live} of {wanted} clients connected ({failed} refused)")));
            }
            clock::sleep_ms(5);
        }
    }
}

/// Everybody but the churning ones, in the order they connect.
fn all_clients(args: &RunArgs) -> impl Iterator<Item = (usize, Role)> + use<> {
    let (steady, slow, stalled) = (args.load.who.clients, args.slow, args.stalled);
    (0..args.connections()).map(move |index| match index {
        index if index < steady => (index, Role::Steady),
        index if index < steady + slow => (index, Role::Slow),
        index if index < steady + slow + stalled => (index, Role::Stalled),
        index => (index, Role::Stranger),
    })
}
