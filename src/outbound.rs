//! Ways out: to the upstream, and to whom the gateway asks for something on its own behalf. Where a
//! company's proxy is named, every one of them leads through it.

mod connect;
mod egress;
mod errand;
mod race;
mod retry_after;
mod visit;

pub use connect::{Connector, Dial, Dialing, Duplex, Tcp, Transport, Way, Wire};
pub use egress::Egress;
pub use errand::{Bell, Errand, Rest, jittered, run};
pub use retry_after::{retry_after, wait_asked};
pub use visit::{Answer, Unvisited, visit};

/// Why no connection could be made. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// The company's proxy led to nobody, and why.
    Proxy(&'static str),
    /// It took too long.
    TooSlow,
    /// Nobody answered at that address.
    Unreachable(Obstacle),
    /// Who answered is not trusted, or speaks no TLS.
    Untrusted(Distrust),
}

/// What stood in the way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing that can be told.
    Other,
    /// Nobody listens there.
    Refused,
    /// No way leads there.
    Unroutable,
    /// The name has no address.
    Unresolved,
}

/// Why who answered is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It gave up, and said so.
    Alert,
    /// Its certificate is not what it has to be.
    Certificate,
    /// It speaks no TLS that is spoken here.
    Protocol,
}
