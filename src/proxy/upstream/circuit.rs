//! Spares an upstream that fails, and callers the wait for it: after so many failures in a row
//! nothing is sent for a while.
//!
//! Then one request at a time finds out whether the upstream is back. It does so with a question of
//! the gateway's own, before it is sent itself; so what is tried on an upstream that may fail again
//! is nobody's change.

use super::Fault;

use tokio::time::Instant;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Set while nothing is sent; the rest says until when.
const OPEN: u64 = 1 << 63;
/// Set while somebody finds out whether the upstream is back.
const TRYING: u64 = 1 << 62;

/// Whether an upstream is asked at all. The workers share it.
#[derive(Clone, Debug, Default)]
pub struct Circuit(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    failures: u64,
    pause: Duration,
    /// What moments are counted from, in milliseconds.
    born: Instant,
    /// How many failures in a row there were, or `OPEN` with a moment, or `TRYING`.
    state: AtomicU64,
}

/// What is to be done with a request.
#[derive(Debug)]
pub(super) enum Entry {
    /// Send it.
    Pass(Pass),
    /// Find out first whether the upstream is back.
    Try(Pass),
}

/// One exchange with the upstream, of which the circuit wants to know the end.
#[derive(Debug)]
pub(super) struct Pass {
    shared: Option<Arc<Shared>>,
    is_trial: bool,
    /// After this moment nobody waits, and that is a failure.
    until: Option<Instant>,
}

impl Circuit {
    /// Opens after `failures` in a row, for `pause`; never, if there are none.
    pub fn new(failures: u32, pause: Duration) -> Self {
        let shared = || Shared {
            failures: failures.into(),
            pause,
            born: Instant::now(),
            state: AtomicU64::new(0),
        };
        Self((failures > 0).then(|| Arc::new(shared())))
    }

    /// Whether nothing is sent at the moment.
    pub fn is_open(&self) -> bool {
        let state = self.0.as_ref().map(|shared| shared.state.load(Ordering::Relaxed));
        state.is_some_and(|state| state & (OPEN | TRYING) != 0)
    }

    /// Lets a request in that is waited for `until`.
    pub(super) fn enter(&self, until: Option<Instant>) -> Result<Entry, Fault> {
        let pass = |is_trial| Pass { shared: self.0.clone(), is_trial, until };
        let Some(shared) = &self.0 else { return Ok(Entry::Pass(pass(false))) };
        let state = shared.state.load(Ordering::Acquire);
        if state == TRYING {
            return Err(Fault::Paused(Duration::from_secs(1)));
        }
        if state & OPEN == 0 {
            return Ok(Entry::Pass(pass(false)));
        }
        let left = Duration::from_millis((state ^ OPEN).saturating_sub(shared.moment()));
        if !left.is_zero() {
            return Err(Fault::Paused(left));
        }
        match shared.exchange(state, TRYING) {
            true => Ok(Entry::Try(pass(true))),
            false => Err(Fault::Paused(Duration::from_secs(1))),
        }
    }
}

impl Shared {
    /// Whether `new` is in the place of `old` now.
    fn exchange(&self, old: u64, new: u64) -> bool {
        self.state.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn moment(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or_default()
    }

    fn open(&self) -> u64 {
        let pause = u64::try_from(self.pause.as_millis()).unwrap_or(u64::from(u32::MAX));
        OPEN | (self.moment() + pause)
    }

    fn failed(&self) {
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state & (OPEN | TRYING) != 0 {
                // One that began before: it tells nothing new.
                return;
            }
            let opens = state + 1 >= self.failures;
            if self.exchange(state, if opens { self.open() } else { state + 1 }) {
                if opens {
                    tracing::warn!(failures = state + 1, "the upstream is given a pause");
                }
                return;
            }
        }
    }

    /// Forgets failures; but an answer that comes late does not end a pause.
    fn succeeded(&self) {
        let state = self.state.load(Ordering::Acquire);
        if state != 0 && state & (OPEN | TRYING) == 0 {
            let _a_failure_meanwhile_counts = self.exchange(state, 0);
        }
    }
}

