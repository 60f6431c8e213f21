//! The snapshot that is in force, and why a later one is not.

use crate::snapshot::Snapshot;

use arc_swap::ArcSwap;

use std::sync::Arc;
use std::time::SystemTime;

/// The snapshot in force, replaced whole and at once.
#[derive(Clone, Debug)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    snapshot: ArcSwap<Snapshot>,
    loads: ArcSwap<Loads>,
}

/// What came of the loads since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loads {
    /// When the one took effect that is in force.
    pub at: SystemTime,
    /// How many took effect.
    pub taken: u64,
    /// How many did not, because of faults.
    pub refused: u64,
    /// The faults of the last one; none if it took effect.
    pub faults: Vec<String>,
}

impl Live {
    /// Begins with `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        let snapshot = ArcSwap::from_pointee(snapshot);
        let loads = Loads { at: SystemTime::now(), taken: 0, refused: 0, faults: Vec::new() };
        Self(Arc::new(Inner { snapshot, loads: ArcSwap::from_pointee(loads) }))
    }

    /// The snapshot in force now; whoever holds it keeps it, whatever is loaded meanwhile.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// What came of the loads so far.
    pub fn loads(&self) -> Arc<Loads> {
        self.0.loads.load_full()
    }

    /// Puts `snapshot` in force for every request that comes from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        self.0.snapshot.store(Arc::new(snapshot));
        let at = SystemTime::now();
        self.0.loads.rcu(|loads| Loads {
            at,
            taken: loads.taken + 1,
            refused: loads.refused,
            faults: Vec::new(),
        });
    }

    /// Keeps the snapshot in force; what was to replace it has `faults`.
    pub fn refuse(&self, faults: &[String]) {
        self.0.loads.rcu(|loads| Loads {
            at: loads.at,
            taken: loads.taken,
            refused: loads.refused + 1,
            faults: faults.to_vec(),
        });
    }
}
