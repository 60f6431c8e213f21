//! The audit log of a gateway that runs, and what verifies it.

use super::process::{Finished, Gateway, PROGRAM, ask, gateway_file, patchgate};
use super::{WON, file};
use crate::docs::rows;
use crate::harness::{Act, Caller, Upstream, answer, eventually};

use serde_json::{Value, json};
use tempfile::TempDir;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const ID: &str = "10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n0t3-m4rk"}]"#;

fn target() -> String {
    format!("/v1.0/engagements/referrals/{ID}")
}

fn patch(gateway: &Gateway, body: &str) -> u16 {
    ask(gateway.address, &format!("PATCH {}", target()), &[], body).status
}

fn log_in(folder: &TempDir) -> PathBuf {
    folder.path().join("audit.log")
}

/// A gateway before the sandbox, unless `keys` have another upstream; its log has `more`.
fn config(folder: &TempDir, more: &str, keys: &str) -> String {
    let log = log_in(folder);
    let upstream = if keys.contains("upstream:") { "" } else { "upstream: { url: sandbox }\n" };
    let keys = format!("{upstream}{keys}\naudit: {{ file: {}{more} }}\n", log.display());
    gateway_file(folder, &keys)
}

fn read(folder: &TempDir) -> Vec<Value> {
    let text = fs::read_to_string(log_in(folder)).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The records of changes, once there are `count`.
fn changes(folder: &TempDir, count: usize) -> Vec<Value> {
    let read = || -> Vec<Value> {
        let mut all = read(folder);
        all.retain(|record| record.get("event").is_none());
        all
    };
    eventually("they are written", || read().len() == count);
    read()
}

fn verify(arguments: &[&str]) -> Finished {
    patchgate(&[&["audit", "verify"], arguments].concat())
}

/// What `verify` says of the log of a gateway.
fn verified(folder: &TempDir) -> Value {
    let Finished { code, out, err } = verify(&["--json", &log_in(folder).display().to_string()]);
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).expect("JSON")
}

fn number(gateway: &Gateway, name: &str) -> Option<u64> {
    let body = ask(gateway.admin, "GET /metrics", &[], "").body;
    let value = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(value.parse::<f64>().expect("a number") as u64)
}

