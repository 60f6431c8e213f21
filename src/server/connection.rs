//! One connection of a caller, from the first byte to the last.

use super::Settings;
use super::entrance::{Entrance, Tally, Times};
use super::guard::{Bounds, Guard};
use super::patient::Patient;
use super::phase::{Draining, Phase};
use super::two::{self, Here};
use crate::proxy::middleware::Local;
use crate::proxy::request::{Peer, Received};
use crate::proxy::stack::Answer;
use crate::telemetry::metrics::{Metrics, Shaken};
use crate::tls::Credentials;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The most that hyper reads ahead, unless a head is larger: a body of 64 KiB comes in one piece with its head.
const BUFFER_MAX: usize = 80 << 10;
/// So many fields hyper takes by itself. To be told a number has it fill that much room for each request.
const FIELDS: usize = 100;
/// What a caller that speaks HTTP/2 without being asked begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long to wait before half a preface is looked at again.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// How long a caller of HTTP/1 may need to learn that a connection is about to be closed: what it has
/// sent meanwhile is answered.
const LINGER: Duration = Duration::from_millis(200);

/// How HTTP is spoken with callers.
#[derive(Clone, Debug)]
pub(super) struct Http {
    one: http1::Builder,
    two: http2::Builder<Here>,
    head: Bounds,
    times: Times,
    stall_time: Duration,
    handshake_time: Duration,
    credentials: Option<Credentials<ServerConfig>>,
    h2c: bool,
    draining: Draining,
    metrics: Arc<Metrics>,
}

/// Whatever answers requests.
pub(super) trait Stack:
    Service<Received, Response = Answer, Error = Infallible, Future: 'static> + 'static
{
}

impl<S> Stack for S where
    S: Service<Received, Response = Answer, Error = Infallible, Future: 'static> + 'static
{
}

impl Http {
    pub(super) fn new(settings: &Settings, draining: Draining, metrics: Arc<Metrics>) -> Self {
        let head = settings.head;
        let whole = head.line + head.header + 64;
        let mut one = http1::Builder::new();
        // What is beyond these the guard has refused before; it also keeps the time.
        one.max_header_size(whole).max_buf_size(whole.max(BUFFER_MAX));
        if head.fields > FIELDS {
            one.max_headers(head.fields);
        }
        // Within these every answer has begun, and has ended.
        let proxy = &settings.proxy;
        let life = proxy.deadline.saturating_add(proxy.upstream.total_time);
        Self {
            one,
            two: two::builder(life),
            head,
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
        mut phases: watch::Receiver<Phase>,
        resets: Rc<Cell<bool>>,
    ) -> impl Future<Output = Result<(), Ended>> + use<I, S> {
        let tally = Tally::begin(self.times, Some(self.draining.clone()), resets);
        let guard = Guard::new(socket, self.head, Rc::clone(&tally));
        let entrance = Entrance::new(stack, tally, peer);
        let mut connection = Box::pin(self.one.serve_connection(TokioIo::new(guard), entrance));
        async move {
            let stop = pin!(phases.wait_for(|phase| *phase == Phase::Stop));
            // The guard ends the silence of a caller.
            let stopped = tokio::select! {
                biased;
                served = connection.as_mut() => return Ok(served?),
                stopped = stop => stopped.is_ok(),
            };
            // Answers tell that the gateway leaves. What was sent by then is answered as well.
            let linger = if stopped { LINGER } else { Duration::ZERO };
            if let Ok(served) = Box::pin(timeout(linger, connection.as_mut())).await {
                return Ok(served?);
            }
            connection.as_mut().graceful_shutdown();
            Ok(connection.await?)
        }
    }

    async fn serve_two<I: AsyncRead + AsyncWrite + Unpin + 'static, S: Stack>(
        &self,
        socket: I,
        stack: Rc<RefCell<S>>,
        peer: Peer,
        mut phases: watch::Receiver<Phase>,
    ) -> Result<(), Ended> {
        let tally = Tally::begin(self.times, None, Rc::default());
        let entrance = Entrance::new(stack, Rc::clone(&tally), peer);
        let mut connection = Box::pin(self.two.serve_connection(TokioIo::new(socket), entrance));
        // Both sides agree on what was the last request. Whoever comes later stays until the end.
        let begun = *phases.borrow();
        // What comes of waiting locks the phase, and must not be held while the rest is served.
        let ending = pin!(async move { drop(phases.wait_for(|phase| *phase > begun).await) });
        // No further request is taken once the gateway stops, or the caller is silent for too long.
        tokio::select! {
            biased;
            served = connection.as_mut() => return Ok(served?),
            () = ending => {
                connection.as_mut().graceful_shutdown();
                return Ok(connection.await?);
            }
            () = self.silence(&tally) => {}
        }
        // A caller that does not even take its leave is left.
        connection.as_mut().graceful_shutdown();
        Ok(Box::pin(timeout(self.times.head, connection)).await??)
    }

    /// Waits until no request has been under way for too long.
    async fn silence(&self, tally: &Tally) {
        loop {
            let deadline = tally.deadline();
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
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
