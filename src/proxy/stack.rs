//! Everything that happens to a request, in the order it happens.

use super::middleware::access_log::{LogAccess, Logged};
use super::middleware::collect::Collect;
use super::middleware::deadline::Deadline;
use super::middleware::enforce::Enforce;
use super::middleware::in_flight::InFlight;
use super::middleware::rate_limit::RateLimit;
use super::middleware::request_id::SetRequestId;
use super::middleware::rescue::Rescue;
use super::middleware::resolve::Resolve;
use super::upstream::Upstream;
use super::{Settings, Shared, body};
use crate::telemetry::LogWriter;

use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder};

use std::cell::RefCell;
use std::convert::Infallible;
use std::task::{Context, Waker};

/// An answer as it leaves.
pub type Answer = Response<Logged<body::Content>>;

/// Everything that happens to a request, in the order it happens.
pub fn stack(
    settings: &Settings,
    shared: &Shared,
    log: LogWriter,
    upstream: Upstream,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: 'static>
+ Clone
+ 'static {
    let id = settings.request_id.clone();
    let pseudonym = &settings.upstream.pseudonym;
    ServiceBuilder::new()
        // Every request, however it ends.                          -> Arrived
        .layer(SetRequestId::layer(id.clone()))
        .layer(LogAccess::layer(log))
        // Nothing above can fail; from here on a failure becomes an answer.
        .layer(Rescue::layer(shared.live.clone()))
        // Keep the process alive. The deadline is inside, so that a request that is shed costs no timer.
        .layer(InFlight::layer(shared.capacity.clone()))
        .layer(Deadline::layer(settings.deadline))
        // Who asks, and for what: one snapshot for all that follows. -> Routed<Incoming>
        .layer(Resolve::layer(shared.live.clone(), id, pseudonym))
        // Nothing is read from a caller who is over the quota.       -> Admitted<Incoming>
        .layer(RateLimit::layer())
        // What they ask, bounded, before the judge sees it.          -> Routed<Bytes>
        .layer(Collect::layer(settings.body_time))
        // Whether they may.                                          -> Permitted
        .layer(Enforce::layer())
        // Nothing may stand here: what was judged is what is sent. (`Enforce` is a service above
        // `Upstream` alone, so nothing can.)
        .service(upstream)
}

/// The stack as hyper calls it: one for each connection.
#[derive(Debug)]
pub struct Entrance<S>(RefCell<S>);

impl<S> Entrance<S> {
    /// The way into `stack`.
    pub fn new(stack: S) -> Self {
        Self(RefCell::new(stack))
    }
}

impl<S: Service<Request<Incoming>>> hyper::service::Service<Request<Incoming>> for Entrance<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> S::Future {
        let mut stack = self.0.borrow_mut();
        // Every gate is always ready (see `middleware`), so asking is a formality, and the stack
        // need not be cloned for each request.
        let ready = stack.poll_ready(&mut Context::from_waker(Waker::noop()));
        debug_assert!(ready.is_ready(), "a gate made a caller wait");
        stack.call(request)
    }
}