#[test]
fn each_change_that_was_judged_has_its_record_as_documented() {
    let folder = tempfile::tempdir().expect("a folder");
    file(&folder, "key", &"0123456789abcdef".repeat(2));
    let hashed = ", values: { commercial: hash }, key: \"${file:key}\"";
    let gateway = Gateway::run(&config(&folder, hashed, ""));
    let lost = WON.replace("Won", "Lost");
    assert_eq!(patch(&gateway, NOTE), 204);
    assert_eq!(patch(&gateway, &lost), 204);
    assert_eq!(patch(&gateway, WON), 409);
    assert_eq!(patch(&gateway, &NOTE[1..]), 400);
    // Of these nobody asks the judge.
    assert_eq!(ask(gateway.address, "PATCH /nowhere", &[], NOTE).status, 404);
    assert_eq!(ask(gateway.address, &format!("GET {}", target()), &[], "").status, 200);
    let records = changes(&folder, 4);

    let documented = rows("docs/audit-log.md", "## Fields");
    let documented: BTreeSet<&str> = documented.keys().map(String::as_str).collect();
    for record in &records {
        let fields = record.as_object().expect("an object").keys().map(String::as_str);
        assert_eq!(fields.collect::<BTreeSet<_>>(), documented);
        assert_eq!((&record["target"], &record["method"]), (&target().into(), &"PATCH".into()));
        assert_eq!(
            (&record["partner"], &record["route"]),
            (&"unknown".into(), &"update-referral".into())
        );
        assert_eq!(
            (&record["form"], &record["if_match"]),
            (&"json-patch".into(), &"absent".into())
        );
        assert_eq!(record["policy"], "partner-center-referrals");
    }
    let told = |at: usize, names: &[&str]| -> Value {
        names.iter().map(|name| records[at][*name].clone()).collect::<Vec<_>>().into()
    };
    let ends = ["decision", "codes", "rejection", "status", "upstream_status", "outcome"];
    assert_eq!(told(0, &ends), json!(["permit", [], null, 204, 204, "applied"]));
    assert_eq!(told(1, &ends), json!(["permit", [], null, 204, 204, "applied"]));
    assert_eq!(
        told(2, &ends),
        json!(["refuse", ["transition-forbidden"], "refused", 409, 200, "not-applied"])
    );
    assert_eq!(records[3]["decision"], "refuse");
    assert_eq!((&records[3]["ops"], &records[3]["status"]), (&Value::Null, &400.into()));
    // The notes are personal, and states are public.
    assert_eq!(
        records[0]["ops"],
        json!([{"op": "replace", "path": "/details/notes", "value": {"redacted": "string"}}])
    );
    assert_eq!(records[1]["ops"][0]["value"], json!({"clear": "Closed"}));
    assert_eq!(told(1, &["from", "to"]), json!(["Active/Accepted", "Closed/Lost"]));
    assert_eq!(told(2, &["from", "to"]), json!(["Closed/Lost", "Closed/Won"]));
    assert!(records[0]["tag"].is_null() && records[1]["tag"].is_string());
    let version: Value =
        serde_json::from_str(&ask(gateway.admin, "GET /version", &[], "").body).expect("JSON");
    assert_eq!(records[0]["digest"], version["digest"]);

    // What the metrics say is what the file says.
    eventually("the head is told", || number(&gateway, "patchgate_audit_sequence") == Some(5));
    let found = verified(&folder);
    assert_eq!((&found["changes"], &found["closed"]), (&4.into(), &false.into()));
    assert_eq!(number(&gateway, "patchgate_audit_head"), found["mark"].as_u64());
    assert_eq!(number(&gateway, "patchgate_audit_records_total"), Some(4));
    assert_eq!(number(&gateway, "patchgate_audit_failing"), Some(0));
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
    assert_eq!(verified(&folder)["closed"], true);
    assert!(!fs::read_to_string(log_in(&folder)).expect("a log").contains("n0t3-m4rk"));
}

