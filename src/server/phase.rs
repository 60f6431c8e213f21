//! How far the gateway is on its way from serving to having stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Each comes after the one before it, and none comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Everybody is welcome.
    Serve,
    /// Everybody is served, and asked to go elsewhere next time.
    Leave,
    /// Nobody new is let in.
    Stop,
}

/// Whether the gateway is about to stop.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on it is. Load balancers need some time to see it.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
