//! One connection of a caller, from the first byte to the last.

use super::Settings;
use super::incoming::Incoming;
use super::one::{Bounds, One};
use super::patient::Patient;
use super::phase::{Draining, Phase};
use super::two;
use crate::proxy::middleware::Local;
use crate::proxy::request::{Peer, Received};
use crate::proxy::stack::Answer;
use crate::telemetry::metrics::{Metrics, Shaken};
use crate::tls::Credentials;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

/// What a caller that speaks HTTP/2 without being asked begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long to wait before half a preface is looked at again.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// How HTTP is spoken with callers.
#[derive(Clone, Debug)]
pub(super) struct Http {
    head: Bounds,
    /// Within this every answer has begun, and has ended.
    life: Duration,
    times: Times,
    stall_time: Duration,
    handshake_time: Duration,
    credentials: Option<Credentials<ServerConfig>>,
    h2c: bool,
    draining: Draining,
    metrics: Arc<Metrics>,
}

/// How long a caller may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// From the first byte of a head to its last, and from the connection to the first byte.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

/// Whatever answers requests.
pub(super) trait Stack:
    Service<Received<Incoming>, Response = Answer, Error = Infallible, Future: 'static> + 'static
{
}

impl<S> Stack for S where
    S: Service<Received<Incoming>, Response = Answer, Error = Infallible, Future: 'static>
        + 'static
{
}

/// Where the requests of one connection are answered, and where they come from.
#[derive(Debug)]
pub(super) struct Site<S> {
    stack: Rc<RefCell<S>>,
    pub(super) peer: Rc<Peer>,
}

impl<S: Stack> Site<S> {
    /// Has `received` answered.
    pub(super) fn call(&self, received: Received<Incoming>) -> S::Future {
        let mut stack = self.stack.borrow_mut();
        // Every gate is always ready (see `proxy::middleware`), so asking is a formality, and one stack
        // serves all that a worker serves.
        let ready = stack.poll_ready(&mut Context::from_waker(Waker::noop()));
        debug_assert!(ready.is_ready(), "a gate made a caller wait");
        stack.call(received)
    }
}

impl Http {
    pub(super) fn new(settings: &Settings, draining: Draining, metrics: Arc<Metrics>) -> Self {
        let proxy = &settings.proxy;
        Self {
            head: settings.head,
            life: proxy.deadline.saturating_add(proxy.upstream.total_time),
            times: Times { head: settings.head_time, idle: settings.idle_time },
            stall_time: settings.stall_time,
            handshake_time: settings.handshake_time,
            credentials: settings.tls.clone(),
            h2c: settings.h2c,
            draining,
            metrics,
        }
    }

    /// Serves the connection until it ends; once the gateway stops, until the requests under way
    /// have ended. What comes back is as small as can be: there is one for each caller that waits.
    pub(super) fn serve<S: Stack>(
        self: &Rc<Self>,
        tcp: TcpStream,
        address: IpAddr,
        stack: Rc<RefCell<S>>,
        phases: watch::Receiver<Phase>,
    ) -> Local<Result<(), Ended>> {
        let peer = Peer { address, is_tls: false, certificate: None };
        let _ = tcp.set_nodelay(true);
        if let Some(credentials) = &self.credentials {
            let this = Rc::clone(self);
            let tls = TlsAcceptor::from(credentials.load());
            Box::pin(async move { this.serve_tls(tls, tcp, peer, stack, phases).await })
        } else if self.h2c {
            let this = Rc::clone(self);
            Box::pin(async move { this.serve_either(tcp, peer, stack, phases).await })
        } else {
            Box::pin(self.serve_plain(tcp, peer, stack, phases))
        }
    }

