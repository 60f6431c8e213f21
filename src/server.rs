//! Listens, and runs one worker a core: a thread with its own listener, its own upstream
//! connections and its own copy of the stack. A request stays where it was accepted.

mod connection;
mod crowd;
mod date;
mod gauges;
mod incoming;
mod listen;
mod one;
mod patient;
mod phase;
mod reception;
mod two;

pub use gauges::Gauges;
pub use listen::Listen;
pub(crate) use listen::bind;
use listen::bind_all;
pub use one::{Bounds, Requests};
use phase::Phase;
pub use phase::{Draining, Leave};
pub use two::Frames;

use connection::Http;
use crowd::Crowd;
use reception::Reception;

use crate::limits::Capacity;
use crate::live::Live;
use crate::proxy::budget::Budget;
use crate::proxy::upstream::Upstream;
use crate::proxy::{self, Shared, stack};
use crate::telemetry::Telemetry;
use crate::tls::Credentials;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How callers are served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: Listen,
    /// How many workers; at least one is started.
    pub workers: usize,
    /// The most connections of callers at once, over all workers.
    pub connections: usize,
    /// The most of one address.
    pub connections_per_address: usize,
    /// How large the head of a request may be.
    pub head: Bounds,
    /// The longest time for the head of a request, and until its first byte on a new connection.
    pub head_time: Duration,
    /// The longest time between two requests.
    pub idle_time: Duration,
    /// The longest time for a TLS handshake.
    pub handshake_time: Duration,
    /// What is shown to callers; without it they are served in the clear.
    pub tls: Option<Credentials<ServerConfig>>,
    /// Whether callers may speak HTTP/2 in the clear.
    pub h2c: bool,
    /// The longest time a caller may take to read any byte of its answer.
    pub stall_time: Duration,
    /// How long requests may go on once the gateway stops.
    pub drain_time: Duration,
    /// How requests are dealt with.
    pub proxy: proxy::Settings,
}

/// Starts the workers.
///
/// # Errors
///
/// When the address cannot be listened on, the upstream's URL is none, or a thread cannot start.
pub fn start(settings: Settings, live: Live, telemetry: Telemetry) -> io::Result<Running> {
    let shared = Shared {
        live,
        capacity: Capacity::new(settings.proxy.in_flight),
        budget: Budget::new(settings.proxy.memory),
        telemetry,
    };
    // Every worker makes its own; this one only tells now whether they can.
    Upstream::new(&settings.proxy, &shared)?;
    let settings = Arc::new(settings);
    let crowd = Crowd::new(settings.connections_per_address);
    let connections = Capacity::new(settings.connections);
    let gauges = Gauges {
        capacity: shared.capacity.clone(),
        budget: shared.budget.clone(),
        connections: connections.clone(),
        circuit: settings.proxy.upstream.circuit.clone(),
    };
    let (phase, phases) = watch::channel(Phase::Serve);
    let (pulse, pulses) = watch::channel(0);
    let draining = Draining::default();
    let listeners = bind_all(&settings.listen, settings.workers.max(1))?;
    let first = listeners.first().ok_or(io::ErrorKind::InvalidInput)?;
    let local_addr = first.local_addr()?;
    let (mut workers, mut beats) = (Vec::new(), Vec::new());
    for listener in listeners {
        let beat = Arc::new(AtomicU64::new(0));
        beats.push(Arc::clone(&beat));
        workers.push(Worker {
            settings: Arc::clone(&settings),
            shared: shared.clone(),
            connections: connections.clone(),
            crowd: crowd.clone(),
            listener,
            phases: phases.clone(),
            draining: draining.clone(),
            pulses: pulses.clone(),
            beat,
        });
    }
    let threads = Vec::new();
    let mut running = Running { local_addr, phase, draining, gauges, threads, pulse, beats };
    for (index, worker) in workers.into_iter().enumerate() {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        running.threads.push(thread.spawn(move || worker.run(&runtime))?);
    }
    Ok(running)
}

/// The workers, while they run. Dropped, they stop.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    phase: watch::Sender<Phase>,
    draining: Draining,
    gauges: Gauges,
    threads: Vec<JoinHandle<()>>,
    pulse: watch::Sender<u64>,
    beats: Vec<Arc<AtomicU64>>,
}

impl Running {
    /// Where they listen.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Whether they are about to stop; what `/readyz` reports.
    pub fn draining(&self) -> Draining {
        self.draining.clone()
    }

    /// What is as much as it is at the moment.
    pub fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }

    /// How many requests are under way.
    pub fn in_flight(&self) -> usize {
        self.gauges.in_flight()
    }

    /// How many bytes of bodies are in memory.
    pub fn memory(&self) -> usize {
        self.gauges.budget.used()
    }

    /// Whether every worker has answered what this asked when it was last called; asks anew.
    pub fn beats(&self) -> bool {
        let asked = *self.pulse.borrow();
        let answered = |beat: &Arc<AtomicU64>| beat.load(Ordering::Relaxed) == asked;
        let all = self.beats.iter().all(answered);
        self.pulse.send_replace(asked + 1);
        all
    }

    /// What takes leave of everybody.
    pub fn leave(&self) -> Leave {
        Leave { phase: self.phase.clone(), draining: self.draining.clone() }
    }

    /// Stops: no new connections, requests under way finish within the drain time.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.leave().take();
        self.phase.send_replace(Phase::Stop);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker had panicked");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    settings: Arc<Settings>,
    shared: Shared,
    connections: Capacity,
    crowd: Crowd,
    listener: std::net::TcpListener,
    phases: watch::Receiver<Phase>,
    draining: Draining,
    pulses: watch::Receiver<u64>,
    beat: Arc<AtomicU64>,
}

impl Worker {
    fn run(self, runtime: &Runtime) {
        let local = LocalSet::new();
        if let Err(error) = local.block_on(runtime, self.serve()) {
            tracing::error!(%error, "a worker could not start");
        }
    }

    async fn serve(self) -> io::Result<()> {
        let proxy = &self.settings.proxy;
        let listener = TcpListener::from_std(self.listener)?;
        let upstream = Upstream::new(proxy, &self.shared)?;
        let log = self.shared.telemetry.access_log.writer();
        tokio::task::spawn_local(upstream.tend());
        tokio::task::spawn_local(log.clone().tend());
        let stack = Rc::new(RefCell::new(stack(proxy, &self.shared, log, upstream)));
        let metrics = Arc::clone(&self.shared.telemetry.metrics);
        let http = Rc::new(Http::new(&self.settings, self.draining, metrics));
        let phases = self.phases.clone();
        let serve = |tcp, from| http.serve(tcp, from, Rc::clone(&stack), phases.clone());
        tokio::task::spawn_local(beat(self.pulses, self.beat));

        let mut reception = Reception::new(self.connections, self.crowd, serve);
        let mut phases = self.phases.clone();
        tokio::select! {
            biased;
            _ = phases.wait_for(|phase| *phase == Phase::Stop) => {}
            () = reception.receive(&listener) => {}
        }
        reception.receive_last(listener);
        let drained = tokio::time::timeout(self.settings.drain_time, reception.finish()).await;
        if drained.is_err() {
            tracing::warn!("requests were cut off at the end of the drain time");
        }
        Ok(())
    }
}

/// Answers each pulse, for as long as the worker does anything.
async fn beat(mut pulses: watch::Receiver<u64>, beat: Arc<AtomicU64>) {
    while pulses.changed().await.is_ok() {
        beat.store(*pulses.borrow_and_update(), Ordering::Relaxed);
    }
}
