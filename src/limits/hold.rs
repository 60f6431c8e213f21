//! The upstream's own throttle: until when it wants nothing more, and who waits for that.

use super::capacity::{Capacity, Slot};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whom the API's throttle holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every partner.
    All,
    /// Nobody.
    Nobody,
    /// The partner that the API said it to.
    Partner,
}

/// What becomes of requests that the API wants none of at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Whom it holds back.
    pub scope: Scope,
    /// How long at most, whatever the API says.
    pub longest: Duration,
    /// How many requests of one partner may wait for its end.
    pub queue: usize,
    /// How long each of them may wait.
    pub patience: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            scope: Scope::Partner,
            longest: Duration::from_secs(300),
            queue: 0,
            patience: Duration::from_secs(1),
        }
    }
}

/// A request that the API would not take now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// How long it would not.
    pub wait: Duration,
    /// Whether it had said that it is unavailable, and not that there were too many requests.
    pub is_unavailable: bool,
}

/// Until when nothing is sent, and who waits for that.
#[derive(Debug)]
pub struct Hold {
    /// The moment in nanoseconds, one bit to the left; the last bit tells what the API had said.
    until: AtomicU64,
    waiting: Capacity,
    /// Those who wait go one by one, in the order in which they came.
    line: Arc<Semaphore>,
}

impl Default for Hold {
    fn default() -> Self {
        let line = Arc::new(Semaphore::new(1));
        Self { until: AtomicU64::new(0), waiting: Capacity::new(usize::MAX), line }
    }
}

/// A place in a line, held until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _slot: Slot,
}

impl Hold {
    /// Holds back until `until`, if it does not for longer already.
    pub(super) fn extend(&self, until: u64, is_unavailable: bool) {
        let packed = until.min(u64::MAX >> 1) << 1 | u64::from(is_unavailable);
        self.until.fetch_max(packed, Ordering::Relaxed);
    }

    /// What is left of it.
    pub(super) fn left(&self, now: u64) -> Option<HeldBack> {
        let packed = self.until.load(Ordering::Relaxed);
        let wait = (packed >> 1).checked_sub(now).filter(|wait| *wait > 0)?;
        Some(HeldBack { wait: Duration::from_nanos(wait), is_unavailable: packed & 1 == 1 })
    }

    /// Whether somebody waits, or has just been let through and not been answered yet.
    pub(super) fn has_line(&self) -> bool {
        self.waiting.used() > 0
    }

    /// A place in the line, if fewer than `most` wait.
    pub(super) fn enter(&self, most: usize) -> Option<Place> {
        self.waiting.resized(most).take().map(|_slot| Place { _slot })
    }

    /// Waits for those who came before.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.line).acquire_owned().await.ok()
    }
}

/// Leave to send one request. Whoever waits behind goes when it is dropped.
#[derive(Debug, Default)]
pub struct Turn {
    pub(super) _waited: Option<Box<Waited>>,
}

/// What is held by whoever has waited: its places in two lines, and its turn in both.
#[derive(Debug)]
pub(super) struct Waited {
    pub(super) _places: (Place, Place),
    pub(super) _permits: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}
