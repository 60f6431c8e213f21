//! How many requests of a partner there were, for whoever looks.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Tally {
    admitted: AtomicU64,
    held_back: AtomicU64,
}

impl Tally {
    /// Counts a request, which the limits let through or not.
    pub fn count(&self, is_admitted: bool) {
        let counter = if is_admitted { &self.admitted } else { &self.held_back };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Those that were let through.
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Those that were not.
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }
}
