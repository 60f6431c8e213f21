//! What it costs to tell of a request: the metrics, a line in the access log, and a record of the
//! change in the audit log, and spans.
#![allow(clippy::expect_used, clippy::panic, reason = "a bench may fail by panicking")]

use patchgate::audit::{self, Audit};
use patchgate::config::{Source, load_policy, source};
use patchgate::limits::{Account, Class, Limits, Quotas};
use patchgate::otlp::{self, Exporter};
use patchgate::outbound::Way;
use patchgate::partner::Partner;
use patchgate::policy::{Caller, Disclosure, Facts, IfMatch, NormalPath, Resolution, Route, Shown};
use patchgate::proxy::answer::Answer;
use patchgate::proxy::change::Recorder;
use patchgate::proxy::forwarded::{self, Dialect};
use patchgate::proxy::middleware::observe::{Counted, Observe, Told, Tracer};
use patchgate::proxy::origin::{self, Origin};
use patchgate::proxy::request::Arrived;
use patchgate::proxy::span::Stage;
use patchgate::proxy::trace::Sampling;
use patchgate::proxy::trail::{Decision, Sent, Trail};
use patchgate::telemetry::{AccessLog, Destination, Telemetry};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use mimalloc::MiMalloc;
use tower::{Layer, Service, service_fn};

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What a future comes to that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn route() -> Arc<Route> {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY));
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("a normal form");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else {
        panic!("no route")
    };
    Arc::clone(route)
}

/// All that is learned of a patch that is permitted and sent.
fn trail(route: &Arc<Route>) -> impl Fn() -> Rc<Trail> {
    let route = Arc::clone(route);
    let (id, tier) = ("contoso".to_owned(), "standard".into());
    let account = Arc::new(Account::new("gate", Quotas::default()));
    let limited = Limits::default().look(&account, Class::Write, NonZeroU32::MIN);
    let partner = Arc::new(Partner { id, roles: Vec::new(), tier, account, credential: None });
    move || {
        let trail = Trail::begin(Method::PATCH, None);
        drop((trail.route.set(Arc::clone(&route)), trail.partner.set(Arc::clone(&partner))));
        trail.limited(limited);
        trail.decision.set(Some(Decision::Permit));
        trail.sent.set(Sent::Answered(StatusCode::OK));
        trail.upstream_status.set(Some(StatusCode::OK));
        trail.upstream_time.set(Duration::from_millis(12));
        trail.attempts.set(1);
        Rc::new(trail)
    }
}

/// How many requests come at once.
const CROWD: u64 = 500;

/// The patch that partners send most, and what may be written down of it.
const BODY: &[u8] = br#"[
  {"op": "replace", "path": "/status", "value": "Active"},
  {"op": "replace", "path": "/substatus", "value": "Accepted"}
]"#;
const SHOWN: Disclosure = Disclosure {
    personal: Shown::Redacted,
    commercial: Shown::Redacted,
    public: Shown::Clear,
    unmarked: Shown::Redacted,
};

/// Nobody takes what it sends, so that nothing is measured but what a request costs.
fn tracer() -> Tracer {
    let url = Uri::from_static("http://127.0.0.1:9/v1/traces");
    let (tls, server_name, egress) = (None, None, None);
    let (connect_time, handshake_time) = (Duration::from_secs(1), Duration::from_secs(1));
    let way = Way { url, tls, server_name, egress, connect_time, handshake_time };
    let (headers, service) = (HeaderMap::new(), "patchgate".to_owned());
    let exporter = Exporter::start(otlp::Settings { way, headers, service, queue: 1 });
    let own = ("gate.example".to_owned(), 443);
    let upstream = ("api.example".to_owned(), 443);
    Tracer { exporter: exporter.expect("a thread"), upstream, own }
}

fn origin() -> origin::Settings {
    origin::Settings {
        forwarded: forwarded::Settings {
            trusted: Vec::new(),
            read: Dialect::Forwarded,
            send: None,
        },
        sends_trace: true,
        sends_baggage: false,
        sampling: Some(Sampling { follows_callers: true, ratio: 1.0 }),
    }
}

fn telling(criterion: &mut Criterion) {
    let route = route();
    let trail = trail(&route);
    let body = Bytes::from_static(BODY);
    let facts = Facts::read(&route, Caller::default(), &IfMatch::Absent, &body);
    let audit = Audit::open(audit::Settings {
        path: PathBuf::from("/dev/null"),
        refuses: false,
        queue: 1 << 20,
        sync: Duration::from_secs(1),
        size: u64::MAX,
        age: Duration::from_secs(3600),
    });
    let audit = audit.expect("a device");
    let recorder = Recorder::new(audit.clone(), SHOWN, &[]);
    let mut inner = service_fn(|arrived: Arrived<()>| {
        black_box(&arrived.trail);
        std::future::ready(Ok::<_, Infallible>(Answer::new(StatusCode::OK, Empty::<Bytes>::new())))
    });
    let arrived = || {
        let arrived = Arrived::new(Request::new(()).into(), None);
        Arrived { trail: trail(), ..arrived }
    };
    let mut group = criterion.benchmark_group("a request");
    group.bench_function("nobody is told of", |bencher| {
        bencher.iter(|| now(now(inner.call(arrived())).expect("an answer").body.collect()))
    });
    let null = || Destination::File(PathBuf::from("/dev/null"));
    for (name, destination, recorder, tracer) in [
        ("that is counted", Destination::Off, None, None),
        ("and logged", null(), None, None),
        ("and recorded", null(), Some(recorder.clone()), None),
        ("and traced", null(), Some(recorder), Some(tracer())),
    ] {
        let log = AccessLog::open(&destination).expect("a log");
        let origin = tracer.as_ref().map(|_| origin());
        let mut observed = Observe::layer(Told {
            writer: log.writer(),
            telemetry: Telemetry::new(log.clone()),
            recent: Counted::default(),
            recorder: recorder.clone(),
            tracer,
            tells_client: true,
        })
        .layer(inner);
        let mut tell = || {
            let mut arrived = arrived();
            if let Some(origin) = &origin {
                let found = Origin::find(&mut arrived, origin, None);
                drop(arrived.trail.origin.set(found));
                drop(arrived.trail.begin_span(Stage::Judge, tokio::time::Instant::now));
                drop(arrived.trail.begin_span(Stage::Upstream, tokio::time::Instant::now));
            }
            if let Some(recorder) = &recorder {
                // As `Enforce` does it.
                let room = recorder.admit().expect("room");
                let target = "/v1.0/engagements/referrals/1";
                let change = recorder.begin(room, target, &facts, &IfMatch::Absent);
                arrived.trail.change.set(Some(Box::new(change)));
            }
            now(now(observed.call(arrived)).expect("an answer").body.collect())
        };
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                // What is told is written meanwhile, as where requests come at a rate that can be
                // kept up; a queue that only grows would be measured by its memory.
                let mut took = Duration::ZERO;
                for begin in (0..count).step_by(CROWD as usize) {
                    let began = Instant::now();
                    for _ in begin..count.min(begin + CROWD) {
                        black_box(tell()).expect("an end");
                    }
                    took += began.elapsed();
                    while audit.standing().queued > 0 {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                }
                took
            })
        });
    }
    group.finish();
}

criterion_group!(benches, telling);
criterion_main!(benches);
