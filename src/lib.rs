//! patchgate: a validating gateway for HTTP APIs that are changed by JSON Patch.
//!
//! The pure core ([`violation`], [`json`], [`patch`], [`policy`]) judges values and does no I/O; the
//! proxy and the command line are two callers of one judge. `ARCHITECTURE.md` is the map.

pub mod admin;
pub mod audit;
pub mod cli;
pub mod config;
pub mod credential;
pub mod json;
pub mod limits;
pub mod live;
pub mod otlp;
pub mod outbound;
pub mod partner;
pub mod patch;
pub mod policy;
pub mod proxy;
pub mod reload;
pub mod sandbox;
pub mod server;
pub mod snapshot;
pub mod socket;
pub mod telemetry;
pub mod tls;
pub mod violation;
pub mod waiter;
