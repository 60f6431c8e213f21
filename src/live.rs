//! The snapshot that is in force.

use crate::snapshot::Snapshot;

use arc_swap::ArcSwap;

use std::sync::Arc;

/// The snapshot in force, replaced whole and at once.
#[derive(Clone, Debug)]
pub struct Live(Arc<ArcSwap<Snapshot>>);

impl Live {
    /// Begins with `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    /// The snapshot in force now; whoever holds it keeps it, whatever is loaded meanwhile.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts `snapshot` in force for every request that comes from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
