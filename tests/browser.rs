//! The page of the operator, in a real browser. What is looked at is in `tests/browser/page.mjs`.

use crate::cli::process::{Gateway, ask, gateway_file};
use crate::cli::referral;
use crate::harness::{free_port, packages};

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};

const KEYS: &str = "upstream: { url: sandbox }\nreload: { watch: false }\n\
    identity: [{ header: X-Partner, from: [127.0.0.1/32] }]\n\
    partners: [{ id: contoso, identities: [contoso], tier: gold }]\n\
    limits: { tiers: { gold: { requests: [600/1h] }, standard: { requests: [600/1h] } } }\n";
/// One that nobody would guess, if this were not a test.
const TOKEN: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// A scenario, while it runs.
struct Scenario {
    child: Child,
    input: ChildStdin,
    said: BufReader<std::process::ChildStdout>,
}

impl Scenario {
    fn start(name: &str, gateway: (SocketAddr, SocketAddr), path: &str) -> Self {
        let folder = packages::npm("browser");
        let (callers, admin) = gateway;
        let mut child = Command::new("node")
            .args(["page.mjs", name, &admin.to_string(), &callers.to_string(), path])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let input = child.stdin.take().expect("a pipe");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, input, said }
    }

    /// What it says next; nothing at its end.
    fn next(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("text");
        line.trim().to_owned()
    }

    fn go_on(&mut self) {
        writeln!(self.input, "go on").expect("it listens");
    }

    fn end(mut self) {
        assert_eq!(self.next(), "done", "see above");
        assert!(self.child.wait().expect("an end").success());
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        // After its end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the scenario `name` before a gateway with `keys`.
fn run(name: &str, keys: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, &format!("{KEYS}{keys}"));
    let gateway = Gateway::run(&config);
    Scenario::start(name, (gateway.address, gateway.admin), &config).end();
}

#[test]
fn every_panel_shows_what_is_so() {
    run("panels", "");
}

#[test]
fn a_refusal_appears_while_one_looks_with_its_explanation_and_without_values() {
    run("refusal", "");
}

#[test]
fn a_reload_that_failed_is_shown_with_its_faults_and_a_token_lets_the_page_try_again() {
    run("reload", &format!("admin: {{ listen: \"127.0.0.1:0\", token: {TOKEN} }}"));
}

#[test]
fn without_a_token_it_is_read_only_and_another_sites_page_gets_nothing() {
    run("readOnly", "");
}

#[test]
fn a_patch_is_judged_rule_by_rule_and_nothing_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(&folder, KEYS));
    let stored = folder.path().join("stored.json");
    fs::write(&stored, referral("Accepted")).expect("a file");
    let at = (gateway.address, gateway.admin);
    Scenario::start("tryIt", at, &stored.display().to_string()).end();
}

#[test]
fn it_is_for_everybody_light_and_dark_wide_and_narrow() {
    run("looks", "");
}

#[test]
fn it_survives_a_restart_of_the_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let (callers, admin) = (free_port(), free_port());
    let places =
        format!("listen: 127.0.0.1:{callers}\nadmin: {{ listen: \"127.0.0.1:{admin}\" }}\n");
    let config = gateway_file(&folder, &format!("{KEYS}{places}"));
    let gateway = Gateway::run(&config);
    let mut scenario = Scenario::start("restart", (gateway.address, gateway.admin), "");
    assert_eq!(scenario.next(), "stop");
    drop(gateway);
    scenario.go_on();
    assert_eq!(scenario.next(), "start");
    let _gateway = Gateway::run(&config);
    scenario.go_on();
    scenario.end();
}

#[test]
fn what_changes_something_asks_for_the_token_and_what_does_not_is_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = format!("{KEYS}admin: {{ listen: \"127.0.0.1:0\", token: {TOKEN} }}");
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let status = |request: &str, fields: &[&str]| ask(gateway.admin, request, fields, "x").status;
    let shown = format!("Authorization: Bearer {TOKEN}");
    for request in ["POST /reload", "POST /-/reload", "POST /drain", "PUT /loglevel"] {
        for wrong in
            ["", "Bearer", "Bearer x", &format!("Basic {TOKEN}"), &format!("Bearer {TOKEN}x")]
        {
            assert_eq!(status(request, &[&format!("Authorization: {wrong}")]), 401, "{request}");
        }
        let foreign = [&*shown, "Origin: http://evil.example"];
        assert_eq!(status(request, &foreign), 403, "{request}");
    }
    for request in ["GET /", "GET /status", "GET /metrics", "GET /config", "GET /pictures"] {
        assert_eq!(status(request, &[]), 200, "{request}");
    }
    // What is no question is told of by its place, and not repeated.
    for body in [r#""s3cr3t-m4rk""#, r#"{"route":"s3cr3t-m4rk""#, r#"{"s3cr3t-m4rk":1}"#] {
        let told = ask(gateway.admin, "POST /explain", &[], body);
        assert!(told.status == 400 && told.body.contains("line 1, column "), "{}", told.body);
        assert!(!told.body.contains("m4rk"), "{}", told.body);
    }
    let unknown = ask(gateway.admin, "POST /explain", &[], r#"{"route":"x","body":"[]"}"#);
    assert!(
        unknown.status == 422 && unknown.body.contains("`update-referral`"),
        "{}",
        unknown.body
    );
    let config = ask(gateway.admin, "GET /config", &[], "").body;
    assert!(config.contains("\"token\": \"***\"") && !config.contains(TOKEN));
    assert_eq!(status("POST /reload", &[&shown]), 200);
    // As the commands show it.
    let file = crate::cli::file(&folder, "token", &format!("{TOKEN}\n"));
    let admin = gateway.admin.to_string();
    let asked = crate::cli::process::patchgate(&["reload", "--admin", &admin]);
    assert!(asked.code == 1 && asked.err.contains("admin.token"), "{}", asked.err);
    let asked =
        crate::cli::process::patchgate(&["reload", "--admin", &admin, "--token-file", &file]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let short = gateway_file(&folder, &format!("{KEYS}admin: {{ token: short }}"));
    let told = crate::cli::process::patchgate(&["check", &short]);
    let told = format!("{}{}", told.out, told.err);
    assert!(told.contains("`token` has to be 32") && !told.contains("short"), "{told}");
}

#[test]
fn listeners_are_bounded_and_leave_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(&folder, KEYS));
    let listen = || {
        let mut tcp = std::net::TcpStream::connect(gateway.admin).expect("a connection");
        write!(tcp, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut line = String::new();
        let mut reader = BufReader::new(tcp);
        reader.read_line(&mut line).expect("an answer");
        (line, reader)
    };
    let all: Vec<_> = (0..16).map(|_| listen()).collect();
    assert!(all.iter().all(|(line, _)| line.starts_with("HTTP/1.1 200")));
    assert!(listen().0.starts_with("HTTP/1.1 503"));
    drop(all);
    crate::harness::eventually("they are gone", || listen().0.starts_with("HTTP/1.1 200"));
}
