//! The operator's listener: whether the process lives, whether it is ready, and reload.
//!
//! It is apart from the one for callers, and belongs on loopback or a private network: nobody is
//! asked who they are here.

use crate::live::Live;
use crate::server::{Draining, Listen, bind};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a client of the operator may take for the head of its request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Loads the configuration anew; says what came of it, for people.
pub type Reload = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Starts to listen.
///
/// # Errors
///
/// When the address cannot be listened on, or the thread cannot start.
pub fn start(
    listen: &Listen,
    live: Live,
    draining: Draining,
    reload: Reload,
) -> io::Result<Running> {
    let listener = bind(listen)?;
    let local_addr = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let desk = Rc::new;
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let desk = desk(Desk { was_ready: Cell::default(), live, draining, reload });
        run(&runtime, listener, &desk, stopped);
    })?;
    Ok(Running { local_addr, stop, thread: Some(thread) })
}

/// The operator's listener, while it runs. Dropped, it stops.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Desk {
    /// Whether it has been: what is missing later is missing for some callers alone.
    was_ready: Cell<bool>,
    live: Live,
    draining: Draining,
    reload: Reload,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

fn run(
    runtime: &Runtime,
    listener: std::net::TcpListener,
    desk: &Rc<Desk>,
    mut stopped: watch::Receiver<bool>,
) {
    let served = LocalSet::new().block_on(runtime, async {
        let listener = TcpListener::from_std(listener)?;
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => Ok(()),
            never = serve(&listener, desk) => never,
        }
    });
    if let Err::<(), io::Error>(error) = served {
        tracing::error!(%error, "the admin listener could not start");
    }
}

async fn serve(listener: &TcpListener, desk: &Rc<Desk>) -> io::Result<()> {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let desk = Rc::clone(desk);
        let answer = service_fn(move |request: Request<Incoming>| {
            let desk = Rc::clone(&desk);
            async move { Ok::<_, Infallible>(desk.answer(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .serve_connection(TokioIo::new(tcp), answer);
        tokio::task::spawn_local(connection);
    }
}

impl Desk {
    async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/livez") => text(StatusCode::OK, "alive\n"),
            (&Method::GET, "/readyz") => self.readiness(),
            (&Method::GET, "/version") => text(StatusCode::OK, env!("CARGO_PKG_VERSION")),
            (&Method::POST, "/reload" | "/-/reload") if is_foreign(request.headers()) => {
                text(StatusCode::FORBIDDEN, "another site's page cannot reload\n")
            }
            (&Method::POST, "/reload" | "/-/reload") => self.reload().await,
            (_, "/livez" | "/readyz" | "/version") => not_allowed("GET"),
            (_, "/reload" | "/-/reload") => not_allowed("POST"),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let (snapshot, loads) = (self.live.load(), self.live.loads());
        let awaited: Vec<_> = snapshot
            .credentials
            .values()
            .filter(|credential| !credential.has_come())
            .map(|credential| credential.name())
            .collect();
        let has_keys = snapshot.partners.key_sets().all(|keys| keys.has_come());
        self.was_ready.set(self.was_ready.get() || awaited.is_empty() && has_keys);
        let ready = self.was_ready.get() && !self.draining.has_begun();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let state = serde_json::json!({
            "ready": ready,
            "policy": snapshot.policy.name,
            "digest": snapshot.digest,
            // Those of which there has been no token yet.
            "credentials_awaited": awaited,
            // Whether those of every issuer are there.
            "keys": has_keys,
            // Not as new as the files: no reason to send callers elsewhere, but one to look.
            "reloads": { "taken": loads.taken, "refused": loads.refused, "faults": loads.faults },
        });
        let mut response = text(status, format!("{state}\n"));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }

    async fn reload(&self) -> Response<Full<Bytes>> {
        let reload = Arc::clone(&self.reload);
        // Compiling takes time; probes must be answered meanwhile.
        match tokio::task::spawn_blocking(move || reload()).await {
            Ok(Ok(said)) => text(StatusCode::OK, said),
            Ok(Err(said)) => text(StatusCode::UNPROCESSABLE_ENTITY, said),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the reload panicked\n"),
        }
    }
}

/// Whether a browser sent this on behalf of another site's page.
fn is_foreign(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.map(|(_, authority)| authority) != host
    })
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn not_allowed(method: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(method));
    response
}
