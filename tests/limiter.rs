//! The limiter alone, by a clock that the test sets: held against a simple model, and at its
//! promises over time.

use patchgate::limits::{
    Account, Class, Clock, Limits, Quota, Quotas, Scope, Standing, Terms, Throttle, Wanted,
};

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

fn number(most: u32) -> NonZeroU32 {
    NonZeroU32::new(most).expect("not zero")
}

fn quota(most: u32, millis: u64, burst: u32) -> Quota {
    Quota { most: number(most), per: Duration::from_millis(millis), burst: number(burst) }
}

fn requests(list: impl IntoIterator<Item = Quota>) -> Quotas {
    Quotas { requests: list.into_iter().collect(), ..Quotas::default() }
}

/// The limits of some partners, and the hand that sets their clock.
struct World {
    limits: Limits,
    hand: FakeRelativeClock,
}

impl World {
    fn new(accounts: &[(&str, Quotas)], total: Quotas) -> Self {
        let hand = FakeRelativeClock::default();
        let mut world = Self { limits: Limits::by(Clock::set_by(hand.clone())), hand };
        world.reload(accounts, total, Terms::default());
        world
    }

    fn reload(&mut self, accounts: &[(&str, Quotas)], total: Quotas, terms: Terms) {
        let accounts = accounts.iter().map(|(key, quotas)| ((*key).to_owned(), quotas.clone()));
        let prefix = "gate".to_owned();
        let accounts = accounts.collect();
        let wanted = Wanted { prefix, terms, accounts, total, store: None };
        self.limits = Limits::carry_over(&self.limits, wanted);
    }

    fn account(&self, key: &str) -> Arc<Account> {
        Arc::clone(self.limits.get(key).expect("an account"))
    }

    fn spend(&self, key: &str, class: Class, cost: u32) -> bool {
        self.limits.decide_here(&self.account(key), class, number(cost)).is_admitted()
    }

    fn write(&self, key: &str) -> bool {
        self.spend(key, Class::Write, 1)
    }

    /// How each quota of the partner stands.
    fn standings(&self, key: &str, class: Class) -> Vec<Standing> {
        self.limits.look(&self.account(key), class, NonZeroU32::MIN).own().to_vec()
    }
}

/// A bucket that is as simple as can be: a level in exact numbers that runs off with time.
#[derive(Clone, Debug)]
struct Bucket {
    /// Nanoseconds for one.
    period: u128,
    burst: u128,
    /// What is spent, in nanoseconds.
    level: u128,
}

impl Bucket {
    fn new(quota: Quota) -> Self {
        let period = quota.per.as_nanos() / u128::from(quota.most.get());
        Self { period, burst: quota.burst.get().into(), level: 0 }
    }

    fn pass(&mut self, time: Duration) {
        self.level = self.level.saturating_sub(time.as_nanos());
    }

    fn has_room(&self, cost: u128) -> bool {
        self.level + cost.min(self.burst) * self.period <= self.burst * self.period
    }

    fn spend(&mut self, cost: u128) {
        self.level += cost * self.period;
    }

    /// The same share of another quota.
    fn changed(&self, quota: Quota) -> Self {
        let new = Self::new(quota);
        let share = self.level * new.burst * new.period;
        Self { level: share.div_ceil(self.burst * self.period), ..new }
    }
}

/// What may happen to the limits.
#[derive(Clone, Debug)]
enum Event {
    Ask(Class, u32, bool),
    Pass(u64),
    /// The quotas are changed, each in its place.
    Reload([Quota; 4]),
}

fn any_quota(millis: u64) -> impl Strategy<Value = Quota> {
    (1u32..50, 1u32..60).prop_map(move |(most, burst)| quota(most, millis, burst))
}

/// One for each list, and one for all together. Their times stay, so that each keeps its state.
fn any_quotas() -> impl Strategy<Value = [Quota; 4]> {
    (any_quota(1_000), any_quota(60_000), any_quota(7_000), any_quota(2_000))
        .prop_map(|(a, b, c, d)| [a, b, c, d])
}

fn any_event() -> impl Strategy<Value = Event> {
    let class = prop_oneof![Just(Class::Read), Just(Class::Write), Just(Class::Prefetch)];
    prop_oneof![
        8 => (class, prop_oneof![4 => 1u32..4, 1 => 4u32..90], any::<bool>())
            .prop_map(|(class, cost, spends)| Event::Ask(class, cost, spends)),
        4 => (0u64..3_000_000_000).prop_map(Event::Pass),
        1 => any_quotas().prop_map(Event::Reload),
    ]
}

