//! What was decided about one request, and how its partner stands then.

use super::meter::Standing;
use super::quota::{Class, TOLD_MAX};

use std::time::Duration;

/// What was decided about one request. It is a plain value, so that it can be kept and told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    class: Class,
    own: [Standing; TOLD_MAX],
    count: usize,
    /// Which of the quotas of all callers together were too short.
    total: [bool; TOLD_MAX],
    wait: Duration,
    is_admitted: bool,
    is_crowded: bool,
    is_closed: bool,
}

impl Decision {
    pub(super) fn begin(class: Class) -> Self {
        Self {
            class,
            own: [Standing::default(); TOLD_MAX],
            count: 0,
            total: [false; TOLD_MAX],
            wait: Duration::ZERO,
            is_admitted: true,
            is_crowded: false,
            is_closed: false,
        }
    }

    /// There are as many requests under way as there may be. Nobody knows when one of them ends.
    pub fn crowded(class: Class) -> Self {
        let wait = Duration::from_secs(1);
        Self { is_admitted: false, is_crowded: true, wait, ..Self::begin(class) }
    }

    /// Nobody knows whether there is room, and so there is none. Nor when somebody will.
    pub(super) fn closed(class: Class) -> Self {
        let wait = Duration::from_secs(1);
        Self { is_admitted: false, is_closed: true, wait, ..Self::begin(class) }
    }

    /// Notes how the next quota of the partner stands.
    pub(super) fn note(&mut self, standing: Standing) {
        if let Some(place) = self.own.get_mut(self.count) {
            *place = standing;
            self.count += 1;
        }
        self.heed(standing);
    }

    /// Notes how the quota `at` of all together stands. How much of it is left is nobody's to know.
    pub(super) fn note_total(&mut self, at: usize, standing: Standing) {
        if let Some(place) = self.total.get_mut(at) {
            *place = standing.is_short;
        }
        self.heed(standing);
    }

    fn heed(&mut self, standing: Standing) {
        if standing.is_short {
            self.is_admitted = false;
            self.wait = self.wait.max(standing.time);
        }
    }

    /// Notes how the quotas of the partner stand now.
    pub(super) fn renew(&mut self, standings: impl Iterator<Item = Standing>) {
        for (place, standing) in self.own.iter_mut().zip(standings) {
            *place = standing;
        }
    }

    /// Whether the request is let through.
    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Whether it is not, because too many are under way.
    pub fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// Whether it is not, because the store is away.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// If it is not let through, how long until it would be, were nothing else spent.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// What it was counted as.
    pub fn class(&self) -> Class {
        self.class
    }

    /// How each quota of the partner stands.
    pub fn own(&self) -> &[Standing] {
        self.own.get(..self.count).unwrap_or_default()
    }

    pub(super) fn total(&self) -> &[bool] {
        &self.total
    }
}
