//! What `check` says of policies that are wrong, or odd, as a graph or as a list of rules.

use super::file;
use super::process::{Finished, patchgate};

use tempfile::TempDir;

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "s": { "enum": ["A", "B", "C", "D"] },
    "n": { "type": "string" },
    "l": { "type": "array", "items": { "type": "string" } }
  }
}"#;

/// A policy file of the resource `r`, and its schema, in `folder`.
fn policy(folder: &TempDir, resource: &str, route: &str) -> String {
    file(folder, "schema.json", SCHEMA);
    let text = format!(
        "apiVersion: patchgate/v1
kind: Policy
name: p
resources:
  r:
    schema: schema.json
{resource}
routes:
  - id: change
    methods: [PATCH]
    path: /r
    resource: r
    body: json-patch
    media_types: [application/json]
{route}
"
    );
    file(folder, "policy.yaml", &text)
}

/// Every line of `err` is one of `expected`, which are each a place and a part of the message.
fn assert_told(err: &str, expected: &[(&str, &str)]) {
    for (place, message) in expected {
        let told = err.lines().any(|line| line.contains(place) && line.contains(message));
        assert!(told, "{place} {message}\n{err}");
    }
    assert_eq!(err.lines().count(), expected.len(), "{err}");
}

const ODD: &str = "    ops: [add, replace, test]
    paths:
      - { path: /n, ops: [add] }
      - { path: /s, ops: [add, replace] }
      - { path: /l/**, ops: [add] }
      - { path: /l/0, ops: [add] }
      - { path: /s, ops: [add] }
    immutable: [/x/*, /l/*]
    states:
      fields: [/s]
      names: [A, B, C, D]
      initial: [A]
      final: [B]
      transitions:
        - { from: [A], to: [B] }
        - { from: [A], to: [B, A], reason: why }
        - { from: [A], to: [A], reason: why }
        - { from: [B], to: [A] }
        - { from: [D], to: [D, A], roles: [boss] }
        - { from: [C], to: [A], allow: false }
      edits:
        - { in: [B], except: [/n, /y] }
";

const WARNINGS: [(&str, &str); 11] = [
    ("policy.yaml:7:5: ", "no entry of `paths` admits the op `test`"),
    ("policy.yaml:12:9: ", "`/l/**` already admits all that it does"),
    ("policy.yaml:13:9: ", "`/s` already admits all that it does"),
    ("policy.yaml:14:17: ", "`/x/*` matches nothing that the schema describes"),
    ("policy.yaml:17:21: ", "`C` cannot be reached"),
    ("policy.yaml:17:21: ", "`C` leads to no other state"),
    ("policy.yaml:17:24: ", "`D` cannot be reached"),
    ("policy.yaml:19:15: ", "`B` is under `final`, and leads to `A`"),
    ("policy.yaml:28:35: ", "`/y` matches nothing that the schema describes"),
    ("policy.yaml:37:14: ", "this route has no rule `together`"),
    ("policy.yaml:39:5: ", "nothing is pinned here"),
];

#[test]
fn what_is_odd_is_told_with_its_place_and_is_no_fault_unless_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let route = "    rules: { together: off, immutable: warn }
    state: never
    lost_answer: resolve";
    let path = policy(&folder, ODD, route);
    let steps = [
        ("policy.yaml:21:11: ", "later lines override this one as a whole"),
        ("policy.yaml:23:11: ", "this line changes nothing"),
        ("policy.yaml:26:11: ", "this line changes nothing"),
    ];
    let expected = [&WARNINGS[..], &steps].concat();
    let Finished { code, out, err } = patchgate(&["check", &path]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.lines().all(|line| line.starts_with("warning: ")), "{err}");
    assert_told(&err, &expected);
    assert!(out.contains("is valid"), "{out}");
    assert_eq!(patchgate(&["check", "--deny-warnings", &path]).code, 1);
}

#[test]
fn a_media_type_that_no_body_can_have_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = policy(&folder, "    paths: [{ path: /n }]", "");
    let text = std::fs::read_to_string(&path).expect("a policy");
    let types = "[application/json, \"application/json;charset=utf-7\", json, a/b/c, text/ ]";
    file(&folder, "policy.yaml", &text.replace("[application/json]", types));
    let Finished { code, err, .. } = patchgate(&["check", &path]);
    assert_eq!(code, 1, "{err}");
    let what = "a media type is written without parameters";
    let faults = ["14:37: ", "14:71: ", "14:77: ", "14:84: "];
    assert_told(&err, &faults.map(|place| (place, what)));
}

#[test]
fn a_coding_of_a_body_that_is_not_taken_is_odd() {
    let folder = tempfile::tempdir().expect("a folder");
    let resource = "    paths: [{ path: /n }]";
    let read = |gzip: &str| {
        format!(
            "    gzip: permit\n  - id: read\n    methods: [GET]\n    path: /r\n    gzip: {gzip}\n"
        )
    };
    let path = policy(&folder, resource, &read("permit"));
    let Finished { code, err, .. } = patchgate(&["check", &path]);
    assert_eq!(code, 0, "{err}");
    assert_told(&err, &[("policy.yaml:19:5: ", "this route takes no body")]);
    let path = policy(&folder, resource, &read("refuse"));
    assert_eq!(patchgate(&["check", "--deny-warnings", &path]).code, 0);
}

#[test]
fn a_format_that_nobody_knows_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = policy(&folder, "    paths: [{ path: /n }]", "");
    let named = |format: &str| {
        let schema =
            SCHEMA.replace("\"type\": \"string\" },\n", &format!("\"format\": \"{format}\" }},\n"));
        assert!(schema.contains(format), "{schema}");
        file(&folder, "schema.json", &schema);
        patchgate(&["check", "--deny-warnings", &path])
    };
    assert_eq!(named("date-time").code, 0);
    let Finished { code, err, .. } = named("date-tme");
    assert_eq!(code, 1, "{err}");
    assert_told(&err, &[("policy.yaml:6:5: ", "the format `date-tme` at `#/properties/n/format`")]);
}

#[test]
fn formats_are_remarks_where_the_policy_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let patch = r#"[{"op":"replace","path":"/n","value":"tomorrow"}]"#;
    let patch = file(&folder, "patch.json", patch);
    let said = |format: &str, resource: &str| {
        let path = policy(&folder, &format!("{resource}    paths: [{{ path: /n }}]"), "");
        let named = format!("\"type\": \"string\", \"format\": \"{format}\" }},\n");
        file(&folder, "schema.json", &SCHEMA.replace("\"type\": \"string\" },\n", &named));
        let checked = patchgate(&["check", "--deny-warnings", &path]).code;
        let judged = patchgate(&["explain", "--policy", &path, "--path", "/r", &patch]);
        (checked, judged.code, judged.out)
    };
    for (format, resource, check, refused) in [
        ("date-time", "", 0, true),
        ("date-time", "    formats: assert\n", 0, true),
        ("date-time", "    formats: annotate\n", 0, false),
        // Nobody need know what demands nothing.
        ("date-tme", "", 1, false),
        ("date-tme", "    formats: annotate\n", 0, false),
    ] {
        let (checked, judged, out) = said(format, resource);
        assert_eq!(checked, check, "{format} {resource}");
        assert_eq!(judged, i32::from(refused), "{format} {resource}{out}");
        assert_eq!(out.contains("value-invalid"), refused, "{out}");
    }
}

#[test]
fn a_graph_at_odds_with_itself_or_the_schema_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let resource = "    paths:
      - { path: /n }
      - { path: /*/x }
    states:
      fields: [/s]
      names: [A, Z]
      initial: [Y]
      final: [X]
      transitions:
        - { from: [A], to: [W] }
        - { from: [A], to: [Z], allow: false, roles: [boss] }
