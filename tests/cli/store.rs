//! Gateways as processes that share their limits in a real store.

use super::file;
use super::process::{Answer, Gateway, Lines, ask, gateway_file, patchgate, policy_file};
use crate::harness::{Authority, Caller, Redis, eventually};

use serde_json::Value;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const REFERRAL: &str = "GET /v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";

/// A gateway that shares its limits with another, and what else stands in its file.
fn gateway(store: &str, limits: &str) -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = format!(
        "upstream: {{ url: sandbox }}\nidentity: [{{ header: X-Partner }}]\npartners:\n{}limits:\n  {limits}\n  store: {{ replicas: 2, {store} }}\n",
        ["local", "open", "closed"]
            .map(|away| format!(
                "- {{ id: {away}, identities: [{away}], limits: {{ away: {away} }} }}\n"
            ))
            .concat(),
    );
    (Gateway::run(&gateway_file(&folder, &keys)), folder)
}

fn get(gateway: SocketAddr, partner: &str) -> Answer {
    ask(gateway, REFERRAL, &[&format!("X-Partner: {partner}")], "")
}

fn admitted(gateway: SocketAddr, partner: &str, count: u32) -> u32 {
    (0..count).filter(|_| get(gateway, partner).status == 200).count() as u32
}

/// The warnings and events about the store.
fn told(lines: &Lines) -> Vec<Value> {
    let text = lines.rest();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_about =
        |event: &Value| event["message"].as_str().is_some_and(|text| text.contains("store"));
    events.filter(is_about).collect()
}