fn quotas([burst, sustained, writes, total]: [Quota; 4]) -> (Quotas, Quotas) {
    let own = Quotas {
        requests: vec![burst, sustained],
        writes: vec![writes],
        prefetches: vec![writes],
        ..Quotas::default()
    };
    (own, requests([total]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_decides_as_a_simple_model_does_reloads_included(
        first in any_quotas(),
        events in proptest::collection::vec(any_event(), 1..120),
    ) {
        let (own, total) = quotas(first);
        let mut world = World::new(&[("a", own)], total);
        // Burst, sustained, writes, prefetches, total.
        let [a, b, c, d] = first;
        let mut model = [a, b, c, c, d].map(Bucket::new);
        for event in events {
            match event {
                Event::Pass(nanos) => {
                    let time = Duration::from_nanos(nanos);
                    world.hand.advance(time);
                    model.iter_mut().for_each(|bucket| bucket.pass(time));
                }
                Event::Reload(next) => {
                    let (own, total) = quotas(next);
                    world.reload(&[("a", own)], total, Terms::default());
                    let [a, b, c, d] = next;
                    for (bucket, quota) in model.iter_mut().zip([a, b, c, c, d]) {
                        // What does not change is not touched, nor rounded.
                        *bucket = bucket.changed(quota);
                    }
                }
                Event::Ask(class, cost, spends) => {
                    let held: &[usize] = match class {
                        Class::Read => &[0, 1, 4],
                        Class::Write => &[0, 1, 2, 4],
                        Class::Prefetch => &[3],
                    };
                    let account = world.account("a");
                    let expected = held.iter().all(|at| model[*at].has_room(cost.into()));
                    let ask = if spends { Limits::decide_here } else { Limits::look };
                    let decision = ask(&world.limits, &account, class, number(cost));
                    prop_assert_eq!(decision.is_admitted(), expected);
                    if expected && spends {
                        held.iter().for_each(|at| model[*at].spend(cost.into()));
                    }
                    // Nothing is half spent: each stands as the model says.
                    for (at, standing) in held.iter().zip(world.standings("a", class)) {
                        let bucket = &model[*at];
                        let room = (bucket.burst * bucket.period).saturating_sub(bucket.level);
                        prop_assert_eq!(u128::from(standing.left), room / bucket.period);
                    }
                    if !expected {
                        // Not a moment too early, and not too late.
                        let wait = decision.wait();
                        prop_assert!(wait > Duration::ZERO);
                        let passes = |time: Duration| held.iter().all(|at| {
                            let mut bucket = model[*at].clone();
                            bucket.pass(time);
                            bucket.has_room(cost.into())
                        });
                        prop_assert!(passes(wait));
                        prop_assert!(!passes(wait - Duration::from_nanos(1)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_reload_never_leaves_a_larger_share_than_there_was(
        quotas in proptest::collection::vec((any_quota(1_000), any_quota(60_000)), 2..12),
        spent in 0u32..60,
    ) {
        let mut world = World::new(&[("a", requests([quotas[0].0]))], Quotas::default());
        for _ in 0..spent {
            world.write("a");
        }
        let share = |world: &World, quota: Quota| {
            let left = world.standings("a", Class::Write)[0].left;
            f64::from(left) / f64::from(quota.burst.get())
        };
        let mut before = f64::from(world.standings("a", Class::Write)[0].left + 1)
            / f64::from(quotas[0].0.burst.get());
        // Also where the time that the quota is about changes.
        for quota in quotas.iter().flat_map(|(short, long)| [*short, *long]) {
            world.reload(&[("a", requests([quota]))], Quotas::default(), Terms::default());
            let after = share(&world, quota);
            prop_assert!(after <= before, "{after} {before}");
            before = after + 1.0 / f64::from(quota.burst.get());
        }
    }
}

#[test]
fn over_a_minute_no_more_is_admitted_than_the_quota_and_one_refill() {
    for (most, millis, burst, step) in
        [(100, 1_000, 100, 1_000), (7, 1_000, 3, 333), (600, 60_000, 1, 70), (1_000, 1_000, 50, 90)]
    {
        let world = World::new(&[("a", requests([quota(most, millis, burst)]))], Quotas::default());
        let (mut admitted, mut passed) = (0u32, 0u64);
        while passed < 60_000_000 {
            while world.write("a") {
                admitted += 1;
            }
            world.hand.advance(Duration::from_micros(step));
            passed += step;
        }
        let allowed = f64::from(burst) + f64::from(most) * 60_000.0 / millis as f64;
        let admitted = f64::from(admitted);
        assert!(admitted <= allowed * 1.01 + 1.0, "{admitted} of {allowed}");
        assert!(admitted >= allowed * 0.99 - 1.0, "{admitted} of {allowed}");
    }
}

#[test]
fn a_burst_and_a_sustained_rate_hold_together() {
    let both = [quota(10, 1_000, 10), quota(30, 60_000, 30)];
    let world = World::new(&[("a", requests(both))], Quotas::default());
    let take = || (0..100).filter(|_| world.write("a")).count();
    assert_eq!(take(), 10);
    world.hand.advance(Duration::from_secs(1));
    assert_eq!(take(), 10);
    world.hand.advance(Duration::from_secs(1));
    // The longer one has 11 by now, as one has come back.
    assert_eq!(take(), 10);
    world.hand.advance(Duration::from_secs(1));
    assert_eq!(take(), 1, "now it is the longer one that is short");
}

#[test]
fn what_one_quota_refuses_is_not_spent_of_another() {
    let quotas = Quotas {
        requests: vec![quota(100, 1_000_000, 100)],
        writes: vec![quota(1, 1_000_000, 1)],
        ..Quotas::default()
    };
    let world = World::new(&[("a", quotas)], requests([quota(50, 1_000_000, 50)]));
    assert!(world.write("a"));
    for _ in 0..1_000 {
        assert!(!world.write("a"));
    }
    assert_eq!(world.standings("a", Class::Read)[0].left, 99);
    assert_eq!((0..200).filter(|_| world.spend("a", Class::Read, 1)).count(), 49);
}

#[test]
fn a_request_that_costs_more_than_the_burst_passes_at_times_and_owes_the_rest() {
    let world = World::new(&[("a", requests([quota(10, 1_000, 10)]))], Quotas::default());
    let mut spent = 0;
    for _ in 0..6_000 {
        if world.spend("a", Class::Write, 35) {
            spent += 35;
        }
        world.hand.advance(Duration::from_millis(10));
    }
    // A minute at 10 a second; the first burst and one request are on top.
    assert!((525..=600 + 35).contains(&spent), "{spent}");
}

#[test]
fn each_class_has_its_own_quotas() {
    let one = || vec![quota(1, 60_000, 1)];
    let quotas = Quotas { reads: one(), writes: one(), prefetches: one(), ..Quotas::default() };
    let world = World::new(&[("a", quotas)], Quotas::default());
    for class in [Class::Read, Class::Write, Class::Prefetch] {
        assert!(world.spend("a", class, 1));
        assert!(!world.spend("a", class, 1));
    }
}

#[test]
fn all_together_have_a_quota_too_and_nobody_sees_what_is_left_of_it() {
    let each = || requests([quota(10, 60_000, 10)]);
    let world = World::new(&[("a", each()), ("b", each())], requests([quota(12, 60_000, 12)]));
    assert_eq!((0..20).filter(|_| world.write("a")).count(), 10);
    assert_eq!((0..20).filter(|_| world.write("b")).count(), 2);
    let decision = world.limits.decide_here(&world.account("b"), Class::Write, NonZeroU32::MIN);
    let names = world.limits.violated(&world.account("b"), &decision);
    assert_eq!(names, ["gate-total-requests-60s"]);
    let mut told = Vec::new();
    world.account("b").write_rest(&decision, &mut told);
    assert!(told.is_empty());
    assert_eq!(decision.wait(), Duration::from_secs(5));
}

#[test]
fn what_is_spent_stays_spent_where_a_partner_changes_its_tier_and_back() {
    let (small, large) =
        (requests([quota(10, 60_000, 10)]), requests([quota(1_000, 60_000, 1_000)]));
    let mut world = World::new(&[("a", small.clone())], Quotas::default());
    let mut admitted = 0;
    for round in 0..50 {
        let quotas = if round % 2 == 0 { &small } else { &large };
        world.reload(&[("a", quotas.clone())], Quotas::default(), Terms::default());
        while world.write("a") {
            admitted += 1;
        }
    }
    assert_eq!(admitted, 10, "no reload gave anything back");
}

#[test]
fn requests_at_once_are_counted_through_a_reload() {
    let most = |concurrent| Quotas { concurrent, ..Quotas::default() };
    let mut world = World::new(&[("a", most(Some(2)))], Quotas::default());
    let enter = |world: &World| world.account("a").room().take();
    let slots = [enter(&world), enter(&world)];
    assert!(slots.iter().all(Option::is_some) && enter(&world).is_none());
    world.reload(&[("a", most(Some(3)))], Quotas::default(), Terms::default());
    let third = enter(&world);
    assert!(third.is_some() && enter(&world).is_none());
    drop(slots);
    world.reload(&[("a", most(None))], Quotas::default(), Terms::default());
    assert!((0..100).all(|_| enter(&world).is_some()));
}

#[test]
fn threads_together_are_held_to_the_quota_to_the_letter() {
    let quotas = requests([quota(5_000, 1_000_000, 5_000), quota(9_000, 2_000_000, 9_000)]);
    let world = World::new(&[("a", quotas)], requests([quota(4_000, 1_000_000, 4_000)]));
    let admitted: usize = std::thread::scope(|scope| {
        let ask = || (0..4_000).filter(|_| world.write("a")).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(admitted, 4_000);
    assert_eq!(
        world.standings("a", Class::Write).iter().map(|s| s.left).collect::<Vec<_>>(),
        [1_000, 5_000]
    );
}

fn throttled(scope: Scope, queue: usize) -> World {
    let mut world = World::new(&[], Quotas::default());
    let throttle = Throttle { scope, queue, ..Throttle::default() };
    let terms = Terms { throttle, ..Terms::default() };
    let nothing = [("a", Quotas::default()), ("b", Quotas::default())];
    world.reload(&nothing, Quotas::default(), terms);
    world
}

fn wait(world: &World, key: &str) -> Option<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(world.limits.turn(&world.account(key))).err().map(|held| held.wait)
}

#[test]
fn the_apis_throttle_holds_back_whom_it_is_to_and_ends_by_itself() {
    for (scope, other) in [(Scope::Partner, None), (Scope::All, Some(Duration::from_secs(9)))] {
        let mut world = throttled(scope, 0);
        world.limits.hold(&world.account("a"), Duration::from_secs(10), false);
        world.hand.advance(Duration::from_secs(1));
        assert_eq!(wait(&world, "a"), Some(Duration::from_secs(9)));
        assert_eq!(wait(&world, "b"), other);
        // One that is over sooner does not end it, nor does a reload.
        world.limits.hold(&world.account("a"), Duration::from_secs(1), true);
        let terms = world.limits.terms;
        world.reload(&[("a", requests([quota(1, 1_000, 1)]))], Quotas::default(), terms);
        assert_eq!(wait(&world, "a"), Some(Duration::from_secs(9)));
        world.hand.advance(Duration::from_secs(9));
        assert_eq!(wait(&world, "a"), None);
    }
}

#[test]
fn a_hostile_time_is_bounded_and_a_switch_heeds_none() {
    let world = throttled(Scope::Partner, 0);
    for time in [Duration::MAX, Duration::from_secs(10 * 366 * 86_400)] {
        let held = world.limits.hold(&world.account("a"), time, true).expect("held");
        assert_eq!((held.wait, held.is_unavailable), (Duration::from_secs(300), true));
    }
    let world = throttled(Scope::Nobody, 0);
    assert!(world.limits.hold(&world.account("a"), Duration::MAX, true).is_none());
    assert_eq!(wait(&world, "a"), None);
}

#[test]
fn strangers_leave_no_trace() {
    let world =
        World::new(&[("unknown", requests([quota(1_000, 60_000, 1_000)]))], Quotas::default());
    let account = world.account("unknown");
    let flood = |count: u64| {
        for stranger in 0..count {
            assert!(world.limits.get(&format!("stranger-{stranger}")).is_none());
            let _ = world.limits.decide_here(&account, Class::Write, NonZeroU32::MIN);
        }
    };
    flood(1);
    let used = allocation_counter::measure(|| flood(1_000_000));
    assert_eq!((used.count_current, used.bytes_current), (0, 0));
    let one = allocation_counter::measure(|| {
        let decision = world.limits.decide(&account, Class::Write, NonZeroU32::MIN);
        let decided = std::pin::pin!(decision).poll(&mut Context::from_waker(Waker::noop()));
        assert!(decided.is_ready(), "there is nothing to wait for");
    });
    assert_eq!(one.count_total, 0, "a decision asks for no memory");
}
