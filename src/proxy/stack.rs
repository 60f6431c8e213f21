//! Everything that happens to a request, in the order it happens.

use super::answer;
use super::headers::Via;
use super::middleware::collect::Collect;
use super::middleware::deadline::Deadline;
use super::middleware::enforce::Enforce;
use super::middleware::in_flight::InFlight;
use super::middleware::observe::{Counted, Observe, Observed, Told};
use super::middleware::origin::FindOrigin;
use super::middleware::rate_limit::RateLimit;
use super::middleware::request_id::SetRequestId;
use super::middleware::rescue::Rescue;
use super::middleware::resolve::Resolve;
use super::request::Received;
use super::upstream::Upstream;
use super::{Settings, Shared, body};
use crate::telemetry::LogWriter;

use bytes::Bytes;
use http_body::Body;
use tower::{Service, ServiceBuilder};

use std::convert::Infallible;

/// An answer as it leaves.
pub type Answer = answer::Answer<Observed<body::Content>>;

/// Everything that happens to a request, in the order it happens.
pub fn stack<B: Body<Data = Bytes> + Unpin + 'static>(
    settings: &Settings,
    shared: &Shared,
    log: LogWriter,
    upstream: Upstream,
) -> impl Service<Received<B>, Response = Answer, Error = Infallible, Future: 'static> + Clone + 'static
{
    let told = Told {
        writer: log,
        telemetry: shared.telemetry.clone(),
        recent: Counted::default(),
        recorder: settings.recorder.clone(),
        tracer: settings.tracer.clone(),
        tells_client: settings.logs_client,
    };
    let id = settings.request_id.clone();
    let own = settings.upstream.pseudonym.as_deref();
    let via = own.and_then(Via::new);
    let name = own.unwrap_or("patchgate");
    ServiceBuilder::new()
        // Every request, however it ends.                          -> Arrived
        .layer(SetRequestId::layer(id.clone(), settings.id_form))
        .layer(FindOrigin::layer(settings.origin.clone(), own))
        .layer(Observe::layer(told))
        // Nothing above can fail; from here on a failure becomes an answer.
        .layer(Rescue::layer(shared.live.clone(), name))
        // Keep the process alive. The deadline is inside, so that a request that is shed costs no timer.
        .layer(InFlight::layer(shared.capacity.clone()))
        .layer(Deadline::layer(settings.deadline))
        // Who asks, and for what: one snapshot for all that follows. -> Routed<B>
        .layer(Resolve::layer(shared.live.clone(), id, via, name))
        // Nothing is read from a caller who is over the quota.       -> Admitted<B>
        .layer(RateLimit::layer())
        // What they ask, bounded, before the judge sees it.          -> Routed<Bytes>
        .layer(Collect::layer(shared.budget.clone(), settings.pace))
        // Whether they may.                                          -> Permitted
        .layer(Enforce::layer(settings.recorder.clone(), settings.shadow.clone()))
        // Nothing may stand here: what was judged is what is sent. (`Enforce` is a service above
        // `Upstream` alone, so nothing can.)
        .service(upstream)
}