impl Pass {
    /// Learns how the exchange ended.
    pub(super) fn end(mut self, succeeded: bool) {
        let Some(shared) = self.shared.take() else { return };
        match (self.is_trial, succeeded) {
            (false, true) => shared.succeeded(),
            (false, false) => shared.failed(),
            (true, true) => {
                shared.state.store(0, Ordering::Release);
                tracing::info!("the upstream is back");
            }
            (true, false) => shared.state.store(shared.open(), Ordering::Release),
        }
    }

    /// Ends an exchange that tells nothing of the upstream.
    pub(super) fn forget(mut self) {
        self.give_up();
    }

    fn give_up(&mut self) {
        if let Some(shared) = self.shared.take().filter(|_| self.is_trial) {
            // The next one finds out.
            shared.state.store(OPEN, Ordering::Release);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        let late = self.until.is_some_and(|until| Instant::now() >= until);
        match late {
            true if self.is_trial => shared.state.store(shared.open(), Ordering::Release),
            true => shared.failed(),
            false => self.give_up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::time::advance;

    const PAUSE: Duration = Duration::from_secs(5);

    /// `p`ass, `t`ry or `r`efused.
    fn word(entry: &Result<Entry, Fault>) -> char {
        match entry {
            Ok(Entry::Pass(_)) => 'p',
            Ok(Entry::Try(_)) => 't',
            Err(Fault::Paused(_)) => 'r',
            Err(other) => panic!("{other:?}"),
        }
    }

    fn pass(circuit: &Circuit) -> Pass {
        match circuit.enter(None) {
            Ok(Entry::Pass(pass) | Entry::Try(pass)) => pass,
            Err(fault) => panic!("{fault:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_one_success_between_does_not() {
        let circuit = Circuit::new(3, PAUSE);
        for succeeded in [false, false, true, false, false] {
            pass(&circuit).end(succeeded);
        }
        let (early, last) = (pass(&circuit), pass(&circuit));
        last.end(false);
        assert_eq!(circuit.enter(None).unwrap_err(), Fault::Paused(PAUSE));
        early.end(true);
        assert_eq!(word(&circuit.enter(None)), 'r', "what is late does not end the pause");
        advance(PAUSE).await;
        assert_eq!(word(&circuit.enter(None)), 't');
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_finds_out_and_what_it_finds_decides() {
        let circuit = Circuit::new(1, PAUSE);
        pass(&circuit).end(false);
        for (succeeded, next) in [(false, 'r'), (true, 'p')] {
            advance(PAUSE).await;
            let trial = pass(&circuit);
            assert_eq!(word(&circuit.enter(None)), 'r');
            trial.end(succeeded);
            assert_eq!(word(&circuit.enter(None)), next);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_while_finding_out_leaves_it_to_the_next() {
        let circuit = Circuit::new(1, PAUSE);
        pass(&circuit).end(false);
        advance(PAUSE).await;
        for _ in 0..3 {
            assert_eq!(word(&circuit.enter(None)), 't', "and it is dropped");
        }
        pass(&circuit).forget();
        assert_eq!(word(&circuit.enter(None)), 't');
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_to_the_end_in_vain_has_seen_a_failure_and_who_leaves_before_has_not() {
        let circuit = Circuit::new(1, PAUSE);
        let until = Some(Instant::now() + PAUSE);
        drop(circuit.enter(until));
        assert_eq!(word(&circuit.enter(until)), 'p');
        let entry = circuit.enter(until);
        advance(PAUSE).await;
        drop(entry);
        assert_eq!(word(&circuit.enter(None)), 'r');
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let circuit = Circuit::new(0, PAUSE);
        for _ in 0..100 {
            pass(&circuit).end(false);
        }
        assert_eq!(word(&circuit.enter(None)), 'p');
    }
}
