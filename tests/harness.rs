//! A gateway, an upstream that does as it is told, and a caller that can say anything.

mod caller;
pub mod frames;
mod gateway;
pub mod packages;
mod proxies;
mod store;
pub mod streams;
mod tls;
mod tokens;
mod upstream;

pub use caller::{Caller, Reply, patch, patch_with};
pub use gateway::{
    Gateway, PATH, Setup, borrower, by_header, origin, partner, partner_with, quota,
};
pub use proxies::{Daemon, USER, free_port, scripted};
pub use store::Redis;
pub use tls::Authority;
pub use tokens::{Signer, issuer, now, token};
pub use upstream::{Act, Upstream, answer, nobody};

use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A patch of a field that needs no current state.
pub const NOTES: &str = r#"[{"op":"replace","path":"/notes","value":"x"}]"#;
/// A patch that is judged from the current state.
pub const STATUS: &str = r#"[{"op":"replace","path":"/status","value":"Active"}]"#;
/// A patch with an op that no policy here allows.
pub const REMOVE: &str = r#"[{"op":"remove","path":"/notes"}]"#;

/// Waits until `holds`; it fails when that takes too long.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
