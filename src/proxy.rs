//! The proxy: what happens to a request between the caller and the real API.
//!
//! [`stack()`] lists it in order. Everything here belongs to one worker thread: services and their
//! futures are not `Send`, and what the threads share is in [`Shared`] and atomic.

pub mod alarm;
pub mod answer;
pub mod body;
pub mod budget;
pub mod change;
pub mod chunks;
pub mod fields;
pub mod forwarded;
pub mod gzip;
pub mod headers;
pub mod identity;
pub mod middleware;
pub mod octets;
pub mod origin;
pub mod problem;
pub mod pulse;
mod random;
pub mod rejection;
pub mod request;
pub mod shadow;
pub mod span;
pub mod stack;
pub mod tapped;
pub mod target;
pub mod trace;
pub mod trail;
pub mod upstream;

pub use stack::stack;

use crate::limits::Capacity;
use crate::live::Live;
use crate::telemetry::Telemetry;

use budget::{Budget, Pace};
use change::Recorder;
use middleware::observe::Tracer;
use request::IdForm;
use shadow::Shadow;

use http::HeaderName;

use std::time::Duration;

/// How the proxy deals with every request, whatever the policy.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The field that carries the id of a request, as `request-id`.
    pub request_id: HeaderName,
    /// What an id has to be, so that it is kept.
    pub id_form: IdForm,
    /// What is believed of where a request comes from, and what is told of it.
    pub origin: origin::Settings,
    /// Whether the access log tells of the address that a request came from.
    pub logs_client: bool,
    /// The most requests at once, over all workers; more are shed with 503.
    pub in_flight: usize,
    /// The longest time from a request's head to its answer's head.
    pub deadline: Duration,
    /// Who writes down changes, if somebody does. The workers share it.
    pub recorder: Option<Recorder>,
    /// Who is told of traces that are recorded, if some are.
    pub tracer: Option<Tracer>,
    /// Who is asked beside the policy in force, if somebody is.
    pub shadow: Option<Shadow>,
    /// How fast a caller has to send a body.
    pub pace: Pace,
    /// The most bytes of bodies in memory at once, over all workers.
    pub memory: usize,
    /// The API behind the gateway, and how it is reached.
    pub upstream: upstream::Settings,
}

/// What the workers share: all of it atomic.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The snapshot in force.
    pub live: Live,
    /// The room for requests at once.
    pub capacity: Capacity,
    /// The room for their bodies.
    pub budget: Budget,
    /// Who is told of all that happens.
    pub telemetry: Telemetry,
}
