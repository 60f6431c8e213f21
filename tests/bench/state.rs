//! What a current state costs that is remembered, on top of a request that needs none: all of it,
//! from the judge to an upstream in memory and back.
#![allow(clippy::expect_used, clippy::panic, reason = "a bench may fail by panicking")]

use patchgate::config::{Source, load_policy, source};
use patchgate::limits::{Account, Capacity, Limits, Quotas};
use patchgate::live::Live;
use patchgate::outbound::{Dial, Transport};
use patchgate::partner::{Partner, Partners};
use patchgate::policy::{Caller, Current, Facts, IfMatch, NormalPath, Resolution, Verdict};
use patchgate::proxy::Shared;
use patchgate::proxy::budget::Budget;
use patchgate::proxy::middleware::enforce::Enforce;
use patchgate::proxy::request::{Head, Routed};
use patchgate::proxy::target::Target;
use patchgate::proxy::trail::{Source as Came, Trail};
use patchgate::proxy::upstream::{Circuit, Remember, Representation, Settings, Upstream};
use patchgate::snapshot::Snapshot;
use patchgate::telemetry::{AccessLog, Destination, Telemetry};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mimalloc::MiMalloc;
use tokio::task::{LocalSet, spawn_local};
use tower::{Layer, Service};

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const PATH: &str = "/v1.0/engagements/referrals/1";
const NOTES: &str = r#"[{"op":"replace","path":"/details/notes","value":"Called back."},{"op":"replace","path":"/details/dealValue","value":"10000"}]"#;
const PAIR: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;
const TAG: &str = "\"v1\"";

/// A referral that is active, as the sandbox has it.
fn document() -> String {
    let seeds: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../src/sandbox/seeds.json")).expect("JSON");
    let active = seeds.into_iter().find(|seed| seed["status"] == "Active");
    active.expect("an active one").to_string()
}

/// An upstream in memory. It applies nothing, so that nothing has to be forgotten.
struct Memory;

impl Dial for Memory {
    fn dial(&self, _: &str, _: u16) -> Pin<Box<dyn Future<Output = io::Result<Transport>>>> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let document = Bytes::from(document());
        let answer = move |request: Request<Incoming>| {
            let mut response = Response::new(Full::default());
            if request.method() == Method::GET {
                response.headers_mut().insert(header::ETAG, HeaderValue::from_static(TAG));
                *response.body_mut() = Full::new(document.clone());
            } else {
                *response.status_mut() = StatusCode::CONFLICT;
            }
            std::future::ready(Ok::<_, Infallible>(response))
        };
        spawn_local(async move {
            let io = TokioIo::new(theirs);
            drop(http1::Builder::new().serve_connection(io, service_fn(answer)).await);
        });
        Box::pin(std::future::ready(Ok(Box::new(ours) as Transport)))
    }
}

fn upstream() -> Upstream {
    let time = Duration::from_secs(3600);
    let settings = Settings {
        base: "http://api".parse().expect("a URL"),
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
        fetch_max: 4 << 20,
        public: None,
        circuit: Circuit::default(),
        settled_after: None,
        remember: Remember { entries: 1000, bytes: 4 << 20, time },
        connections: 10,
        idle: 10,
        idle_time: time,
        age: time,
    };
    let id = header::HeaderName::from_static("request-id");
    let shared = Shared {
        live: Live::new(snapshot()),
        capacity: Capacity::new(1),
        budget: Budget::new(128 << 20),
        telemetry: Telemetry::new(AccessLog::open(&Destination::Off).expect("no log")),
    };
    Upstream::over(Memory, settings, id, &shared).expect("an upstream")
}

/// The shipped policy, and nobody who is known by name.
fn snapshot() -> Snapshot {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY));
    Snapshot {
        policy: policy.unwrap_or_else(|errors| panic!("{errors}")),
        shadow: None,
        partners: Partners::default(),
        credentials: Default::default(),
        hosts: None,
        limits: Limits::default(),
        digest: "0123456789abcdef".to_owned(),
        effective: "{}".into(),
    }
}

