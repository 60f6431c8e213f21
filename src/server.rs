//! Listens, and runs one worker a core: a thread with its own listener, its own upstream
//! connections and its own copy of the stack. A request stays where it was accepted.

mod connection;
mod crowd;
mod entrance;
pub mod guard;
mod listen;
mod patient;
mod two;

pub(crate) use listen::bind;
use listen::bind_all;

use connection::Http;
use crowd::Crowd;

use crate::limits::Capacity;
use crate::live::Live;
use crate::proxy::budget::Budget;
use crate::proxy::upstream::Upstream;
use crate::proxy::{self, Shared, stack};
use crate::telemetry::AccessLog;
use crate::tls::Credentials;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long to wait before a failed accept is tried again: what failed, such as a lack of file
/// descriptors, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How callers are served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// How many workers; at least one is started.
    pub workers: usize,
    /// The most connections of callers at once, over all workers.
    pub connections: usize,
    /// The most of one address.
    pub connections_per_address: usize,
    /// How large the head of a request may be.
    pub head: guard::Bounds,
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
pub fn start(settings: Settings, live: Live, access_log: AccessLog) -> io::Result<Running> {
    // Every worker makes its own; this one only tells now whether they can.
    let budget = Budget::new(settings.proxy.memory);
    let (upstream, request_id) = (&settings.proxy.upstream, &settings.proxy.request_id);
    Upstream::new(upstream.clone(), request_id.clone(), budget.clone())?;
    let settings = Arc::new(settings);
    let crowd = Crowd::new(settings.connections_per_address);
    let capacity = Capacity::new(settings.proxy.in_flight);
    let connections = Capacity::new(settings.connections);
    let shared = Shared { live, capacity, budget, access_log };
    let (stop, stopped) = watch::channel(false);
    let mut local_addr = settings.listen;
    let mut workers = Vec::new();
    for listener in bind_all(settings.listen, settings.workers.max(1))? {
        local_addr = listener.local_addr()?;
        workers.push(Worker {
            settings: Arc::clone(&settings),
            shared: shared.clone(),
            connections: connections.clone(),
            crowd: crowd.clone(),
            listener,
            stopped: stopped.clone(),
        });
    }
    let mut running =
        Running { local_addr, stop, draining: Draining::default(), shared, threads: Vec::new() };
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
    stop: watch::Sender<bool>,
    draining: Draining,
    shared: Shared,
    threads: Vec<JoinHandle<()>>,
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

    /// How many requests are under way.
    pub fn in_flight(&self) -> usize {
        self.shared.capacity.used()
    }

    /// How many bytes of bodies are in memory.
    pub fn memory(&self) -> usize {
        self.shared.budget.used()
    }

    /// Stops: no new connections, requests under way finish within the drain time.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.draining.begin();
        self.stop.send_replace(true);
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

/// Whether the gateway is about to stop.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on it is. Load balancers need some time to see it.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Worker {
    settings: Arc<Settings>,
    shared: Shared,
    connections: Capacity,
    crowd: Crowd,
    listener: std::net::TcpListener,
    stopped: watch::Receiver<bool>,
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
        let budget = self.shared.budget.clone();
        let upstream = Upstream::new(proxy.upstream.clone(), proxy.request_id.clone(), budget)?;
        let log = self.shared.access_log.writer();
        tokio::task::spawn_local(upstream.tend());
        tokio::task::spawn_local(log.clone().tend());
        let stack = stack(proxy, &self.shared, log, upstream);
        let http = Rc::new(Http::new(&self.settings));
        let stopped = self.stopped.clone();
        let serve = |tcp, from| Rc::clone(&http).serve(tcp, from, stack.clone(), stopped.clone());

        let mut serving = JoinSet::new();
        let accepting = accept_all(listener, &self.connections, &self.crowd, serve, &mut serving);
        let mut stopped = self.stopped.clone();
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = accepting => {}
        }
        let drained = async { while serving.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.drain_time, drained).await.is_err() {
            tracing::warn!("requests were cut off at the end of the drain time");
        }
        Ok(())
    }
}

/// Accepts and serves connections, for ever.
async fn accept_all<F: Future<Output = ()> + 'static>(
    listener: TcpListener,
    room: &Capacity,
    crowd: &Crowd,
    serve: impl Fn(TcpStream, IpAddr) -> F,
    serving: &mut JoinSet<()>,
) {
    loop {
        let (tcp, address) = accept(&listener).await;
        // Nothing is said to those who are too many: to say it would take the room they may not have.
        let Some(member) = crowd.admit(address) else {
            tracing::debug!(%address, "an address has too many connections");
            continue;
        };
        // With no room, this one waits here and the next ones in the backlog.
        let slot = loop {
            match room.take() {
                Some(slot) => break slot,
                None => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        };
        // Those that have ended since.
        while serving.try_join_next().is_some() {}
        let connection = serve(tcp, address);
        serving.spawn_local(async move {
            connection.await;
            drop((slot, member));
        });
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => return (tcp, peer.ip()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
