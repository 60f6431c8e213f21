//! Answers that are lost: what became of the change is found out by reading the document again,
//! where the route says so, and never claimed beyond what that tells.

use crate::harness::*;

use patchgate::policy::{ErrorForm, LostAnswer};

use std::time::{Duration, Instant};

fn resolving(setup: &mut Setup) {
    setup.lost_answer = LostAnswer::Resolve;
    setup.tag = Some("/eTag");
}

fn version(tag: &str, status: &str) -> Act {
    let body = format!(r#"{{"id":"1","status":"{status}"}}"#);
    Act::Answer(answer("200 OK", &format!("ETag: \"{tag}\"\r\n"), &body))
}

fn lines(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|sent| sent.line().split(' ').next().unwrap().into()).collect()
}

#[test]
fn a_change_that_is_found_in_the_document_is_told_to_be_in_effect_and_not_sent_again() {
    for loss in [Act::Close, Act::Reset, Act::Answer(b"HTTP/1.1 200 OK\n\n".to_vec())] {
        let upstream = Upstream::start([version("a", "New"), loss, version("b", "Active")]);
        let gateway = Gateway::with(&upstream, resolving);
        let reply = gateway.ask(patch_with("Authorization: Bearer t\r\n", STATUS));
        assert_eq!((reply.status, reply.code()), (502, "upstream-broken".to_owned()));
        assert_eq!(reply.json()["outcome"], "applied");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.ends_with("the change is in effect"), "{detail}");
        assert_eq!(lines(&upstream), ["GET", "PATCH", "GET"]);
        let again = &upstream.requests()[2];
        assert_eq!(again.header("authorization"), Some("Bearer t"));
        assert_eq!(again.header("if-match"), None);
        let log = gateway.log();
        assert_eq!(
            (&log[0]["outcome"], &log[0]["resolved"]),
            (&"applied".into(), &"applied".into())
        );
        assert_eq!((&log[0]["current"], &log[0]["fetches"]), (&"fetched".into(), &2.into()));
        assert_eq!(log[0]["attempts"], 1);
    }
}

#[test]
fn an_answer_that_does_not_come_in_time_is_looked_for_as_well() {
    let upstream = Upstream::start([version("a", "New"), Act::Silence, version("b", "Active")]);
    let gateway = Gateway::with(&upstream, |setup| {
        resolving(setup);
        setup.upstream().head_time = Duration::from_millis(100);
    });
    let reply = gateway.ask(patch(STATUS));
    assert_eq!((reply.status, reply.code()), (504, "upstream-too-slow".to_owned()));
    assert_eq!(reply.json()["outcome"], "applied");
}

#[test]
fn a_document_that_is_still_the_pinned_version_proves_nothing_unless_a_time_is_set() {
    for (settled, outcome) in [(None, "unknown"), (Some(300), "not-applied")] {
        let script = [version("a", "New"), Act::Close, version("a", "New"), version("a", "New")];
        let upstream = Upstream::start(script);
        let gateway = Gateway::with(&upstream, |setup| {
            resolving(setup);
            setup.upstream().settled_after = settled.map(Duration::from_millis);
        });
        let began = Instant::now();
        let reply = gateway.ask(patch(STATUS));
        assert!(began.elapsed() >= Duration::from_millis(settled.unwrap_or(1000)));
        assert_eq!((reply.status, &reply.json()["outcome"]), (502, &outcome.into()));
        assert_eq!(lines(&upstream), ["GET", "PATCH", "GET", "GET"]);
    }
}

#[test]
fn a_change_that_is_applied_late_is_found_by_the_second_look() {
    let script = [version("a", "New"), Act::Close, version("a", "New"), version("b", "Active")];
    let upstream = Upstream::start(script);
    let gateway = Gateway::with(&upstream, |setup| {
        resolving(setup);
        setup.upstream().settled_after = Some(Duration::from_millis(50));
    });
    assert_eq!(gateway.ask(patch(STATUS)).json()["outcome"], "applied");
}

#[test]
fn a_document_that_tells_nothing_or_cannot_be_read_leaves_the_outcome_unknown() {
    let other = || version("b", "Closed");
    let weak = || Act::Answer(answer("200 OK", "ETag: W/\"b\"\r\n", r#"{"status":"Active"}"#));
    let gone = || Act::Answer(answer("404 Not Found", "", ""));
    for (look, reads) in [(other(), 1), (weak(), 1), (gone(), 2), (Act::Close, 2)] {
        let script = [version("a", "New"), Act::Close, look, gone()];
        let upstream = Upstream::start(script);
        let gateway = Gateway::with(&upstream, |setup| {
            resolving(setup);
            setup.upstream().settled_after = Some(Duration::from_millis(20));
        });
        let reply = gateway.ask(patch(STATUS));
        assert_eq!((reply.status, &reply.json()["outcome"]), (502, &"unknown".into()));
        assert_eq!(lines(&upstream).len(), 2 + reads);
        assert_eq!(gateway.log()[0]["resolved"], "unknown");
    }
}

#[test]
fn nobody_waits_past_the_deadline_to_find_out() {
    let script = [version("a", "New"), Act::Close, version("a", "New")];
    let upstream = Upstream::start(script);
    let gateway = Gateway::with(&upstream, |setup| {
        resolving(setup);
        setup.settings.proxy.deadline = Duration::from_secs(4);
        setup.upstream().settled_after = Some(Duration::from_secs(5));
    });
    let began = Instant::now();
    let reply = gateway.ask(patch(STATUS));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(
        (reply.code(), &reply.json()["outcome"]),
        ("upstream-broken".into(), &"unknown".into())
    );
    assert_eq!(lines(&upstream), ["GET", "PATCH", "GET"]);
}

#[test]
fn what_was_not_pinned_or_need_not_be_found_out_is_not_looked_for() {
    // A permit without the state; and a route that only reports.
    let upstream = Upstream::start([Act::Close]);
    let gateway = Gateway::with(&upstream, resolving);
    assert_eq!(gateway.ask(patch(NOTES)).json()["outcome"], "unknown");
    assert_eq!(lines(&upstream), ["PATCH"]);
    assert!(gateway.log()[0]["resolved"].is_null());

    let upstream = Upstream::start([version("a", "New"), Act::Close]);
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.ask(patch(STATUS)).json()["outcome"], "unknown");
    assert_eq!(lines(&upstream), ["GET", "PATCH"]);
}

#[test]
fn the_callers_own_condition_is_looked_for_and_the_envelope_tells_too() {
    let script = [version("a", "New"), Act::Close, version("b", "Active")];
    let upstream = Upstream::start(script);
    let gateway = Gateway::with(&upstream, |setup| {
        resolving(setup);
        setup.errors = ErrorForm::PartnerCenter;
    });
    let reply = gateway.ask(patch_with("If-Match: \"a\"\r\n", STATUS));
    assert_eq!(reply.status, 502);
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("the change is in effect"), "{message}");
}
