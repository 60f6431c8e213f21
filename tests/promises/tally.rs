//! How often a promise was really put to the test.

use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestError, TestRunner};

use std::cell::RefCell;
use std::collections::BTreeMap;

/// How often each kind of end was seen.
#[derive(Default)]
pub struct Tally {
    seen: RefCell<BTreeMap<&'static str, u32>>,
    /// How many inputs are usual, and how many there were.
    usual: u32,
    inputs: u32,
}

impl Tally {
    pub fn note(&self, what: &'static str) {
        *self.seen.borrow_mut().entry(what).or_default() += 1;
    }

    /// Fails unless each of `kinds` was seen `count` times among as many inputs as are usual: else
    /// the generators have become such that the promise says little.
    pub fn at_least(&self, count: u32, kinds: &[&str]) {
        let count = u64::from(count) * u64::from(self.inputs) / u64::from(self.usual);
        let seen = self.seen.borrow();
        for kind in kinds {
            let found = u64::from(seen.get(kind).copied().unwrap_or_default());
            assert!(found >= count, "`{kind}` was seen {found} of {count} times: {seen:#?}");
        }
    }
}

/// Holds `claim` against random input, `usual` times unless `PROMISES` says how often; shows what
/// it saw.
#[expect(clippy::print_stdout, reason = "the harness keeps it back unless it is asked for")]
pub fn promise<S: Strategy>(
    usual: u32,
    input: S,
    claim: impl Fn(&S::Value, &Tally) -> TestCaseResult,
) -> Tally {
    let wanted = std::env::var("PROMISES").ok().and_then(|count| count.parse().ok());
    let tally = Tally { seen: RefCell::default(), usual, inputs: wanted.unwrap_or(usual) };
    let config = ProptestConfig {
        cases: tally.inputs,
        failure_persistence: None,
        max_global_rejects: 10_000_000,
        ..ProptestConfig::default()
    };
    match TestRunner::new(config).run(&input, |input| claim(&input, &tally)) {
        Ok(()) => println!("{:#?}", tally.seen.borrow()),
        Err(TestError::Fail(why, input)) => panic!("{why}\nof {input:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    tally
}
