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
pub use errand::{Bell, Errand, Rest, run};
pub use retry_after::retry_after;
pub use visit::{Answer, Unvisited, visit};

/// Why no connection could be made. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// The company's proxy led to nobody, and why.
    Proxy(&'static str),
    /// It took too long.
    TooSlow,
    /// Nobody answered at that address.
    Unreachable,
    /// Who answered is not trusted, or speaks no TLS.
    Untrusted,
}
