//! The API's own throttle: nothing is sent to it while it wants nothing.

use crate::harness::*;

use patchgate::limits::{Clock, Scope, Throttle};
use patchgate::proxy::upstream::Circuit;

use governor::clock::FakeRelativeClock;

use std::time::{Duration, Instant, SystemTime};

fn says(status: &str, retry_after: &str) -> Act {
    Act::Answer(answer(status, &format!("Retry-After: {retry_after}\r\n"), "slow down"))
}

/// A gateway for the partners `a` and `b`; its clock stands still until it is told to go.
fn gateway(upstream: &Upstream, throttle: Throttle) -> (Gateway, FakeRelativeClock) {
    gateway_with(upstream, throttle, Circuit::default())
}

/// The same with a circuit, whose clock goes by itself.
fn gateway_with(
    upstream: &Upstream,
    throttle: Throttle,
    circuit: Circuit,
) -> (Gateway, FakeRelativeClock) {
    let hand = FakeRelativeClock::default();
    let gateway = Gateway::with(upstream, |setup| {
        setup.clock = Clock::set_by(hand.clone());
        setup.limits.terms.throttle = throttle;
        setup.upstream().circuit = circuit;
        let known = [partner("a", 1_000), partner("b", 1_000)];
        setup.only(by_header("x-partner-id"), &known);
    });
    (gateway, hand)
}

fn of(name: &str, body: &str) -> String {
    patch_with(&format!("X-Partner-Id: {name}\r\n"), body)
}

#[test]
fn whoever_was_told_to_wait_is_answered_here_until_then_and_nobody_else_is() {
    let upstream = Upstream::start([says("429 Too Many Requests", "7")]);
    let (gateway, hand) = gateway(&upstream, Throttle::default());
    let reply = gateway.ask(of("a", NOTES));
    assert_eq!((reply.status, &*reply.body), (429, &b"slow down"[..]), "as the API gave it");
    assert_eq!(reply.header("retry-after"), Some("7"));
    hand.advance(Duration::from_millis(2_500));
    let reply = gateway.ask(of("a", NOTES));
    assert_eq!((reply.status, reply.code()), (429, "upstream-throttled".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("5"));
    let kind = "https://iana.org/assignments/http-problem-types#quota-exceeded";
    assert_eq!(reply.json()["type"], kind);
    let of_proxy = "patchgate;error=destination_unavailable;details=\"upstream-throttled\"";
    assert_eq!(reply.header("proxy-status"), Some(of_proxy));
    // What the policy refuses is refused as ever, and so is what would have to be read first.
    assert_eq!(gateway.ask(of("a", REMOVE)).status, 422);
    assert_eq!(gateway.ask(of("a", STATUS)).code(), "upstream-throttled");
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.ask(of("b", NOTES)).status, 200);
    hand.advance(Duration::from_millis(4_500));
    assert_eq!(gateway.ask(of("a", NOTES)).status, 200);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn all_are_held_back_where_the_configuration_says_so_and_nobody_where_it_is_off() {
    let upstream = Upstream::start([says("503 Service Unavailable", "7")]);
    let (gateway, _) = gateway(&upstream, Throttle { scope: Scope::All, ..Throttle::default() });
    assert_eq!(gateway.ask(of("a", NOTES)).status, 503);
    let reply = gateway.ask(of("b", NOTES));
    assert_eq!((reply.status, reply.code()), (503, "upstream-throttled".to_owned()));
    assert_eq!(reply.json()["outcome"], "not-applied");
    let kind = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
    assert_eq!(reply.json()["type"], kind);
    assert_eq!(upstream.requests().len(), 1);
    let upstream = Upstream::start([says("503 Service Unavailable", "7")]);
    let off = Throttle { scope: Scope::Nobody, ..Throttle::default() };
    let (gateway, _) = self::gateway(&upstream, off);
    assert_eq!(gateway.ask(of("a", NOTES)).status, 503);
    assert_eq!(gateway.ask(of("a", NOTES)).status, 200);
}

#[test]
fn a_read_of_the_state_that_is_throttled_tells_how_long() {
    let upstream = Upstream::start([says("429 Too Many Requests", "7")]);
    let (gateway, hand) = gateway(&upstream, Throttle::default());
    for _ in 0..2 {
        let reply = gateway.ask(of("a", STATUS));
        assert_eq!((reply.status, reply.code()), (429, "upstream-throttled".to_owned()));
        assert_eq!(reply.header("retry-after"), Some("7"));
    }
    assert_eq!(upstream.requests().len(), 1);
    hand.advance(Duration::from_secs(7));
    assert_eq!(gateway.ask(of("a", STATUS)).status, 200);
}

#[test]
fn a_hostile_time_is_bounded_and_nonsense_holds_nobody_back() {
    let soon = SystemTime::now() + Duration::from_secs(40);
    for (text, least, most) in [
        ("99999999999999999999999", 300, 300),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300, 300),
        (&*httpdate::fmt_http_date(soon), 30, 40),
    ] {
        let upstream = Upstream::start([says("429 Too Many Requests", text)]);
        let (gateway, hand) = gateway(&upstream, Throttle::default());
        assert_eq!(gateway.ask(of("a", NOTES)).status, 429);
        let reply = gateway.ask(of("a", NOTES));
        let wait: u64 = reply.header("retry-after").expect("a time").parse().expect("a number");
        assert!((least..=most).contains(&wait), "{text}: {wait}");
        hand.advance(Duration::from_secs(wait));
        assert_eq!(gateway.ask(of("a", NOTES)).status, 200, "{text}");
    }
    for text in ["-1", "soon", "", "0", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let upstream = Upstream::start([says("429 Too Many Requests", text)]);
        let (gateway, _) = gateway(&upstream, Throttle::default());
        assert_eq!(gateway.ask(of("a", NOTES)).status, 429);
        assert_eq!(gateway.ask(of("a", NOTES)).status, 200, "{text}");
    }
}

