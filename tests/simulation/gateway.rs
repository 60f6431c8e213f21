//! The gateway: the whole stack as it is, over the simulated network.

use super::plan::Plan;
use crate::harness::{by_header, origin, partner};

use patchgate::config::{Source, load_policy};
use patchgate::limits::{Capacity, Limits};
use patchgate::live::Live;
use patchgate::outbound::{Dial, Transport};
use patchgate::partner::Partners;
use patchgate::proxy::budget::{Budget, Pace};
use patchgate::proxy::request::IdForm;
use patchgate::proxy::upstream::{self, Upstream};
use patchgate::proxy::{self, Shared, stack};
use patchgate::snapshot::Snapshot;
use patchgate::telemetry::Telemetry;

use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;
use tower::Service;
use turmoil::net::{TcpListener, TcpStream};

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

/// The longest time from a request's head to its answer's head.
pub const DEADLINE: Duration = Duration::from_millis(300);
/// Who may call.
pub const PARTNERS: [&str; 2] = ["one", "two"];

/// The network of the simulation.
struct Simulated;

impl Dial for Simulated {
    fn dial(&self, host: &str, port: u16) -> Pin<Box<dyn Future<Output = io::Result<Transport>>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let tcp = TcpStream::connect((&*host, port)).await?;
            Ok(Box::new(tcp) as Transport)
        })
    }
}

/// What is in force in every world.
pub fn live() -> Live {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/simulation/policy.yaml");
    let policy = load_policy(Source::Disk, &path);
    let known = PARTNERS.map(|id| (id.to_owned(), partner(id, 50_000_000)));
    Live::new(Snapshot {
        policy: policy.unwrap_or_else(|errors| panic!("{errors}")),
        shadow: None,
        partners: Partners {
            identity: vec![by_header("x-partner")],
            called: known.into(),
            ..Partners::default()
        },
        credentials: Default::default(),
        hosts: None,
        limits: Limits::default(),
        digest: "0123456789abcdef".to_owned(),
        effective: "{}".into(),
    })
}

fn settings(plan: &Plan) -> proxy::Settings {
    let time = Duration::from_millis(60);
    proxy::Settings {
        request_id: HeaderName::from_static("request-id"),
        id_form: IdForm::Token,
        origin: origin(),
        recorder: None,
        tracer: None,
        shadow: None,
        logs_client: true,
        in_flight: 100,
        deadline: DEADLINE,
        pace: Pace { time, grace: time, rate: 1 },
        memory: 1 << 20,
        upstream: upstream::Settings {
            base: "http://api:80".parse().unwrap(),
            tls: None,
            pseudonym: Some("patchgate".to_owned()),
            connect_time: time,
            handshake_time: time,
            server_name: None,
            egress: None,
            head_time: time,
            total_time: time,
            silence_time: time,
            fetch_time: time,
            fetch_max: 4096,
            public: None,
            circuit: plan.circuit.clone(),
            settled_after: plan.settled_after,
            remember: upstream::Remember {
                entries: 6,
                bytes: 400,
                time: Duration::from_millis(100),
            },
            connections: plan.connections,
            idle: 4,
            idle_time: Duration::from_millis(50),
            age: Duration::from_millis(150),
        },
    }
}

/// What the gateway shares, to look at from outside.
pub fn shared(live: &Live, telemetry: Telemetry, plan: &Plan) -> Shared {
    Shared {
        live: live.clone(),
        capacity: Capacity::new(100),
        budget: Budget::new(settings(plan).memory),
        telemetry,
    }
}

pub async fn serve(shared: Shared, plan: &Plan) -> turmoil::Result {
    let settings = settings(plan);
    let id = settings.request_id.clone();
    let upstream = Upstream::over(Simulated, settings.upstream.clone(), id, &shared)?;
    spawn_local(upstream.tend());
    let stack = stack(&settings, &shared, shared.telemetry.access_log.writer(), upstream);
    let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
    loop {
        let (tcp, _) = listener.accept().await?;
        let stack = stack.clone();
        spawn_local(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = stack.clone().call(request.into());
                async move { answer.await.map(Response::from) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
            let _ = connection.await;
        });
    }
}