#[test]
fn every_event_of_the_log_has_its_row() {
    let documented = rows("docs/audit-log.md", "## Records of the log's own");
    let code = [include_str!("../../src/audit/writer.rs")].concat();
    let said = code.split("say(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let said: BTreeSet<&str> = said.collect();
    assert_eq!(said, documented.keys().map(String::as_str).collect());
}

#[test]
fn the_record_tells_what_became_of_a_change_that_went_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([
        Act::Answer(answer("500 No", "", "")),
        Act::Close,
        Act::Silence,
        Act::Silence,
    ]);
    let keys = format!(
        "upstream: {{ url: \"http://{}\" }}\ntimeouts: {{ request: 800ms }}",
        upstream.address
    );
    let gateway = Gateway::run(&config(&folder, "", &keys));
    for status in [500, 502, 504] {
        assert_eq!(patch(&gateway, NOTE), status);
    }
    // Somebody does not wait.
    let mut tcp = TcpStream::connect(gateway.address).expect("a connection");
    let length = NOTE.len();
    let request = format!(
        "PATCH {} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{NOTE}",
        target()
    );
    tcp.write_all(request.as_bytes()).expect("it is taken");
    upstream.wait_for(4);
    socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(tcp);
    let records = changes(&folder, 4);
    let told: Vec<Value> = records
        .iter()
        .map(|record| json!([record["rejection"], record["status"], record["outcome"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([null, 500, "unknown"]),
            json!(["upstream-broken", 502, "unknown"]),
            json!(["deadline-exceeded", 504, "unknown"]),
            json!([null, null, "unknown"]),
        ]
    );
}

#[test]
fn a_change_that_cannot_be_recorded_is_refused_and_not_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([]);
    let keys = format!("upstream: {{ url: \"http://{}\" }}", upstream.address);
    let gateway = full(&folder, "", &keys);
    // These fit, and the last of them is judged before it is known that it does not.
    let mut sent = 0;
    while patch(&gateway, NOTE) < 300 {
        sent += 1;
        assert!(sent < 1000, "it is never full");
        // More than fits into another file must not wait.
        eventually("it is written, or is not", || {
            number(&gateway, "patchgate_audit_queue") == Some(0)
                || number(&gateway, "patchgate_audit_failing") == Some(1)
        });
    }
    gateway.process.err.event("the audit log cannot be written");
    let refused = ask(gateway.address, &format!("PATCH {}", target()), &[], NOTE);
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("audit-unavailable"), "{}", refused.body);
    assert_eq!(upstream.requests().len(), sent);
    assert_eq!(number(&gateway, "patchgate_audit_failing"), Some(1));
    // Reads go on.
    assert_eq!(ask(gateway.address, &format!("GET {}", target()), &[], "").status, 200);
    // There is room in another file, and nothing is missing.
    fs::rename(log_in(&folder), folder.path().join("full")).expect("a file");
    gateway.process.signal("USR1");
    gateway.process.err.event("the audit log is written again");
    assert_eq!(patch(&gateway, NOTE), 200);
    eventually("all is written", || number(&gateway, "patchgate_audit_queue") == Some(0));
    let files = ["full", "audit.log"].map(|name| folder.path().join(name).display().to_string());
    let Finished { code, out, err } = verify(&["--json", &files[0], &files[1]]);
    assert_eq!((code, err.as_str()), (0, ""));
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&found["changes"], &found["lost"]), (&(sent + 1).into(), &0.into()));
}

#[test]
fn or_it_goes_on_and_the_loss_is_counted_and_told_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = full(&folder, ", unwritable: drop, queue: 5", "");
    let mut sent = 0_u64;
    // A short queue may also lose some while the file still takes more.
    while number(&gateway, "patchgate_audit_failing") != Some(1)
        || number(&gateway, "patchgate_audit_lost_total").is_none_or(|lost| lost < 3)
    {
        assert_eq!(patch(&gateway, NOTE), 204);
        sent += 1;
        assert!(sent < 1000, "it is never full");
    }
    fs::rename(log_in(&folder), folder.path().join("full")).expect("a file");
    gateway.process.signal("USR1");
    gateway.process.err.event("the audit log is written again");
    eventually("all is written", || number(&gateway, "patchgate_audit_queue") == Some(0));
    let files = ["full", "audit.log"].map(|name| folder.path().join(name).display().to_string());
    let Finished { code, out, .. } = verify(&["--json", &files[0], &files[1]]);
    assert_eq!(code, 0);
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(found["lost"].as_u64(), number(&gateway, "patchgate_audit_lost_total"));
    assert_eq!(found["changes"].as_u64(), found["lost"].as_u64().map(|lost| sent - lost));
}

/// A gateway whose files may have 8 KiB at most.
fn full(folder: &TempDir, more: &str, keys: &str) -> Gateway {
    let config = config(folder, more, keys);
    let line = format!("ulimit -f 8; trap '' XFSZ; exec {PROGRAM} run --config {config}");
    Gateway::start(Command::new("bash").args(["-c", &line]))
}