/// A request that has come as far as the judge.
fn routed(body: &'static str) -> Routed<Bytes> {
    let snapshot = snapshot();
    let path = NormalPath::of(PATH).expect("a normal form");
    let Resolution::Found(route) = snapshot.policy.routes.resolve("PATCH", &path) else {
        panic!("no route")
    };
    let route = Arc::clone(route);
    let (id, tier) = ("one".to_owned(), "standard".into());
    let account = Arc::new(Account::new("gate", Quotas::default()));
    let fields = [
        (header::IF_MATCH, HeaderValue::from_static(TAG)),
        (header::AUTHORIZATION, HeaderValue::from_static("Bearer of-a-token")),
    ];
    let (method, target, version) = (Method::PATCH, Target::of(PATH), Version::HTTP_11);
    let head = Head { method, target, version, fields: fields.into_iter().collect() };
    Routed {
        head: Box::new(head),
        target: Target::of(PATH),
        body: Bytes::from_static(body.as_bytes()),
        partner: Arc::new(Partner { id, roles: Vec::new(), tier, account, credential: None }),
        route,
        snapshot: Arc::new(snapshot),
        trail: Rc::new(Trail::begin(Method::PATCH, None)),
    }
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from the judge and back");
    for (name, body, source) in
        [("no state", NOTES, None), ("a remembered state", PAIR, Some(Came::Remembered))]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (runtime, local) = (runtime.expect("a runtime"), LocalSet::new());
        let _entered = runtime.enter();
        let mut enforce = Enforce::layer(None, None).layer(upstream());
        let routed = routed(body);
        let mut ask = || {
            let answer = enforce.call(routed.clone());
            let answer = local.block_on(&runtime, answer);
            assert!(answer.is_ok_and(|answer| answer.status == StatusCode::CONFLICT));
        };
        ask();
        ask();
        assert_eq!(routed.trail.source.get(), source);
        group.bench_function(name, |bencher| bencher.iter(&mut ask));
    }
    group.finish();
}

/// The parts of it: what the memory takes to find the state, and what is done with it.
fn parts(criterion: &mut Criterion) {
    let (routed, document) = (routed(PAIR), document());
    let read = || Current::read(&routed.route, Some(TAG), black_box(document.as_bytes()));
    let if_match = IfMatch::parse([TAG.as_bytes()]);
    let mut group = criterion.benchmark_group("of it");
    let need = || {
        let facts = Facts::read(&routed.route, Caller::default(), &if_match, &routed.body);
        match routed.snapshot.policy.judge(&facts, None).verdict {
            Verdict::NeedsCurrent(need) => need,
            Verdict::Permit(_) | Verdict::Refuse(_) => panic!("the state is needed"),
        }
    };
    let (upstream, tag) = (upstream(), if_match.sole().expect("one tag"));
    let seen = Representation { tag: Some(TAG.to_owned()), body: document.clone().into() };
    upstream.remember(&upstream.ask(need(), &routed), &seen, read().expect("a document"));
    group.bench_function("finding the state", |bencher| {
        let find = |need| {
            let ask = upstream.ask(need, &routed);
            upstream.recall(&ask, &routed, tag).expect("it is remembered")
        };
        bencher.iter_batched(need, find, BatchSize::SmallInput);
    });
    group.bench_function("reading the state", |bencher| bencher.iter(read));
    let current = read().expect("a document");
    for (name, current) in [("judging without it", None), ("judging with it", Some(&current))] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let caller = Caller::default();
                let facts = Facts::read(&routed.route, caller, &if_match, &routed.body);
                let verdict = routed.snapshot.policy.judge(&facts, current).verdict;
                assert!(!matches!(verdict, Verdict::Refuse(_)));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, requests, parts);
criterion_main!(benches);
