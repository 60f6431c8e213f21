//! The current state: read when it is needed, and pinned.

use crate::harness::*;

use patchgate::policy::StateSource;

use std::time::Duration;

const BODY: &str = r#"{"id":"1","status":"New"}"#;

fn version(tag: &str) -> Act {
    Act::Answer(answer("200 OK", &format!("ETag: {tag}\r\n"), BODY))
}

fn lines(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|sent| sent.line().split(' ').next().unwrap().into()).collect()
}

#[test]
fn a_patch_is_pinned_to_the_version_it_was_judged_by() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let fields = "Authorization: Bearer t\r\nRequest-ID: r-1\r\nIf-None-Match: \"x\"\r\n";
    assert_eq!(gateway.ask(patch_with(fields, STATUS)).status, 200);
    let sent = upstream.requests();
    assert_eq!(lines(&upstream), ["GET", "PATCH"]);
    assert_eq!(sent[0].line(), format!("GET {PATH} HTTP/1.1"));
    assert_eq!(sent[0].header("authorization"), Some("Bearer t"));
    assert_eq!(sent[0].header("accept-encoding"), Some("identity"));
    assert_eq!(sent[0].header("request-id"), Some("r-1"));
    assert_eq!((sent[0].header("if-match"), sent[0].header("if-none-match")), (None, None));
    assert_eq!(sent[1].header("if-match"), Some("\"v1\""));
    assert_eq!(sent[1].body, STATUS.as_bytes());
    assert_eq!(upstream.connections(), 1, "the connection of the fetch is used again");
}

#[test]
fn a_callers_condition_that_does_not_hold_is_told_without_sending_the_patch() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch_with("If-Match: \"v0\"\r\n", STATUS));
    assert_eq!(reply.status, 412);
    assert_eq!(reply.json()["errors"][0]["code"], "if-match-failed");
    assert_eq!(lines(&upstream), ["GET"]);
}

#[test]
fn a_412_on_our_own_pin_is_judged_again() {
    let stale = || Act::Answer(answer("412 Precondition Failed", "", ""));
    let upstream = Upstream::start([version("\"a\""), stale(), version("\"b\"")]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch_with("If-Match: *\r\n", STATUS)).status, 200);
    assert_eq!(lines(&upstream), ["GET", "PATCH", "GET", "PATCH"]);
    let pins: Vec<_> = upstream
        .requests()
        .iter()
        .filter_map(|r| r.header("if-match").map(str::to_owned))
        .collect();
    assert_eq!(pins, ["\"a\"", "\"b\""]);
    let log = gateway.log();
    assert_eq!((&log[0]["fetches"], &log[0]["outcome"]), (&2.into(), &"applied".into()));
}

#[test]
fn a_412_on_our_own_pin_is_passed_on_after_three_tries() {
    let script = (0..3)
        .flat_map(|_| [version("\"a\""), Act::Answer(answer("412 Precondition Failed", "", "x"))]);
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch(STATUS)).status, 412);
    assert_eq!(upstream.requests().len(), 6);
}

#[test]
fn a_412_on_the_callers_own_tag_is_theirs() {
    let script = [version("\"a\""), Act::Answer(answer("412 Precondition Failed", "", ""))];
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch_with("If-Match: \"a\"\r\n", STATUS)).status, 412);
    assert_eq!(lines(&upstream), ["GET", "PATCH"]);
}

#[test]
fn what_the_api_says_of_access_is_passed_on_and_nothing_more_is_sent() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"] {
        let upstream = Upstream::start([Act::Answer(answer(status, "X-Why: y\r\n", "why"))]);
        let gateway = Gateway::before(&upstream);
        let reply = gateway.ask(patch(STATUS));
        assert_eq!(reply.status.to_string(), status[..3]);
        assert_eq!((reply.header("x-why"), &*reply.body), (Some("y"), &b"why"[..]));
        assert_eq!(lines(&upstream), ["GET"]);
        assert_eq!(gateway.log()[0]["outcome"], "not-applied");
    }
}

#[test]
fn a_state_that_cannot_be_read_is_never_a_permit() {
    let gzip = answer("200 OK", "ETag: \"a\"\r\nContent-Encoding: gzip\r\n", BODY);
    let acts = [
        (Act::Answer(answer("500 Internal Server Error", "", "")), 502),
        (Act::Answer(answer("302 Found", "Location: http://evil/\r\n", "")), 502),
        (Act::Answer(answer("200 OK", "ETag: \"a\"\r\n", "not json")), 502),
        (Act::Answer(gzip), 502),
        (Act::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}".to_vec()), 502),
        (Act::Answer(answer("200 OK", "ETag: \"a\"\r\n", &" ".repeat(3000))), 502),
        (Act::Close, 502),
        (Act::Silence, 504),
    ];
    for (index, (act, status)) in acts.into_iter().enumerate() {
        let upstream = Upstream::start([act]);
        let gateway = Gateway::with(&upstream, |setup| {
            setup.upstream().fetch_time = Duration::from_millis(300);
            setup.upstream().fetch_max = 2000;
        });
        let reply = gateway.ask(patch(STATUS));
        assert_eq!((reply.status, reply.code()), (status, "current-unavailable".into()), "{index}");
        assert_eq!(reply.json()["outcome"], "not-applied");
        assert_eq!(lines(&upstream), ["GET"], "{index}");
    }
}

