//! Changes of an audit log under another policy, and in what policies differ.

use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use super::{WON, file};
use crate::harness::eventually;

use patchgate::config::{Source, load_policy};
use patchgate::policy::record;
use patchgate::policy::{
    Caller, Current, Disclosure, Facts, IfMatch, NormalPath, Policy, Resolution, Shown, Verdict,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";

/// The shipped policy with `edits` made, in `folder`.
pub fn policy_with(folder: &TempDir, name: &str, edits: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string("config/policies/partner-center-referrals.yaml").expect("it");
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/referral.schema.json");
    for (from, to) in edits.iter().chain(&[("../../schemas/referral.schema.json", schema)]) {
        assert!(text.contains(from) || edits.len() == 1, "{from}");
        text = text.replace(from, to);
    }
    file(folder, name, &text)
}

/// What changes partners ask for.
const PATCHES: [&str; 22] = [
    r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#,
    r#"[{"op":"add","path":"/details/notes","value":null}]"#,
    r#"[{"op":"remove","path":"/details/notes"}]"#,
    r#"[{"op":"replace","path":"/status","value":"Active"},{"op":"replace","path":"/substatus","value":"Accepted"}]"#,
    WON,
    r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Lost"}]"#,
    r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Nothing"}]"#,
    r#"[{"op":"replace","path":"/status","value":"Closed"}]"#,
    r#"[{"op":"replace","path":"/details/dealValue","value":12.5}]"#,
    r#"[{"op":"replace","path":"/details/dealValue","value":99999999}]"#,
    r#"[{"op":"replace","path":"/details/dealValue","value":"much"}]"#,
    r#"[{"op":"add","path":"/team/-","value":{"firstName":"A","lastName":"B","email":"a@example.com","phoneNumber":"1"}}]"#,
    r#"[{"op":"add","path":"/team/-","value":{"email":7}}]"#,
    r#"[{"op":"add","path":"/team/-","value":{"nobody":"knows"}}]"#,
    r#"[{"op":"replace","path":"/team","value":[]}]"#,
    r#"[{"op":"replace","path":"/id","value":"1"}]"#,
    r#"[{"op":"replace","path":"/Status","value":"Active"}]"#,
    r#"[{"op":"replace","path":"/unheard/of","value":1}]"#,
    r#"[{"op":"copy","from":"/details/notes","path":"/statusReason"}]"#,
    r#"[{"op":"test","path":"/status","value":"New"},{"op":"replace","path":"/campaignId","value":"c"}]"#,
    r#"[{"op":"replace","path":"/details/notes","value":"#,
    "[]",
];

/// Policies, as changes to the shipped one.
const POLICIES: [&[(&str, &str)]; 10] = [
    &[],
    &[("ops: [add, replace]\n", "ops: [add]\n")],
    &[("ops: [add, replace]\n", "ops: [add, replace, remove, copy, test]\n")],
    &[("      - { path: /details/notes, source: \"P20, SW\" }\n", "")],
    &[(
        "        - in: [Closed/*]\n          allow: true",
        "        - in: [Closed/*]\n          allow: false",
    )],
    &[(
        "to: [Closed/Won, Closed/Lost]\n          allow: true",
        "to: [Closed/Won, Closed/Lost]\n          allow: false",
    )],
    &[("if_match: optional", "if_match: required")],
    &[("state: fetch\n", "state: fetch\n    mode: observe\n")],
    &[("../../schemas/referral.schema.json", "strict.json")],
    &[
        ("undescribed: refuse\n", "undescribed: permit\n"),
        ("- { path: /campaignId, source: SW }", "- { path: '/**' }"),
    ],
];

const CLEAR: Disclosure = Disclosure {
    personal: Shown::Clear,
    commercial: Shown::Clear,
    public: Shown::Clear,
    unmarked: Shown::Clear,
};
const USUAL: Disclosure = Disclosure {
    personal: Shown::Redacted,
    commercial: Shown::Hash,
    public: Shown::Clear,
    unmarked: Shown::Redacted,
};
const NONE: Disclosure = Disclosure {
    personal: Shown::Redacted,
    commercial: Shown::Redacted,
    public: Shown::Redacted,
    unmarked: Shown::Redacted,
};

/// A change as the gateway would record it, and what the policy says of it.
fn judged(policy: &Policy, body: &str, stored: &str, shown: &Disclosure) -> (bool, Value) {
    let normal = NormalPath::of(TARGET).expect("a normal form");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &normal) else {
        panic!("no route")
    };
    let body = Bytes::from(body.to_owned());
    let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, &body);
    let mut judgement = policy.judge(&facts, None);
    let current = Current::read(route, Some("\"1\""), stored.as_bytes()).expect("a document");
    let reads = matches!(judgement.verdict, Verdict::NeedsCurrent(_));
    if reads {
        judgement = policy.judge(&facts, Some(&current));
    }
    let ops = record::ops(&facts, shown, &|text| format!("{:032x}", text.len()));
    let graph = route.resource.as_ref().and_then(|resource| resource.graph.as_ref());
    let step = graph.zip(judgement.step);
    let codes: Vec<&str> = match &judgement.verdict {
        Verdict::Refuse(found) => found.iter().map(|found| found.code.slug()).collect(),
        Verdict::NeedsCurrent(_) | Verdict::Permit(_) => Vec::new(),
    };
    let permitted = matches!(judgement.verdict, Verdict::Permit(_));
    let record = json!({
        "seq": 1, "time": "2026-11-29T10:00:00.000Z", "request_id": "r", "trace_id": "t", "roles": [],
        "route": "update-referral", "method": "PATCH", "target": TARGET, "form": "json-patch",
        "ops": serde_json::from_str::<Value>(&ops.json).expect("JSON"), "ops_more": ops.more,
        "if_match": "absent", "tag": reads.then_some("\"1\""), "from": step.map(|(graph, step)| graph.name(step.from)),
        "decision": if permitted { "permit" } else { "refuse" }, "codes": codes,
        "outcome": if permitted { "applied" } else { "not-applied" },
    });
    (permitted, record)
}

