//! The store is killed, hangs, comes back: what each gateway does meanwhile, and how long it takes.

use super::*;

use std::net::TcpListener;

/// What the accounts are to do while the store is away.
fn one_of_each(most: u32) -> [(&'static str, Quotas); 4] {
    let away = |away| Quotas { away, ..only(most) };
    let [local, open, closed] = [Away::Local, Away::Open, Away::Closed].map(away);
    [("local", local), ("open", open), ("closed", closed), ("probe", only(1_000_000))]
}

#[test]
fn a_store_that_is_killed_is_done_without_and_comes_back_without_a_burst() {
    let mut redis = Redis::start();
    let gateways =
        [(); 2].map(|()| Gateway::new(redis.settings(), &one_of_each(100), Quotas::default()));
    let [one, other] = &gateways;
    for key in ["local", "open", "closed"] {
        assert_eq!(one.writes(key, 10) + other.writes(key, 10), 20);
    }
    redis.kill();
    // Each lets through half of what it knows to be left: the last that it heard of was 90 and 80.
    assert_eq!((one.writes("local", 100), other.writes("local", 100)), (45, 40));
    assert_eq!((one.writes("open", 200), other.writes("open", 200)), (200, 200));
    let refused = one.decide("closed", Class::Write, 1);
    assert!(refused.is_closed() && !refused.is_admitted());
    assert_eq!(refused.wait(), Duration::from_secs(1));
    // The look at the head says the same.
    let account = one.limits.get("closed").expect("an account");
    assert!(one.limits.look(account, Class::Write, NonZeroU32::MIN).is_closed());
    let account = one.limits.get("open").expect("an account");
    assert!(one.limits.look(account, Class::Write, NonZeroU32::MIN).is_admitted());

    redis.revive();
    one.until_back(&redis);
    other.until_back(&redis);
    // What was let through meanwhile is not forgotten, though the store has forgotten everything.
    for key in ["local", "open"] {
        assert_eq!((one.writes(key, 50), other.writes(key, 50)), (0, 0), "{key}");
    }
    // What was spent before is known by whoever knew it.
    assert_eq!(other.writes("closed", 100) + one.writes("closed", 100), 80);
}

/// A gateway whose store hangs from now on.
fn hung() -> (Redis, Gateway) {
    let redis = Redis::start();
    let settings = Settings { timeout: Duration::from_millis(20), ..redis.settings() };
    let gateway = Gateway::new(settings, &one_of_each(100), Quotas::default());
    gateway.until_back(&redis);
    redis.signal("STOP");
    (redis, gateway)
}

#[test]
fn a_store_that_hangs_costs_one_bound_and_no_more_and_is_taken_back() {
    let (redis, gateway) = hung();
    let began = Instant::now();
    assert!(gateway.write("open"));
    let first = began.elapsed();
    assert!(first >= Duration::from_millis(20), "{first:?}");
    assert!(first < Duration::from_millis(200), "{first:?}");
    let began = Instant::now();
    for _ in 0..1_000 {
        assert!(gateway.write("open"));
        assert!(!gateway.write("closed"));
    }
    let rest = began.elapsed();
    assert!(rest < Duration::from_millis(500), "nobody waits any more: {rest:?}");
    redis.signal("CONT");
    gateway.until_back(&redis);
}

#[test]
fn requests_at_once_wait_for_one_bound_together() {
    let (redis, gateway) = hung();
    let began = Instant::now();
    let Gateway { limits, runtime } = &gateway;
    let account = limits.get("local").expect("an account");
    let admitted = runtime.block_on(async {
        let asks = (0..500).map(|_| limits.decide(account, Class::Write, NonZeroU32::MIN));
        let mut asks: Vec<_> = asks.map(Box::pin).collect();
        let mut admitted = 0;
        std::future::poll_fn(|cx| {
            asks.retain_mut(|ask| match ask.as_mut().poll(cx) {
                std::task::Poll::Ready(decision) => {
                    admitted += u32::from(decision.is_admitted());
                    false
                }
                std::task::Poll::Pending => true,
            });
            if asks.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        admitted
    });
    let time = began.elapsed();
    assert!(time < Duration::from_millis(300), "{time:?}");
    assert_eq!(admitted, 50, "half of the quota");
    redis.signal("CONT");
}

#[test]
fn a_gateway_starts_without_its_store_and_before_one_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let redis = Redis::start();
    let mut settings = redis.settings();
    settings.server.at.port = silent.local_addr().expect("an address").port();
    let began = Instant::now();
    let gateway = Gateway::new(settings, &one_of_each(100), Quotas::default());
    assert!(began.elapsed() < Duration::from_secs(3));
    let began = Instant::now();
    assert_eq!(gateway.writes("local", 100), 50);
    assert_eq!(gateway.writes("closed", 100), 0);
    assert!(began.elapsed() < Duration::from_millis(200));
}

#[test]
fn what_is_not_limited_does_not_need_the_store() {
    let mut redis = Redis::start();
    let unlimited = Quotas { away: Away::Closed, ..Quotas::default() };
    let prefetches =
        Quotas { prefetches: vec![quota(1, 3600, 1)], away: Away::Closed, ..Quotas::default() };
    let accounts = [("a", unlimited), ("b", prefetches)];
    let gateway = Gateway::new(redis.settings(), &accounts, Quotas::default());
    redis.kill();
    assert_eq!((gateway.writes("a", 10), gateway.writes("b", 10)), (10, 10));
    assert!(gateway.decide("b", Class::Prefetch, 1).is_closed());
}

#[test]
fn while_it_is_away_the_strictest_word_holds() {
    let mut redis = Redis::start();
    let total = Quotas { away: Away::Closed, ..only(100) };
    let gateway = Gateway::new(redis.settings(), &one_of_each(100), total);
    redis.kill();
    assert_eq!((gateway.write("local"), gateway.write("open")), (false, false));
    assert!(gateway.decide("open", Class::Write, 1).is_closed());
}
