//! The shipped referrals policy, asked through the judge alone.

use patchgate::config::{Source, load_policy, source};
use patchgate::policy::{
    Caller, Current, Facts, IfMatch, Judgement, NormalPath, Policy, Resolution, Verdict,
};
use patchgate::violation::Code;

use bytes::Bytes;

use std::path::Path;

const SEEDS: &str = include_str!("../src/sandbox/seeds.json");

fn policy() -> Policy {
    load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY)).expect("the shipped policy")
}

fn referral(state: &str) -> String {
    let seeds: Vec<serde_json::Value> = serde_json::from_str(SEEDS).expect("JSON");
    let is = |seed: &&serde_json::Value| {
        let text = |key: &str| seed[key].as_str().expect("a string").to_owned();
        format!("{}/{}", text("status"), text("substatus")) == state
    };
    seeds.iter().find(is).expect("a seed in this state").to_string()
}

fn judge(method: &str, body: &str, current: Option<&str>) -> Judgement {
    let policy = policy();
    let path = match method {
        "POST" => "/v1.0/engagements/referrals",
        _ => "/v1.0/engagements/referrals/1",
    };
    let path = NormalPath::of(path).expect("normal");
    let Resolution::Found(route) = policy.routes.resolve(method, &path) else { panic!("a route") };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, &body);
    let current =
        current.map(|current| Current::read(route, None, current.as_bytes()).expect("a document"));
    policy.judge(&facts, current.as_ref())
}

/// `permit`, `needs current`, or the codes with op and pointer.
fn verdict(body: &str, current: Option<&str>) -> String {
    match judge("PATCH", body, current).verdict {
        Verdict::NeedsCurrent(_) => "needs current".into(),
        Verdict::Permit(permit) => {
            assert_eq!(permit.body(), body.as_bytes(), "judged bytes are sent bytes");
            match permit.pin() {
                Some(pin) => format!("permit {}", pin.as_str()),
                None => "permit".into(),
            }
        }
        Verdict::Refuse(found) => {
            let lines = found.iter().map(|violation| {
                format!(
                    "{} {} {}",
                    violation.code,
                    violation.op.map_or("-".into(), |op| op.to_string()),
                    violation.pointer.as_deref().unwrap_or("-"),
                )
            });
            lines.collect::<Vec<_>>().join(", ")
        }
    }
}

const WON: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;

#[test]
fn the_three_samples_of_the_documentation_pass() {
    let values = r#"[{"op":"replace","path":"/details/dealValue","value":"10000"},{"op":"replace","path":"/details/notes","value":"Lorem ipsum dolor sit amet."}]"#;
    assert_eq!(verdict(values, None), "permit");
    let member = r#"[{"op":"add","path":"/team/-","value":{"email":"jane.doe@contoso.com","firstName":"Jane","lastName":"Doe","phoneNumber":"0000000001"}}]"#;
    assert_eq!(verdict(member, None), "permit");
    assert_eq!(verdict(WON, None), "needs current");
    let active = referral("Active/Accepted");
    assert!(verdict(WON, Some(&active)).starts_with("permit \""), "pinned to the tag in the body");
}

#[test]
fn a_step_that_the_graph_lacks_is_refused_with_its_reason_and_what_would_do() {
    assert_eq!(verdict(WON, Some(&referral("Closed/Lost"))), "transition-forbidden 1 /substatus");
    let Verdict::Refuse(found) = judge("PATCH", WON, Some(&referral("Closed/Lost"))).verdict else {
        panic!("a refusal")
    };
    let violation = found.iter().next().expect("one");
    assert!(violation.message.contains("`Closed/Lost` does not lead to `Closed/Won`"));
    assert!(violation.message.contains("a closed referral stays as it was closed"));
    assert_eq!(violation.accepted, ["Closed/Lost"]);
    assert!(verdict(WON, Some(&referral("Closed/Won"))).starts_with("permit"));
    let back = WON.replace("Closed", "New").replace("Won", "Pending");
    assert_eq!(
        verdict(&back, Some(&referral("Active/Accepted"))),
        "transition-forbidden 1 /substatus"
    );
}

#[test]
fn pairs_and_lone_fields_are_refused_without_asking_anybody() {
    let pair = WON.replace("Won", "Accepted");
    assert_eq!(verdict(&pair, None), "state-forbidden 1 /substatus");
    let lone = r#"[{"op":"replace","path":"/status","value":"Closed"}]"#;
    assert_eq!(verdict(lone, None), "fields-separated 0 /status");
    for value in ["\"closed\"", "2", "\"2\"", "null", "[\"Closed\"]"] {
        let patch = WON.replace("\"Closed\"", value);
        assert!(
            verdict(&patch, None).contains("value-invalid 0 /status"),
            "{value}: {}",
            verdict(&patch, None)
        );
    }
}

