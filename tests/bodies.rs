//! Bodies other than a JSON Patch: merge patches, new documents, and documents that replace one.

use patchgate::config::{Source, load_policy};
use patchgate::policy::{Caller, Current, Facts, IfMatch, NormalPath, Policy, Resolution, Verdict};

use bytes::Bytes;

use std::fs;

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["id"],
  "properties": {
    "id": { "type": "string", "readOnly": true },
    "status": { "enum": ["draft", "paid", "sent"] },
    "note": { "type": ["string", "null"] },
    "ship": {
      "type": "object",
      "additionalProperties": false,
      "required": ["city"],
      "properties": { "city": { "type": "string" }, "zip": { "type": "string" } }
    },
    "lines": { "type": "array", "items": { "type": "object", "properties": { "sku": { "type": "string" } } } }
  }
}"#;

const POLICY: &str = "
apiVersion: patchgate/v1
kind: Policy
name: orders
resources:
  order:
    schema: order.schema.json
    case: CASE
    ops: [add, remove, replace]
    paths:
      - { path: '', ops: [replace], subtree: true }
      - { path: /status }
      - { path: /note }
      - { path: /ship/city }
      - { path: /ship/zip }
      - { path: /lines, subtree: true }
      - { path: /lines/*/sku }
    states:
      fields: [/status]
      names: [draft, paid, sent]
      initial: [draft]
      transitions:
        - { from: [draft], to: [paid, same] }
        - { from: [paid], to: [sent, same] }
        - { from: [sent], to: [same] }
routes:
  - { id: make, methods: [POST], path: /orders, resource: order, body: document,
      media_types: [application/json] }
  - { id: merge, methods: [PATCH], path: '/orders/{id}', resource: order, body: merge-patch,
      media_types: [application/merge-patch+json] }
  - { id: put, methods: [PUT], path: '/orders/{id}', resource: order, body: document,
      media_types: [application/json] }
";

const STORED: &str =
    r#"{"id":"1","status":"draft","note":"n","ship":{"city":"Ghent"},"lines":[{"sku":"a"}]}"#;

fn policy(case: &str) -> Policy {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("order.schema.json"), SCHEMA).expect("a file");
    let path = folder.path().join("policy.yaml");
    fs::write(&path, POLICY.replace("CASE", case)).expect("a file");
    load_policy(Source::Disk, &path).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is said of a request; a violation has no op, since its caller sent none.
fn said(policy: &Policy, method: &str, body: &str, current: Option<&str>) -> String {
    let path = NormalPath::of(if method == "POST" { "/orders" } else { "/orders/1" });
    let path = path.expect("normal");
    let Resolution::Found(route) = policy.routes.resolve(method, &path) else { panic!("a route") };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let current = current
        .map(|text| Current::read(route, Some("\"1\""), text.as_bytes()).expect("a document"));
    let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, &body);
    match policy.judge(&facts, current.as_ref()).verdict {
        Verdict::NeedsCurrent(_) => "needs current".into(),
        Verdict::Permit(permit) => match permit.pin() {
            Some(pin) => format!("permit {}", pin.as_str()),
            None => "permit".into(),
        },
        Verdict::Refuse(found) => {
            assert!(found.iter().all(|violation| violation.op.is_none()));
            let lines = found.iter().map(|violation| {
                format!("{} {}", violation.code, violation.pointer.as_deref().unwrap_or("-"))
            });
            lines.collect::<Vec<_>>().join(", ")
        }
    }
}

#[test]
fn a_merge_patch_meets_the_rules_of_what_it_sets() {
    let policy = policy("exact");
    for (body, alone, with) in [
        (r#"{"note":"new"}"#, "permit", "permit \"1\""),
        (r#"{"note":null}"#, "needs current", "permit \"1\""),
        (r#"{"note":7}"#, "value-invalid /note", "value-invalid /note"),
        (r#"{"status":"paid"}"#, "needs current", "permit \"1\""),
        (r#"{"status":"sent"}"#, "needs current", "transition-forbidden /status"),
        (
            r#"{"status":"lost"}"#,
            "value-invalid /status, state-forbidden /status",
            "value-invalid /status, state-forbidden /status",
        ),
        // Where there is no `ship`, one would be made that lacks `city`.
        (r#"{"ship":{"zip":"9000"}}"#, "needs current", "permit \"1\""),
        (r#"{"ship":{"city":null}}"#, "needs current", "result-invalid /ship"),
        (r#"{"ship":{}}"#, "pointer-forbidden /ship", "pointer-forbidden /ship"),
        (
            r#"{"ship":"x"}"#,
            "pointer-forbidden /ship, value-invalid /ship",
            "pointer-forbidden /ship, value-invalid /ship",
        ),
        // An array is not reached into: it would be gone.
        (r#"{"lines":{"0":{"sku":"b"}}}"#, "value-invalid /lines", "…"),
        (r#"{"lines":[{"sku":"b"}]}"#, "permit", "permit \"1\""),
        (r#"{"id":"2"}"#, "pointer-forbidden /id", "…"),
        (r#"{"Note":"x"}"#, "pointer-forbidden /Note, name-case-variant /Note", "…"),
        (r#"{"other":1}"#, "pointer-forbidden /other", "…"),
        ("{}", "patch-empty -", "patch-empty -"),
        ("[]", "pointer-forbidden , value-invalid , state-forbidden /status", "…"),
        (r#"{"note":"a","note":"b"}"#, "body-duplicate-member -", "…"),
    ] {
        assert_eq!(said(&policy, "PATCH", body, None), alone, "{body}");
        if with != "…" {
            assert_eq!(said(&policy, "PATCH", body, Some(STORED)), with, "{body}, with the state");
        }
    }
}

#[test]
fn a_member_named_twice_in_two_cases_has_no_meaning_to_judge() {
    let policy = policy("fold");
    assert_eq!(said(&policy, "PATCH", r#"{"Note":"x"}"#, None), "permit");
    let twice = r#"{"Note":"x","note":"y"}"#;
    assert_eq!(said(&policy, "PATCH", twice, None), "body-duplicate-member /note");
}

#[test]
fn a_new_document_begins_where_it_may() {
    let policy = policy("exact");
    let made =
        |status: &str| said(&policy, "POST", &format!(r#"{{"id":"1","status":"{status}"}}"#), None);
    assert_eq!(made("draft"), "permit");
    assert_eq!(made("paid"), "state-forbidden /status");
}

#[test]
fn a_document_that_replaces_another_is_judged_by_what_it_changes() {
    let policy = policy("exact");
    for (from, to, verdict) in [
        ("draft", "paid", "permit \"1\""),
        ("draft", "sent", "transition-forbidden /status"),
        (r#""id":"1""#, r#""id":"2""#, "field-immutable /id"),
        (r#""note":"n","#, "", "permit \"1\""),
        (r#"{"city":"Ghent"}"#, "{}", "value-invalid /ship"),
    ] {
        let body = STORED.replace(from, to);
        assert_eq!(said(&policy, "PUT", &body, Some(STORED)), verdict, "{from} to {to}");
        let alone = said(&policy, "PUT", &body, None);
        let expected = if verdict.starts_with("value") { verdict } else { "needs current" };
        assert_eq!(alone, expected, "{from} to {to}, by itself");
    }
}

#[test]
fn post_and_put_do_not_share_a_route_for_documents() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("order.schema.json"), SCHEMA).expect("a file");
    let path = folder.path().join("policy.yaml");
    let shared = POLICY.replace("CASE", "exact").replace("[POST]", "[POST, PUT]");
    fs::write(&path, shared).expect("a file");
    let errors = load_policy(Source::Disk, &path).expect_err("a fault").to_string();
    assert!(errors.contains("POST makes a document and other methods replace one"), "{errors}");
}