#[test]
fn those_who_wait_go_one_by_one_and_partners_in_turn() {
    let (first, held) = Act::held();
    let upstream = Upstream::start([says("429 Too Many Requests", "1"), held]);
    let patience = Duration::from_secs(5);
    let throttle = Throttle { scope: Scope::All, queue: 2, patience, ..Throttle::default() };
    let gateway = Gateway::with(&upstream, |setup| {
        setup.limits.terms.throttle = throttle;
        let known = [partner("a", 1_000), partner("b", 1_000)];
        setup.only(by_header("x-partner-id"), &known);
    });
    let numbered =
        |number: usize| format!(r#"[{{"op":"replace","path":"/details","value":{number}}}]"#);
    let began = Instant::now();
    assert_eq!(gateway.ask(of("a", NOTES)).status, 429);
    let mut callers = Vec::new();
    for (number, name) in ["a", "a", "b"].into_iter().enumerate() {
        let mut caller = gateway.caller();
        caller.send(of(name, &numbered(number)));
        eventually("it waits", || gateway.running().in_flight() == number + 1);
        callers.push(caller);
    }
    let reply = gateway.ask(of("a", NOTES));
    assert_eq!((reply.status, reply.code()), (429, "upstream-throttled".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    // The first of them is sent when the time has come, and the next not before its answer.
    upstream.wait_for(2);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    // Whoever comes now comes behind them.
    let mut late = gateway.caller();
    late.send(of("b", &numbered(3)));
    eventually("it waits", || gateway.running().in_flight() == 4);
    assert_eq!(upstream.requests().len(), 2);
    first.send(answer("200 OK", "", "")).expect("it waits");
    for caller in callers.iter_mut().chain([&mut late]) {
        assert_eq!(caller.reply().status, 200);
    }
    let order: Vec<_> = upstream.requests().into_iter().skip(1).map(|sent| sent.body).collect();
    assert_eq!(order, [0, 2, 1, 3].map(|number| numbered(number).into_bytes()));
    assert_eq!(gateway.ask(of("a", NOTES)).status, 200);
}

#[test]
fn nobody_waits_longer_than_the_bound_and_a_caller_that_leaves_frees_its_place() {
    let upstream = Upstream::start([says("429 Too Many Requests", "60")]);
    let patience = Duration::from_millis(300);
    let (gateway, hand) =
        gateway(&upstream, Throttle { queue: 1, patience, ..Throttle::default() });
    assert_eq!(gateway.ask(of("a", NOTES)).status, 429);
    let began = Instant::now();
    assert_eq!(gateway.ask(of("a", NOTES)).header("retry-after"), Some("60"));
    assert!(began.elapsed() < patience, "there is no use in waiting");
    hand.advance(Duration::from_millis(59_800));
    // This clock stands still, so that the time does not come.
    let mut leaves = gateway.caller();
    leaves.send(of("a", NOTES));
    eventually("it waits", || gateway.running().in_flight() == 1);
    assert_eq!(gateway.ask(of("a", NOTES)).code(), "upstream-throttled", "there is one place");
    drop(leaves);
    eventually("it has left", || gateway.running().in_flight() == 0);
    let began = Instant::now();
    assert_eq!(gateway.ask(of("a", NOTES)).code(), "upstream-throttled");
    assert!(began.elapsed() >= patience, "{:?}", began.elapsed());
    assert_eq!(upstream.requests().len(), 1);
    hand.advance(Duration::from_millis(200));
    assert_eq!(gateway.ask(of("a", NOTES)).status, 200);
}

fn methods(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|sent| sent.line().split(' ').next().unwrap().into()).collect()
}

#[test]
fn the_apis_throttle_and_a_pause_of_ours_hold_together() {
    const PAUSE: Duration = Duration::from_millis(200);
    let unavailable = || says("503 Service Unavailable", "7");
    for (pause, is_over) in [(Duration::from_secs(60), false), (PAUSE, true)] {
        let upstream = Upstream::start([unavailable(), unavailable()]);
        let circuit = Circuit::new(2, pause);
        let (gateway, hand) = gateway_with(&upstream, Throttle::default(), circuit);
        // What is answered here is no failure of the upstream: it takes the second partner's.
        assert_eq!(gateway.ask(of("a", NOTES)).body, b"slow down");
        for _ in 0..3 {
            assert_eq!(gateway.ask(of("a", NOTES)).code(), "upstream-throttled");
        }
        assert_eq!(gateway.ask(of("b", NOTES)).body, b"slow down");
        std::thread::sleep(PAUSE * 2);
        // Nobody is told to come sooner than the API has said, and nobody finds out for it.
        for name in ["a", "b"] {
            for body in [NOTES, STATUS] {
                let reply = gateway.ask(of(name, body));
                assert_eq!((reply.status, reply.code()), (503, "upstream-throttled".to_owned()));
                assert_eq!(reply.header("retry-after"), Some("7"));
                assert_eq!(reply.json()["outcome"], "not-applied");
            }
        }
        assert_eq!(methods(&upstream), ["PATCH", "PATCH"]);
        hand.advance(Duration::from_secs(7));
        let reply = gateway.ask(of("a", NOTES));
        if is_over {
            assert_eq!(reply.status, 200);
            assert_eq!(methods(&upstream), ["PATCH", "PATCH", "HEAD", "PATCH"]);
        } else {
            assert_eq!((reply.status, reply.code()), (503, "upstream-paused".to_owned()));
            assert_eq!(reply.json()["outcome"], "not-applied");
            assert_eq!(methods(&upstream), ["PATCH", "PATCH"]);
        }
    }
}

#[test]
fn those_who_wait_for_the_api_are_told_of_a_pause_and_nothing_of_theirs_is_sent() {
    let upstream = Upstream::start([says("503 Service Unavailable", "1")]);
    let patience = Duration::from_secs(5);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.limits.terms.throttle =
            Throttle { scope: Scope::All, queue: 3, patience, ..Throttle::default() };
        setup.upstream().circuit = Circuit::new(1, Duration::from_secs(60));
        setup.only(by_header("x-partner-id"), &[partner("a", 1_000), partner("b", 1_000)]);
    });
    assert_eq!(gateway.ask(of("a", NOTES)).status, 503);
    let mut callers = Vec::new();
    for (number, name) in ["a", "b", "a"].into_iter().enumerate() {
        let mut caller = gateway.caller();
        caller.send(of(name, NOTES));
        eventually("it waits", || gateway.running().in_flight() == number + 1);
        callers.push(caller);
    }
    for caller in &mut callers {
        let reply = caller.reply();
        assert_eq!((reply.status, reply.code()), (503, "upstream-paused".to_owned()));
        assert_eq!(reply.json()["outcome"], "not-applied");
    }
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.running().in_flight(), 0);
}