#[test]
fn what_is_not_allowed_is_refused_at_once_whatever_it_stands_beside() {
    let good = r#"{"op":"replace","path":"/details/notes","value":"n"}"#;
    for (op, expected) in [
        (r#"{"op":"remove","path":"/details/notes"}"#, "op-forbidden 1 /details/notes"),
        (r#"{"op":"replace","path":"/id","value":"x"}"#, "pointer-forbidden 1 /id"),
        (r#"{"op":"replace","path":"/eTag","value":"x"}"#, "pointer-forbidden 1 /eTag"),
        (r#"{"op":"replace","path":"/Status","value":"Closed"}"#, "pointer-forbidden 1 /Status"),
        (
            r#"{"op":"replace","path":"/details","value":{"notes":"n"}}"#,
            "pointer-forbidden 1 /details",
        ),
        (r#"{"op":"add","path":"","value":{}}"#, "pointer-forbidden 1 "),
        (r#"{"op":"replace","path":"/team/-","value":{}}"#, "pointer-forbidden 1 /team/-"),
        (r#"{"op":"add","path":"/team/-/email","value":"x"}"#, "pointer-forbidden 1 /team/-/email"),
        (
            r#"{"op":"replace","path":"/details/notes/","value":"x"}"#,
            "pointer-forbidden 1 /details/notes/",
        ),
        (
            r#"{"op":"replace","path":"/details/dealValue","value":true}"#,
            "value-invalid 1 /details/dealValue",
        ),
        (
            r#"{"op":"replace","path":"/details/currency","value":"USD\n"}"#,
            "value-invalid 1 /details/currency",
        ),
        (
            r#"{"op":"replace","path":"/details/closingDateTime","value":"2021-02-30T00:00:00Z"}"#,
            "value-invalid 1 /details/closingDateTime",
        ),
        (
            r#"{"op":"add","path":"/team/-","value":{"email":"a","admin":true}}"#,
            "pointer-undescribed 1 /team/-/admin",
        ),
        (
            r#"{"op":"add","path":"/team/-","value":{"Email":"a"}}"#,
            "name-case-variant 1 /team/-/Email",
        ),
        (r#"{"op":"add","path":"/team/-","value":"jane"}"#, "value-invalid 1 /team/-"),
    ] {
        let found = verdict(&format!("[{good},{op}]"), None);
        assert!(found.starts_with(expected), "{op}: {found}");
    }
    assert_eq!(verdict("[]", None), "patch-empty - -");
}

#[test]
fn every_connector_path_takes_its_natural_value() {
    for (path, value) in [
        ("/campaignId", "\"c\""),
        ("/consent/consentToShareReferralWithMicrosoftSellers", "true"),
        ("/customerProfile/team", "[]"),
        ("/customerProfile/team/-", "{\"firstName\":\"A\"}"),
        ("/details/closingDateTime", "\"2026-12-01T00:00:00Z\""),
        ("/details/currency", "\"EUR\""),
        ("/details/dealValue", "10000.50"),
        ("/details/notes", "null"),
        ("/details/requirements/solutions", "[{\"id\":\"a\",\"name\":\"b\",\"type\":\"Name\"}]"),
        ("/details/requirements/solutions/-", "{\"id\":\"a\",\"type\":\"Category\"}"),
        ("/externalReferenceId", "\"x\""),
        ("/referralProgram", "\"x\""),
        ("/salesStage", "\"40\""),
        ("/statusReason", "\"x\""),
        ("/team", "[{\"email\":\"a@b.example\"}]"),
        ("/team/-", "{\"email\":\"a@b.example\"}"),
        (
            "/registrations/-",
            "{\"type\":\"AzureIPCoSell\",\"contract\":{\"term\":\"Finite\",\"value\":1,\"currency\":\"EUR\"},\"solutionDetails\":[{\"id\":\"s\",\"value\":1,\"isDeployedOnAzure\":true,\"pricingModel\":\"Other\"}]}",
        ),
        ("/registrations/0/contract/value", "5"),
        (
            "/registrations/0/solutionDetails/0/marketplaceTransactionDetails/isMarketplaceTransacted",
            "true",
        ),
    ] {
        let patch = format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
        assert_eq!(verdict(&patch, None), "permit", "{path}");
    }
    let owned = r#"[{"op":"add","path":"/registrations/-","value":{"id":"mine"}}]"#;
    assert_eq!(verdict(owned, None), "needs current");
    assert_eq!(
        verdict(owned, Some(&referral("Closed/Won"))),
        "field-immutable - /registrations/1/id"
    );
}

#[test]
fn a_patch_that_does_not_apply_to_the_current_document_is_refused() {
    let patch = format!(
        "{},{}",
        WON.trim_end_matches(']'),
        r#"{"op":"replace","path":"/registrations/0/contract/value","value":5}]"#
    );
    assert_eq!(
        verdict(&patch, Some(&referral("Active/Accepted"))),
        "patch-inapplicable 2 /registrations/0/contract/value"
    );
}

#[test]
fn a_new_document_is_held_against_the_schema() {
    let created = include_str!("data/create.json");
    assert!(matches!(judge("POST", created, None).verdict, Verdict::Permit(_)));
    let broken = created.replace("\"Independent\"", "\"Lonely\"");
    let Verdict::Refuse(found) = judge("POST", &broken, None).verdict else { panic!("a refusal") };
    assert_eq!(found.iter().map(|v| v.code).collect::<Vec<_>>(), [Code::ValueInvalid]);
}

#[test]
fn every_document_that_the_sandbox_stores_fits_the_schema() {
    let policy = policy();
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else { panic!("a route") };
    let schema = &route.resource.as_ref().expect("a resource").schema;
    for seed in serde_json::from_str::<Vec<serde_json::Value>>(SEEDS).expect("JSON") {
        let misfits = schema.misfits(&patchgate::json::Value::from(&seed));
        assert!(misfits.is_empty(), "{}: {misfits:?}", seed["id"]);
    }
}

#[test]
fn names_in_another_case_are_judged_as_the_known_ones_where_the_policy_folds() {
    let policy = changed("case: exact", "case: fold");
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else { panic!("a route") };
    let verdict = |body: String, current: &str| {
        let body = Bytes::from(body);
        let current = Current::read(route, None, current.as_bytes()).expect("a document");
        let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, &body);
        match policy.judge(&facts, Some(&current)).verdict {
            Verdict::Permit(permit) => {
                assert_eq!(permit.body(), &body);
                "permit".to_owned()
            }
            Verdict::Refuse(found) => found.iter().map(|v| v.code.to_string()).collect(),
            Verdict::NeedsCurrent(_) => "needs current".to_owned(),
        }
    };
    let upper = WON.replace("/status", "/Status").replace("/substatus", "/SubStatus");
    assert_eq!(verdict(upper.clone(), &referral("Active/Accepted")), "permit");
    assert_eq!(verdict(upper, &referral("Closed/Lost")), "transition-forbidden");
    let twice = WON.replace("/substatus", "/Status");
    let twice = verdict(twice, &referral("Active/Accepted"));
    assert!(twice.contains("value-invalid"), "`/Status` is no way around: {twice}");
    let id = r#"[{"op":"replace","path":"/ID","value":"x"}]"#;
    let id = verdict(id.to_owned(), &referral("Active/Accepted"));
    assert!(id.starts_with("pointer-forbidden"), "{id}");
}

/// The shipped policy with one thing written otherwise.
fn changed(from: &str, to: &str) -> Policy {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = include_str!("../config/policies/partner-center-referrals.yaml");
    assert!(shipped.contains(from), "{from}");
    let schema = format!("schema: {}/schemas/", env!("CARGO_MANIFEST_DIR"));
    let text = shipped.replace(from, to).replace("schema: ../../schemas/", &schema);
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, text).expect("written");
    load_policy(Source::Disk, &file).expect("a policy")
}

#[test]
fn a_rule_that_warns_lets_pass_and_one_that_is_off_is_not_asked() {
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let judged = |policy: &Policy, body: &str| {
        let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else {
            panic!("a route")
        };
        let body = Bytes::copy_from_slice(body.as_bytes());
        let judgement =
            policy.judge(&Facts::read(route, Caller::default(), &IfMatch::Absent, &body), None);
        let verdict = match judgement.verdict {
            Verdict::Permit(_) => "permit".to_owned(),
            Verdict::NeedsCurrent(_) => "needs current".to_owned(),
            Verdict::Refuse(found) => found.iter().map(|v| v.code.to_string()).collect(),
        };
        (verdict, judgement.warnings.iter().map(|v| v.code.to_string()).collect::<Vec<_>>())
    };
    let lone = r#"[{"op":"replace","path":"/status","value":"Closed"}]"#;
    let name = r#"[{"op":"replace","path":"/name","value":"n"}]"#;
    let broken = r#"[{"op":"replace","path":"/name","value":"n","value":"m"}]"#;
    let warns = changed(
        "state: fetch",
        "state: fetch\n    rules: { together: warn, transition: off, paths: warn }",
    );
    assert_eq!(judged(&warns, lone), ("permit".into(), vec!["fields-separated".into()]));
    assert_eq!(judged(&warns, name), ("permit".into(), vec!["pointer-forbidden".into()]));
    assert_eq!(judged(&warns, r#"[{"op":"remove","path":"/name"}]"#).0, "op-forbidden");
    let steps = changed("state: fetch", "state: fetch\n    rules: { transition: warn }");
    assert_eq!(judged(&steps, WON), ("permit".into(), vec![]), "nothing is read for a warning");
    let observes = changed("state: fetch", "state: fetch\n    mode: observe");
    assert_eq!(judged(&observes, WON), ("permit".into(), vec![]));
    assert_eq!(judged(&observes, lone), ("permit".into(), vec!["fields-separated".into()]));
    assert_eq!(
        judged(&observes, broken).0,
        "body-duplicate-member",
        "what cannot be read is refused"
    );
}

/// The shipped policy with one more line about steps.
fn restricted(line: &str) -> Policy {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(source::REFERRALS_POLICY);
    let schema = shipped.with_file_name("../../schemas/referral.schema.json");
    let text = std::fs::read_to_string(&shipped).expect("a policy");
    let text = text.replace("../../schemas/referral.schema.json", &schema.display().to_string());
    let text = text.replacen("      edits:\n", &format!("        - {line}\n      edits:\n"), 1);
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, text).expect("a file");
    load_policy(Source::Disk, &path).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_step_for_some_partners_and_roles_is_refused_to_all_others_without_naming_them() {
    let line = "{ from: [Active/*], to: [Closed/Won], partners: [acme], roles: [closer], reason: closers close }";
    let policy = restricted(line);
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else { panic!("a route") };
    let body = Bytes::from(WON);
    let judge = |partner: &str, roles: &[&str], current: Option<&str>| {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let caller = Caller { partner, roles: &roles };
        let current = current.map(referral);
        let current = current
            .as_ref()
            .map(|text| Current::read(route, None, text.as_bytes()).expect("a document"));
        policy.judge(&Facts::read(route, caller, &IfMatch::Absent, &body), current.as_ref()).verdict
    };
    for (partner, roles) in [("acme", &[][..]), ("other", &["reader", "closer"])] {
        assert!(matches!(judge(partner, roles, Some("Active/Accepted")), Verdict::Permit(_)));
    }
    for (partner, roles) in [("other", &[][..]), ("", &["reader"]), ("closer", &["acme"])] {
        assert!(matches!(judge(partner, roles, None), Verdict::NeedsCurrent(_)), "New leads there");
        let Verdict::Refuse(found) = judge(partner, roles, Some("Active/Accepted")) else {
            panic!("a refusal")
        };
        let violation = found.iter().next().expect("one");
        assert_eq!(violation.code, Code::TransitionForbidden);
        assert_eq!(
            violation.message,
            "the step from `Active/Accepted` to `Closed/Won` is for other partners or roles: closers close"
        );
        let next = ["Active/Accepted", "Closed/Lost", "Closed/Declined", "Closed/Expired"];
        assert_eq!(violation.accepted, next);
    }
}

#[test]
fn where_no_step_is_open_to_the_caller_nobody_is_asked() {
    let policy = restricted("{ from: ['*/*'], to: [Closed/Won], roles: [closer] }");
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else { panic!("a route") };
    let body = Bytes::from(WON);
    let judge = |roles: &[String]| {
        let caller = Caller { partner: "p", roles };
        policy.judge(&Facts::read(route, caller, &IfMatch::Absent, &body), None).verdict
    };
    assert!(matches!(judge(&["closer".into()]), Verdict::NeedsCurrent(_)));
    let Verdict::Refuse(found) = judge(&[]) else { panic!("a refusal") };
    let violation = found.iter().next().expect("one");
    assert_eq!(violation.message, "every step to `Closed/Won` is for other partners or roles");
    assert!(violation.accepted.iter().all(|state| state != "Closed/Won"));
    assert!(violation.accepted.iter().any(|state| state == "Closed/Lost"));
}