";
    let path = policy(&folder, resource, "");
    let Finished { code, err, .. } = patchgate(&["check", &path]);
    assert_eq!(code, 1, "{err}");
    let faults = [
        ("policy.yaml:9:11: ", "the schema does not describe `/*/x`"),
        ("policy.yaml:13:17: ", "no state is called `Y`"),
        ("policy.yaml:14:15: ", "no state is called `X`"),
        ("policy.yaml:16:11: ", "no state is called `W`"),
        ("policy.yaml:17:47: ", "`allow: false` that nobody may"),
    ];
    assert_told(&err, &faults);
    let resource = "    paths: [{ path: /n }]
    states:
      fields: [/s]
      names: [A, Z]
      final: [Z]
      initial: [A]
      transitions: [{ from: [A], to: [Z] }]
      edits: [{ in: [Q] }]
";
    let path = policy(&folder, resource, "");
    let Finished { code, err, .. } = patchgate(&["check", &path]);
    assert_eq!(code, 1, "{err}");
    let faults = [
        ("policy.yaml:10:18: ", "the schema does not allow `Z` at `/s`"),
        ("policy.yaml:14:22: ", "no state is called `Q`"),
    ];
    assert_told(&err, &faults);
}

#[test]
fn steps_for_partners_that_the_gateway_does_not_know_are_told_when_it_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let resource = "    paths: [{ path: /s }]
    states:
      fields: [/s]
      names: [A, B, C]
      initial: [A]
      final: [B, C]
      transitions:
        - { from: [A], to: [B], partners: [acme, unknown, nobody] }
        - { from: [A], to: [C], roles: [boss, clerk] }
";
    let path = policy(&folder, resource, "");
    let Finished { code, err, .. } = patchgate(&["check", "--deny-warnings", &path]);
    assert_eq!((code, err.as_str()), (0, ""), "a policy alone knows no partners");
    let gateway = "apiVersion: patchgate/v1
kind: Gateway
policy: policy.yaml
upstream: { url: sandbox }
identity: [{ header: X-Partner }]
partners:
  - { id: acme, identities: [a], roles: [boss] }
";
    let path = file(&folder, "gateway.yaml", gateway);
    let Finished { code, err, .. } = patchgate(&["check", &path]);
    assert_eq!(code, 0, "{err}");
    let expected = [
        ("policy.yaml:14:59: ", "no partner of the gateway file is called `nobody`"),
        ("policy.yaml:15:47: ", "no partner of the gateway file has the role `clerk`"),
    ];
    assert_told(&err, &expected);
}

#[test]
fn explain_judges_as_the_partner_and_the_roles_that_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let resource = "    paths: [{ path: /s }]
    states:
      fields: [/s]
      names: [A, B]
      final: [B]
      initial: [A]
      transitions: [{ from: [A], to: [B], partners: [acme], roles: [boss] }]
";
    let policy = policy(&folder, resource, "");
    let current = file(&folder, "current.json", r#"{ "s": "A" }"#);
    let patch = r#"[{"op":"replace","path":"/s","value":"B"}]"#;
    let patch = file(&folder, "patch.json", patch);
    let explain = |caller: &[&str]| {
        let first = ["explain", "--policy", &policy, "--current", &current];
        let Finished { out, .. } = patchgate(&[&first, caller, &[&patch]].concat());
        out.contains("transition    pass")
    };
    assert!(explain(&["--partner", "acme"]));
    assert!(explain(&["--partner", "other", "--role", "clerk", "--role", "boss"]));
    assert!(!explain(&["--partner", "boss", "--role", "acme"]));
    assert!(!explain(&[]));
}
