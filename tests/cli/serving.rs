//! `run` and `sandbox`, from the first event to the exit code.

use super::process::{Answer, Gateway, PROGRAM, Process, ask, gateway_file};
use crate::docs::rows;
use crate::harness::{Act, Upstream, answer};

use serde_json::Value;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const PATCH: &str = "PATCH /v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;

/// The key that puts the gateway before `upstream`.
fn before(upstream: &Upstream) -> String {
    format!("upstream: {{ url: \"http://{}\" }}", upstream.address)
}

/// The digest that the gateway says is in force, if it is ready.
fn readiness(gateway: &Gateway) -> (u16, Value) {
    let Answer { status, body } = ask(gateway.admin, "GET /readyz", &[], "");
    (status, serde_json::from_str(&body).expect("JSON"))
}

#[test]
fn a_hangup_loads_a_changed_policy_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = root.join("config/policies/partner-center-referrals.yaml");
    let shipped = fs::read_to_string(shipped).expect("the shipped policy");
    let schema = root.join("schemas/referral.schema.json").display().to_string();
    let open = shipped.replace("../../schemas/referral.schema.json", &schema);
    let closed = open.replace("      - { path: /details/notes, source: \"P20, SW\" }\n", "");
    assert_ne!(open, closed, "the path is where it was");
    let policy = folder.path().join("policy.yaml");
    let write = |text: &str| fs::write(&policy, text).expect("a file");
    write(&open);
    let keys = "policy: policy.yaml\nupstream: { url: sandbox }\nreload: { watch: false }";
    let gateway = Gateway::run(&gateway_file(&folder, keys));
    let patch = || ask(gateway.address, PATCH, &[], NOTE).status;
    assert_eq!(patch(), 204);

    write(&closed);
    assert_eq!(patch(), 204, "not before it is asked to");
    gateway.process.signal("HUP");
    let reloaded = gateway.process.err.event("reloaded");
    assert_eq!(patch(), 422);
    let before = readiness(&gateway);
    assert_eq!((before.0, &before.1["digest"]), (200, &reloaded["digest"]));

    write("apiVersion: patchgate/v1\nkind: Policy\nname: [\n");
    gateway.process.signal("HUP");
    let fault = gateway.process.err.event("not reloaded");
    assert_eq!(fault["level"], "ERROR");
    assert!(fault["error"].as_str().expect("text").contains("policy.yaml:"), "{fault}");
    let after = readiness(&gateway);
    assert_eq!((patch(), after.0, &after.1["digest"]), (422, 200, &before.1["digest"]));

    write(&open);
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!(patch(), 204);
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
}

#[test]
fn a_request_under_way_is_answered_before_the_gateway_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let (held, act) = Act::held();
    let upstream = Upstream::start([act]);
    let gateway = Gateway::run(&gateway_file(&folder, &before(&upstream)));
    let address = gateway.address;
    let caller = std::thread::spawn(move || ask(address, PATCH, &[], NOTE).status);
    upstream.wait_for(1);
    assert_eq!(readiness(&gateway).0, 200);
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.err.event("stopping")["in_flight"], 1);
    held.send(answer("204 No Content", "", "")).expect("an upstream");
    assert_eq!(caller.join().expect("an answer"), 204);
    gateway.process.err.event("stopped");
    assert_eq!(gateway.process.end(), 0);
}

#[test]
fn who_asks_twice_to_stop_is_obeyed_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([Act::Silence]);
    let keys = format!("{}\ntimeouts: {{ drain: 1h, request: 1h }}", before(&upstream));
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let mut caller = std::net::TcpStream::connect(gateway.address).expect("a connection");
    let length = NOTE.len();
    write!(
        caller,
        "{PATCH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{NOTE}"
    )
    .expect("a request that is read");
    upstream.wait_for(1);
    gateway.process.signal("TERM");
    gateway.process.err.event("stopping");
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 130);
}

#[test]
fn a_line_of_the_access_log_has_the_documented_fields_and_nothing_of_the_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("access.log");
    let keys =
        format!("log: {{ access: {}, level: trace }}\nupstream: {{ url: sandbox }}", log.display());
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let secret = "s3cr3t";
    let token = format!("X-Token: {secret}");
    let body = NOTE.replace("\"n\"", &format!("\"{secret}\""));
    assert_eq!(ask(gateway.address, PATCH, &[&token], &body).status, 204);
    let refused = body.replace("notes", secret);
    assert_eq!(ask(gateway.address, PATCH, &[&token], &refused).status, 422);
    assert_eq!(ask(gateway.address, &format!("GET /{secret}"), &[&token], "").status, 404);
    gateway.process.signal("TERM");
    let mut events = String::new();
    gateway.process.err.find(|line| {
        events.push_str(line);
        line.contains("\"stopped\"").then_some(())
    });
    assert_eq!(gateway.process.end(), 0);

    let lines = fs::read_to_string(&log).expect("a log");
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(!lines.contains(secret) && !events.contains(secret), "{lines}{events}");
    assert!(!lines.contains("Bearer") && !events.contains("Bearer"), "{lines}{events}");
    let documented: BTreeSet<String> =
        rows("docs/access-log.md", "# The access log").into_keys().collect();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let fields: BTreeSet<String> =
            line.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(fields, documented);
    }
}

#[test]
fn what_the_file_says_of_single_fields_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([]);
    let keys = "request_id: { form: guid }\nvia: edge\ntrace: { context: drop, baggage: pass }\n\
                forwarded: { trusted: [\"127.0.0.0/8\"], read: forwarded, send: x-forwarded }\n";
    let gateway = Gateway::run(&gateway_file(&folder, &format!("{keys}{}", before(&upstream))));
    let fields = [
        "Request-ID: no-guid",
        "Forwarded: for=1.2.3.4;proto=https",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "baggage: a=1",
    ];
    assert_eq!(ask(gateway.address, PATCH, &fields, NOTE).status, 200);
    let sent = upstream.only_request();
    let id = sent.header("request-id").expect("an id");
    assert!(id.len() == 36 && id != "no-guid", "{id}");
    assert_eq!(sent.header("via"), Some("1.1 edge"));
    assert_eq!(sent.header("x-forwarded-for"), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(sent.header("x-forwarded-proto"), Some("https"));
    assert_eq!((sent.header("traceparent"), sent.header("baggage")), (None, Some("a=1")));
}

#[test]
fn the_sandbox_serves_what_it_lists_and_stops_when_it_is_asked_to() {
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--bad-value-status", "422"];
    let process = Process::start(Command::new(PROGRAM).args(arguments));
    let address = process.out.find(|line| {
        let rest = line.strip_prefix("sandbox of the referrals API at http://")?;
        rest.split('/').next()?.parse().ok()
    });
    let id = process.out.find(|line| {
        line.ends_with("Active/Accepted")
            .then(|| line.split_whitespace().next().map(str::to_owned))?
    });
    let target = format!("/v1.0/engagements/referrals/{id}");
    assert_eq!(ask(address, &format!("GET {target}"), &[], "").status, 200);
    let wrong = NOTE.replace("\"n\"", "true");
    assert_eq!(ask(address, &format!("PATCH {target}"), &[], &wrong).status, 422);
    process.signal("TERM");
    assert_eq!(process.end(), 0);
}
