//! One quota, and what is spent of it: GCRA, by `governor`.
//!
//! `governor` decides and does the arithmetic. Its clock and its store are ours: the clock stands
//! still at the moment that is asked about, and the store holds back what a decision would write, so
//! that a request which several quotas hold for spends of all of them or of none.

use super::clock::nanoseconds;
use super::quota::Quota;
use super::store::{Answer, Claim};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota as GcraQuota, RateLimiter};

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How far ahead of now a debt may reach.
const DEBT_MAX: u64 = 10 * 366 * 24 * 3600 * 1_000_000_000;

/// A quota, and what is spent of it. Whoever asks holds the lock of the account.
#[derive(Debug)]
pub(super) struct Meter {
    quota: Quota,
    /// The time in which one of it comes back, and the one in which all of the burst does: worked out
    /// once, for every request asks for them.
    period: u64,
    full: u64,
    tally: Arc<Tally>,
    gcra: RateLimiter<NotKeyed, HeldBack, Still, NoOpMiddleware<Nanos>>,
}

/// Moments in nanoseconds; atomic only because `governor` shares them with us.
#[derive(Debug, Default)]
struct Tally {
    now: AtomicU64,
    /// When all that was spent has come back: GCRA's theoretical arrival time.
    arrival: AtomicU64,
    /// The same, if what was asked for last is spent.
    next: AtomicU64,
}

/// How a quota stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much of it is left.
    pub left: u32,
    /// How long until all of it is left again; where it is too short, until there is room.
    pub time: Duration,
    /// Whether there was no room.
    pub is_short: bool,
}

impl Meter {
    pub(super) fn new(quota: Quota) -> Self {
        let tally = Arc::new(Tally::default());
        let one = Duration::from_nanos(quota.period());
        let gcra = GcraQuota::with_period(one)
            .unwrap_or_else(|| GcraQuota::per_second(quota.burst))
            .allow_burst(quota.burst);
        // The clock stands at 0 here, so that `governor` counts from there.
        let gcra = RateLimiter::new(gcra, HeldBack(Arc::clone(&tally)), Still(Arc::clone(&tally)));
        let (period, full) = (quota.period(), quota.full());
        Self { quota, period, full, tally, gcra }
    }

    /// One of which as large a share is spent as of `old`: a change of the quota is no refill, and
    /// to change it back is none either.
    pub(super) fn carrying(quota: Quota, old: &Self, now: u64) -> Self {
        let meter = Self::new(quota);
        let spent = u128::from(old.tally.arrival.load(Relaxed).saturating_sub(now));
        let share = spent * u128::from(meter.full);
        let spent = share.div_ceil(u128::from(old.full.max(1))).min(DEBT_MAX.into());
        meter.tally.arrival.store(now + u64::try_from(spent).unwrap_or(DEBT_MAX), Relaxed);
        meter
    }

    pub(super) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// How large a share of it is spent, in millionths.
    pub(super) fn share(&self, now: u64) -> u128 {
        let spent = self.tally.arrival.load(Relaxed).saturating_sub(now);
        u128::from(spent) * 1_000_000 / u128::from(self.full.max(1))
    }

    /// Whether there is room for `cost`; if so, [`spend`](Self::spend) spends it.
    pub(super) fn has_room(&self, now: u64, cost: NonZeroU32) -> bool {
        self.check(now, cost).is_ok()
    }

    /// How it stands, and whether it has no room for `cost`; if it has, [`spend`](Self::spend) spends it.
    pub(super) fn ask(&self, now: u64, cost: NonZeroU32) -> Standing {
        match self.check(now, cost) {
            Ok(()) => self.standing(now),
            Err(time) => Standing { time, is_short: true, ..self.standing(now) },
        }
    }

    /// Whether there is room for `cost`, and if not, how long until there is.
    ///
    /// What costs more than the burst has room when nothing is spent at all, and the rest is owed:
    /// so it passes at times, and never more of it than the quota says.
    fn check(&self, now: u64, cost: NonZeroU32) -> Result<(), Duration> {
        self.tally.now.store(now, Relaxed);
        let at_once = cost.min(self.quota.burst);
        match self.gcra.check_n(at_once) {
            Ok(Ok(())) => {
                let owed = self.owed(cost);
                self.tally.next.store(self.tally.next.load(Relaxed).saturating_add(owed), Relaxed);
                Ok(())
            }
            Ok(Err(not_until)) => Err(not_until.wait_time_from(Nanos::new(now))),
            // No more than the burst was asked for.
            Err(_) => Err(self.standing(now).time),
        }
    }

    /// Spends what there was room for.
    pub(super) fn spend(&self) {
        self.tally.arrival.store(self.tally.next.load(Relaxed), Relaxed);
    }

    /// What is left to pay of what costs more than the burst.
    fn owed(&self, cost: NonZeroU32) -> u64 {
        let owed = u64::from(cost.get() - cost.min(self.quota.burst).get());
        owed.saturating_mul(self.period).min(DEBT_MAX)
    }

    /// Spends `cost`, but never more than there is.
    pub(super) fn spend_at_most(&self, now: u64, cost: NonZeroU32) {
        let cost = self.period.saturating_mul(cost.get().into());
        let arrival = self.tally.arrival.load(Relaxed).max(now).saturating_add(cost);
        self.tally.arrival.fetch_max(arrival.min(now + self.full), Relaxed);
    }

    /// What `cost` asks of a store, which is told what is spent as of `slack` ago.
    pub(super) fn claim(&self, now: u64, cost: NonZeroU32, slack: u64) -> Claim {
        let room = self.period * u64::from(cost.min(self.quota.burst).get());
        let spent = self.tally.arrival.load(Relaxed).saturating_sub(now).saturating_sub(slack);
        Claim {
            per: nanoseconds(self.quota.per),
            full: self.full,
            room,
            cost: room + self.owed(cost),
            spent,
        }
    }

    /// Notes what a store says to what was `sent`; gives how it stands by that.
    pub(super) fn heed(&self, sent: u64, answer: &Answer) -> Standing {
        self.tally.arrival.fetch_max(sent.saturating_add(answer.spent), Relaxed);
        match answer.wait {
            0 => self.with_spent(answer.spent),
            wait => Standing {
                time: Duration::from_nanos(wait),
                is_short: true,
                ..self.with_spent(answer.spent)
            },
        }
    }

    /// How it stands.
    pub(super) fn standing(&self, now: u64) -> Standing {
        self.with_spent(self.tally.arrival.load(Relaxed).saturating_sub(now))
    }

    fn with_spent(&self, spent: u64) -> Standing {
        let left = self.full.saturating_sub(spent) / self.period;
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        Standing { left, time: Duration::from_nanos(spent), is_short: false }
    }
}

/// A clock that stands still while a decision is made.
#[derive(Clone, Debug)]
struct Still(Arc<Tally>);

impl Clock for Still {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now.load(Relaxed))
    }
}

/// A store that writes down beside the state what is to become of it.
#[derive(Debug)]
struct HeldBack(Arc<Tally>);

impl StateStore for HeldBack {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, next) = decide(Some(Nanos::new(self.0.arrival.load(Relaxed))))?;
        self.0.next.store(next.as_u64(), Relaxed);
        Ok(outcome)
    }
}
