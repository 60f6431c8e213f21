//! What it costs to tell of a request: the metrics, and a line in the access log.
#![allow(clippy::expect_used, clippy::panic, reason = "a bench may fail by panicking")]

use patchgate::config::{Source, load_policy, source};
use patchgate::limits::{Account, Class, Limits, Quotas};
use patchgate::partner::Partner;
use patchgate::policy::{NormalPath, Resolution};
use patchgate::proxy::middleware::observe::Observe;
use patchgate::proxy::request::{Arrived, RequestId};
use patchgate::proxy::trail::{Decision, Sent, Trail};
use patchgate::telemetry::{AccessLog, Destination, Metrics};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{Method, Request, Response, StatusCode};
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
use std::time::Duration;

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

/// All that is learned of a patch that is permitted and sent.
fn trail() -> impl Fn() -> Rc<Trail> {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY));
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("a normal form");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else {
        panic!("no route")
    };
    let route = Arc::clone(route);
    let (id, tier) = ("contoso".to_owned(), "standard".into());
    let account = Arc::new(Account::new("gate", Quotas::default()));
    let limited = Limits::default().look(&account, Class::Write, NonZeroU32::MIN);
    let partner = Arc::new(Partner { id, roles: Vec::new(), tier, account, credential: None });
    move || {
        let trail = Trail::begin(Method::PATCH);
        drop((trail.route.set(Arc::clone(&route)), trail.partner.set(Arc::clone(&partner))));
        trail.limits.set(Some(limited));
        trail.decision.set(Some(Decision::Permit));
        trail.sent.set(Sent::Answered(StatusCode::OK));
        trail.upstream_status.set(Some(StatusCode::OK));
        trail.upstream_time.set(Duration::from_millis(12));
        trail.attempts.set(1);
        Rc::new(trail)
    }
}

fn telling(criterion: &mut Criterion) {
    let trail = trail();
    let mut inner = service_fn(|arrived: Arrived<()>| {
        black_box(&arrived.trail);
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new())))
    });
    let arrived = || Arrived { request: Request::new(()), id: RequestId::make(), trail: trail() };
    let mut group = criterion.benchmark_group("a request");
    group.bench_function("nobody is told of", |bencher| {
        bencher.iter(|| now(now(inner.call(arrived())).expect("an answer").into_body().collect()))
    });
    let null = Destination::File(PathBuf::from("/dev/null"));
    for (name, destination) in [("that is counted", Destination::Off), ("and logged", null)] {
        let log = AccessLog::open(&destination).expect("a log");
        let layer = Observe::layer(log.writer(), Arc::<Metrics>::default(), true);
        let mut observed = layer.layer(inner);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                now(now(observed.call(arrived())).expect("an answer").into_body().collect())
            })
        });
    }
    group.finish();
}

criterion_group!(benches, telling);
criterion_main!(benches);
