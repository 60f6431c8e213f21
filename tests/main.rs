//! The integration tests: one binary.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may fail by panicking"
)]

// The schemas beside another engine.
mod ajv;
// How much memory the judge asks for.
mod allocations;
// The audit log, without a gateway.
mod audit;
// Bodies other than a JSON Patch.
mod bodies;
// The page of the operator.
mod browser;
// The program, from outside.
mod cli;
// The public test vectors.
mod conformance;
// What is deployed.
mod deploy;
// What the documents say.
mod difference;
mod docs;
// Whatever bytes come.
mod fuzz;
// Real sockets, a scripted upstream, and callers that misbehave.
mod harness;
// The shape of the code.
mod layering;
mod limiter;
// A second, naive judge.
mod oracle;
// What the judge promises, on random input.
mod promises;
// The gateway as its callers and its upstream see it.
mod proxy;
// The strict reader beside another.
mod reading;
// Links in answers, on random input.
mod links;
// The shipped policy, through the judge alone.
mod judge;
// Whole worlds in simulated time.
mod simulation;
// The documentation as a site.
mod site;
// Limits that several gateways share, in a real store.
mod store;
// What hostile or sloppy callers send.
mod strictness;
// Traps in the crates we stand on.
mod traps;
