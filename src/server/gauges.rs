//! What is as much as it is at the moment, for whoever looks.

use crate::limits::Capacity;
use crate::proxy::budget::Budget;
use crate::proxy::upstream::Circuit;
use crate::telemetry::Metrics;

/// What is as much as it is at the moment, over all workers.
#[derive(Clone, Debug)]
pub struct Gauges {
    pub(super) capacity: Capacity,
    pub(super) budget: Budget,
    pub(super) connections: Capacity,
    pub(super) circuit: Circuit,
}

impl Gauges {
    /// Tells it to `metrics`.
    pub fn tell(&self, metrics: &Metrics) {
        let number = |used: usize| i64::try_from(used).unwrap_or(i64::MAX);
        metrics.active.set(number(self.capacity.used()));
        metrics.bodies.set(number(self.budget.used()));
        metrics.connections.set(number(self.connections.used()));
        metrics.circuit.set(self.is_paused().into());
    }

    /// How many requests are under way.
    pub fn in_flight(&self) -> usize {
        self.capacity.used()
    }

    /// How many connections callers have.
    pub fn connections(&self) -> usize {
        self.connections.used()
    }

    /// Whether nothing is sent at the moment, because the upstream fails.
    pub fn is_paused(&self) -> bool {
        self.circuit.is_open()
    }
}
