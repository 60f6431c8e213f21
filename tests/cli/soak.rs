//! Full load for a long time, with bad input and an upstream that fails now and then: nothing grows, and
//! all that was taken is given back. `SOAK=30` takes so many minutes instead of some seconds, and
//! `SOAK_PROGRAM` names another program, as one built for release.

use super::process::{Gateway, PROGRAM, ask, gateway_file};
use super::replay::policy_with;
use crate::harness::eventually;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const WON: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;
const CALLERS: u64 = 8;
/// How often the configuration is loaded before memory is looked at, in a long soak.
const RELOADS: u64 = 20;
/// How an upstream fails: not, by an end, by a status, by a pause, by nonsense.
const FAULTS: [u8; 5] = [0, 1, 2, 3, 4];

/// Answers whatever comes, as `fault` says at the moment.
fn upstream(fault: &Arc<AtomicU8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let fault = Arc::clone(fault);
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let fault = Arc::clone(&fault);
            std::thread::spawn(move || serve(tcp.expect("a connection"), &fault));
        }
    });
    address
}

fn serve(mut tcp: TcpStream, fault: &AtomicU8) -> Option<()> {
    let document = super::referral("Accepted");
    let found = format!(
        "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{document}",
        document.len()
    );
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let whole = length(&bytes).filter(|length| bytes.len() >= *length);
        let Some(length) = whole else {
            match tcp.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
            }
            continue;
        };
        let answer = match (fault.load(Ordering::Relaxed), bytes.starts_with(b"GET")) {
            (1, _) => return None,
            (2, _) => "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
            (4, _) => "nonsense\r\n\r\n",
            (mode, is_get) => {
                if mode == 3 {
                    std::thread::sleep(Duration::from_millis(300));
                }
                if is_get { &*found } else { "HTTP/1.1 204 No Content\r\n\r\n" }
            }
        };
        bytes.drain(..length);
        tcp.write_all(answer.as_bytes()).ok()?;
    }
}

/// How long the first message in `bytes` is, once its head is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + body.map_or(0, |length| length.parse().expect("a number")))
}