fn replayed(arguments: &[&str]) -> Value {
    let Finished { code, out, err } =
        patchgate(&[&["replay", "--format", "json"], arguments].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).expect("JSON")
}

#[test]
fn what_is_said_is_what_the_judge_says_who_sees_it_all_and_else_nothing_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = fs::read_to_string("schemas/referral.schema.json").expect("a schema");
    let mut strict: Value = serde_json::from_str(&schema).expect("JSON");
    strict["$defs"]["details"]["properties"]["dealValue"]["maximum"] = 1000.into();
    strict["$defs"]["member"]["required"] = json!(["phoneNumber"]);
    file(&folder, "strict.json", &strict.to_string());
    let policies: Vec<(String, Policy)> = (0..)
        .zip(POLICIES)
        .map(|(at, edits)| {
            let path = policy_with(&folder, &format!("{at}.yaml"), edits);
            let policy = load_policy(Source::Disk, Path::new(&path));
            (path, policy.unwrap_or_else(|errors| panic!("{errors}")))
        })
        .collect();
    let seeds: Vec<Value> =
        serde_json::from_str(include_str!("../../src/sandbox/seeds.json")).expect("JSON");
    // One in each state.
    let states = ["Pending", "Received", "Accepted", "Won", "Lost"];
    let stored: Vec<String> = (states.iter())
        .filter_map(|state| seeds.iter().find(|seed| seed["substatus"] == **state))
        .map(Value::to_string)
        .collect();
    for (shown, name) in [(&CLEAR, "clear"), (&USUAL, "usual"), (&NONE, "none")] {
        let mut said = HashMap::new();
        for (old_at, (old_path, old)) in policies.iter().enumerate().step_by(5) {
            let changes: Vec<(&str, &str)> = (PATCHES.iter())
                .flat_map(|body| stored.iter().map(move |stored| (*body, &**stored)))
                .collect();
            let mut then = Vec::new();
            let mut text = String::new();
            for (at, (body, stored)) in changes.iter().enumerate() {
                let (was, mut record) = judged(old, body, stored, shown);
                record["partner"] = format!("p{at}").into();
                text.push_str(&format!("{record}\n"));
                then.push(was);
            }
            let log = file(&folder, "audit.log", &text);
            for (new_at, (new_path, new)) in policies.iter().enumerate() {
                let now: Vec<bool> = (changes.iter())
                    .map(|(body, stored)| judged(new, body, stored, shown).0)
                    .collect();
                for against in [&[][..], &["--against", old_path]] {
                    let outcomes = outcomes(&log, new_path, against);
                    for (at, (was, is)) in then.iter().zip(&now).enumerate() {
                        let outcome = outcomes.get(&format!("p{at}")).map_or("unchanged", |it| it);
                        let is_so = match outcome {
                            "newly refused" => *was && !is,
                            "newly permitted" => !*was && *is,
                            "unchanged" => was == is,
                            _ => outcome == "unknown",
                        };
                        let change = changes[at];
                        assert!(
                            is_so,
                            "{name} {old_at}, {new_at} {against:?}: {outcome} {change:?}"
                        );
                        *said.entry(outcome.to_owned()).or_insert(0) += 1;
                    }
                    let unknown = outcomes.values().filter(|outcome| *outcome == "unknown").count();
                    let is_same = new_at == old_at && !against.is_empty();
                    assert!(unknown == 0 || !is_same, "{name} {old_at}: nothing has changed");
                }
            }
        }
        println!("{name}: {said:?}");
        assert!(said["newly refused"] > 20 && said["newly permitted"] > 20, "{said:?}");
        // What another policy decided proves nothing of this one.
        let (_, mut record) = judged(&policies[8].1, PATCHES[9], &stored[2], &CLEAR);
        assert_eq!(record["codes"], json!(["value-invalid"]));
        record["partner"] = "p".into();
        let log = file(&folder, "audit.log", &format!("{record}\n"));
        let usual = &*policies[0].0;
        assert_eq!(outcomes(&log, usual, &["--against", usual]), HashMap::new());
        assert!(said["unknown"] * 2 < said.values().sum::<i32>(), "{said:?}");
    }
}

