//! Limits that several gateways share in a real store: what they promise together, and what each
//! does while the store is away.

mod away;
mod script;
mod sentinel;

use crate::harness::{Authority, Redis, eventually};

use patchgate::limits::{
    Away, Class, Clock, Decision, Limits, Quota, Quotas, Settings, Terms, Wanted,
};

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn number(most: u32) -> NonZeroU32 {
    NonZeroU32::new(most).expect("not zero")
}

fn quota(most: u32, seconds: u64, burst: u32) -> Quota {
    Quota { most: number(most), per: Duration::from_secs(seconds), burst: number(burst) }
}

fn requests(list: impl IntoIterator<Item = Quota>) -> Quotas {
    Quotas { requests: list.into_iter().collect(), ..Quotas::default() }
}

/// So many, and no more for as long as a test takes.
fn only(most: u32) -> Quotas {
    requests([quota(most, 24 * 3600, most)])
}

/// The limits of one gateway.
struct Gateway {
    limits: Limits,
    runtime: tokio::runtime::Runtime,
}

impl Gateway {
    fn new(settings: Settings, accounts: &[(&str, Quotas)], total: Quotas) -> Self {
        Self::by(Clock::default(), settings, accounts, total)
    }

    fn by(clock: Clock, settings: Settings, accounts: &[(&str, Quotas)], total: Quotas) -> Self {
        let builder = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut gateway = Self { limits: Limits::by(clock), runtime: builder.expect("a runtime") };
        gateway.reload(Some(settings), accounts, total);
        gateway
    }

    fn reload(&mut self, store: Option<Settings>, accounts: &[(&str, Quotas)], total: Quotas) {
        let accounts = accounts.iter().map(|(key, quotas)| ((*key).to_owned(), quotas.clone()));
        let (prefix, accounts) = ("gate".to_owned(), accounts.collect());
        let wanted = Wanted { prefix, terms: Terms::default(), accounts, total, store };
        self.limits = Limits::carry_over(&self.limits, wanted);
        self.limits.open();
    }

    fn decide(&self, key: &str, class: Class, cost: u32) -> Decision {
        let account = self.limits.get(key).expect("an account");
        self.runtime.block_on(self.limits.decide(account, class, number(cost)))
    }

    fn write(&self, key: &str) -> bool {
        self.decide(key, Class::Write, 1).is_admitted()
    }

    /// How many of so many writes are let through.
    fn writes(&self, key: &str, count: u32) -> u32 {
        (0..count).filter(|_| self.write(key)).count() as u32
    }

    /// Waits until decisions are made in the store again.
    fn until_back(&self, redis: &Redis) {
        eventually("the store is back", || {
            let before = evaluated(redis);
            self.write("probe");
            evaluated(redis) > before
        });
    }
}

