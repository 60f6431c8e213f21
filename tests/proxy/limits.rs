//! Quotas, and the room for requests at once.

use crate::harness::*;

#[test]
fn a_spent_quota_is_told_before_the_body_is_read() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.partners.unknown = Some(partner("small", 2));
    });
    let reply = gateway.ask(patch(NOTES));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("ratelimit-policy"), Some(r#""gate-requests-60s";q=2;w=60"#));
    assert_eq!(reply.header("ratelimit"), Some(r#""gate-requests-60s";r=1;t=30"#));
    let reply = gateway.ask(patch(REMOVE));
    assert_eq!((reply.status, reply.header("ratelimit").is_some()), (422, true));
    // The body is announced and never sent.
    let request = patch(NOTES);
    let reply = gateway.ask(&request[..request.len() - NOTES.len()]);
    assert_eq!((reply.status, reply.code()), (429, "rate-limited".to_owned()));
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(reply.header("ratelimit"), Some(&*format!(r#""gate-requests-60s";r=0;t={wait}"#)));
    let problem = reply.json();
    let kind = "https://iana.org/assignments/http-problem-types#quota-exceeded";
    assert_eq!(problem["type"], kind);
    assert_eq!(problem["violated-policies"], serde_json::json!(["gate-requests-60s"]));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn one_partners_flood_is_not_anothers() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let known = [partner("loud", 1), partner("calm", 1)];
        setup.only(by_header("x-partner-id"), &known);
    });
    let ask = |name| gateway.ask(patch_with(&format!("X-Partner-Id: {name}\r\n"), NOTES)).status;
    assert_eq!([ask("loud"), ask("loud"), ask("loud"), ask("calm")], [200, 429, 429, 200]);
}

#[test]
fn the_apis_own_rate_limit_is_passed_on_beside_ours() {
    let lines = "RateLimit: \"api\";r=1;t=1\r\nRateLimit-Policy: \"api\";q=5\r\n";
    let upstream = Upstream::start([Act::Answer(answer("200 OK", lines, ""))]);
    let reply = Gateway::before(&upstream).ask(patch(NOTES));
    let all: Vec<_> = reply.all("ratelimit").collect();
    assert_eq!((all.len(), all[0]), (2, "\"api\";r=1;t=1"));
    assert_eq!(reply.all("ratelimit-policy").count(), 2);
}

#[test]
fn without_room_a_request_is_shed_and_not_queued() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.proxy.in_flight = 1);
    let mut first = gateway.caller();
    first.send(patch(NOTES));
    upstream.wait_for(1);
    let reply = gateway.ask(patch(NOTES));
    assert_eq!((reply.status, reply.code()), (503, "overloaded".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    let kind = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
    assert_eq!(reply.json()["type"], kind);
    release.send(answer("200 OK", "", "")).unwrap();
    assert_eq!(first.reply().status, 200);
    eventually("the room is free", || gateway.running().in_flight() == 0);
    assert_eq!(gateway.ask(patch(NOTES)).status, 200);
}

#[test]
fn even_a_request_that_is_shed_is_answered_in_the_policys_form() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.proxy.in_flight = 0;
        setup.errors = patchgate::policy::ErrorForm::PartnerCenter;
    });
    let reply = gateway.ask(patch(NOTES));
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["error"]["code"], "serviceNotAvailable");
}

#[test]
fn the_room_is_held_until_the_answer_has_ended() {
    let (release, held) = Act::held();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc".to_vec();
    let upstream = Upstream::start([Act::Answer(head), held]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.proxy.in_flight = 1);
    let mut first = gateway.caller();
    first.send(patch(NOTES));
    upstream.wait_for(1);
    assert_eq!(gateway.ask(patch(NOTES)).status, 503);
    assert_eq!(gateway.running().in_flight(), 1);
    upstream.close_all();
    // Closed before its head had come, it is told of; after that, cut.
    assert!(first.try_reply().is_none_or(|reply| reply.status == 502 || !reply.whole));
    eventually("the room is free", || gateway.running().in_flight() == 0);
    drop(release);
}

#[test]
fn a_caller_that_leaves_frees_its_room() {
    let upstream = Upstream::start([Act::Silence]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    caller.send(patch(NOTES));
    upstream.wait_for(1);
    assert_eq!(gateway.running().in_flight(), 1);
    drop(caller);
    eventually("the room is free", || gateway.running().in_flight() == 0);
    let log = gateway.log();
    assert_eq!((&log[0]["status"], &log[0]["outcome"]), (&().into(), &"unknown".into()));
}

/// The head of a patch with so long a body.
fn head(length: usize) -> String {
    format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

#[test]
fn what_a_body_announces_takes_room_before_it_comes() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.proxy.memory = 5000);
    let mut first = gateway.caller();
    first.send(head(4000));
    eventually("room is taken", || gateway.running().memory() == 4000);
    let reply = gateway.ask(head(1001));
    assert_eq!((reply.status, reply.code()), (503, "overloaded".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    let chunks = format!(
        "{}Transfer-Encoding: chunked\r\n\r\n3e9\r\n{}",
        head(0).split("Content-Length").next().unwrap(),
        "x".repeat(1001)
    );
    assert_eq!(gateway.ask(chunks).status, 503, "what announces nothing takes it as it comes");
    assert_eq!(gateway.ask(patch(NOTES)).status, 200, "what fits is served");
    drop(first);
    eventually("the room is free", || gateway.running().memory() == 0);
    assert_eq!(gateway.ask(head(1001) + &" ".repeat(1001)).status, 400, "it is read");
}

#[test]
fn the_current_state_takes_room_as_well() {
    let upstream = Upstream::start([Act::Answer(answer("200 OK", "", &" ".repeat(5000)))]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.proxy.memory = 4000);
    let reply = gateway.ask(patch(STATUS));
    assert_eq!((reply.status, reply.code()), (503, "current-unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    eventually("the room is free", || gateway.running().memory() == 0);
    assert_eq!(gateway.ask(patch(STATUS)).status, 200);
}

#[test]
fn one_address_does_not_take_the_connections_of_all() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.connections_per_address = 2;
        setup.settings.workers = 2;
    });
    let mut two = [gateway.caller(), gateway.caller()];
    for caller in &mut two {
        assert_eq!(caller.ask(patch(NOTES)).status, 200);
    }
    assert!(gateway.caller().is_closed());
    let mut other = Caller::from([127, 0, 0, 2], gateway.address);
    assert_eq!(other.ask(patch(NOTES)).status, 200);
    drop(two);
    eventually("there is room", || gateway.caller().send(patch(NOTES)).try_reply().is_some());
}