/// What came of each change, by its partner; nothing where nothing has changed.
fn outcomes(log: &str, policy: &str, against: &[&str]) -> HashMap<String, String> {
    let found = replayed(&[&[log, "--policy", policy][..], against].concat());
    assert_eq!((&found["unreadable"], &found["undecided"]), (&0.into(), &0.into()));
    let text = |group: &Value, name: &str| group[name].as_str().expect("text").to_owned();
    let groups = found["groups"].as_array().expect("a list").iter();
    groups.map(|group| (text(group, "partner"), text(group, "outcome"))).collect()
}

#[test]
fn the_log_of_a_gateway_is_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("audit.log");
    let keys = format!("upstream: {{ url: sandbox }}\naudit: {{ file: {} }}", log.display());
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    for body in [PATCHES[0], PATCHES[11], WON, PATCHES[5]] {
        ask(gateway.address, &format!("PATCH {TARGET}"), &[], body);
    }
    let log = log.display().to_string();
    eventually("it is written", || fs::read_to_string(&log).expect("a log").lines().count() == 5);
    let same = policy_with(&folder, "same.yaml", &[]);
    let fewer = policy_with(&folder, "fewer.yaml", POLICIES[3]);
    let found = replayed(&[&log, "--policy", &same, "--against", &same]);
    assert_eq!((&found["records"], &found["unchanged"]), (&5.into(), &4.into()));
    let found = replayed(&[&log, "--policy", &fewer, "--against", &same]);
    assert_eq!((&found["newly_refused"], &found["unknown"]), (&1.into(), &0.into()));
    let group = &found["groups"][0];
    assert_eq!((&group["rule"], &group["why"]), (&"paths".into(), &"pointer-forbidden".into()));
    assert_eq!(group["request"], "PATCH update-referral");

    // As a gate.
    let replay =
        |more: &[&str]| patchgate(&[&["replay", &*log, "--policy", &*fewer], more].concat());
    let against = ["--against", &*same];
    assert_eq!(replay(&[&["--fail-on", "new-permits,unknown"], &against[..]].concat()).code, 0);
    assert_eq!(replay(&[&["--fail-on", "new-refusals"], &against[..]].concat()).code, 1);
    assert_eq!(replay(&["--fail-on", "unknown"]).code, 1, "a value is not told");
    let Finished { code, out, .. } = replay(&against);
    assert_eq!(code, 0);
    assert!(out.starts_with("newly refused            1\nnewly permitted          0\n"), "{out}");
    assert!(out.contains("paths: pointer-forbidden  unknown  PATCH update-referral"), "{out}");
    let Finished { out, .. } = replay(&["--format", "html"]);
    assert!(out.starts_with("<!doctype html>") && out.contains("newly refused"), "{out}");
    assert!(!out.contains("http"), "it needs nothing from elsewhere");

    // What is no record is not passed over.
    fs::write(&log, "{\"seq\":1}\nnonsense\n{\"event\":\"opened\"}\n{\"seq").expect("a file");
    let found = replayed(&[&log, "--policy", &same]);
    assert_eq!((&found["records"], &found["unreadable"]), (&4.into(), &3.into()));
    assert_eq!(replay(&["--fail-on", "unknown"]).code, 1);
    let Finished { code, err, .. } = patchgate(&["replay", "none.log", "--policy", &same]);
    assert_eq!(code, 2);
    assert!(err.contains("`none.log` cannot be read"), "{err}");
    assert_eq!(patchgate(&["replay", &log, "--policy", "none.yaml"]).code, 2);
}

