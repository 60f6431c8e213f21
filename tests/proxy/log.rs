//! The access log: one line a request, and nothing of what the caller said.

use crate::harness::*;

const FIELDS: [&str; 24] = [
    "time",
    "request_id",
    "trace_id",
    "client",
    "partner",
    "route",
    "method",
    "path",
    "status",
    "decision",
    "codes",
    "rejection",
    "upstream_status",
    "upstream_request_id",
    "current",
    "attempts",
    "fetches",
    "outcome",
    "resolved",
    "duration_us",
    "upstream_us",
    "bytes_in",
    "bytes_out",
    "policy",
];

#[test]
fn each_request_is_one_line_with_the_same_fields_in_the_same_order() {
    let upstream = Upstream::start([]);
    let mut gateway = Gateway::before(&upstream);
    let secret = "Authorization: Bearer s3cret\r\nX-Secret: s3cret\r\n";
    gateway.ask(patch_with(secret, &NOTES.replace("\"x\"", "\"s3cret\"")));
    gateway.ask(patch_with(secret, &REMOVE.replace("notes", "s3cret")));
    gateway.ask(patch(NOTES).replace("referrals/1", "s3cret/1"));
    gateway.ask(format!("S3CRET {PATH} HTTP/1.1\r\nHost: g\r\n\r\n"));
    gateway.ask(format!("GET {PATH}?s3cret HTTP/1.1\r\nHost: g\r\n\r\n"));
    gateway.shutdown();
    let text = gateway.log_text();
    assert!(!text.to_lowercase().contains("s3cret"), "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    for line in text.lines() {
        let at: Vec<_> = FIELDS.iter().map(|name| line.find(&format!("\"{name}\":"))).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{line}");
    }
    let get = |index: usize, name: &str| lines[index][name].clone();
    assert_eq!(get(0, "decision"), "permit");
    assert_eq!(get(0, "path"), "/v1.0/engagements/referrals/{id}");
    assert_eq!((get(0, "route"), get(0, "partner")), ("referral-patch".into(), "everybody".into()));
    assert_eq!((get(0, "status"), get(0, "upstream_status")), (200.into(), 200.into()));
    assert_eq!((get(0, "outcome"), get(0, "fetches")), ("applied".into(), 0.into()));
    assert_eq!((get(0, "attempts"), get(1, "attempts")), (1.into(), 0.into()));
    assert!(lines.iter().all(|line| line["trace_id"].as_str().unwrap().len() == 32));
    assert!(lines.iter().all(|line| line["client"] == "127.0.0.1"));
    assert_eq!(get(0, "bytes_in"), NOTES.len() + 5);
    assert_eq!(get(0, "bytes_out"), 36);
    assert_eq!(get(0, "policy"), "0123456789abcdef");
    assert_eq!((get(1, "decision"), get(1, "rejection")), ("refuse".into(), "refused".into()));
    assert_eq!(get(1, "codes"), serde_json::json!(["op-forbidden"]));
    assert_eq!((get(2, "decision"), get(2, "rejection")), ("reject".into(), "unrouted".into()));
    assert_eq!((get(3, "method"), get(3, "status")), ("other".into(), 405.into()));
    assert_eq!((get(4, "method"), get(4, "outcome")), ("GET".into(), ().into()));
}

#[test]
fn lines_are_written_soon_and_not_only_at_the_end() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    gateway.ask(patch(NOTES));
    eventually("the line is written", || gateway.log_text().lines().count() == 1);
}
