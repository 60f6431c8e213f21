//! What the gateway does again and again on its own behalf, on a thread apart from those that serve.

use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The pause after a failure, which doubles from the one to the other.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// How often an errand is run because somebody rang, at most.
const RING_PAUSE: Duration = Duration::from_secs(30);
/// How soon it is seen that nobody wants an errand any longer.
const LOOK: Duration = Duration::from_secs(1);

/// Something to be done, begun on the thread where it is done.
pub type Errand = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Runs `errands` on a thread called `name`, which ends with the last of them.
pub fn run(name: &str, errands: Vec<Errand>) {
    if errands.is_empty() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let spawned = runtime.and_then(|runtime| {
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let all = LocalSet::new();
            for errand in errands {
                all.spawn_local(errand());
            }
            runtime.block_on(all);
        })
    });
    if let Err(error) = spawned {
        tracing::error!(%error, errands = name, "nobody runs errands");
    }
}

/// What whoever runs an errand listens to, for as long as somebody holds it.
#[derive(Debug, Default)]
pub struct Bell {
    is_rung: AtomicBool,
    is_over: AtomicBool,
    woken: Notify,
}

impl Bell {
    /// Asks for the errand before its time. However often it rings, nobody is asked twice for one.
    pub fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::Relaxed) {
            self.woken.notify_one();
        }
    }

    /// What was asked for so far is done.
    pub fn quiet(&self) {
        self.is_rung.store(false, Ordering::Relaxed);
    }

    /// The errand is not to be run again.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.woken.notify_one();
    }

    /// Whether it is not to be run again.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// The time between one run of an errand and the next.
#[derive(Debug)]
pub struct Rest {
    bell: Weak<Bell>,
    failures: u32,
    answered: Option<Instant>,
}

impl Rest {
    /// That of the errand of `bell`.
    pub fn new(bell: Weak<Bell>) -> Self {
        Self { bell, failures: 0, answered: None }
    }

    /// It came to something; whether it had failed before.
    pub fn succeeded(&mut self) -> bool {
        std::mem::take(&mut self.failures) > 0
    }

    /// It came to nothing, and is not wanted for so long: when to try again.
    pub fn failed(&mut self, wait: Option<Duration>) -> Duration {
        self.failures += 1;
        pause(self.failures).max(wait.unwrap_or_default()).min(PAUSE_MAX)
    }

    /// Waits so long, but at least a second; or until somebody rings, where the last run was not a
    /// failure. Whether there is another run after that.
    pub async fn rest(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time.max(PAUSE_MIN);
        loop {
            // Nothing but what it does for somebody keeps the bell.
            let Some(bell) = self.bell.upgrade() else { return false };
            if bell.is_over() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let may_answer = self.answered.is_none_or(|last| last.elapsed() >= RING_PAUSE);
            if self.failures == 0 && may_answer && bell.is_rung.load(Ordering::Relaxed) {
                self.answered = Some(Instant::now());
                return true;
            }
            tokio::select! {
                () = bell.woken.notified() => {}
                () = sleep(left.min(LOOK)) => {}
            }
        }
    }
}

/// The pause after so many failures in a row, and a bit, so that many gateways do not ask at once.
fn pause(failures: u32) -> Duration {
    jittered(PAUSE_MIN.saturating_mul(1 << (failures - 1).min(16)).min(PAUSE_MAX))
}

/// Up to a quarter longer than `pause`, so that many gateways do not come back at once.
pub fn jittered(pause: Duration) -> Duration {
    let [random, ..] = RandomState::new().hash_one(()).to_le_bytes();
    pause + pause / 4 * u32::from(random) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    #[test]
    fn pauses_grow_to_ten_minutes_and_differ() {
        for (failures, seconds) in [(1, 1), (2, 2), (5, 16), (10, 512), (11, 600), (1_000, 600)] {
            let pause = pause(failures).as_secs_f64();
            let least = f64::from(seconds);
            assert!((least..=least * 1.25).contains(&pause), "{failures}: {pause}");
        }
        let mut rest = Rest::new(Weak::new());
        assert_eq!(rest.failed(Some(Duration::from_secs(3600))), PAUSE_MAX);
        assert!(rest.succeeded() && !rest.succeeded());
        assert!(rest.failed(None) < Duration::from_secs(2));
    }

    #[test]
    fn whoever_rings_is_heard_once_in_a_while_and_not_after_a_failure() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let bell = Arc::new(Bell::default());
        let mut rest = Rest::new(Arc::downgrade(&bell));
        let long = Duration::from_secs(2);
        let run = |rest: &mut Rest| {
            let began = Instant::now();
            (runtime.block_on(rest.rest(long)), began.elapsed() < long)
        };
        bell.ring();
        assert_eq!(run(&mut rest), (true, true));
        bell.quiet();
        bell.ring();
        assert_eq!(run(&mut rest), (true, false), "that was a moment ago");
        rest.answered = None;
        rest.failed(None);
        assert_eq!(run(&mut rest), (true, false), "it fails");
        bell.end();
        assert_eq!(run(&mut rest), (false, true));
        drop(bell);
        assert_eq!(run(&mut rest), (false, true));
    }
}