#[test]
fn two_processes_share_a_quota_and_outlive_the_death_of_their_store_under_load() {
    let mut redis = Redis::start();
    let store = format!("url: \"redis://127.0.0.1:{}\", timeout: 1s", redis.port);
    let limits = "tiers: { standard: { requests: [40/24h] } }";
    let (one, other) = (gateway(&store, limits), gateway(&store, limits));
    let both = [one.0.address, other.0.address];
    let shared: u32 = both.map(|gateway| admitted(gateway, "local", 15)).iter().sum();
    assert_eq!(shared, 30);

    let (is_over, asked) = (AtomicBool::new(false), AtomicU32::new(0));
    let (slowest, after) = std::thread::scope(|scope| {
        let load = || {
            let mut slowest = Duration::ZERO;
            while !is_over.load(Ordering::Relaxed) {
                for partner in ["local", "open", "closed"] {
                    let began = Instant::now();
                    let status = get(both[0], partner).status;
                    slowest = slowest.max(began.elapsed());
                    assert!([200, 429, 503].contains(&status), "{partner} {status}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
            slowest
        };
        let threads = [(); 3].map(|()| scope.spawn(load));
        eventually("there is load", || asked.load(Ordering::Relaxed) > 30);
        redis.kill();
        let before = asked.load(Ordering::Relaxed);
        eventually("it goes on", || asked.load(Ordering::Relaxed) > before + 100);
        // Until one that has found out is closed.
        eventually("it is away", || get(both[1], "closed").status == 503);
        let after = (admitted(both[1], "open", 60), get(both[1], "closed"));
        is_over.store(true, Ordering::Relaxed);
        (threads.map(|thread| thread.join().expect("no panic")).into_iter().max(), after)
    });
    // The bound is a second, for a busy machine; who is told of the death does not wait for it.
    assert!(slowest < Some(Duration::from_secs(2)), "{slowest:?}");
    assert_eq!(after.0, 60);
    let problem: Value = serde_json::from_str(&after.1.body).expect("a problem");
    assert_eq!((after.1.status, &problem["code"]), (503, &"limits-unavailable".into()));
    for admin in [one.0.admin, other.0.admin] {
        assert_eq!(ask(admin, "GET /readyz", &[], "").status, 200);
    }

    redis.revive();
    for gateway in both {
        eventually("it is back", || get(gateway, "closed").status != 503);
    }
    // What was let through while it was away is spent.
    assert_eq!(both.map(|gateway| admitted(gateway, "open", 5)), [0, 0]);
    for (gateway, _folder) in [one, other] {
        gateway.process.signal("TERM");
        let told = told(&gateway.process.err);
        let told: Vec<_> = told.iter().filter_map(|event| event["message"].as_str()).collect();
        assert_eq!(
            told,
            ["the store of the limits is away", "the store of the limits is back"],
            "once each"
        );
    }
}

/// `STORE=60 cargo test --release over_time -- --nocapture` takes a minute, and tells what a request
/// takes.
#[test]
fn over_time_two_processes_admit_what_one_quota_allows() {
    let seconds = std::env::var("STORE").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let redis = Redis::start();
    let store = format!("url: \"redis://127.0.0.1:{}\"", redis.port);
    let limits = "tiers: { standard: { requests: [100/1s burst 50] } }";
    let both = [gateway(&store, limits), gateway(&store, limits)];
    let began = Instant::now();
    let is_over = || began.elapsed() > Duration::from_secs(seconds);
    let (admitted, times): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let threads = [0, 1, 0, 1].map(|at: usize| {
            let mut caller = Caller::to(both[at].0.address);
            let text = format!("{REFERRAL} HTTP/1.1\r\nHost: test\r\nX-Partner: local\r\nAuthorization: Bearer x\r\n\r\n");
            scope.spawn(move || {
                let (mut admitted, mut times) = (0, Vec::new());
                while !is_over() {
                    let before = Instant::now();
                    let status = caller.ask(&text).status;
                    times.push(before.elapsed());
                    assert!([200, 429].contains(&status), "{status}");
                    admitted += u32::from(status == 200);
                }
                (admitted, times)
            })
        });
        threads.map(|thread| thread.join().expect("no panic")).into_iter().unzip()
    });
    let allowed = 100.0 * began.elapsed().as_secs_f64() + 50.0;
    let admitted = f64::from(admitted.iter().sum::<u32>());
    let mut times: Vec<Duration> = times.concat();
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!(
        "{admitted} admitted of {allowed:.0}; {} requests, median {:?}, p99 {:?}",
        times.len(),
        at(0.5),
        at(0.99),
    );
    assert!(admitted <= allowed * 1.01 + 1.0, "{admitted} of {allowed}");
    assert!(admitted >= (allowed - 50.0) * 0.95, "{admitted} of {allowed}");
}

#[test]
fn malformed_requests_are_spent_in_the_store_too_where_they_count() {
    let redis = Redis::start();
    let store = format!("url: \"redis://127.0.0.1:{}\", timeout: 500ms", redis.port);
    let limits = "tiers: { standard: { requests: [10/24h] } }\n  counts: { malformed: true }";
    let (one, other) = (gateway(&store, limits), gateway(&store, limits));
    let malformed = |gateway: &Gateway| {
        let patch = REFERRAL.replace("GET", "PATCH");
        (0..8)
            .filter(|_| ask(gateway.address, &patch, &["X-Partner: local"], "[").status == 400)
            .count()
    };
    assert_eq!(malformed(&one.0) + malformed(&other.0), 10);
}

#[test]
fn a_route_that_is_closed_spends_in_the_store_too_and_stays_closed_without_it() {
    let mut redis = Redis::start();
    let folder = tempfile::tempdir().expect("a folder");
    let policy = policy_file(&folder, "    partners: [other]\n");
    let store = format!(
        "url: \"redis://127.0.0.1:{}\", timeout: 500ms }}\npolicy: {policy}\nlog: {{ access: off",
        redis.port
    );
    let limits = "tiers: { standard: { requests: [10/24h] } }";
    let (one, other) = (gateway(&store, limits), gateway(&store, limits));
    let patch = REFERRAL.replace("GET", "PATCH");
    let asked = |gateway: &Gateway, partner: &str| {
        ask(gateway.address, &patch, &[&format!("X-Partner: {partner}")], "[]").status
    };
    let closed = |gateway: &Gateway| (0..8).filter(|_| asked(gateway, "local") == 403).count();
    assert_eq!(closed(&one.0) + closed(&other.0), 10);
    redis.kill();
    assert_eq!((asked(&one.0, "open"), asked(&one.0, "closed")), (403, 503));
}

#[test]
fn a_reload_takes_another_password_and_none_is_ever_told() {
    let authority = Authority::new();
    let redis = Redis::guarded(&authority, "m4rk3d-right");
    let folder = tempfile::tempdir().expect("a folder");
    file(&folder, "password", "m4rk3d-wrong\n");
    std::fs::copy(authority.path(), folder.path().join("ca.pem")).expect("a copy");
    let keys = format!(
        "upstream: {{ url: sandbox }}\nreload: {{ watch: false }}\nlimits:\n  tiers: {{ standard: {{ requests: [20/24h] }} }}\n  store:\n    url: rediss://localhost:{}\n    username: gate\n    password: ${{file:password}}\n    ca_file: ca.pem\n    away: closed\n    timeout: 500ms\n",
        redis.port
    );
    let config = gateway_file(&folder, &keys);
    let shown = patchgate(&["check", "--print-config", &config]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(!format!("{}{}", shown.out, shown.err).contains("m4rk3d"), "{}", shown.out);
    // Neither asks the store.
    assert_eq!(patchgate(&["whoami", "--config", &config]).code, 0);

    let gateway = Gateway::run(&config);
    assert_eq!(get(gateway.address, "x").status, 503);
    // What it has said of that by now is gone.
    file(&folder, "password", "m4rk3d-other\n");
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    let why = gateway.process.err.event("the store of the limits is away")["why"].to_string();
    assert!(why.contains("it refused") && !why.contains("m4rk3d"), "{why}");
    file(&folder, "password", "m4rk3d-right\n");
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!(admitted(gateway.address, "x", 25), 20);
    gateway.process.signal("TERM");
    let log = gateway.process.err.rest();
    assert!(!log.contains("m4rk3d"), "{log}");
}

#[test]
fn what_is_wrong_with_a_store_is_told_at_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |store: &str| {
        let keys = format!("upstream: {{ url: sandbox }}\nlimits: {{ store: {{ {store} }} }}");
        patchgate(&["check", &gateway_file(&folder, &keys)])
    };
    for (store, said) in [
        ("url: \"http://store\"", "`url` is not `redis://HOST:PORT`"),
        ("url: \"redis://u:p@store\"", "may not name a user"),
        ("url: \"redis://store\", ca_file: x", "`url` is not `rediss://`"),
        ("url: \"rediss://store\", ca_file: x", "`ca_file` cannot be read"),
        ("url: \"redis://store\", username: a", "`password` is missing"),
        ("url: \"redis://store\", timeout: 2s", "`1s` is the most"),
        ("url: \"redis://store\", prefix: \"a}b\"", "prefix"),
        ("replicas: 2", "`url` is missing"),
    ] {
        let found = check(store);
        assert_eq!(found.code, 1, "{store}: {}{}", found.out, found.err);
        let text = format!("{}{}", found.out, found.err);
        assert!(text.contains(said), "{store}: {text}");
    }
    let open = check("url: \"redis://store\", password: abc");
    assert!(format!("{}{}", open.out, open.err).contains("stands in the open"), "{}", open.err);
}
