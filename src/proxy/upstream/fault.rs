//! What went wrong between the gateway and the upstream.

use crate::outbound::{Distrust, Obstacle, Unreached};

use std::time::Duration;

/// What went wrong between the gateway and the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It closed the connection, or broke the protocol, after the request was begun.
    Broken,
    /// It failed too often, and nothing is sent for so long.
    Paused(Duration),
    /// The company's proxy led to nobody; why, and that nothing was sent.
    Proxy(&'static str),
    /// Every connection is in use.
    Saturated,
    /// It did not answer in time.
    TooSlow,
    /// No connection could be made.
    Unreachable(Obstacle),
    /// No trusted TLS connection could be made.
    Untrusted(Distrust),
    /// It answered, but with something that is of no use here.
    Unusable(&'static str),
}

impl From<Unreached> for Fault {
    fn from(unreached: Unreached) -> Self {
        match unreached {
            Unreached::Proxy(why) => Self::Proxy(why),
            Unreached::TooSlow => Self::TooSlow,
            Unreached::Unreachable(obstacle) => Self::Unreachable(obstacle),
            Unreached::Untrusted(distrust) => Self::Untrusted(distrust),
        }
    }
}

impl Fault {
    /// The stable name, in answers, logs and numbers.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Broken => "upstream-broken",
            Self::Paused(_) => "upstream-paused",
            Self::Proxy(_) => "proxy-failed",
            Self::Saturated => "upstream-saturated",
            Self::TooSlow => "upstream-too-slow",
            Self::Unreachable(_) => "upstream-unreachable",
            Self::Untrusted(_) => "upstream-untrusted",
            Self::Unusable(_) => "upstream-unusable",
        }
    }
}
