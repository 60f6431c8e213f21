//! Bodies: media type, coding, size, time.

use crate::harness::*;

use std::time::Duration;

#[test]
fn a_media_type_that_is_not_taken_is_answered_with_those_that_are() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for given in [
        "application/merge-patch+json",
        "application/json; charset=utf-16",
        "application/json; profile=x",
        "text/plain",
        "",
    ] {
        let reply = gateway.ask(patch_with(&format!("Content-Type: {given}\r\n"), NOTES));
        assert_eq!((reply.status, reply.code()), (415, "media-type-unsupported".into()), "{given}");
        let accepted = Some("application/json-patch+json, application/json");
        assert_eq!(reply.header("accept-patch"), accepted);
    }
    let untyped = patch(NOTES).replace("Content-Type: application/json-patch+json\r\n", "");
    assert_eq!(gateway.ask(untyped).status, 415);
    assert_eq!(upstream.connections(), 0);
    let spelt = "Content-Type: APPLICATION/json ;charset=\"Utf-8\"\r\n";
    assert_eq!(gateway.ask(patch_with(spelt, NOTES)).status, 200);
}

#[test]
fn a_body_in_a_coding_is_refused() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for coding in ["gzip", "identity, gzip", "identity\r\nContent-Encoding: gzip", "x"] {
        let reply = gateway.ask(patch_with(&format!("Content-Encoding: {coding}\r\n"), NOTES));
        assert_eq!((reply.status, reply.code()), (415, "coding-unsupported".into()), "{coding}");
        assert_eq!(reply.header("accept-encoding"), Some("identity"));
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_body_that_is_too_long_is_refused_before_a_byte_of_it_is_read() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let head = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Content-Length: 4097\r\nExpect: 100-continue\r\n\r\n"
    );
    // Not a byte of the body is sent, and no `100 Continue` comes first.
    let reply = gateway.ask(head);
    assert_eq!((reply.status, reply.code()), (413, "body-too-large".to_owned()));
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_chunked_body_that_is_too_long_is_refused_at_the_limit() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n1001\r\n{}",
        "x".repeat(4097)
    ));
    assert_eq!(caller.reply().status, 413);
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_caller_that_sends_a_large_body_without_looking_is_not_reset() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let body = " ".repeat(500_000);
    let request = patch(&body);
    let (head, body) = request.split_at(request.len() - body.len());
    let mut caller = gateway.caller();
    assert_eq!(caller.ask(head).status, 413);
    assert!(caller.is_closed(), "nothing more is said");
    // A reset could overtake the answer, and some systems then forget what they had received.
    for piece in body.as_bytes().chunks(10_000) {
        caller.try_send(piece).expect("it is read and thrown away");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_caller_that_waits_for_100_gets_it_and_the_upstream_does_not_see_it() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let request = patch_with("Expect: 100-continue\r\n", NOTES);
    let (head, body) = request.split_at(request.len() - NOTES.len());
    let mut caller = gateway.caller();
    assert_eq!(caller.ask(head).status, 100);
    assert_eq!(caller.ask(body).status, 200);
    assert_eq!(upstream.only_request().header("expect"), None);
}

#[test]
fn another_expectation_than_100_is_refused() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for field in [
        "Expect: 200-ok",
        "Expect: 100-continue, x=y",
        "Expect:",
        "Expect: 100-continue\r\nExpect: later",
    ] {
        let reply = gateway.ask(patch_with(&format!("{field}\r\n"), NOTES));
        assert_eq!((reply.status, reply.code()), (417, "expectation-unknown".into()), "{field}");
    }
    assert_eq!(upstream.connections(), 0);
    // Whose body is there already, needs not be told to go on.
    let reply = gateway.ask(patch_with("Expect: 100-Continue\r\n", NOTES));
    assert_eq!(reply.status, 200);
}

#[test]
fn a_body_that_comes_too_slowly_is_not_waited_for() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.proxy.pace.time = Duration::from_millis(100);
    });
    let request = patch(NOTES);
    let reply = gateway.ask(&request[..request.len() - 1]);
    assert_eq!((reply.status, reply.code()), (408, "body-too-slow".to_owned()));
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_body_that_trickles_is_not_waited_for() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.proxy.pace.grace = Duration::from_millis(300);
        setup.settings.proxy.pace.rate = 1024;
    });
    let request = patch(NOTES);
    let (head, body) = request.split_at(request.len() - NOTES.len());
    let mut caller = gateway.caller();
    caller.send(head);
    for byte in body.as_bytes() {
        if caller.try_send(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let reply = caller.reply();
    assert_eq!((reply.status, reply.code()), (408, "body-too-slow".to_owned()));
    assert!(caller.is_closed());
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_body_that_breaks_off_or_is_badly_chunked_is_never_sent_in_part() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let request = patch(NOTES);
    let mut caller = gateway.caller();
    caller.send(&request[..request.len() - 1]).finish();
    while caller.try_reply().is_some() {}
    let chunked = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\nzz\r\n"
    );
    let mut caller = gateway.caller();
    let reply = caller.send(chunked).try_reply();
    assert!(reply.is_none_or(|reply| reply.status == 400));
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_body_that_is_to_be_a_part_of_something_is_refused() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for range in ["bytes 0-9/100", "bytes */*", "items 1-2", ""] {
        let lines = format!("Content-Range: {range}\r\n");
        let reply = gateway.ask(patch_with(&lines, NOTES));
        assert_eq!((reply.status, reply.code()), (400, "head-malformed".to_owned()), "{range}");
        let lines = format!("{lines}Content-Type: application/json\r\n");
        let whole = patch_with(&lines, "{}").replacen("PATCH", "POST", 1);
        assert_eq!(gateway.ask(whole).status, 400, "{range}");
    }
    assert_eq!(upstream.connections(), 0);
}