/// How many scripts the store has run.
fn evaluated(redis: &Redis) -> u64 {
    let text: String = redis.say(&["INFO", "commandstats"]);
    let line = text.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn two_gateways_share_one_quota_to_the_letter_whatever_their_clocks_say() {
    let redis = Redis::start();
    let hand = FakeRelativeClock::default();
    hand.advance(Duration::from_secs(300 * 24 * 3600));
    let accounts = [("a", only(100)), ("b", only(100))];
    let total = only(150);
    let one = Gateway::new(redis.settings(), &accounts, total.clone());
    let other = Gateway::by(Clock::set_by(hand), redis.settings(), &accounts, total);
    assert_eq!(one.writes("a", 60) + other.writes("a", 60), 100);
    let decision = one.decide("a", Class::Read, 1);
    assert!(!decision.is_admitted() && decision.own()[0].left == 0);
    assert!(decision.wait() > Duration::from_secs(800), "{:?}", decision.wait());
    // What `a` was refused is not spent of what all have together.
    assert_eq!(other.writes("b", 30) + one.writes("b", 70), 50);
    let decision = one.decide("b", Class::Write, 1);
    let names = one.limits.violated(one.limits.get("b").expect("an account"), &decision);
    assert_eq!(names, ["gate-total-requests-86400s"]);
}

#[test]
fn a_decision_is_one_round_trip_and_its_keys_expire_and_are_of_one_slot() {
    let redis = Redis::start();
    let hostile = "a}:total:requests{*\r\n";
    let quotas = Quotas {
        writes: vec![quota(5, 60, 5)],
        ..requests([quota(10, 1, 10), quota(100, 60, 100)])
    };
    let gateway = Gateway::new(redis.settings(), &[(hostile, quotas)], requests([quota(9, 60, 9)]));
    let before = evaluated(&redis);
    assert!(gateway.write(hostile));
    assert_eq!(evaluated(&redis), before + 1);
    let mut keys: Vec<String> = redis.say(&["KEYS", "{patchgate}:*:*"]);
    keys.sort();
    let own = "{patchgate}:own:a%7D%3Atotal%3Arequests%7B%2A%0D%0A";
    assert_eq!(
        keys,
        [
            format!("{own}:requests"),
            format!("{own}:writes"),
            "{patchgate}:total:requests".to_owned()
        ]
    );
    for key in &keys {
        let left: i64 = redis.say(&["PTTL", key]);
        assert!((1..=14_000).contains(&left), "{key} {left}");
    }
}

#[test]
fn what_is_spent_stays_spent_where_a_gateway_or_both_reload_other_quotas() {
    let redis = Redis::start();
    let mut one = Gateway::new(redis.settings(), &[("a", only(10))], Quotas::default());
    let other = Gateway::new(redis.settings(), &[("a", only(10))], Quotas::default());
    assert_eq!(one.writes("a", 10), 10);
    let hour = requests([quota(100, 48 * 3600, 100)]);
    for quotas in [only(1_000), hour, only(10)] {
        one.reload(Some(redis.settings()), &[("a", quotas.clone())], Quotas::default());
        assert_eq!(one.writes("a", 5), 0);
        // One that has just started knows nothing but what the store knows.
        let fresh = Gateway::new(redis.settings(), &[("a", quotas)], Quotas::default());
        assert_eq!(fresh.writes("a", 5) + other.writes("a", 5), 0);
    }
}

#[test]
fn a_store_that_has_forgotten_learns_it_again_and_loses_its_script_without_harm() {
    let redis = Redis::start();
    let gateway = Gateway::new(redis.settings(), &[("a", only(10))], Quotas::default());
    assert_eq!(gateway.writes("a", 10), 10);
    let _: String = redis.say(&["FLUSHALL"]);
    let _: String = redis.say(&["SCRIPT", "FLUSH"]);
    assert!(!gateway.write("a"));
    let (before, other) = (evaluated(&redis), gateway.decide("a", Class::Write, 1));
    assert!(!other.is_admitted());
    assert_eq!(evaluated(&redis), before + 1, "the store was asked");
}

#[test]
fn over_tls_and_with_few_rights_it_is_the_same_and_with_a_wrong_password_away() {
    let authority = Authority::new();
    let redis = Redis::guarded(&authority, "s3cret-of-gate");
    let settings = |password| redis.guarded_settings(&authority, password);
    let accounts = [("a", only(10))];
    let both = ["s3cret-of-gate"; 2]
        .map(|password| Gateway::new(settings(password), &accounts, Quotas::default()));
    assert_eq!(both[0].writes("a", 7) + both[1].writes("a", 7), 10);
    let strange = Gateway::new(settings("another"), &accounts, Quotas::default());
    assert_eq!(strange.writes("a", 10), 5, "its share");
    // Nor is somebody else's certificate believed.
    let other = redis.guarded_settings(&Authority::new(), "s3cret-of-gate");
    assert_eq!(Gateway::new(other, &accounts, Quotas::default()).writes("a", 10), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_store_decides_as_one_gateway_alone_does(
        bursts in proptest::array::uniform4(1u32..40),
        asks in proptest::collection::vec((0usize..3, prop_oneof![4 => 1u32..4, 1 => 4u32..60]), 1..60),
    ) {
        let redis = Redis::start();
        // Nothing of them comes back while the test runs.
        let [a, b, c, d] = bursts.map(|burst| quota(burst, 20 * 24 * 3600, burst));
        let b = Quota { per: b.per / 2, ..b };
        let own = Quotas { writes: vec![c], prefetches: vec![c], ..requests([a, b]) };
        let shared = Gateway::new(redis.settings(), &[("a", own.clone())], requests([d]));
        let mut alone = Gateway::new(redis.settings(), &[], Quotas::default());
        alone.reload(None, &[("a", own)], requests([d]));
        for (class, cost) in asks {
            let class = [Class::Read, Class::Write, Class::Prefetch][class];
            let (here, there) =
                (alone.decide("a", class, cost), shared.decide("a", class, cost));
            prop_assert_eq!(here.is_admitted(), there.is_admitted());
            prop_assert_eq!(here.own().len(), there.own().len());
            for (here, there) in here.own().iter().zip(there.own()) {
                prop_assert_eq!(here.is_short, there.is_short);
                prop_assert!(here.left.abs_diff(there.left) <= 1, "{:?} {:?}", here, there);
                prop_assert!(here.time.abs_diff(there.time) < Duration::from_secs(20));
            }
            prop_assert!(here.wait().abs_diff(there.wait()) < Duration::from_secs(20));
        }
    }
}

/// `STORE=60 cargo test over_time -- --nocapture` takes a minute for each, and tells how long a
/// decision takes.
#[test]
fn over_time_two_gateways_admit_what_one_quota_allows() {
    let seconds = std::env::var("STORE").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let time = Duration::from_secs(seconds);
    for (most, per, burst) in [(200, 1, 50), (600, 60, 20)] {
        let redis = Redis::start();
        let quotas = requests([quota(most, per, burst)]);
        let gateways = [(); 2]
            .map(|()| Gateway::new(redis.settings(), &[("a", quotas.clone())], Quotas::default()));
        let (admitted, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
        let began = Instant::now();
        let mut times: Vec<Duration> = std::thread::scope(|scope| {
            let ask = |gateway: Gateway| {
                let mut times = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    admitted.fetch_add(gateway.write("a").into(), Ordering::Relaxed);
                    times.push(before.elapsed());
                }
                times
            };
            let threads = gateways.map(|gateway| scope.spawn(move || ask(gateway)));
            std::thread::sleep(time);
            is_over.store(true, Ordering::Relaxed);
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        let seconds = began.elapsed().as_secs_f64();
        let admitted = f64::from(admitted.load(Ordering::Relaxed));
        let allowed = f64::from(most) / per as f64 * seconds;
        assert!(admitted <= (f64::from(burst) + allowed) * 1.01 + 1.0, "{admitted} of {allowed}");
        assert!(admitted >= allowed * 0.95 - 1.0, "{admitted} of {allowed}");
        times.sort();
        let at = |share: f64| times[(times.len() as f64 * share) as usize];
        println!(
            "{most}/{per}s burst {burst}: {admitted} admitted in {seconds:.1} s, of {:.0}; {} decisions, median {:?}, p99 {:?}",
            f64::from(burst) + allowed,
            times.len(),
            at(0.5),
            at(0.99),
        );
    }
}
