//! How far the gateway is on its way from serving to having stopped.

use tokio::sync::watch;

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
    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Takes leave of everybody: they are served as before, and told to connect anew for the next request.
/// There is no way back.
#[derive(Clone, Debug)]
pub struct Leave {
    pub(super) phase: watch::Sender<Phase>,
    pub(super) draining: Draining,
}

impl Leave {
    /// Takes it.
    pub fn take(&self) {
        self.draining.begin();
        self.phase.send_if_modified(|phase| {
            let earlier = *phase < Phase::Leave;
            if earlier {
                *phase = Phase::Leave;
            }
            earlier
        });
    }
}
