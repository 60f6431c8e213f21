//! `patchgate test` and the lines that `explain` names, as policy owners use them.

use super::documents::blocks;
use super::process::{Finished, PROGRAM, finish, patchgate};
use super::{WON, file, referral};

use serde_json::Value;

use std::fs;
use std::process::Command;

const SHIPPED: &str = "config/policies/partner-center-referrals.yaml";

/// The path of the shipped policy, wherever it is named.
fn policy() -> String {
    format!("{}/{SHIPPED}", env!("CARGO_MANIFEST_DIR"))
}

/// A case file in `folder`, judged by the shipped policy.
fn case_file(folder: &tempfile::TempDir, cases: &str) -> String {
    let head = "apiVersion: patchgate/v1\nkind: Cases\npolicy: ";
    let document = "document: { type: Independent, customerProfile: {}, consent: {}, details: {} }";
    file(folder, "own.cases.yaml", &format!("{head}{}\n{document}\ncases:\n{cases}", policy()))
}

#[test]
fn the_cases_of_the_shipped_policy_pass_and_cover_all_of_it() {
    let Finished { code, out, err } = patchgate(&["test", "--coverage", "--fail-under", "100"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("  edges  100.0 %  (49 of 49)\n"), "{out}");
    assert!(out.contains("  paths  100.0 %  (31 of 31)\n"), "{out}");
    assert!(out.ends_with(" passed; 0 failed; 0 filtered out\n"), "{out}");
    assert!(!out.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn the_example_of_the_documentation_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = blocks("docs/testing-policies.md", &["yaml"]).remove(0);
    let named =
        example.replace("policy: partner-center-referrals.yaml", &format!("policy: {}", policy()));
    assert_ne!(named, example, "it names the shipped policy");
    let path = file(&folder, "example.cases.yaml", &named);
    let Finished { code, out, err } = patchgate(&["test", &path]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("test an accepted deal is won or lost: Active/Accepted → Closed/Lost ... ok"),
        "{out}"
    );
    assert!(out.contains("test result: ok. 20 passed; 0 failed"), "{out}");
}

#[test]
fn a_case_that_comes_out_otherwise_fails_with_what_was_expected_and_got() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = case_file(
        &folder,
        "  - name: a \"lost\" deal & <won>\n    given: { state: Closed/Lost }\n    patch: &won\n      - { op: replace, path: /status, value: Closed }\n      - { op: replace, path: /substatus, value: Won }\n    expect: permit\n  - { name: needs the state, patch: *won, expect: needs-current }\n  - { name: too many expected, patch: [], expect: [patch-empty, patch-empty] }\n  - { name: another op, patch: [], expect: [{ code: patch-empty, op: 1 }] }\n",
    );
    let xml = folder.path().join("junit.xml").display().to_string();
    let Finished { code, out, err } = patchgate(&["test", &cases, "--junit", &xml]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    for said in [
        "test a \"lost\" deal & <won> ... FAILED\n",
        "test needs the state ... ok\n",
        "own.cases.yaml:6:5)\n  expected permit\n  got      refuse\n",
        "transition-forbidden op 1 at `/substatus`: `Closed/Lost` does not lead to `Closed/Won`",
        "accepted: Closed/Lost\n",
        "expected refuse: patch-empty, patch-empty\n",
        "expected refuse: patch-empty op 1\n",
        "test result: FAILED. 1 passed; 3 failed; 0 filtered out\n",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
    let xml = fs::read_to_string(xml).expect("a file");
    for said in [
        "<testsuites name=\"patchgate\" tests=\"4\" failures=\"3\" time=\"0.",
        "name=\"a &quot;lost&quot; deal &amp; &lt;won&gt;\" time=\"",
        "<failure message=\"expected permit\">",
    ] {
        assert!(xml.contains(said), "{said}: {xml}");
    }
    let Finished { code, out, .. } =
        patchgate(&["test", &cases, "--filter", "needs", "--format", "json"]);
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(code, 0, "{out}");
    assert_eq!(
        (&report["passed"], &report["failed"], &report["filtered"]),
        (&1.into(), &0.into(), &3.into())
    );
    assert_eq!(report["cases"][0]["got"], "needs-current");
}

#[test]
fn what_no_case_exercises_is_named_and_fails_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = case_file(
        &folder,
        "  - { name: c, each: [{ from: [Active/Accepted], to: [Closed/Won], expect: permit }] }\n",
    );
    let Finished { code, out, .. } = patchgate(&["test", &cases, "--fail-under", "3"]);
    assert_eq!(code, 1, "{out}");
    for said in [
        "  edges    2.0 %  (1 of 49)\n",
        "    referral: `Closed/Won` → `Closed/Lost` is never refused\n",
        "    referral: nothing is permitted by `paths[0]`, `/campaignId`\n",
        "    update-referral: `paths` finds nothing in any case\n",
        "    create-referral: `schema` lets nothing pass in any case\n",
        "the lowest coverage is 2.0 %, below the 3 % asked for\n",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert!(!out.contains("`Active/Accepted` → `Closed/Won`"), "that one was: {out}");
    assert_eq!(patchgate(&["test", &cases, "--fail-under", "2"]).code, 0);
    assert_eq!(patchgate(&["test", &cases, "--coverage"]).code, 0);
}

#[test]
fn faults_of_a_case_file_are_told_all_at_once_with_their_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = case_file(
        &folder,
        "  - { name: a, patch: [], expect: [patch-emty] }
  - { name: b, each: [{ from: [Lost], to: [Closed/*], expect: permit }] }
  - { name: c, route: nowhere, expect: permit }
  - { name: d, path: /nowhere, expect: permit }
  - { name: e, given: { state: Won }, expect: permit }
  - { name: f, given: { current: none.json }, expect: permit }
  - { name: g, patch: [], body: x, expect: permit }
  - { name: h, patch: [] }
",
    );
    for command in ["check", "test"] {
        let Finished { code, err, .. } = patchgate(&[command, &cases]);
        assert_eq!(code, if command == "check" { 1 } else { 2 }, "{err}");
        for (place, said) in [
            (":6:", "there is no code `patch-emty`; did you mean `patch-empty`?"),
            (":7:", "no state is called `Lost`"),
            (":8:", "`route` is one of `list-referrals`, `read-referral`"),
            (":9:", "no route leads to `/nowhere`"),
            (":10:", "`state` is one of `New/Pending`"),
            (":11:", "`none.json` cannot be read"),
            (":12:", "give one of `patch` and `body`"),
            (":13:", "a case needs `expect`"),
        ] {
            let line = err.lines().find(|line| line.contains(place));
            assert!(line.is_some_and(|line| line.contains(said)), "{place} {said}: {err}");
        }
        assert_eq!(err.lines().count(), 8, "{err}");
    }
    let format = case_file(
        &folder,
        "  - { name: a, patch: [], expects: permit }\n  - { name: b, patch: [], expect: maybe }\n",
    );
    let Finished { code, err, .. } = patchgate(&["check", &format]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains(":6:27: unknown key `expects`; did you mean `expect`?"), "{err}");
    assert!(
        err.contains(":7:27: `expect` is not written right: `permit`, `needs-current`"),
        "{err}"
    );
}

#[test]
fn cases_may_stand_in_the_policy_and_another_policy_may_judge_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = fs::read_to_string(policy()).expect("the policy");
    let schemas = format!("schema: {}/schemas/", env!("CARGO_MANIFEST_DIR"));
    let shipped = shipped.replace("schema: ../../schemas/", &schemas);
    let cases = "cases: [{ name: own, patch: [{ op: remove, path: /statusReason }], expect: [op-forbidden] }]";
    let own = file(&folder, "own.yaml", &format!("{shipped}\n{cases}\n"));
    let strict = file(
        &folder,
        "lenient.yml",
        &shipped.replace("ops: [add, replace]", "ops: [add, replace, remove]"),
    );
    let here = folder.path().display().to_string();
    for arguments in [&["test", &own][..], &["test", &here]] {
        let Finished { code, out, err } = patchgate(arguments);
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains("test own ... ok"), "{out}");
    }
    assert_eq!(patchgate(&["test", &own, "--policy", &strict]).code, 1);
    fs::write(&own, shipped).expect("written");
    for arguments in [
        &["test", &own][..],
        &["test", &here],
        &["test", "no-such.yaml"],
        &["test", "config/patchgate.yaml"],
    ] {
        let Finished { code, err, .. } = patchgate(arguments);
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
    let mut elsewhere = Command::new("bash");
    let Finished { code, err, .. } =
        finish(elsewhere.args(["-c", &format!("cd {here} && exec {PROGRAM} test")]));
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("there are no cases in ."), "{err}");
}

#[test]
fn an_untagged_document_and_a_test_of_its_own_tag_are_judged_as_the_proxy_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = case_file(
        &folder,
        "  - name: steps
    each: [{ from: [Active/Accepted], to: [Closed/Won], expect: permit }]
  - name: untagged
    given: { tag: '' }
    each: [{ from: [Active/Accepted], to: [Closed/Won], expect: [current-unknown] }]
  - name: tagged
    given: { tag: '\"7\"', if_match: '\"7\"' }
    each: [{ from: [Active/Accepted], to: [Closed/Won], expect: permit }]
  - name: not asked for
    given: { tag: '\"7\"', if_match: '\"8\"', state: Closed/Won }
    patch: [{ op: replace, path: /details/notes, value: n }]
    expect: permit
",
    );
    let Finished { code, out, err } = patchgate(&["test", &cases]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn explain_names_the_line_behind_each_answer_and_prints_it_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let won = file(&folder, "won.json", WON);
    let lost = file(&folder, "lost.json", &referral("Lost"));
    let text = fs::read_to_string(policy()).expect("the policy");
    let line = |wanted: &str| {
        let at = text.lines().position(|line| line.contains(wanted)).expect(wanted) + 1;
        format!("{SHIPPED}:{at}:")
    };
    let Finished { code, out, err } =
        patchgate(&["explain", "--format", "json", "--current", &lost, &won]);
    assert_eq!((code, err.as_str()), (1, ""));
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["verdict"], "refuse");
    assert_eq!(told["step"], serde_json::json!({ "from": "Closed/Lost", "to": "Closed/Won" }));
    let violation = &told["violations"][0];
    assert_eq!(
        (&violation["code"], &violation["rule"]),
        (&"transition-forbidden".into(), &"transition".into())
    );
    let starts = |value: &Value, wanted: &str| {
        assert!(
            value.as_str().is_some_and(|text| text.starts_with(&line(wanted))),
            "{value}: {wanted}"
        );
    };
    starts(&violation["at"], "- from: [Closed/*]");
    starts(&told["ops"][0]["at"], "{ path: /status,");
    let rules = told["rules"].as_array().expect("rules");
    let rule = |name: &str| rules.iter().find(|rule| rule["rule"] == name).expect("a rule");
    starts(&rule("operations")["at"], "ops: [add, replace]");
    starts(&rule("together")["at"], "together: true");
    starts(&rule("precondition")["at"], "if_match: optional");
    assert_eq!(rule("paths")["answer"], "pass");
    let value =
        file(&folder, "v.json", r#"[{"op":"replace","path":"/details/dealValue","value":true}]"#);
    let Finished { out, .. } = patchgate(&["explain", &value]);
    assert!(
        out.contains(
            "    schema: schemas/referral.schema.json#/$defs/details/properties/dealValue/type\n"
        ),
        "{out}"
    );
    assert!(out.contains(&format!("    rule: schema, {}", line("schema: ../../schemas"))), "{out}");
}
