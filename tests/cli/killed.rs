//! An upstream that is killed while it is at work: a process of its own, so that nothing of it is left.

use super::process::{Gateway, Process, gateway_file};
use crate::harness::Caller;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Where the upstream listens, in the process that is it; and the file that it writes the ids of
/// requests to.
const LISTEN: &str = "PATCHGATE_TEST_LISTEN";
const SEEN: &str = "PATCHGATE_TEST_SEEN";

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;

/// Notes the id of each request once it is whole, and then answers it.
fn serve(mut tcp: TcpStream, mut seen: File) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").filter(|(_, body)| body.len() >= NOTE.len());
        if let Some((head, _)) = whole {
            let id = head.lines().find_map(|line| line.strip_prefix("request-id: "));
            let line = format!("{}\n", id.expect("an id"));
            seen.write_all(line.as_bytes()).expect("a line");
            bytes.clear();
            // Some are at work when the end comes.
            std::thread::sleep(Duration::from_millis(2));
            if tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").is_err() {
                return;
            }
        }
        match tcp.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Listens until it is killed.
fn be_the_upstream(listen: &str) {
    let seen = std::env::var(SEEN).expect("a file");
    let listener = TcpListener::bind(listen).expect("the address");
    writeln!(std::io::stdout(), "listening").expect("a pipe");
    for tcp in listener.incoming() {
        let seen = OpenOptions::new().append(true).open(&seen).expect("the file");
        std::thread::spawn(|| serve(tcp.expect("a connection"), seen));
    }
}

/// This very test in another process, where it is the upstream.
fn upstream(address: SocketAddr, seen: &Path) -> Process {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    let name = std::thread::current().name().expect("a test has a name").to_owned();
    command.args(["--exact", &name, "--nocapture"]);
    let process = Process::start(command.env(LISTEN, address.to_string()).env(SEEN, seen));
    process.out.find(|line| line.contains("listening").then_some(()));
    process
}

/// What became of one request.
struct Told {
    at: Instant,
    id: String,
    status: u16,
    outcome: String,
}

/// Sends one request after the other until `end`, each with an id of its own.
fn load(gateway: SocketAddr, caller: usize, end: Instant) -> Vec<Told> {
    let mut told = Vec::new();
    let mut connection = Caller::to(gateway);
    while Instant::now() < end {
        let id = format!("{caller}-{}", told.len());
        let began = Instant::now();
        let request = format!(
            "PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nRequest-ID: {id}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{NOTE}",
            NOTE.len()
        );
        let reply = connection.ask(request);
        assert!(reply.whole && began.elapsed() < Duration::from_secs(3), "{id} hung");
        let status = reply.status;
        let outcome = match status {
            200 => "applied".to_owned(),
            502..=504 => reply.json()["outcome"].as_str().expect("an outcome").to_owned(),
            other => panic!("{other}: {reply:?}"),
        };
        told.push(Told { at: Instant::now(), id, status, outcome });
        // Without an upstream a refusal takes no time.
        std::thread::sleep(Duration::from_millis(if status == 200 { 0 } else { 5 }));
    }
    told
}

/// Row 158 of the threats.
#[test]
fn what_is_lost_with_an_upstream_is_told_and_nothing_is_sent_twice() {
    if let Ok(listen) = std::env::var(LISTEN) {
        return be_the_upstream(&listen);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    fs::write(&seen, "").expect("a file");
    // Not one of those that connections are made from: it could be taken while nobody listens.
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (20_000..30_000).skip(std::process::id() as usize % 5_000).find(free);
    let address = SocketAddr::from(([127, 0, 0, 1], port.expect("a free port")));
    let first = upstream(address, &seen);
    let keys = format!(
        "upstream: {{ url: \"http://{address}\" }}\nlimits: {{ tiers: {{ standard: {{}} }} }}"
    );
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let end = Instant::now() + Duration::from_secs(5);
    let (killed, back, told) = std::thread::scope(|scope| {
        let reached = gateway.address;
        let callers: Vec<_> =
            (0..8).map(|at| scope.spawn(move || load(reached, at, end))).collect();
        std::thread::sleep(Duration::from_secs(1));
        first.signal("KILL");
        let killed = Instant::now();
        std::thread::sleep(Duration::from_secs(2));
        let second = upstream(address, &seen);
        let back = Instant::now();
        let told = callers.into_iter().flat_map(|caller| caller.join().expect("a caller"));
        let told: Vec<_> = told.collect();
        drop(second);
        (killed, back, told)
    });
    drop(first);
    let text = fs::read_to_string(&seen).expect("the file");
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for id in text.lines() {
        *times.entry(id).or_default() += 1;
    }
    for (id, times) in &times {
        assert_eq!(*times, 1, "{id} came twice");
    }
    for one in &told {
        match &*one.outcome {
            "applied" => assert!(times.contains_key(&*one.id), "{} never came", one.id),
            "not-applied" => assert!(!times.contains_key(&*one.id), "{} was applied", one.id),
            "unknown" => assert_eq!(one.status, 502),
            other => panic!("{other}"),
        }
    }
    let count = |wanted: &str| told.iter().filter(|one| one.outcome == wanted).count();
    let before = |one: &&Told| one.at < killed && one.status == 200;
    let after = |one: &&Told| one.at > back && one.status == 200;
    let late =
        told.iter().filter(|one| one.status != 200 && one.at > back + Duration::from_secs(1));
    assert_eq!(late.count(), 0, "it is served again at once");
    assert!(told.iter().filter(before).count() > 50 && told.iter().filter(after).count() > 50);
    assert!(count("not-applied") > 50, "while it was away");
    assert!(count("unknown") <= 8, "no more than were at work");
    println!(
        "{} applied, {} unknown, {} not applied",
        count("applied"),
        count("unknown"),
        count("not-applied")
    );
}
