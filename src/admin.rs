//! The operator's listener: how the process is, and what it is to do.
//!
//! It is apart from the one for callers, and belongs on loopback or a private network: nobody is
//! asked who they are here.

mod desk;
mod events;
mod hosts;
mod numbers;
mod overview;
mod page;

use crate::audit::Audit;
use crate::live::Live;
use crate::otlp::Exporter;
use crate::partner::KeyDigest;
use crate::policy::Policy;
use crate::server::{Draining, Gauges, Leave, Listen, bind};
use crate::telemetry::{Events, Telemetry};
use crate::tls::Credentials;

pub use overview::{
    Certificate, Counted, Found, Latency, Partner, Quota, Refusal, Reloads, Resource, Route,
    Status, Step, Upstream,
};
pub use page::{Picture, Question};

use desk::Desk;
use hosts::Hosts;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

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

/// Draws the graphs of a policy.
pub type Draw = Arc<dyn Fn(&Policy) -> Vec<Picture> + Send + Sync>;

/// Asks the judge in force; says what it says, or why it cannot be asked.
pub type Explain = Arc<dyn Fn(&Question) -> Result<serde_json::Value, String> + Send + Sync>;

/// Where the operator is listened to.
#[derive(Debug)]
pub struct Settings {
    /// The address.
    pub listen: Listen,
    /// The names that it may be called by, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// What has to be shown to change anything, if that is asked for.
    pub token: Option<KeyDigest>,
}

/// What the operator is told of, and may change.
#[derive(Clone)]
pub struct Gateway {
    /// The configuration in force.
    pub live: Live,
    /// Whether it is about to stop.
    pub draining: Draining,
    /// What is as much as it is at the moment.
    pub gauges: Gauges,
    /// The numbers, and the access log.
    pub telemetry: Telemetry,
    /// Which events are told, if that can be changed.
    pub events: Option<Events>,
    /// What is shown to callers that speak TLS.
    pub to_callers: Option<Credentials<ServerConfig>>,
    /// What is shown to an upstream that speaks TLS.
    pub to_upstream: Option<Credentials<ClientConfig>>,
    /// The audit log, if there is one.
    pub audit: Option<Audit>,
    /// Whoever sends spans, if somebody does.
    pub exporter: Option<Exporter>,
    /// Takes leave of the callers.
    pub leave: Leave,
    /// Loads the configuration anew.
    pub reload: Reload,
    /// The style of pictures, and who draws them.
    pub pictures: (&'static str, Draw),
    /// Asks the judge in force.
    pub explain: Explain,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

/// Starts to listen.
///
/// # Errors
///
/// When the address cannot be listened on, or the thread cannot start.
pub fn start(settings: Settings, gateway: Gateway) -> io::Result<Running> {
    let listener = bind(&settings.listen)?;
    let local_addr = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (hosts, token) = (Hosts::new(settings.hosts), settings.token);
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let desk = Rc::new(Desk::new(gateway, hosts, token));
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
            async move { Ok::<_, Infallible>(desk.serve(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .serve_connection(TokioIo::new(tcp), answer);
        tokio::task::spawn_local(connection);
    }
}
