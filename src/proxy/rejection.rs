//! Why the gateway itself ended a request: one closed set, the same for every gate.

use super::upstream::Fault;
use crate::limits::HeldBack;
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
    /// The change could not be written down, and nothing is to happen that is not.
    AuditUnavailable,
    /// The body is larger than the route takes.
    BodyTooLarge {
        /// The most bytes that it takes.
        max: usize,
    },
    /// The body did not come in time.
    BodyTooSlow,
    /// The body broke off, or its framing is broken.
    BodyUnreadable,
    /// The body is not in the content coding that it is said to be in.
    CodingMalformed,
    /// The body is in a content coding that the route does not take.
    CodingUnsupported {
        /// The ones that it takes, as a field value.
        accepted: &'static str,
    },
    /// What the caller is lent cannot be had at the moment.
    CredentialUnavailable {
        /// When to try again.
        wait: Duration,
    },
    /// The judge needs the current state, and it could not be had.
    CurrentUnavailable(Fault),
    /// The request took too long.
    DeadlineExceeded,
    /// The caller expects something else than to be told to go on.
    ExpectationUnknown,
    /// The gateway failed: a bug.
    Failed,
    /// The head of the request is not what HTTP or the gateway wants.
    HeadMalformed(&'static str),
    /// The head of the request is too large.
    HeadTooLarge,
    /// The head of the request did not come in time.
    HeadTooSlow,
    /// The request is for a host that the gateway does not answer for.
    HostUnknown,
    /// The keys that would verify what the caller shows have not been fetched.
    KeysUnavailable,
    /// The limits are counted in a store that is away, and nothing passes uncounted.
    LimitsUnavailable {
        /// When to try again.
        wait: Duration,
    },
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
    /// The route is open to other partners.
    NotAdmitted,
    /// Too many requests at once.
    Overloaded,
    /// A limit has no room for it.
    RateLimited {
        /// How long until the next request is let through.
        wait: Duration,
        /// The names of the limits that had none left.
        violated: Vec<String>,
    },
    /// The policy says no.
    Refused(Violations),
    /// The first line of the request is too long.
    TargetTooLong,
    /// Nobody knows who is calling.
    Unidentified {
        /// What a caller may prove who it is with.
        challenges: String,
    },
    /// The path leads nowhere.
    Unrouted,
    /// The upstream could not be reached, or gave no proper answer.
    UpstreamFailed(Fault),
    /// The upstream has said that it wants nothing at the moment; nothing was sent.
    UpstreamThrottled(HeldBack),
}

/// Why what a caller sent is no request. It comes with the request that stands in for it, which is
/// answered and logged as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// It is larger than a head may be.
    HeadTooLarge,
    /// It did not come in time.
    HeadTooSlow,
    /// It is not what HTTP says.
    Malformed(&'static str),
    /// Its first line is longer than one may be.
    TargetTooLong,
}

impl From<Unsound> for Rejection {
    fn from(unsound: Unsound) -> Self {
        match unsound {
            Unsound::HeadTooLarge => Self::HeadTooLarge,
            Unsound::HeadTooSlow => Self::HeadTooSlow,
            Unsound::Malformed(why) => Self::HeadMalformed(why),
            Unsound::TargetTooLong => Self::TargetTooLong,
        }
    }
}
