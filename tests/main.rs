//! The integration tests: one binary.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may fail by panicking"
)]

// The public test vectors.
mod conformance;
// The shape of the code.
mod layering;
// The shipped policy, through the judge alone.
mod judge;
