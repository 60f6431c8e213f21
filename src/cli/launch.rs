//! From a loaded configuration to a gateway that runs.

use super::page;
use super::supervisor::Sockets;
use crate::admin;
use crate::audit::Audit;
use crate::config::compile::{Gateway, Target, Upstream};
use crate::config::{Files, Loaded, Source, gateway};
use crate::live::Live;
use crate::otlp::Exporter;
use crate::proxy::budget::Pace;
use crate::proxy::change::Recorder;
use crate::proxy::forwarded::{self, Dialect};
use crate::proxy::middleware::observe::Tracer;
use crate::proxy::request::IdForm;
use crate::proxy::shadow::Shadow;
use crate::proxy::trace::Sampling;
use crate::proxy::{self, origin, upstream};
use crate::reload::{Origin, Reload, Watch};
use crate::sandbox::{self, Sandbox};
use crate::server::{self, Bounds};
use crate::telemetry::{AccessLog, Destination, Events, Telemetry};
use crate::tls::Credentials;

use http::Uri;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A gateway with its admin listener, and the sandbox behind it if that is its upstream.
#[derive(Debug)]
pub(super) struct Launched {
    // In the order in which they stop.
    pub(super) server: server::Running,
    pub(super) admin: admin::Running,
    pub(super) sandbox: Option<SandboxThread>,
    pub(super) reload: Reload,
    pub(super) live: Live,
    pub(super) watch: Option<Watch>,
    pub(super) drain_delay: Duration,
    pub(super) audit: Option<Audit>,
    pub(super) exporter: Option<Exporter>,
}

/// Starts all that `loaded`, which came from `files`, the first of them at `path`, asks for.
pub(super) fn launch(
    loaded: Loaded,
    (source, path, files): (Source, &Path, Files),
    sockets: Sockets,
    events: Option<Events>,
) -> io::Result<Launched> {
    let Loaded { gateway, snapshot, fixed, policy, .. } = loaded;
    snapshot.open(None);
    let live = Live::new(snapshot);
    let to_callers = gateway.tls.clone().map(Credentials::new);
    let to_upstream = gateway.upstream.tls.clone().map(Credentials::new);
    let origin = Origin { source, path: path.to_owned(), files, fixed, policy };
    let reload = Reload::new(origin, live.clone(), to_callers.clone(), to_upstream.clone());
    let watch = gateway.watch_every.map(|every| Watch::new(reload.clone(), every));
    let sandbox = match gateway.upstream.target {
        Target::Sandbox => Some(SandboxThread::start()?),
        Target::Url(_) => None,
    };
    let access_log = AccessLog::open(&destination(&gateway.access_log)).map_err(|error| {
        io::Error::new(error.kind(), format!("the access log {}: {error}", gateway.access_log))
    })?;
    let audit = match &gateway.audit {
        Some(asked) => Some(Audit::open(asked.settings.clone()).map_err(|error| {
            let path = asked.settings.path.display();
            io::Error::new(error.kind(), format!("the audit log {path}: {error}"))
        })?),
        None => None,
    };
    let mut settings = settings(&gateway, sandbox.as_ref().map(|sandbox| sandbox.address))?;
    settings.listen = sockets.callers.unwrap_or(settings.listen);
    settings.tls = to_callers.clone();
    settings.proxy.upstream.tls = to_upstream.clone();
    settings.proxy.recorder = audit
        .clone()
        .zip(gateway.audit.as_ref())
        .map(|(audit, asked)| Recorder::new(audit, asked.disclosure, &asked.key));
    let exporter = match &gateway.export {
        Some(asked) => Some(Exporter::start(asked.settings.clone()).map_err(|error| {
            io::Error::new(error.kind(), format!("spans cannot be exported: {error}"))
        })?),
        None => None,
    };
    settings.proxy.tracer = exporter.clone().map(|exporter| Tracer {
        exporter,
        upstream: host_and_port(&settings.proxy.upstream.base),
        own: match gateway.public_url.as_deref().and_then(|own| own.parse().ok()) {
            Some(own) => host_and_port(&own),
            None => (gateway.listen.ip().to_string(), gateway.listen.port()),
        },
    });
    let telemetry = Telemetry::new(access_log);
    settings.proxy.shadow = Some(Shadow::start(Arc::clone(&telemetry.metrics))?);
    let server = server::start(settings, live.clone(), telemetry.clone())
        .map_err(|error| io::Error::new(error.kind(), format!("cannot serve callers: {error}")))?;
    let (again, asked) = (reload.clone(), reload.clone());
    let told = admin::Gateway {
        live: live.clone(),
        draining: server.draining(),
        gauges: server.gauges(),
        telemetry,
        events,
        to_callers,
        to_upstream,
        audit: audit.clone(),
        exporter: exporter.clone(),
        leave: server.leave(),
        reload: Arc::new(move || again.run()),
        pictures: (page::STYLE, Arc::new(page::pictures)),
        explain: Arc::new(move |question| page::explain(&asked, question)),
    };
    let listen = sockets.admin.unwrap_or(gateway.admin.into());
    let (hosts, token) = (gateway.admin_hosts.clone(), gateway.admin_token);
    let admin = admin::start(admin::Settings { listen, hosts, token }, told)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot serve admin: {error}")))?;
    let drain_delay = gateway.drain_delay;
    Ok(Launched { server, admin, sandbox, reload, live, watch, drain_delay, audit, exporter })
}

fn host_and_port(url: &Uri) -> (String, u16) {
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    (url.host().unwrap_or_default().to_owned(), url.port_u16().unwrap_or(default))
}

fn destination(access_log: &str) -> Destination {
    match access_log {
        "off" => Destination::Off,
        "stderr" => Destination::Stderr,
        "stdout" => Destination::Stdout,
        file => Destination::File(PathBuf::from(file)),
    }
}

