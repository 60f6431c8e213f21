//! An upstream that fails again and again is given a pause, if that is wanted; nobody's change is
//! what finds out whether it is back.

use crate::harness::*;

use patchgate::proxy::upstream::Circuit;

use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(300);

fn after_two(setup: &mut Setup) {
    setup.upstream().circuit = Circuit::new(2, PAUSE);
    setup.upstream().head_time = Duration::from_secs(2);
}

fn lines(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|sent| sent.line().split(' ').next().unwrap().into()).collect()
}

fn fine() -> Act {
    Act::Answer(answer("200 OK", "", ""))
}

/// Asks until it is not refused for the pause; what the answer is then.
fn after_the_pause(gateway: &Gateway) -> Reply {
    let began = std::time::Instant::now();
    loop {
        let reply = gateway.ask(patch(NOTES));
        if reply.status != 503 {
            return reply;
        }
        assert!(began.elapsed() < PATIENCE, "the pause never ends");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_upstream_that_fails_twice_gets_nothing_for_a_while() {
    let upstream = Upstream::start([Act::Close, Act::Close, fine()]);
    let gateway = Gateway::with(&upstream, after_two);
    for _ in 0..2 {
        assert_eq!(gateway.ask(patch(NOTES)).code(), "upstream-broken");
    }
    for _ in 0..3 {
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status, reply.code()), (503, "upstream-paused".to_owned()));
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.json()["outcome"], "not-applied");
        let status = reply.header("proxy-status").unwrap();
        assert!(status.contains("destination_unavailable"), "{status}");
    }
    let reply = gateway.ask(patch(STATUS));
    assert_eq!((reply.status, reply.code()), (503, "current-unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(upstream.requests().len(), 2);

    assert_eq!(after_the_pause(&gateway).status, 200);
    assert_eq!(lines(&upstream), ["PATCH", "PATCH", "HEAD", "PATCH"]);
    let question = &upstream.requests()[2];
    assert_eq!(question.line(), "HEAD / HTTP/1.1");
    assert!(question.header("authorization").is_none() && question.body.is_empty());
    assert_ne!(question.header("request-id"), upstream.requests()[3].header("request-id"));
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    assert_eq!(upstream.requests().len(), 5, "it is asked as before");
}

#[test]
fn without_a_number_it_is_asked_whatever_it_does() {
    let upstream = Upstream::start((0..20).map(|_| Act::Close));
    let gateway = Gateway::before(&upstream);
    for _ in 0..20 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 502);
    }
    assert_eq!(upstream.requests().len(), 20);
}

#[test]
fn what_finds_out_and_fails_costs_another_pause_and_no_change() {
    let down = || Act::Answer(answer("503 Service Unavailable", "", ""));
    let upstream = Upstream::start([Act::Close, Act::Close, Act::Close, down(), fine()]);
    let gateway = Gateway::with(&upstream, after_two);
    for _ in 0..2 {
        gateway.ask(patch(NOTES));
    }
    assert_eq!(after_the_pause(&gateway).status, 200);
    assert_eq!(lines(&upstream), ["PATCH", "PATCH", "HEAD", "HEAD", "HEAD", "PATCH"]);
}

#[test]
fn of_what_the_api_answers_only_that_nobody_is_there_is_a_failure() {
    for (status, pauses) in [
        ("502 Bad Gateway", true),
        ("503 Service Unavailable", true),
        ("504 Gateway Timeout", true),
        ("500 Internal Server Error", false),
        ("429 Too Many Requests", false),
        ("412 Precondition Failed", false),
    ] {
        let upstream = Upstream::start((0..2).map(|_| Act::Answer(answer(status, "", "said"))));
        let gateway = Gateway::with(&upstream, after_two);
        for _ in 0..2 {
            assert_eq!(gateway.ask(patch(NOTES)).body, b"said", "it is passed on all the same");
        }
        let status = if pauses { 503 } else { 200 };
        assert_eq!(gateway.ask(patch(NOTES)).status, status);
    }
}

#[test]
fn an_upstream_that_is_not_there_or_too_slow_has_failed() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, after_two);
    drop(upstream);
    let codes: Vec<_> = (0..3).map(|_| gateway.ask(patch(NOTES)).code()).collect();
    assert_eq!(codes, ["upstream-unreachable", "upstream-unreachable", "upstream-paused"]);

    // By its own time, by that of a read, or by the deadline.
    for (body, deadline) in [(NOTES, 8000), (STATUS, 8000), (NOTES, 100), (STATUS, 100)] {
        let upstream = Upstream::start((0..2).map(|_| Act::Silence));
        let gateway = Gateway::with(&upstream, |setup| {
            after_two(setup);
            setup.upstream().head_time = Duration::from_millis(200);
            setup.upstream().fetch_time = Duration::from_millis(200);
            setup.settings.proxy.deadline = Duration::from_millis(deadline);
        });
        let statuses: Vec<_> = (0..3).map(|_| gateway.ask(patch(body)).status).collect();
        assert_eq!(statuses, [504, 504, 503]);
    }
}

#[test]
fn one_finds_out_while_the_others_are_told_at_once() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([Act::Close, Act::Close, held]);
    let gateway = Gateway::with(&upstream, after_two);
    for _ in 0..2 {
        gateway.ask(patch(NOTES));
    }
    std::thread::sleep(PAUSE);
    let mut first = gateway.caller();
    first.send(patch(NOTES));
    upstream.wait_for(3);
    for _ in 0..3 {
        assert_eq!(gateway.ask(patch(NOTES)).code(), "upstream-paused");
    }
    release.send(answer("204 No Content", "", "")).unwrap();
    assert_eq!(first.reply().status, 200);
    assert_eq!(lines(&upstream), ["PATCH", "PATCH", "HEAD", "PATCH"]);
}

#[test]
fn who_leaves_while_finding_out_leaves_it_to_the_next() {
    let upstream = Upstream::start([Act::Close, Act::Close, Act::Silence, fine()]);
    let gateway = Gateway::with(&upstream, after_two);
    for _ in 0..2 {
        gateway.ask(patch(NOTES));
    }
    std::thread::sleep(PAUSE);
    let mut first = gateway.caller();
    first.send(patch(NOTES));
    upstream.wait_for(3);
    drop(first);
    assert_eq!(after_the_pause(&gateway).status, 200);
    assert_eq!(lines(&upstream), ["PATCH", "PATCH", "HEAD", "HEAD", "PATCH"]);
}

#[test]
fn the_workers_count_together() {
    let upstream = Upstream::start((0..8).map(|_| Act::Close));
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.workers = 4;
        setup.upstream().circuit = Circuit::new(8, Duration::from_secs(60));
    });
    let codes: Vec<_> = (0..24).map(|_| gateway.ask(patch(NOTES)).code()).collect();
    assert!(codes[..8].iter().all(|code| code == "upstream-broken"), "{codes:?}");
    assert!(codes[8..].iter().all(|code| code == "upstream-paused"), "{codes:?}");
    assert_eq!(upstream.requests().len(), 8);
}
