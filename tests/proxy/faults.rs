//! An upstream that fails: told honestly, and no patch sent twice. Rows are those of the catalogue of
//! threats, as in `answers`.

use crate::harness::*;

use std::time::Duration;

fn short(setup: &mut Setup) {
    setup.upstream().head_time = Duration::from_millis(200);
    setup.upstream().connect_time = Duration::from_millis(200);
    setup.upstream().silence_time = Duration::from_millis(200);
}

#[test]
fn a_patch_that_was_read_and_not_answered_is_sent_once_and_its_outcome_is_unknown() {
    // Row 141.
    let upstream = Upstream::start([Act::Close]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.code()), (502, "upstream-broken".to_owned()));
    assert_eq!(reply.json()["outcome"], "unknown");
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.ask(patch(NOTES)).status, 200, "the next one is served");
}

#[test]
fn an_upstream_that_cannot_be_reached_is_told_at_once_and_nothing_was_applied() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    drop(upstream);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.code()), (502, "upstream-unreachable".to_owned()));
    assert_eq!(reply.json()["outcome"], "not-applied");
}

#[test]
fn an_upstream_that_closes_at_once_gets_no_patch() {
    // Row 139.
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    upstream.refuse_connections();
    assert_eq!(gateway.ask(patch(NOTES)).status, 502);
    assert!(upstream.requests().is_empty());
    assert!(upstream.connections() <= 3);
}

#[test]
fn a_slow_upstream_is_not_waited_for() {
    // Row 140.
    let upstream = Upstream::start([Act::Silence]);
    let gateway = Gateway::with(&upstream, short);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.code()), (504, "upstream-too-slow".to_owned()));
    assert_eq!(reply.json()["outcome"], "unknown");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn the_deadline_ends_what_takes_too_long_and_knows_whether_it_was_sent() {
    for (body, outcome) in [(NOTES, "unknown"), (STATUS, "not-applied")] {
        let upstream = Upstream::start([Act::Silence]);
        let gateway = Gateway::with(&upstream, |setup| {
            setup.settings.proxy.deadline = Duration::from_millis(200);
        });
        let reply = gateway.ask(patch(body));
        assert_eq!((reply.status, reply.code()), (504, "deadline-exceeded".to_owned()));
        assert_eq!(reply.json()["outcome"], outcome);
    }
}

#[test]
fn a_connection_that_was_closed_while_idle_does_no_harm() {
    // Row 142.
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for round in 1..=3 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
        assert_eq!((upstream.connections(), upstream.requests().len()), (round, round));
        upstream.close_all();
        // The end of the connection has to arrive; that nothing else happens cannot be waited for.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_upstream_that_closes_after_every_answer_gets_each_patch_at_most_once() {
    // Row 143.
    const COUNT: usize = 100;
    // It does not say that it will close, so that the next patch races with the end.
    let script = (0..COUNT).map(|_| Act::AnswerAndClose(answer("200 OK", "", "ok")));
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    let mut served = 0;
    for index in 0..COUNT {
        let reply = caller.ask(patch_with(&format!("Request-ID: r{index}\r\n"), NOTES));
        match reply.status {
            200 => served += 1,
            status => assert_eq!((status, &reply.json()["outcome"]), (502, &"unknown".into())),
        }
    }
    let requests = upstream.requests();
    let ids: std::collections::HashSet<_> =
        requests.iter().map(|sent| sent.header("request-id").unwrap()).collect();
    assert_eq!(ids.len(), requests.len(), "none came twice");
    assert!(served <= requests.len());
    assert!(served > COUNT / 2, "{served} of {COUNT} were served");
}

#[test]
fn no_content_with_a_length_of_none_leaves_both_connections_usable() {
    // Row 152.
    let bytes = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n".to_vec();
    let upstream = Upstream::start([Act::Answer(bytes)]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    assert_eq!([(); 2].map(|()| caller.ask(patch(NOTES)).status), [204, 200]);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn connections_are_used_again_until_they_are_idle_for_too_long_or_too_old() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.upstream().idle_time = Duration::from_millis(100);
    });
    for _ in 0..3 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    assert_eq!(upstream.connections(), 2);

    let gateway = Gateway::with(&upstream, |setup| setup.upstream().age = Duration::ZERO);
    for _ in 0..2 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    assert_eq!(upstream.connections(), 4);
}

#[test]
fn more_connections_than_allowed_are_not_opened() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::with(&upstream, |setup| setup.upstream().connections = 1);
    let mut first = gateway.caller();
    first.send(patch(NOTES));
    upstream.wait_for(1);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.code()), (503, "upstream-saturated".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.json()["outcome"], "not-applied");
    release.send(answer("200 OK", "", "")).unwrap();
    assert_eq!(first.reply().status, 200);
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
}

#[test]
fn an_upstream_that_falls_silent_within_an_answer_is_cut() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec();
    let upstream = Upstream::start([Act::Answer(bytes)]);
    let gateway = Gateway::with(&upstream, short);
    let reply = gateway.ask(patch(NOTES));
    assert!(!reply.whole);
    assert_eq!(reply.body, b"abc");
}

#[test]
fn a_slow_answer_is_passed_on_as_it_comes() {
    let pieces = ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n"];
    let pieces = pieces.into_iter().chain(["2\r\nde\r\n", "0\r\n\r\n"]);
    let pieces = pieces.map(|piece| piece.as_bytes().to_vec()).collect();
    let upstream = Upstream::start([Act::Slow(pieces, Duration::from_millis(10))]);
    let gateway = Gateway::with(&upstream, short);
    let reply = gateway.ask(patch(NOTES));
    assert!(reply.whole);
    assert_eq!(reply.body, b"abcde");
}

#[test]
fn what_the_api_answers_is_passed_on_once_and_no_redirect_is_followed() {
    // Row 149.
    for status in
        ["302 Found", "412 Moved on", "400 Bad Request", "429 Too Many", "500 Oops", "503 Later"]
    {
        let lines = "Location: http://127.0.0.1:1/\r\nRetry-After: 7\r\nETag: \"e\"\r\n";
        let upstream = Upstream::start([Act::Answer(answer(status, lines, "said"))]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status.to_string(), &*reply.body), (status[..3].into(), &b"said"[..]));
        assert_eq!(reply.header("retry-after"), Some("7"));
        assert_eq!(reply.header("etag"), Some("\"e\""));
        assert_eq!(upstream.requests().len(), 1);
    }
}
