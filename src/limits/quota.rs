//! What a limit allows, as values.

use super::clock::nanoseconds;
use super::store::Away;

use http::Method;

use std::num::NonZeroU32;
use std::time::Duration;

/// So much in so long, at most so much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// So much: requests, or what they cost.
    pub most: NonZeroU32,
    /// In this time.
    pub per: Duration,
    /// How much of it may come at once.
    pub burst: NonZeroU32,
}

impl Quota {
    /// The longest time that a quota may be about.
    pub const PER_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
    /// The longest time that a burst may take to come back.
    pub const FULL_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

    /// The time in which one comes back. A quota allows at most one each microsecond, so that the
    /// nanosecond that is lost here is no tenth of a percent.
    pub(super) fn period(&self) -> u64 {
        (nanoseconds(self.per) / u64::from(self.most.get())).max(1)
    }

    /// The time in which all of the burst comes back.
    pub(super) fn full(&self) -> u64 {
        self.period().saturating_mul(self.burst.get().into())
    }

    /// Why this cannot be counted to the letter, if it cannot.
    pub fn fault(&self) -> Option<&'static str> {
        if self.period() < 1000 {
            return Some("this is more than 1000000 a second; leave the limit out");
        }
        if self.per > Self::PER_MAX {
            return Some("a limit is about 744h at most");
        }
        let full = Duration::from_nanos(self.full());
        (full > Self::FULL_MAX)
            .then_some("the burst would take more than a year to come back; make it smaller")
    }
}

/// What a request is, as far as limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It has a safe method.
    Read,
    /// It has any other.
    Write,
    /// It is the gateway's own, and reads the current state for somebody.
    Prefetch,
}

impl Class {
    /// What a caller's request with this method is.
    pub fn of(method: &Method) -> Self {
        if method.is_safe() { Self::Read } else { Self::Write }
    }

    /// The word in numbers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Prefetch => "prefetch",
        }
    }
}

/// All that holds for one partner, or for all together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Of reads and writes together.
    pub requests: Vec<Quota>,
    /// Of reads.
    pub reads: Vec<Quota>,
    /// Of writes.
    pub writes: Vec<Quota>,
    /// Of reads of the current state.
    pub prefetches: Vec<Quota>,
    /// How many requests may be under way at once.
    pub concurrent: Option<usize>,
    /// What becomes of requests while the store is away.
    pub away: Away,
}

/// The most quotas that a list may hold.
pub const QUOTAS_MAX: usize = 4;
/// The most that hold for one request of one partner.
pub(super) const TOLD_MAX: usize = 2 * QUOTAS_MAX;

/// The names of the lists.
pub(super) const NAMES: [&str; 4] = ["requests", "reads", "writes", "prefetches"];

impl Quotas {
    /// The lists, each with its name.
    pub fn lists(&self) -> [(&'static str, &[Quota]); 4] {
        let [requests, reads, writes, prefetches] = NAMES;
        [
            (requests, &self.requests),
            (reads, &self.reads),
            (writes, &self.writes),
            (prefetches, &self.prefetches),
        ]
    }
}
