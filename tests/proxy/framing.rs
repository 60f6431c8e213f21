//! Heads that must not pass.

use crate::harness::*;

use std::time::Duration;

#[test]
fn exactly_one_well_formed_host_is_needed() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for host in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: u@a\r\n", "Host:\r\n"] {
        let reply = gateway.ask(patch(NOTES).replace("Host: gateway\r\n", host));
        assert_eq!((reply.status, reply.code()), (400, "head-malformed".to_owned()), "{host}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn an_absolute_target_must_name_the_same_host() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let at = |base: &str| gateway.ask(patch(NOTES).replace(PATH, &format!("{base}{PATH}")));
    for base in ["http://evil", "http://u@gateway", "ftp://gateway", "http://gateway:80"] {
        assert_eq!(at(base).status, 400, "{base}");
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(at("http://GATEWAY").status, 200);
    assert_eq!(upstream.only_request().line(), format!("PATCH {PATH} HTTP/1.1"));
}

#[test]
fn fields_that_must_be_there_once_are_not_there_twice() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let lines = [
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        "Content-Type: application/json\r\nContent-Type: application/json\r\n",
    ];
    for lines in lines {
        assert_eq!(gateway.ask(patch_with(lines, NOTES)).status, 400, "{lines}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn connection_takes_away_no_field_that_something_is_decided_by() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    for name in [
        "If-Match",
        "authorization",
        "Request-ID",
        "Prefer",
        "Content-Type",
        "Host",
        "Via",
        "traceparent",
        "TraceState",
        "Idempotency-Key",
        "Signature",
        "signature-input",
        "Content-Digest",
        "Repr-Digest",
        "Digest",
        "Content-MD5",
        "Content-Range",
        "If-Range",
        "If-None-Match",
    ] {
        let reply = gateway.ask(patch_with(&format!("Connection: close, {name}\r\n"), NOTES));
        assert_eq!(reply.status, 400, "row 159: {name}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_silent_caller_is_closed_in_time() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.head_time = Duration::from_millis(100);
    });
    assert!(gateway.caller().is_closed(), "not a byte was sent");
    let mut half = gateway.caller();
    let reply = half.ask("PATCH /v1.0 HTTP/1.1\r\nHost:");
    assert_eq!((reply.status, reply.code()), (408, "head-too-slow".to_owned()));
    assert!(half.is_closed(), "half a head was sent");
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.idle_time = Duration::from_millis(100);
    });
    let mut kept = gateway.caller();
    assert_eq!(kept.ask(patch(NOTES)).status, 200);
    assert!(kept.is_closed(), "nothing followed");
    // The time for a first head has begun before, and ends later.
    let mut late = gateway.caller();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(late.ask(patch(NOTES)).status, 200);
    let began = std::time::Instant::now();
    assert!(late.is_closed(), "nothing followed, after a pause before the first");
    assert!(began.elapsed() < Duration::from_secs(3), "it was closed for having been idle");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(patch(NOTES) + &patch(REMOVE) + &patch(NOTES));
    let answers = [(); 3].map(|()| caller.reply().status);
    assert_eq!(answers, [200, 422, 200]);
    assert_eq!(upstream.requests().len(), 2);
}
