//! Start, drain, stop, and the operator's listener.

use crate::harness::*;

use std::time::{Duration, Instant};

#[test]
fn a_request_under_way_is_finished_before_the_gateway_stops() {
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let mut gateway = Gateway::before(&upstream);
    let (mut idle, mut busy) = (gateway.caller(), gateway.caller());
    assert_eq!(idle.ask(patch(REMOVE)).status, 422);
    busy.send(patch(NOTES));
    upstream.wait_for(1);
    let stopping = std::thread::spawn(move || gateway.shutdown());
    assert!(idle.is_closed(), "an idle connection is closed at once");
    release.send(answer("200 OK", "", "done")).unwrap();
    assert_eq!(busy.reply().body, b"done");
    assert!(busy.is_closed());
    stopping.join().unwrap();
}

#[test]
fn draining_ends_in_time() {
    let upstream = Upstream::start([Act::Silence]);
    let mut gateway = Gateway::with(&upstream, |setup| {
        setup.settings.drain_time = Duration::from_millis(100);
    });
    let mut caller = gateway.caller();
    caller.send(patch(NOTES));
    upstream.wait_for(1);
    let began = Instant::now();
    gateway.shutdown();
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(caller.is_closed());
    let line: serde_json::Value = serde_json::from_str(&gateway.log_text()).unwrap();
    assert_eq!(line["outcome"], "unknown");
}

#[test]
fn several_workers_listen_on_one_port() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.workers = 3);
    for _ in 0..20 {
        assert_eq!(gateway.ask(patch(NOTES)).status, 200);
    }
    assert_eq!(upstream.requests().len(), 20);
}

#[test]
fn an_address_that_another_gateway_listens_on_is_not_shared_with_it() {
    let upstream = Upstream::start([]);
    let first = Gateway::before(&upstream);
    let error = Gateway::try_with(&upstream, |setup| setup.settings.listen = first.address.into());
    assert_eq!(error.err().map(|error| error.kind()), Some(std::io::ErrorKind::AddrInUse));
}

#[test]
fn a_caller_that_does_not_read_its_answer_is_not_waited_for() {
    let large = answer("200 OK", "", &"x".repeat(16 << 20));
    let upstream = Upstream::start([Act::Answer(large)]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.settings.stall_time = Duration::from_millis(200);
    });
    let mut caller = gateway.caller();
    caller.send(patch(NOTES));
    upstream.wait_for(1);
    eventually("the room is free", || gateway.running().in_flight() == 0);
    assert!(!caller.reply().whole);
}

#[test]
fn more_connections_than_allowed_wait_for_room() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| setup.settings.connections = 1);
    let mut first = gateway.caller();
    assert_eq!(first.ask(patch(NOTES)).status, 200);
    let mut second = gateway.caller();
    second.send(patch(NOTES));
    drop(first);
    assert_eq!(second.reply().status, 200);
}

#[test]
fn a_new_snapshot_is_in_force_for_the_next_request() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let mut caller = gateway.caller();
    assert_eq!(caller.ask(patch(NOTES)).status, 200);
    gateway.live.replace(patchgate::snapshot::Snapshot {
        policy: patchgate::policy::Policy::default(),
        shadow: None,
        partners: Default::default(),
        credentials: Default::default(),
        hosts: None,
        limits: Default::default(),
        digest: "2".to_owned(),
        effective: "{}".into(),
    });
    assert_eq!(caller.ask(patch(NOTES)).status, 404);
}
