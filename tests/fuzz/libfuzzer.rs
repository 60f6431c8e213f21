//! Puts one target, which `TARGET` names, to what libFuzzer thinks of.
#![no_main]
#![allow(dead_code, unused_imports, reason = "tests of the whole are left out")]

#[path = ".."]
mod tests {
    pub mod fuzz;
    pub mod oracle;
    pub mod promises;
}

use tests::{fuzz, oracle, promises};

use libfuzzer_sys::fuzz_target;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("TARGET").expect("`TARGET` names a target");
    let found = fuzz::TARGETS.iter().find(|(name, _)| *name == wanted);
    found.expect("a target").1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