/// What a caller sends as its request `number`: one in twenty is bad.
fn request(number: u64) -> Vec<u8> {
    let patch = |body: &str| {
        format!(
            "PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match number % 100 {
        7 => patch("[{\"op\":"),
        27 => patch(r#"[{"op":"remove","path":"/status"}]"#),
        47 => patch(&format!("[{}]", "1,".repeat(20_000) + "1")),
        67 => format!("PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        87 => "GET /%00 HTTP/9.9\nx".to_owned(),
        number if number % 3 == 0 => patch(WON),
        _ => patch(NOTE),
    };
    text.into_bytes()
}

/// Sends request after request; connects anew where it has to. Counts what was answered.
fn call(address: SocketAddr, until: Instant, answered: &AtomicU64) {
    let mut number = 0;
    let mut piece = [0; 16 << 10];
    while Instant::now() < until {
        let Ok(mut tcp) = TcpStream::connect(address) else { continue };
        tcp.set_read_timeout(Some(Duration::from_secs(10))).expect("a bound");
        while Instant::now() < until {
            number += 1;
            let sent = tcp.write_all(&request(number));
            let mut bytes = Vec::new();
            while sent.is_ok() && length(&bytes).is_none_or(|length| bytes.len() < length) {
                match tcp.read(&mut piece) {
                    Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
                    Ok(_) | Err(_) => break,
                }
            }
            let head = String::from_utf8_lossy(&bytes);
            if head.is_empty() {
                break;
            }
            answered.fetch_add(1, Ordering::Relaxed);
            if head.contains("connection: close") {
                break;
            }
        }
    }
}

/// Looks at the page, and counts what it hears.
fn listen(admin: SocketAddr, until: Instant) -> u64 {
    let mut tcp = TcpStream::connect(admin).expect("a connection");
    tcp.set_read_timeout(Some(Duration::from_secs(10))).expect("a bound");
    tcp.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let lines = BufReader::new(tcp).lines();
    let events = lines.map_while(Result::ok).filter(|line| line.starts_with("data: "));
    events.take_while(|_| Instant::now() < until).count() as u64
}

/// What the system knows of a process: its memory in KiB, its open files, its threads.
fn look(id: u32) -> (u64, usize, usize) {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let memory = line.trim_matches(|other: char| !other.is_ascii_digit()).parse();
    let count = |what: &str| fs::read_dir(format!("/proc/{id}/{what}")).expect("a list").count();
    (memory.expect("a number"), count("fd"), count("task"))
}

/// What was logged is not kept: a day of it would fill the disk.
fn remove_put_away(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("audit.log.") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[test]
fn under_load_and_faults_nothing_grows_and_all_is_given_back() {
    let minutes: Option<u64> =
        std::env::var("SOAK").ok().map(|text| text.parse().expect("SOAK is a number"));
    let time = minutes.map_or(Duration::from_secs(12), |minutes| Duration::from_secs(60 * minutes));
    let every = minutes.map_or(Duration::from_millis(1500), |_| Duration::from_secs(30));
    let folder = tempfile::tempdir().expect("a folder");
    let fault = Arc::new(AtomicU8::new(0));
    let address = upstream(&fault);
    let collector = upstream(&Arc::default());
    let shadow =
        policy_with(&folder, "shadow.yaml", &[("if_match: optional", "if_match: required")]);
    let at = folder.path().display();
    let keys = format!(
        "upstream: {{ url: \"http://{address}\", idle_timeout: 2s }}\nshadow: {shadow}\nworkers: 2\n\
         limits: {{ tiers: {{ standard: {{}} }} }}\nreload: {{ watch: false }}\n\
         log: {{ access: /dev/null, level: info }}\n\
         audit: {{ file: {at}/audit.log, rotate_size: 10MiB }}\n\
         trace: {{ export: {{ endpoint: \"http://{collector}/\", ratio: 0.05 }} }}\n"
    );
    let program = std::env::var("SOAK_PROGRAM").unwrap_or_else(|_| PROGRAM.to_owned());
    let config = gateway_file(&folder, &keys);
    let gateway = Gateway::start(Command::new(program).args(["run", "--config", &config]));
    // It has said where it serves; more than that would be kept here.
    let quiet = ask(gateway.admin, "PUT /loglevel", &[], "error");
    assert_eq!(quiet.status, 200);
    let id = gateway.process.id();
    // What a worker makes once for its first requests is there.
    ask(gateway.address, &format!("PATCH {TARGET}"), &[], NOTE);
    let (_, files, threads) = look(id);

    let answered = Arc::new(AtomicU64::new(0));
    let warm_up = Duration::from_secs(minutes.map_or(0, |_| RELOADS));
    let until = Instant::now() + warm_up + time;
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let answered = Arc::clone(&answered);
            let address = gateway.address;
            std::thread::spawn(move || call(address, until, &answered))
        })
        .collect();
    let looking = std::thread::spawn({
        let admin = gateway.admin;
        move || listen(admin, until)
    });
    // What a reload needs for a moment stays with the allocator, and each finds it in other pieces.
    for _ in 0..warm_up.as_secs() {
        gateway.process.signal("HUP");
        std::thread::sleep(Duration::from_secs(1));
        remove_put_away(folder.path());
    }
    let taken = |text: &str| {
        let counted = |line: &str| {
            line.strip_prefix("patchgate_reloads_total{result=\"taken\"} ")?.parse().ok()
        };
        text.lines().find_map(counted).unwrap_or(0_usize)
    };
    let before = taken(&ask(gateway.admin, "GET /metrics", &[], "").body);
    let began = Instant::now();
    let mut samples = Vec::new();
    let mut faults = 0_usize;
    while Instant::now() < until {
        // For a tenth of the time it fails, in one way after the other.
        std::thread::sleep(every * 9 / 10);
        faults += 1;
        fault.store(FAULTS[faults % FAULTS.len()], Ordering::Relaxed);
        gateway.process.signal("HUP");
        if faults.is_multiple_of(4) {
            gateway.process.signal("USR1");
        }
        std::thread::sleep(every / 10);
        fault.store(0, Ordering::Relaxed);
        samples.push((began.elapsed(), look(id).0));
        remove_put_away(folder.path());
    }
    callers.into_iter().for_each(|caller| caller.join().expect("a caller"));
    let events = looking.join().expect("one who looks");
    assert!(events + 3 > (warm_up + time).as_secs(), "{events} events");
    let mean = |from: f64, to: f64| {
        let within = samples.iter().filter(|(at, _)| {
            let share = at.as_secs_f64() / time.as_secs_f64();
            (from..=to).contains(&share)
        });
        let memory: Vec<u64> = within.map(|(_, memory)| *memory).collect();
        memory.iter().sum::<u64>() as f64 / memory.len().max(1) as f64
    };
    let (early, late) = (mean(0.25, 0.5), mean(0.75, 1.1));
    let drift = (late / early - 1.0) * 100.0;
    let count = answered.load(Ordering::Relaxed);
    println!(
        "{count} answered, {faults} faults; {early:.0} KiB, then {late:.0} KiB: {drift:+.1} %"
    );
    assert!(count > 500, "{count}");
    // Some seconds are no time to tell a leak from a warm-up.
    let most = if minutes.is_some() { 5.0 } else { 40.0 };
    assert!(drift < most, "{early} KiB became {late} KiB");
    eventually("all connections are gone", || look(id).1 <= files + 8);
    assert_eq!(look(id).2, threads);
    eventually("nothing is under way", || {
        let text = ask(gateway.admin, "GET /metrics", &[], "").body;
        text.lines().any(|line| line == "http_server_active_requests 0")
            && text.lines().any(|line| line == "patchgate_audit_queue 0")
            && !text.lines().any(|line| line == "patchgate_spans_exported_total 0")
            && text.lines().any(|line| line == "patchgate_spans_dropped_total 0")
    });
    let text = ask(gateway.admin, "GET /metrics", &[], "").body;
    assert!(text.lines().any(|line| line == "patchgate_reloads_total{result=\"refused\"} 0"));
    // Of two signals that come while it loads, it hears one.
    assert!(taken(&text) > before + faults / 2, "{} loads, {faults} faults", taken(&text) - before);
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
}
