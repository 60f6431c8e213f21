//! Runs the program, and waits for what it says: with a bound, and never for luck.

use serde_json::Value;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The longest that anything may take; only a failure takes it.
pub const BOUND: Duration = Duration::from_secs(60);

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_patchgate");

/// What a command that ends by itself came to.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command that ends by itself.
pub fn patchgate(arguments: &[&str]) -> Finished {
    finish(Command::new(PROGRAM).args(arguments))
}

/// Runs `command` in the repository to its end.
pub fn finish(command: &mut Command) -> Finished {
    let mut process = Process::start(command);
    let (out, err) = (process.out.rest(), process.err.rest());
    let code = process.child.wait().expect("an end").code().expect("no signal ends it");
    Finished { code, out, err }
}

/// A gateway file in `folder` with the shipped policy and free ports, but for what `keys` say.
pub fn gateway_file(folder: &tempfile::TempDir, keys: &str) -> String {
    let mut text = format!("apiVersion: patchgate/v1\nkind: Gateway\n{keys}\n");
    let policy =
        concat!(env!("CARGO_MANIFEST_DIR"), "/config/policies/partner-center-referrals.yaml");
    for (key, line) in [
        ("\npolicy:", format!("policy: {policy}\n")),
        ("\nlisten:", "listen: 127.0.0.1:0\n".to_owned()),
        ("\nadmin:", "admin: { listen: \"127.0.0.1:0\" }\n".to_owned()),
        ("\nworkers:", "workers: 1\n".to_owned()),
        ("\nlog:", "log: { access: off }\n".to_owned()),
    ] {
        if !text.contains(key) {
            text.push_str(&line);
        }
    }
    let path = folder.path().join("gateway.yaml");
    fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// The shipped policy with `more` in the route for patches, as a file in `folder`.
pub fn policy_file(folder: &tempfile::TempDir, more: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let shipped = format!("{root}/config/policies/partner-center-referrals.yaml");
    let text = fs::read_to_string(shipped).expect("the policy");
    let text = text.replace("schema: ", &format!("schema: {root}/config/policies/"));
    let text = text.replace("cases: ", &format!("cases: {root}/config/policies/"));
    let route = "  - id: update-referral\n";
    let text = text.replace(route, &format!("{route}{more}"));
    let path = folder.path().join("policy.yaml");
    fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// A process of ours; it is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub out: Lines,
    pub err: Lines,
}

impl Process {
    /// Starts `command` in the repository.
    pub fn start(command: &mut Command) -> Self {
        let command =
            command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("PATCHGATE_CONFIG");
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let out = Lines::of(child.stdout.take().expect("a pipe"));
        let err = Lines::of(child.stderr.take().expect("a pipe"));
        Self { child, out, err }
    }

    /// Sends the signal `name`, as `HUP`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("bash").args(["-c", &kill]).status().expect("bash");
        assert!(sent.success(), "{kill}");
    }

    /// The number that the system knows it by.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; gives the exit code.
    pub fn end(mut self) -> i32 {
        drop((self.out.rest(), self.err.rest()));
        self.child.wait().expect("an end").code().expect("no signal ends it")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After its end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process writes, line by line.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next line that `wanted` finds something in, and what it finds.
    pub fn find<T>(&self, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let end = Instant::now() + BOUND;
        let mut passed = Vec::new();
        loop {
            match self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => match wanted(&line) {
                    Some(found) => return found,
                    None => passed.push(line),
                },
                Err(error) => panic!("{error}; there was only\n{}", passed.join("\n")),
            }
        }
    }

    /// The next event whose message is `message`.
    pub fn event(&self, message: &str) -> Value {
        self.find(|line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["message"] == message).then_some(event)
        })
    }

    /// Everything up to the end.
    pub fn rest(&self) -> String {
        let end = Instant::now() + BOUND;
        let mut text = String::new();
        loop {
            match self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => text.extend([&*line, "\n"]),
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {text}"),
            }
        }
    }
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Gateway {
    pub process: Process,
    pub address: SocketAddr,
    pub admin: SocketAddr,
}

impl Gateway {
    /// Runs the gateway file `config`.
    pub fn run(config: &str) -> Self {
        Self::start(Command::new(PROGRAM).args(["run", "--config", config]))
    }

    /// Runs `command`, which leads to a gateway.
    pub fn start(command: &mut Command) -> Self {
        let process = Process::start(command);
        let serving = process.err.event("serving");
        let address = |key: &str| serving[key].as_str().expect("text").parse().expect("an address");
        Self { address: address("listen"), admin: address("admin"), process }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Sends one request to `address` and reads the answer to its end.
pub fn ask(address: SocketAddr, request: &str, fields: &[&str], body: &str) -> Answer {
    let mut tcp = TcpStream::connect(address).expect("a connection");
    tcp.set_read_timeout(Some(BOUND)).expect("a bound");
    let mut head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let shows = fields.iter().any(|field| field.starts_with("Authorization:"));
    for field in (!shows).then_some(&"Authorization: Bearer x").into_iter().chain(fields) {
        head.extend([*field, "\r\n"]);
    }
    if !body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    write!(tcp, "{head}\r\n{body}").expect("a request that is read");
    let mut text = String::new();
    tcp.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    Answer { status, body: body.to_owned() }
}