#[test]
fn what_was_written_when_the_gateway_is_killed_verifies_and_the_next_start_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder, "", "limits: { tiers: { standard: {} } }");
    let mut begins = 0;
    for round in 0..3 {
        let gateway = Gateway::run(&config);
        let (address, until) = (gateway.address, Instant::now() + Duration::from_millis(700));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || {
                    let mut answered = 0_u64;
                    let mut caller = Caller::to(address);
                    while Instant::now() < until {
                        let reply = caller.ask(format!(
                            "PATCH {} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\
                             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{NOTE}",
                            target(),
                            NOTE.len()
                        ));
                        assert_eq!(reply.status, 204);
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        let answered: u64 =
            callers.into_iter().map(|caller| caller.join().expect("a caller")).sum();
        // Without a moment to write anything.
        gateway.process.signal("KILL");
        drop(gateway);
        let found = verified(&folder);
        let changes = found["changes"].as_u64().expect("a number") - begins;
        assert!(answered > 100 && changes <= answered, "{changes} of {answered}");
        assert!(answered - changes < 100, "round {round}: {changes} of {answered} were written");
        begins += changes;
        assert_eq!(found["closed"], false);
    }
    let opened = read(&folder).iter().filter(|record| record["event"] == "opened").count();
    assert_eq!(opened, 3);
}

#[test]
fn another_file_is_begun_where_the_old_one_was_moved_and_a_reload_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&config(&folder, "", "reload: { watch: false }"));
    assert_eq!(patch(&gateway, NOTE), 204);
    gateway.process.signal("HUP");
    gateway.process.err.event("reloaded");
    assert_eq!(patch(&gateway, NOTE), 204);
    changes(&folder, 2);
    fs::rename(log_in(&folder), folder.path().join("moved")).expect("a file");
    gateway.process.signal("USR1");
    gateway.process.err.event("the audit log goes on in a new file");
    assert_eq!(patch(&gateway, NOTE), 204);
    changes(&folder, 1);
    let files = ["moved", "audit.log"].map(|name| folder.path().join(name).display().to_string());
    let Finished { code, out, err } = verify(&[&files[0], &files[1]]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("records  5, from 1 to 5\nchanges  3, and 0 lost\nend      open"),
        "{out}"
    );
}

#[test]
fn verify_finds_what_was_changed_and_what_is_missing_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&config(&folder, "", ""));
    for _ in 0..3 {
        assert_eq!(patch(&gateway, NOTE), 204);
    }
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
    let found = verified(&folder);
    let log = log_in(&folder).display().to_string();
    for head in [found["head"].as_str().expect("text"), &found["mark"].to_string()] {
        assert_eq!(verify(&["--head", head, &log]).code, 0);
    }
    let text = fs::read_to_string(&log).expect("a log");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&log, lines[..4].concat()).expect("a file");
    assert_eq!(verify(&[&log]).code, 0);
    let Finished { code, err, .. } = verify(&["--head", &found["mark"].to_string(), &log]);
    assert_eq!(code, 1);
    assert!(err.contains("records are missing after it"), "{err}");
    fs::write(&log, text.replacen("204", "200", 1)).expect("a file");
    let Finished { code, out, err } = verify(&[&log]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.ends_with("audit.log:2: does not bear its seal: it, or one before it, was changed; whole up to record 1\n"), "{err}");
    let Finished { code, err, .. } = verify(&[&format!("{log}.none")]);
    assert_eq!(code, 2);
    assert!(err.contains("audit.log.none"), "{err}");
}

#[test]
fn a_log_that_cannot_be_opened_or_has_no_key_is_told_before_anybody_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let hashed = config(&folder, ", values: { personal: hash }, key: short", "");
    let Finished { code, err, .. } = patchgate(&["check", &hashed]);
    assert_eq!(code, 1);
    assert!(err.contains("32 random bytes at least") && !err.contains("short"), "{err}");
    file(&folder, "audit.log", "something else\n");
    let Finished { code, err, .. } = patchgate(&["run", "--config", &config(&folder, "", "")]);
    assert_eq!(code, 71);
    assert!(err.contains("audit.log: does not end in a record of an audit log"), "{err}");
    assert_eq!(fs::read_to_string(log_in(&folder)).expect("a file"), "something else\n");
}