#[test]
fn in_what_policies_differ_is_told_and_may_be_a_gate() {
    let folder = tempfile::tempdir().expect("a folder");
    let same = policy_with(&folder, "same.yaml", &[]);
    let fewer = policy_with(&folder, "fewer.yaml", POLICIES[3]);
    let closed = policy_with(&folder, "closed.yaml", POLICIES[5]);
    let diff = |arguments: &[&str]| patchgate(&[&["diff"], arguments].concat());
    let Finished { code, out, err } = diff(&[&same, &same, "--fail-on", "widening,narrowing"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "0 widen (+), 0 unclear (?), 0 narrow (-)\n");
    let Finished { code, out, .. } = diff(&[&same, &fewer, "--fail-on", "widening"]);
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "PATCH /v1.0/engagements/referrals/{}\n  - paths        /details/notes: may no longer be reached by add, replace\n\
         0 widen (+), 0 unclear (?), 1 narrow (-)\n"
    );
    assert_eq!(diff(&[&same, &fewer, "--fail-on", "narrowing"]).code, 1);
    assert_eq!(diff(&[&fewer, &same, "--fail-on", "widening"]).code, 1);
    let Finished { out, .. } = diff(&[&closed, &same, "--format", "json"]);
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (&found["widens"], &found["unclear"], &found["narrows"]),
        (&4.into(), &0.into(), &0.into())
    );
    let first = &found["differences"][0];
    assert_eq!((&first["rule"], &first["turn"]), (&"transition".into(), &"widens".into()));
    assert_eq!(first["at"], "New/Pending -> Closed/Won");
    let Finished { code, err, .. } = diff(&[&same, "none.yaml"]);
    assert_eq!(code, 2);
    assert!(err.contains("none.yaml"), "{err}");
}