#[test]
fn a_version_without_a_strong_tag_is_refused_unless_the_policy_lets_it_pass() {
    for (advisory, status) in [(false, 409), (true, 200)] {
        let upstream = Upstream::start([version("W/\"a\"")]);
        let gateway =
            Gateway::with(&upstream, |setup| setup.state = StateSource::Fetch { advisory });
        assert_eq!(gateway.ask(patch(STATUS)).status, status);
        let decision = if advisory { "advisory" } else { "refuse" };
        assert_eq!(gateway.log()[0]["decision"], decision);
    }
}

#[test]
fn a_tag_in_the_head_that_is_none_is_not_made_up_for_by_the_one_in_the_body() {
    let body = r#"{"id":"1","status":"New","eTag":"\"held\""}"#;
    for (lines, pin) in [
        ("", Some("\"held\"")),
        ("ETag: \"head\"\r\n", Some("\"head\"")),
        ("ETag: \"a\"\r\nETag: \"a\"\r\n", None),
        ("ETag: \"held\"\r\nETag: \"held\"\r\n", None),
        ("ETag: \"a\", \"b\"\r\n", None),
        ("ETag: \"\u{e4}\"\r\n", None),
        ("ETag:\r\n", None),
        ("ETag: held\r\n", None),
        ("ETag: W/\"held\"\r\n", None),
    ] {
        let upstream = Upstream::start([Act::Answer(answer("200 OK", lines, body))]);
        let gateway = Gateway::with(&upstream, |setup| setup.tag = Some("/eTag"));
        let reply = gateway.ask(patch(STATUS));
        let sent = upstream.requests();
        match pin {
            Some(pin) => assert_eq!(sent[1].header("if-match"), Some(pin), "{lines}"),
            None => {
                let code = reply.json()["errors"][0]["code"].clone();
                assert_eq!((reply.status, code), (409, "current-unknown".into()), "{lines}");
                assert_eq!(sent.len(), 1, "{lines}");
            }
        }
    }
}

#[test]
fn a_tag_in_the_body_that_cannot_be_sent_is_no_tag() {
    let body = r#"{"id":"1","status":"New","eTag":"\"\u00e4\""}"#;
    let upstream = Upstream::start([Act::Answer(answer("200 OK", "", body))]);
    let gateway = Gateway::with(&upstream, |setup| setup.tag = Some("/eTag"));
    assert_eq!(gateway.ask(patch(STATUS)).status, 409);
    assert_eq!(lines(&upstream), ["GET"]);
}

#[test]
fn a_route_that_never_reads_the_state_and_permits_passes_even_if_it_cannot_be_read() {
    for (permit, status) in [(true, 204), (false, 409)] {
        let upstream = Upstream::start([Act::Answer(answer("204 No Content", "", ""))]);
        let state = StateSource::Never { permit };
        let gateway = Gateway::with(&upstream, |setup| setup.state = state);
        assert_eq!(gateway.ask(patch(STATUS)).status, status);
        let sent = upstream.requests();
        assert_eq!(sent.len(), usize::from(permit), "no GET, whatever it says");
        assert!(sent.iter().all(|sent| sent.header("if-match").is_none()));
    }
}

#[test]
fn a_date_that_a_pin_would_void_is_refused_before_anything_is_sent() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let date = "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let reply = gateway.ask(patch_with(date, STATUS));
    assert_eq!((reply.status, reply.code()), (400, "head-malformed".to_owned()));
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(
        gateway.ask(patch_with(date, NOTES)).status,
        200,
        "where nothing is pinned it holds"
    );
    assert_eq!(upstream.requests()[0].header("if-unmodified-since").map(str::len), Some(29));
}

#[test]
fn a_list_of_tags_is_judged_again_when_the_document_moves_within_it() {
    let stale = Act::Answer(answer("412 Precondition Failed", "", ""));
    let upstream = Upstream::start([version("\"a\""), stale, version("\"b\"")]);
    let gateway = Gateway::before(&upstream);
    let reply = gateway.ask(patch_with("If-Match: \"a\", \"b\"\r\n", STATUS));
    assert_eq!(reply.status, 200);
    let sent = upstream.requests();
    let pins: Vec<_> = sent.iter().filter_map(|sent| sent.header("if-match")).collect();
    assert_eq!(pins, ["\"a\"", "\"b\""]);
}
