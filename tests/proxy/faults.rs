//! An upstream that fails: told honestly, and no patch sent twice.

use crate::harness::*;

use std::time::Duration;

fn short(setup: &mut Setup) {
    setup.upstream().head_time = Duration::from_millis(200);
    setup.upstream().connect_time = Duration::from_millis(200);
    setup.upstream().silence_time = Duration::from_millis(200);
}

#[test]
fn a_patch_that_was_read_and_not_answered_is_sent_once_and_its_outcome_is_unknown() {
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
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    upstream.refuse_connections();
    assert_eq!(gateway.ask(patch(NOTES)).status, 502);
    assert!(upstream.requests().is_empty());
    assert!(upstream.connections() <= 3);
}

#[test]
fn a_slow_upstream_is_not_waited_for() {
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
fn an_answer_that_breaks_off_never_looks_complete() {
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec();
    let garbled =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n".to_vec();
    for bytes in [length, chunked, garbled] {
        let upstream = Upstream::start([Act::AnswerAndClose(bytes)]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.caller().send(patch(NOTES)).try_reply();
        assert!(reply.is_none_or(|reply| !reply.whole), "cut, as the upstream cut it");
    }
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
fn informational_answers_are_skipped_and_no_protocol_is_switched() {
    let mut early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
    early.extend(answer("200 OK", "", "ok"));
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    let upstream = Upstream::start([Act::Answer(early), Act::Answer(switch.to_vec())]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch(NOTES)).body, b"ok");
    let reply = gateway.ask(patch_with("Connection: upgrade\r\nUpgrade: x\r\n", NOTES));
    assert_eq!((reply.status, reply.code()), (502, "upstream-broken".to_owned()));
    assert_eq!(upstream.requests()[1].header("upgrade"), None);
}

#[test]
fn a_second_answer_never_reaches_another_caller() {
    for first in [answer("200 OK", "", "mine"), b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()] {
        let mut two = first;
        two.extend(answer("200 OK", "", "poison"));
        let upstream = Upstream::start([Act::Answer(two)]);
        let gateway = Gateway::before(&upstream);
        assert!(gateway.ask(patch(NOTES)).status < 300);
        let next = gateway.ask(patch(NOTES));
        assert_eq!(next.status, 200);
        assert_ne!(next.body, b"poison");
    }
}

#[test]
fn garbage_and_heads_without_bounds_are_502() {
    let many = "X-Many: 1\r\n".repeat(110);
    let large = format!("X-Large: {}\r\n", "x".repeat(70 << 10));
    for bytes in [
        b"garbage\r\n\r\n".to_vec(),
        answer("200 OK", &many, ""),
        answer("200 OK", &large, ""),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ] {
        let upstream = Upstream::start([Act::Answer(bytes)]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.ask(patch(NOTES));
        assert_eq!((reply.status, reply.code()), (502, "upstream-broken".to_owned()));
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[test]
fn an_answer_with_two_framings_is_passed_on_with_one_or_not_at_all() {
    for lines in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        let upstream = Upstream::start([Act::Answer(bytes.into_bytes())]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.ask(patch(NOTES));
        match reply.status {
            200 => assert_eq!((reply.header("content-length"), &*reply.body), (None, &b"abc"[..])),
            status => assert_eq!(status, 502),
        }
    }
}

#[test]
fn what_the_api_answers_is_passed_on_once_and_no_redirect_is_followed() {
    for status in ["302 Found", "400 Bad Request", "429 Too Many", "500 Oops", "503 Later"] {
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

#[test]
fn an_answer_that_ends_with_its_connection_is_served() {
    let bytes = b"HTTP/1.0 200 OK\r\n\r\nold".to_vec();
    let upstream = Upstream::start([Act::AnswerAndClose(bytes)]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, &*reply.body, reply.whole), (200, &b"old"[..], true));
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
}
