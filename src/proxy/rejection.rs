//! Why the gateway itself ended a request: one closed set, the same for every gate.

use super::upstream::Fault;
use crate::policy::Route;
use crate::violation::Violations;

use std::sync::Arc;
use std::time::Duration;

/// Why the gateway itself ended a request.
///
/// A closed set: [`problem`](super::problem) gives each a status, and a new one does not compile
/// until it has one.
#[derive(Debug)]
pub enum Rejection {
    /// The body is larger than the route takes.
    BodyTooLarge {
        /// The most bytes that it takes.
        max: usize,
    },
    /// The body did not come in time.
    BodyTooSlow,
    /// The body broke off, or its framing is broken.
    BodyUnreadable,
    /// The body is in a content coding.
    CodingUnsupported,
    /// The judge needs the current state, and it could not be had.
    CurrentUnavailable(Fault),
    /// The request took too long.
    DeadlineExceeded,
    /// The gateway failed: a bug.
    Failed,
    /// The head of the request is not what HTTP or the gateway wants.
    HeadMalformed(&'static str),
    /// The request has been here before.
    LoopDetected,
    /// The body has a media type that the route does not take.
    MediaTypeUnsupported(Arc<Route>),
    /// The path is known, but not with this method.
    MethodNotAllowed {
        /// The methods it is known with, as a field value.
        allow: String,
    },
    /// No API here can have this method.
    MethodUnsupported,
    /// Too many requests at once.
    Overloaded,
    /// The partner has spent its quota.
    RateLimited {
        /// How long until the next request is let through.
        wait: Duration,
        /// The quota's name.
        limit: String,
    },
    /// The policy says no.
    Refused(Violations),
    /// Nobody knows who is calling.
    Unidentified,
    /// The path leads nowhere.
    Unrouted,
    /// The upstream could not be reached, or gave no proper answer.
    UpstreamFailed(Fault),
}
