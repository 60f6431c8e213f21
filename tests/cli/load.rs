//! Crowds: what they cost, and that nobody else notices them. `LOAD=5` sends five thousand where
//! otherwise one thousand come.

use super::process::{Gateway, ask, gateway_file, policy_file};
use crate::harness::{Caller, Upstream};

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;

/// How many thousands come.
fn thousands() -> usize {
    std::env::var("LOAD").map_or(1, |text| text.parse().expect("LOAD is a number"))
}

/// A gateway with room for all of them.
fn gateway(folder: &tempfile::TempDir, keys: &str) -> Gateway {
    let room = 12_000 * thousands().div_ceil(5);
    let upstream = if keys.contains("upstream:") { "" } else { "upstream: { url: sandbox }\n" };
    let keys = format!(
        "{upstream}limits: {{ tiers: {{ standard: {{}} }} }}\n\
         bounds: {{ connections: {room}, connections_per_address: {room}, in_flight: {room} }}\n{keys}"
    );
    Gateway::run(&gateway_file(folder, &keys))
}

fn get() -> String {
    format!("GET {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n")
}

/// A line of what the system knows of a process' memory, in KiB.
fn memory(id: u32, line: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = text.lines().find_map(|found| found.strip_prefix(line)).expect("the line");
    line.trim_matches(|other: char| !other.is_ascii_digit()).parse().expect("a number")
}

/// Asks ten times, as somebody who has nothing to do with the crowd; the longest that it took.
fn probe(gateway: &Gateway) -> Duration {
    let probes = (0..10).map(|_| {
        let began = Instant::now();
        assert_eq!(ask(gateway.admin, "GET /readyz", &[], "").status, 200);
        assert_eq!(ask(gateway.address, &format!("PATCH {TARGET}"), &[], NOTE).status, 204);
        began.elapsed()
    });
    probes.max().expect("ten")
}

#[test]
fn thousands_who_send_slowly_keep_nobody_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(&folder, "timeouts: { header: 1m, body: 1m, body_grace: 1m }");
    let idle = probe(&gateway);
    let head = format!(
        "PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\
         Content-Type: application/json\r\n"
    );
    let body = format!("{head}Content-Length: {}\r\n\r\n[", NOTE.len());
    let mut crowd = Vec::new();
    for _ in 0..1_000 * thousands() {
        for sent in [&*head, &*body] {
            let mut caller = Caller::to(gateway.address);
            caller.send(sent);
            crowd.push(caller);
        }
    }
    let slowest = probe(&gateway);
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    // They were there all the time.
    for caller in crowd.iter_mut().skip(1).step_by(2).take(20) {
        assert_eq!(caller.ask(&NOTE[1..]).status, 204);
    }
    println!("{} slow: {slowest:?} where it was {idle:?}", crowd.len());
}

#[test]
fn thousands_who_do_nothing_cost_little() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(&folder, "timeouts: { idle: 5m }");
    let id = gateway.process.id();
    probe(&gateway);
    let before = memory(id, "VmRSS:");
    let served = |address: SocketAddr| {
        let mut caller = Caller::to(address);
        assert_eq!(caller.ask(get()).status, 200);
        caller
    };
    let crowd: Vec<_> = (0..2_000 * thousands()).map(|_| served(gateway.address)).collect();
    let each = (memory(id, "VmRSS:") - before) as f64 / crowd.len() as f64;
    println!("{} idle: {each:.1} KiB each; {:?} for others", crowd.len(), probe(&gateway));
    // Unoptimised, futures are a little larger.
    let most = if cfg!(debug_assertions) { 5.0 } else { 4.0 };
    assert!(each <= most, "{each} KiB for each connection");
}

#[test]
fn bodies_that_do_not_fit_at_once_are_refused_and_memory_stays_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = policy_file(&folder, "    bounds: { body: 2MiB, string: 2MiB }\n");
    let upstream = Upstream::start([]);
    let keys = format!("upstream: {{ url: \"http://{}\" }}\npolicy: {policy}", upstream.address);
    let gateway = gateway(&folder, &keys);
    let id = gateway.process.id();
    let body = NOTE.replace("\"n\"", &format!("\"{}\"", "n".repeat(1 << 20)));
    let head = format!(
        "PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (half, rest) = body.split_at(body.len() / 2);
    let request = format!("{head}{half}");
    // All have come halfway before any goes on.
    let halfway = std::sync::Barrier::new(500);
    let send = || {
        let mut caller = Caller::to(gateway.address);
        let _ = caller.try_send(request.as_bytes());
        halfway.wait();
        let _ = caller.try_send(rest.as_bytes());
        caller.reply().status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..500).map(|_| scope.spawn(send)).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).collect()
    });
    let most = memory(id, "VmHWM:") / 1024;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    println!("{} served, {} refused; {most} MiB at most", count(200), count(503));
    assert_eq!(count(200) + count(503), 500, "{statuses:?}");
    assert!(count(200) >= 60 && count(503) >= 100, "{statuses:?}");
    assert!(most <= 256, "{most} MiB");
    assert_eq!(Caller::to(gateway.address).ask(get()).status, 200);
}
