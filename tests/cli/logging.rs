//! Row 180 of the catalogue of threats: logs that nobody reads, that are closed, or that find no room.
//! Whoever is served does not notice.

use super::process::{Gateway, PROGRAM, Process, ask, gateway_file};
use crate::harness::{Caller, eventually, free_port};

use serde_json::Value;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;

/// A gateway, one of whose outputs is a pipe that the test
/// holds open and does not read.
struct Unread {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
    pipe: File,
    _folder: tempfile::TempDir,
}

impl Unread {
    /// `output` goes there, where the shell is to see to that; else the file of the access log is the pipe.
    fn new(output: Option<&str>, upstream: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        // Whoever has both ends waits for nobody.
        let pipe = File::options().read(true).write(true).open(&path).expect("a pipe");
        let [address, admin] = [free_port(), free_port()].map(|port| ([127, 0, 0, 1], port).into());
        let access = output.map_or_else(|| path.display().to_string(), |_| "stdout".to_owned());
        let keys = format!(
            "upstream: {{ url: \"{upstream}\" }}\nlimits: {{ tiers: {{ standard: {{}} }} }}\n\
             log: {{ access: {access} }}\nlisten: {address}\n\
             admin: {{ listen: \"{admin}\" }}"
        );
        let mut bash = Command::new("bash");
        let output = output.map(|output| format!("{output}\"$PIPE\"")).unwrap_or_default();
        bash.args(["-c", &format!("exec \"$PROGRAM\" run --config \"$CONFIG\" {output}")]);
        bash.env("PROGRAM", PROGRAM).env("CONFIG", gateway_file(&folder, &keys)).env("PIPE", path);
        let process = Process::start(&mut bash);
        eventually("it listens", || TcpStream::connect(admin).is_ok());
        Self { process, address, admin, pipe, _folder: folder }
    }

    /// Sends so many patches, each of which has to be answered with `status`.
    fn send(&self, count: usize, status: u16) {
        let mut caller = Caller::to(self.address);
        let length = NOTE.len();
        for _ in 0..count {
            let reply = caller.ask(format!(
                "PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{NOTE}"
            ));
            assert_eq!(reply.status, status);
        }
    }

    fn lost(&self) -> u64 {
        lost(self.admin)
    }
}

/// How many writes of the access log have failed.
fn lost(admin: SocketAddr) -> u64 {
    counted(admin, "patchgate_access_log_lost_writes_total ")
}

fn counted(admin: SocketAddr, name: &str) -> u64 {
    let text = ask(admin, "GET /metrics", &[], "").body;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a number").parse().expect("a number")
}

#[test]
fn an_access_log_that_nobody_reads_keeps_nobody_waiting() {
    keeps_nobody_waiting(Unread::new(Some(">"), "sandbox"));
}

/// As one on a disk that is too busy to take it.
#[test]
fn a_file_that_takes_no_lines_keeps_nobody_waiting() {
    keeps_nobody_waiting(Unread::new(None, "sandbox"));
}

fn keeps_nobody_waiting(gateway: Unread) {
    // More than the pipe takes, and than may wait.
    let began = Instant::now();
    while gateway.lost() == 0 {
        gateway.send(200, 204);
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is ever lost");
    }
    // Who reads again gets whole lines.
    let lines = BufReader::new(gateway.pipe.try_clone().expect("a pipe")).lines();
    for line in lines.take(1000) {
        let line = line.expect("a line");
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(line["status"], 204);
    }
    gateway.send(1, 204);
    // Whoever stops reading for good does not keep it from ending.
    gateway.process.signal("TERM");
    let began = Instant::now();
    assert_eq!(gateway.process.end(), 0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn events_that_nobody_reads_keep_nobody_waiting() {
    // Each request has a warning, as nobody listens there.
    let gateway = Unread::new(Some("2>"), "http://127.0.0.1:1");
    gateway.send(1_000, 502);
    let began = Instant::now();
    while counted(gateway.admin, "patchgate_events_lost_total ") == 0 {
        gateway.send(200, 502);
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is ever lost");
    }
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
}

#[test]
fn a_log_that_cannot_be_written_is_counted_and_nobody_else_notices() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = "upstream: { url: sandbox }\nlog: { access: /dev/full }";
    let gateway = Gateway::run(&gateway_file(&folder, keys));
    let send = || ask(gateway.address, &format!("PATCH {TARGET}"), &[], NOTE).status;
    assert_eq!([(); 2].map(|()| send()), [204; 2]);
    eventually("it is counted", || lost(gateway.admin) > 0);
    let event = gateway.process.err.event("the access log cannot be written");
    assert!(
        event["error"].as_str().is_some_and(|error| error.contains("No space left")),
        "{event}"
    );
    // A pipe whose reader has gone.
    let Unread { process, address, admin, pipe, .. } = Unread::new(Some(">"), "sandbox");
    drop(pipe);
    let gateway = Gateway { process, address, admin };
    eventually("it is counted", || {
        assert_eq!(ask(address, &format!("PATCH {TARGET}"), &[], NOTE).status, 204);
        lost(gateway.admin) > 0
    });
    let event = gateway.process.err.event("the access log cannot be written");
    assert!(event["error"].as_str().is_some_and(|error| error.contains("Broken pipe")), "{event}");
}

#[test]
fn a_file_has_each_line_whole_and_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let keys = format!(
        "upstream: {{ url: sandbox }}\nworkers: 1\nlimits: {{ tiers: {{ standard: {{}} }} }}\nlog: {{ access: {} }}",
        path.display()
    );
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let (callers, each) = (6, 200);
    std::thread::scope(|scope| {
        for name in 0..callers {
            let address = gateway.address;
            scope.spawn(move || {
                let mut caller = Caller::to(address);
                for number in 0..each {
                    let reply = caller.ask(format!(
                        "GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Request-ID: {name}-{number}\r\n\r\n"
                    ));
                    assert_eq!(reply.status, 404);
                }
            });
        }
    });
    let lines = || std::fs::read_to_string(&path).expect("a log");
    let count = callers * each;
    eventually("all are written", || lines().lines().count() >= count);
    let text = lines();
    let id = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a whole line");
        line["request_id"].as_str().expect("an id").to_owned()
    };
    let ids: BTreeSet<_> = text.lines().map(id).collect();
    assert_eq!((ids.len(), text.lines().count()), (count, count), "each once");
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
}