fn settings(gateway: &Gateway, sandbox: Option<SocketAddr>) -> io::Result<server::Settings> {
    let base = match (&gateway.upstream.target, sandbox) {
        (Target::Url(url), _) => url.clone(),
        (Target::Sandbox, Some(address)) => {
            format!("http://{address}").parse::<Uri>().map_err(io::Error::other)?
        }
        (Target::Sandbox, None) => return Err(io::Error::other("the sandbox does not run")),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(server::Settings {
        listen: gateway.listen.into(),
        workers: if gateway.workers == 0 { cores } else { gateway.workers },
        connections: gateway.max_connections,
        connections_per_address: gateway.max_connections_per_address,
        head: Bounds {
            line: gateway.max_request_line,
            header: gateway.max_header,
            fields: gateway.max_header_fields,
        },
        head_time: gateway.header_timeout,
        idle_time: gateway.idle_caller_timeout,
        handshake_time: gateway.handshake_timeout,
        tls: None,
        h2c: gateway.h2c,
        stall_time: gateway.request_timeout,
        drain_time: gateway.drain,
        proxy: proxy::Settings {
            request_id: gateway.request_id.clone(),
            id_form: match gateway.id_form {
                gateway::IdForm::Guid => IdForm::Guid,
                gateway::IdForm::Token => IdForm::Token,
            },
            origin: origin(gateway),
            logs_client: gateway.logs_client,
            in_flight: gateway.max_in_flight,
            deadline: gateway.request_timeout,
            recorder: None,
            tracer: None,
            shadow: None,
            pace: Pace {
                time: gateway.body_timeout,
                grace: gateway.body_grace,
                rate: gateway.body_rate,
            },
            memory: gateway.max_memory,
            upstream: upstream::Settings {
                pseudonym: gateway.pseudonym.clone(),
                public: gateway.public_url.clone(),
                ..upstream_settings(&gateway.upstream, base)
            },
        },
    })
}

fn origin(gateway: &Gateway) -> origin::Settings {
    origin::Settings {
        forwarded: forwarded::Settings {
            trusted: gateway.trusted_hops.clone(),
            read: match gateway.hops_read {
                gateway::Dialect::Forwarded => Dialect::Forwarded,
                gateway::Dialect::XForwarded => Dialect::XForwarded,
            },
            send: match gateway.hops_sent {
                gateway::Told::Forwarded => Some(Dialect::Forwarded),
                gateway::Told::None => None,
                gateway::Told::XForwarded => Some(Dialect::XForwarded),
            },
        },
        sends_trace: gateway.sends_trace,
        sends_baggage: gateway.sends_baggage,
        sampling: gateway.export.as_ref().map(|export| Sampling {
            follows_callers: export.follows_callers,
            ratio: export.ratio,
        }),
    }
}

fn upstream_settings(upstream: &Upstream, base: Uri) -> upstream::Settings {
    upstream::Settings {
        base,
        tls: None,
        server_name: upstream.server_name.clone(),
        pseudonym: None,
        public: None,
        egress: upstream.egress.clone(),
        connect_time: upstream.connect_timeout,
        handshake_time: upstream.handshake_timeout,
        head_time: upstream.response_timeout.min(upstream.total_timeout),
        silence_time: upstream.response_timeout,
        total_time: upstream.total_timeout,
        fetch_time: upstream.response_timeout,
        fetch_max: 4 << 20,
        circuit: upstream::Circuit::new(upstream.circuit_failures, upstream.circuit_pause),
        settled_after: upstream.settled_after,
        remember: upstream::Remember {
            entries: upstream.remember_entries,
            bytes: upstream.remember_bytes,
            time: upstream.remember_time,
        },
        connections: upstream.max_connections,
        idle: upstream.max_connections,
        idle_time: upstream.idle_timeout,
        age: upstream.max_age,
    }
}

/// The sandbox on a thread of its own; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct SandboxThread {
    pub(super) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SandboxThread {
    fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("sandbox".into()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let sandbox = Arc::new(Sandbox::new(sandbox::Options::default()));
                sandbox::serve(listener, sandbox, async { drop(stopped.await) }).await
            });
            if let Err(error) = served {
                tracing::error!(%error, "the sandbox stopped");
            }
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for SandboxThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sandbox had panicked");
        }
    }
}

/// Waits so long, or for ever.
async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// What was asked of a process by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    Reload,
    Reopen,
    Stop,
}

/// The signals that a server listens to.
pub(super) struct Signals {
    runtime: tokio::runtime::Runtime,
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    reopen: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on no signal is lost.
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let reopen = signal(SignalKind::user_defined1())?;
        drop(guard);
        Ok(Self { runtime, hangup, interrupt, terminate, reopen })
    }

    /// Waits for the next one, `within` this time if there is one.
    pub(super) fn next(&mut self, within: Option<Duration>) -> Asked {
        let Self { runtime, hangup, interrupt, terminate, reopen } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = hangup.recv() => Asked::Reload,
                _ = interrupt.recv() => Asked::Stop,
                _ = terminate.recv() => Asked::Stop,
                _ = reopen.recv() => Asked::Reopen,
                () = pause(within) => Asked::Nothing,
            }
        })
    }

    /// Ends the process at the next signal to stop, for as long as the gateway drains.
    pub(super) fn end_at_next(mut self) {
        let spawned = std::thread::Builder::new().name("signals".into()).spawn(move || {
            while self.next(None) != Asked::Stop {}
            #[allow(clippy::exit, reason = "whoever asks twice wants it now")]
            std::process::exit(130);
        });
        drop(spawned);
    }
}
