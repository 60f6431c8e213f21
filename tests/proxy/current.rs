//! The current state: read when it is needed, and pinned.

use crate::harness::*;

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
        let gateway = Gateway::with(&upstream, |setup| setup.advisory = advisory);
        assert_eq!(gateway.ask(patch(STATUS)).status, status);
        let decision = if advisory { "advisory" } else { "refuse" };
        assert_eq!(gateway.log()[0]["decision"], decision);
    }
}

#[test]
fn a_version_that_was_seen_is_judged_again_without_a_read() {
    let ok = || Act::Answer(answer("204 No Content", "", ""));
    let failed = Act::Answer(answer("412 Precondition Failed", "", ""));
    let script = [version("\"a\""), ok(), ok(), failed, version("\"b\""), ok()];
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    let ask = |tag: &str| gateway.ask(patch_with(&format!("If-Match: {tag}\r\n"), STATUS)).status;
    assert_eq!(ask("\"a\""), 204);
    assert_eq!(ask("\"a\""), 204);
    assert_eq!(lines(&upstream), ["GET", "PATCH", "PATCH"]);
    assert_eq!(ask("\"a\""), 412, "the upstream's own check has the last word");
    assert_eq!(ask("\"b\""), 204, "what did not hold is forgotten");
    assert_eq!(lines(&upstream), ["GET", "PATCH", "PATCH", "PATCH", "GET", "PATCH"]);
    let log = gateway.log();
    let sources: Vec<_> = log.iter().map(|line| line["current"].as_str().unwrap()).collect();
    assert_eq!(sources, ["fetched", "remembered", "remembered", "fetched"]);
}

#[test]
fn what_one_caller_may_read_is_not_used_for_another() {
    let ok = || Act::Answer(answer("204 No Content", "", ""));
    let script = [version("\"a\""), ok(), version("\"a\""), ok(), version("\"a\""), ok()];
    let upstream = Upstream::start(script);
    let gateway = Gateway::before(&upstream);
    for lines in [
        "Authorization: Bearer one\r\nIf-Match: \"a\"\r\n",
        "Authorization: Bearer two\r\nIf-Match: \"a\"\r\n",
        // A list does not name one version.
        "Authorization: Bearer two\r\nIf-Match: \"a\", \"b\"\r\n",
    ] {
        assert_eq!(gateway.ask(patch_with(lines, STATUS)).status, 204, "{lines}");
    }
    assert_eq!(lines(&upstream), ["GET", "PATCH", "GET", "PATCH", "GET", "PATCH"]);
}

#[test]
fn those_who_need_the_same_state_at_once_share_one_read() {
    let (release, held) = Act::held();
    let ok = || Act::Answer(answer("204 No Content", "", ""));
    let upstream = Upstream::start([held, ok(), ok()]);
    let gateway = Gateway::before(&upstream);
    let mut first = gateway.caller();
    first.send(patch(STATUS));
    upstream.wait_for(1);
    let mut second = gateway.caller();
    second.send(patch(STATUS));
    eventually("both are under way", || gateway.running().in_flight() == 2);
    release.send(answer("200 OK", "ETag: \"a\"\r\n", BODY)).unwrap();
    assert_eq!((first.reply().status, second.reply().status), (204, 204));
    assert_eq!(lines(&upstream), ["GET", "PATCH", "PATCH"]);
}

#[test]
fn who_leaves_while_reading_leaves_others_to_read_for_themselves() {
    let ok = Act::Answer(answer("204 No Content", "", ""));
    let upstream = Upstream::start([Act::Silence, version("\"a\""), ok]);
    let gateway = Gateway::before(&upstream);
    let mut first = gateway.caller();
    first.send(patch(STATUS));
    upstream.wait_for(1);
    let mut second = gateway.caller();
    second.send(patch(STATUS));
    eventually("both are under way", || gateway.running().in_flight() == 2);
    drop(first);
    assert_eq!(second.reply().status, 204);
    assert_eq!(lines(&upstream), ["GET", "GET", "PATCH"]);
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
