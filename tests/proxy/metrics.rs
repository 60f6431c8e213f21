//! The numbers: that they count what happens, and hold nothing of a request.

use crate::harness::*;

use patchgate::limits::{Clock, Quota, Quotas};
use patchgate::proxy::upstream::Circuit;
use patchgate::telemetry::metrics::Form;
use patchgate::tls::Credentials;

use governor::clock::FakeRelativeClock;
use rustls::{ClientConnection, StreamOwned};

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;

const BODY: &str = r#"{"id":"1","status":"New"}"#;

fn fine(tag: &str) -> Act {
    Act::Answer(answer("200 OK", &format!("ETag: {tag}\r\n"), BODY))
}

/// Waits until `series` is at `number`; a request is counted when its answer has ended.
fn counts(gateway: &Gateway, series: &str, number: f64) {
    eventually(&format!("{series} is {number}"), || gateway.number(series) == number);
}

#[test]
fn requests_are_counted_by_what_became_of_them() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    assert_eq!(caller.ask(patch(NOTES)).status, 200);
    assert_eq!(caller.ask(patch(REMOVE)).status, 422);
    assert_eq!(caller.ask(patch("[")).status, 400);
    assert_eq!(caller.ask("GET /elsewhere HTTP/1.1\r\nHost: gateway\r\n\r\n").status, 404);
    assert_eq!(gateway.ask("BREW /pot HTTP/1.1\r\nHost: gateway\r\n\r\n").status, 404);
    let of_route = r#"route="referral-patch",method="PATCH""#;
    for (labels, number) in [
        (format!(r#"{of_route},status="2xx",decision="permit""#), 1.0),
        (format!(r#"{of_route},status="4xx",decision="refuse""#), 2.0),
        (r#"route="",method="GET",status="4xx",decision="reject""#.to_owned(), 1.0),
        (r#"route="",method="_OTHER",status="4xx",decision="reject""#.to_owned(), 1.0),
    ] {
        counts(&gateway, &format!("patchgate_requests_total{{{labels}}}"), number);
    }
    for (name, labels, number) in [
        ("patchgate_rejections_total", r#"rejection="refused""#, 2.0),
        ("patchgate_rejections_total", r#"rejection="unrouted""#, 2.0),
        (
            "patchgate_violations_total",
            r#"rule="operations",code="op-forbidden",mode="enforce""#,
            1.0,
        ),
        (
            "patchgate_violations_total",
            r#"rule="reading",code="body-not-json",mode="enforce""#,
            1.0,
        ),
        ("patchgate_outcomes_total", r#"outcome="applied""#, 1.0),
        ("patchgate_outcomes_total", r#"outcome="not-applied""#, 3.0),
    ] {
        assert_eq!(gateway.number(&format!("{name}{{{labels}}}")), number, "{name} {labels}");
    }
    let took = concat!(
        r#"http_server_request_duration_seconds_count{http_request_method="PATCH","#,
        r#"http_route="/v1.0/engagements/referrals/{id}",http_response_status_code="200"}"#
    );
    assert_eq!(gateway.number(took), 1.0);
    let asked = r#"{http_request_method="PATCH",http_response_status_code="200",error_type=""}"#;
    let asked = format!("http_client_request_duration_seconds_count{asked}");
    assert_eq!(gateway.number(&asked), 1.0);
    assert_eq!(gateway.number("patchgate_upstream_connections"), 1.0);
}

#[test]
fn reads_pins_rejudgements_and_steps_are_counted() {
    let stale = Act::Answer(answer("412 Precondition Failed", "", ""));
    let upstream = Upstream::start([fine("\"a\""), stale, fine("\"b\""), fine("\"c\"")]);
    let gateway = Gateway::with(&upstream, |setup| setup.tag = Some("/tag"));
    assert_eq!(gateway.ask(patch(STATUS)).status, 200);
    counts(&gateway, "patchgate_rejudgements_total", 1.0);
    assert_eq!(gateway.number("patchgate_pins_total"), 1.0);
    assert_eq!(gateway.number(r#"patchgate_state_reads_total{source="fetched"}"#), 1.0);
    let asked = |method: &str, status: &str, error: &str| {
        gateway.number(&format!(
            "http_client_request_duration_seconds_count{{http_request_method=\"{method}\",http_response_status_code=\"{status}\",error_type=\"{error}\"}}"
        ))
    };
    assert_eq!((asked("GET", "200", ""), asked("PATCH", "412", "")), (2.0, 1.0));
    // An answer that never comes: nobody knows what became of the change.
    upstream.then(fine("\"d\""));
    upstream.then(Act::Close);
    assert_eq!(gateway.ask(patch(STATUS)).status, 502);
    counts(&gateway, r#"patchgate_outcomes_total{outcome="unknown"}"#, 1.0);
    assert_eq!(asked("PATCH", "", "upstream-broken"), 1.0);
    let text = gateway.metrics.text(Form::OpenMetrics);
    let mut steps: Vec<_> =
        text.lines().filter(|line| line.contains("transitions_total{")).collect();
    steps.sort_unstable();
    let step = r#"patchgate_transitions_total{resource="any",from="New",to="Active",decision="#;
    assert_eq!(steps, [format!("{step}\"permit\"}} 1"), format!("{step}\"reject\"}} 1")]);
}

#[test]
fn a_caller_that_leaves_is_counted_without_a_status() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(patch(NOTES));
    upstream.wait_for(1);
    assert_eq!(gateway.running().in_flight(), 1);
    caller.reset().unwrap();
    let labels = r#"route="referral-patch",method="PATCH",status="none",decision="permit""#;
    counts(&gateway, &format!("patchgate_requests_total{{{labels}}}"), 1.0);
    counts(&gateway, r#"patchgate_outcomes_total{outcome="unknown"}"#, 1.0);
    let left =
        r#"{http_request_method="PATCH",http_response_status_code="",error_type="cancelled"}"#;
    counts(&gateway, &format!("http_client_request_duration_seconds_count{left}"), 1.0);
    drop(release);
}

#[test]
fn what_limits_and_the_api_say_is_counted() {
    let slow_down = answer("429 Too Many Requests", "Retry-After: 7\r\n", "");
    let upstream = Upstream::start([fine("\"a\""), Act::Answer(slow_down)]);
    let gateway = Gateway::with(&upstream, |setup| {
        let (most, per) = (NonZeroU32::new(3).unwrap(), Duration::from_secs(3600));
        let quotas =
            Quotas { requests: vec![Quota { most, per, burst: most }], ..Quotas::default() };
        setup.clock = Clock::set_by(FakeRelativeClock::default());
        setup.partners.unknown = Some(partner_with("unknown", quotas));
    });
    for status in [200, 429, 429, 429] {
        assert_eq!(gateway.ask(patch(NOTES)).status, status);
    }
    let decisions = |decision: &str| {
        format!(
            "patchgate_limit_decisions_total{{tier=\"standard\",class=\"write\",decision=\"{decision}\"}}"
        )
    };
    counts(&gateway, &decisions("spent"), 1.0);
    counts(&gateway, &decisions("admitted"), 3.0);
    assert_eq!(gateway.number("patchgate_upstream_holds_total"), 1.0);
    let throttled = r#"patchgate_rejections_total{rejection="upstream-throttled"}"#;
    assert_eq!(gateway.number(throttled), 1.0);
}

#[test]
fn an_upstream_that_is_left_alone_shows() {
    let upstream = Upstream::start([Act::Close]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.upstream().circuit = Circuit::new(1, Duration::from_secs(60));
    });
    let circuit = || {
        gateway.running().gauges().tell(&gateway.metrics);
        gateway.number("patchgate_upstream_circuit_open")
    };
    assert_eq!(circuit(), 0.0);
    assert_eq!(gateway.ask(patch(NOTES)).status, 502);
    assert_eq!(circuit(), 1.0);
}

#[test]
fn handshakes_are_counted_by_how_they_end() {
    let (upstream, authority) = (Upstream::start([]), Authority::new());
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.tls = Some(Credentials::new(authority.server("localhost")));
        setup.settings.handshake_time = Duration::from_millis(300);
    });
    let session = ClientConnection::new(authority.client(), "localhost".try_into().unwrap());
    let tcp = TcpStream::connect(gateway.address).unwrap();
    let mut stream = StreamOwned::new(session.unwrap(), tcp);
    stream.write_all(patch(NOTES).as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    let mut plain = TcpStream::connect(gateway.address).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let silent = TcpStream::connect(gateway.address).unwrap();
    for result in ["done", "failed", "late"] {
        counts(&gateway, &format!("patchgate_tls_handshakes_total{{result=\"{result}\"}}"), 1.0);
    }
    drop(silent);
}

/// The series of `text` without their numbers.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[test]
fn nothing_of_a_request_becomes_a_label_and_no_request_adds_series_without_end() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let send = |mark: &str| {
        let lines = format!(
            "Authorization: Bearer {mark}\r\nX-Partner-Id: {mark}\r\nUser-Agent: {mark}\r\n\
             Request-ID: {mark}\r\nX-Forwarded-For: {mark}\r\nCookie: a={mark}\r\n"
        );
        let body = format!(r#"[{{"op":"{mark}","path":"/{mark}","value":"{mark}"}}]"#);
        gateway.ask(patch_with(&lines, &body));
        gateway.ask(patch_with(&lines, NOTES));
        for line in [
            format!("GET /{mark}?{mark} HTTP/1.1\r\nHost: {mark}\r\n"),
            format!("{mark} / HTTP/1.1\r\nHost: gateway\r\n"),
            format!("GET /v1.0/engagements/referrals/{mark} HTTP/1.1\r\nHost: gateway\r\n"),
        ] {
            gateway.ask(format!("{line}{lines}\r\n"));
        }
    };
    send("MARK0");
    let done = || series(&gateway.metrics.text(Form::OpenMetrics));
    eventually("all are counted", || gateway.running().in_flight() == 0);
    let before = done();
    for at in 1..50 {
        send(&format!("MARK{at}"));
    }
    eventually("all are counted", || gateway.running().in_flight() == 0);
    let after = done();
    assert!(after.iter().all(|line| !line.to_lowercase().contains("mark")), "{after:#?}");
    assert_eq!(before, after);
}
