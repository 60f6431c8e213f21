//! How much each partner may send (GCRA, by `governor`).

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as GcraQuota, RateLimiter};

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// How much: so many requests in so long, at most so many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests.
    pub requests: NonZeroU32,
    /// In this time.
    pub per: Duration,
    /// How many of them may come at once.
    pub burst: NonZeroU32,
}

/// A quota, and what is spent of it.
#[derive(Debug)]
pub struct Limit {
    quota: Quota,
    name: String,
    /// The name and the quota, as `RateLimit-Policy` has them; they never change.
    member: String,
    policy: String,
    gcra: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
}

/// What is left after a request was let through, or how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Let through; so many may follow at once.
    Left(u32),
    /// Not let through; the next may come after this time.
    Wait(Duration),
}

impl Limit {
    /// A limit of which nothing is spent, called `name` in answers.
    pub fn new(name: &str, quota: Quota) -> Self {
        // INVARIANT: the time per request is at least a nanosecond; the configuration sees to it.
        let period = (quota.per / quota.requests.get()).max(Duration::from_nanos(1));
        let gcra = GcraQuota::with_period(period)
            .unwrap_or_else(|| GcraQuota::per_second(quota.requests))
            .allow_burst(quota.burst);
        let gcra = RateLimiter::direct(gcra).with_middleware();
        let member = structured_string(name);
        let policy = format!("{member};q={};w={}", quota.requests, whole_seconds(quota.per));
        Self { quota, name: name.to_owned(), member, policy, gcra }
    }

    /// What it allows.
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The member of `RateLimit-Policy` that says what it allows: `"name";q=100;w=60`.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The member of `RateLimit` that says what is left: `"name";r=42;t=7`.
    pub fn rest(&self, spent: Spent) -> String {
        let (left, time) = match spent {
            Spent::Left(left) => {
                let gone = self.quota.burst.get().saturating_sub(left);
                (left, (self.quota.per / self.quota.requests.get()) * gone)
            }
            Spent::Wait(wait) => (0, wait),
        };
        format!("{};r={left};t={}", self.member, whole_seconds(time))
    }

    /// Spends one request.
    pub fn spend(&self) -> Spent {
        match self.gcra.check() {
            Ok(state) => Spent::Left(state.remaining_burst_capacity()),
            Err(not_until) => Spent::Wait(not_until.wait_time_from(self.gcra.clock().now())),
        }
    }
}

/// The time in seconds, never less than it is and never none.
pub fn whole_seconds(time: Duration) -> u64 {
    let seconds = time.as_nanos().div_ceil(1_000_000_000).clamp(1, u128::from(u32::MAX));
    u64::try_from(seconds).unwrap_or(u64::from(u32::MAX))
}

/// A string of RFC 9651.
pub fn structured_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// The limits of one load, by name.
#[derive(Debug, Default)]
pub struct Limits(HashMap<String, Arc<Limit>>);

impl Limits {
    /// The limits `wanted`; one that `old` has with the same quota keeps what is spent of it, so
    /// that a reload is no refill.
    pub fn carry_over(old: &Self, wanted: impl IntoIterator<Item = (String, Quota)>) -> Self {
        let kept = |name: String, quota: Quota| {
            let limit = match old.0.get(&name) {
                Some(limit) if limit.quota == quota => Arc::clone(limit),
                _ => Arc::new(Limit::new(&name, quota)),
            };
            (name, limit)
        };
        Self(wanted.into_iter().map(|(name, quota)| kept(name, quota)).collect())
    }

    /// The limit called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<Limit>> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(requests: u32) -> Quota {
        let requests = NonZeroU32::new(requests).expect("not zero");
        Quota { requests, per: Duration::from_secs(60), burst: requests }
    }

    #[test]
    fn a_burst_is_let_through_and_the_next_has_to_wait() {
        let limit = Limit::new("l", quota(3));
        assert_eq!([limit.spend(), limit.spend(), limit.spend()], [2, 1, 0].map(Spent::Left));
        let Spent::Wait(wait) = limit.spend() else { panic!("the quota is spent") };
        assert!(wait > Duration::from_secs(19) && wait <= Duration::from_secs(20), "{wait:?}");
    }

    #[test]
    fn a_reload_keeps_what_is_spent_unless_the_quota_changes() {
        let old = Limits::carry_over(
            &Limits::default(),
            [("a".into(), quota(1)), ("b".into(), quota(1))],
        );
        for name in ["a", "b"] {
            assert_eq!(old.get(name).map(|limit| limit.spend()), Some(Spent::Left(0)));
        }
        let new = Limits::carry_over(&old, [("a".into(), quota(1)), ("b".into(), quota(2))]);
        assert!(matches!(new.get("a").map(|limit| limit.spend()), Some(Spent::Wait(_))));
        assert_eq!(new.get("b").map(|limit| limit.spend()), Some(Spent::Left(1)));
    }

    #[test]
    fn a_limit_name_cannot_break_out_of_its_string() {
        assert_eq!(structured_string("a\"b\\c\u{e9}"), r#""a\"b\\c?""#);
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