    /// Serves a caller that may speak either HTTP, and shows which by its first bytes.
    async fn serve_either<S: Stack>(
        &self,
        tcp: TcpStream,
        peer: Peer,
        stack: Rc<RefCell<S>>,
        phases: watch::Receiver<Phase>,
    ) -> Result<(), Ended> {
        if !Box::pin(self.is_two(&tcp)).await {
            return Box::pin(self.serve_plain(tcp, peer, stack, phases)).await;
        }
        let socket = Patient::new(tcp, self.stall_time, Rc::default());
        Box::pin(self.serve_two(socket, stack, peer, phases)).await
    }

    fn serve_plain<S: Stack>(
        &self,
        tcp: TcpStream,
        peer: Peer,
        stack: Rc<RefCell<S>>,
        phases: watch::Receiver<Phase>,
    ) -> impl Future<Output = Result<(), Ended>> + use<S> {
        let resets = Rc::<Cell<bool>>::default();
        let socket = Patient::new(tcp, self.stall_time, Rc::clone(&resets));
        self.serve_one(socket, stack, peer, phases, resets)
    }

    async fn serve_tls<S: Stack>(
        &self,
        acceptor: TlsAcceptor,
        tcp: TcpStream,
        peer: Peer,
        stack: Rc<RefCell<S>>,
        phases: watch::Receiver<Phase>,
    ) -> Result<(), Ended> {
        // TLS tells by itself that an end is none.
        let resets = Rc::<Cell<bool>>::default();
        let socket = Patient::new(tcp, self.stall_time, Rc::clone(&resets));
        let tls = timeout(self.handshake_time, acceptor.accept(socket)).await;
        let shaken = match &tls {
            Ok(Ok(_)) => Shaken::DONE,
            Ok(Err(_)) => Shaken::FAILED,
            Err(_) => Shaken::LATE,
        };
        self.metrics.handshakes.get_or_create(&shaken).inc();
        let tls = tls??;
        let (_, session) = tls.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let peer = peer.over_tls(shown.map(|certificate| certificate.as_ref()));
        match session.alpn_protocol() == Some(crate::tls::TWO) {
            true => Box::pin(self.serve_two(tls, stack, peer, phases)).await,
            false => Box::pin(self.serve_one(tls, stack, peer, phases, resets)).await,
        }
    }

    /// No `async fn`: its future would keep room for what it is given beside what it is made into.
    fn serve_one<I: AsyncRead + AsyncWrite + Unpin + 'static, S: Stack>(
        &self,
        socket: I,
        stack: Rc<RefCell<S>>,
        peer: Peer,
        phases: watch::Receiver<Phase>,
        resets: Rc<Cell<bool>>,
    ) -> impl Future<Output = Result<(), Ended>> + use<I, S> {
        let site = Site { stack, peer: Rc::new(peer) };
        One::new(socket, self.head, site, self.times, self.draining.clone(), resets).serve(phases)
    }

    fn serve_two<I: AsyncRead + AsyncWrite + Unpin + 'static, S: Stack>(
        &self,
        socket: I,
        stack: Rc<RefCell<S>>,
        peer: Peer,
        phases: watch::Receiver<Phase>,
    ) -> impl Future<Output = Result<(), Ended>> + use<I, S> {
        let site = Site { stack, peer: Rc::new(peer) };
        two::serve(socket, site, self.times, self.life, phases)
    }

    /// Whether the caller speaks HTTP/2 without being asked.
    async fn is_two(&self, tcp: &TcpStream) -> bool {
        let preface = async {
            let mut bytes = [0; PREFACE.len()];
            loop {
                let count = tcp.peek(&mut bytes).await.unwrap_or(0);
                let seen = bytes.get(..count).unwrap_or_default();
                if seen.is_empty() || !PREFACE.starts_with(seen) {
                    return false;
                }
                if seen.len() == PREFACE.len() {
                    return true;
                }
                sleep(PREFACE_PAUSE).await;
            }
        };
        timeout(self.times.head, preface).await.unwrap_or(false)
    }
}

/// Why a connection ended.
pub(super) type Ended = Box<dyn std::error::Error>;
