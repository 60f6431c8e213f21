//! A policy in the shadow of the one in force.

use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use super::replay::policy_with;
use super::{WON, file};
use crate::harness::eventually;

use serde_json::Value;

use std::fs;

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n0t3-m4rk"}]"#;
const REMOVE: &str = r#"[{"op":"remove","path":"/campaignId"}]"#;

fn patch(gateway: &Gateway, body: &str) -> u16 {
    ask(gateway.address, &format!("PATCH {TARGET}"), &[], body).status
}

fn counted(gateway: &Gateway, result: &str) -> u64 {
    let body = ask(gateway.admin, "GET /metrics", &[], "").body;
    let name = format!("patchgate_shadow_judgements_total{{result=\"{result}\"}} ");
    let line = body.lines().find_map(|line| line.strip_prefix(&*name));
    line.expect("a number").parse().expect("a number")
}

#[test]
fn where_it_disagrees_that_is_told_and_counted_and_nothing_else_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = "      - { path: /details/notes, source: \"P20, SW\" }\n";
    let ops = ("ops: [add, replace]\n", "ops: [add, replace, remove]\n");
    let shadow = policy_with(&folder, "shadow.yaml", &[(notes, ""), ops]);
    let keys =
        format!("upstream: {{ url: sandbox }}\nshadow: {shadow}\nreload: {{ watch: false }}");
    let config = gateway_file(&folder, &keys);
    let gateway = Gateway::run(&config);
    assert_eq!(patch(&gateway, NOTE), 204);
    let told: Value = gateway.process.err.event("the shadow would refuse");
    assert_eq!(
        (&told["codes"], &told["partner"]),
        (&"pointer-forbidden".into(), &"unknown".into())
    );
    assert!(
        told["request_id"].as_str().is_some_and(|id| id.len() == 36)
            && !told.to_string().contains("m4rk")
    );
    assert_eq!(patch(&gateway, REMOVE), 422);
    // It would have the stored document read, as a member of it goes.
    eventually("it was asked", || counted(&gateway, "unknown") + counted(&gateway, "permits") == 1);
    // Of what was read for the policy in force it sees as much.
    assert_eq!((patch(&gateway, WON), patch(&gateway, WON)), (204, 204));
    eventually("it was asked", || counted(&gateway, "agrees") == 2);
    assert_eq!((counted(&gateway, "refuses"), counted(&gateway, "skipped")), (1, 0));

    // Another one, and none.
    let frozen = [(
        "        - in: [Closed/*]\n          allow: true",
        "        - in: [Closed/*]\n          allow: false",
    )];
    let unknown = counted(&gateway, "unknown");
    policy_with(&folder, "shadow.yaml", &frozen);
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!(patch(&gateway, NOTE), 204);
    eventually("it was asked", || counted(&gateway, "unknown") == unknown + 1);
    let text = fs::read_to_string(&config).expect("a file");
    file(&folder, "gateway.yaml", &text.replace(&format!("shadow: {shadow}"), ""));
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!((patch(&gateway, NOTE), counted(&gateway, "unknown")), (204, unknown + 1));
}

#[test]
fn it_permits_what_the_policy_in_force_refuses_and_the_answer_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let shadow = policy_with(
        &folder,
        "shadow.yaml",
        &[
            ("          reason: a closed referral stays as it was closed\n", ""),
            ("allow: false", "allow: true"),
        ],
    );
    let keys = format!("upstream: {{ url: sandbox }}\nshadow: {shadow}");
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let lost = WON.replace("Won", "Lost");
    assert_eq!((patch(&gateway, &lost), patch(&gateway, WON)), (204, 409));
    let told: Value = gateway.process.err.event("the shadow would permit");
    assert_eq!(told["codes"], "transition-forbidden");
    eventually("it was counted", || counted(&gateway, "permits") == 1);
}

#[test]
fn it_takes_no_body_of_another_form_or_of_more_bytes_than_its_route_does() {
    let folder = tempfile::tempdir().expect("a folder");
    for (edit, code) in [
        (("body: json-patch", "body: merge-patch"), "media-type-unsupported"),
        (("if_match: optional", "if_match: optional\n    bounds: { body: 16B }"), "body-too-large"),
    ] {
        let shadow = policy_with(&folder, "shadow.yaml", &[edit]);
        let keys = format!("upstream: {{ url: sandbox }}\nshadow: {shadow}");
        let gateway = Gateway::run(&gateway_file(&folder, &keys));
        assert_eq!(patch(&gateway, NOTE), 204);
        assert_eq!(gateway.process.err.event("the shadow would refuse")["codes"], code);
    }
}

#[test]
fn a_fault_in_its_file_is_one_in_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let shadow = policy_with(&folder, "shadow.yaml", &[("ops: [add, replace]\n", "ops: [adds]\n")]);
    let keys = format!("upstream: {{ url: sandbox }}\nshadow: {shadow}");
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &keys)]);
    assert_eq!(code, 1);
    assert!(err.contains("shadow.yaml:") && err.contains("`ops[0]` is one of `add`"), "{err}");
}
