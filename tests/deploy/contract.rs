//! The policy as OpenAPI, held against a gateway that judges by it: schemathesis makes requests that fit
//! it and requests that do not, and looks at what is answered.

use crate::cli::process::{Finished, Gateway, finish, gateway_file, patchgate};
use crate::docs::{root, text};
use crate::harness::{Act, Upstream, answer, packages};

use serde_json::Value;

use std::fs;
use std::process::Command;

const ORDERS: &str = "config/examples/orders/orders.yaml";
const REFERRALS: &str = "config/policies/partner-center-referrals.yaml";

/// What has to be so of each answer. That whatever fits is let through is not among it: for a document
/// and for a step between states more is asked than OpenAPI can say.
const CHECKS: [&str; 9] = [
    "allow_header_conformance",
    "content_type_conformance",
    "missing_required_header",
    "negative_data_rejection",
    "not_a_server_error",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
];

/// A gateway by `policy` before `upstream` keeps to what is exported of that policy.
fn keeps_to_what_is_exported(policy: &str, upstream: &str, phases: &str, examples: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = root().join(policy).display().to_string();
    let Finished { code, out, err } = patchgate(&["export", "openapi", "--policy", &policy]);
    assert_eq!(code, 0, "{err}");
    let exported = folder.path().join("openapi.json");
    fs::write(&exported, &out).expect("a file");
    // Nothing here is about how many may come.
    let limits = "limits: { tiers: { standard: { requests: [100000/1s] } } }";
    let keys = format!("policy: {policy}\nupstream: {{ url: \"{upstream}\" }}\n{limits}");
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let tried = finish(
        Command::new("timeout")
            .arg("300")
            .arg(packages::python("deploy/contract").join("st"))
            .arg("--config-file")
            .arg(root().join("tests/deploy/contract/schemathesis.toml"))
            .arg("run")
            .arg(&exported)
            .args(["--url", &format!("http://{}", gateway.address)])
            .args(["--header", "Authorization: Bearer x", "--checks", &CHECKS.join(",")])
            .args(["--phases", phases, "--max-examples", examples, "--seed", "1"])
            .args(["--generation-database", "none", "--suppress-health-check", "all"])
            .args(["--continue-on-failure", "--max-failures", "20", "--warnings", "off"]),
    );
    assert_eq!(tried.code, 0, "{}{}", tried.out, tried.err);
    let exported: Value = serde_json::from_str(&out).expect("JSON");
    let paths = exported["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|path| path.as_object().expect("an object").keys());
    let operations = operations.filter(|key| *key != "parameters").count();
    assert!(tried.out.contains(&format!("Tested: {operations}\n")), "{}", tried.out);
}

/// The same before an API that takes whatever it gets, and has `document`: what is refused is refused by
/// the gateway.
fn keeps_to_it_alone(policy: &str, document: &str, phases: &str, examples: &str) {
    let fields = "Content-Type: application/json\r\nETag: \"v1\"\r\n";
    let taken = answer("200 OK", fields, document);
    let upstream = Upstream::start((0..20_000).map(|_| Act::Answer(taken.clone())));
    let url = format!("http://{}", upstream.address);
    keeps_to_what_is_exported(policy, &url, phases, examples);
    // Where nothing was let through, all was refused for something that says nothing of the rest.
    let let_through = upstream.requests();
    let let_through = let_through.iter().filter(|request| request.line().starts_with("PATCH "));
    assert!(let_through.count() > 2);
}

#[test]
fn no_referral_that_is_against_what_is_exported_is_let_through() {
    let document = r#"{"id":"1","status":"Active","substatus":"Accepted"}"#;
    keeps_to_it_alone(REFERRALS, document, "fuzzing", "15");
}

#[test]
fn no_order_that_is_against_what_is_exported_is_let_through() {
    keeps_to_it_alone(ORDERS, &text("config/examples/orders/order.json"), "coverage,fuzzing", "20");
}

#[test]
fn what_is_exported_holds_for_the_answers_of_an_api_as_well() {
    keeps_to_what_is_exported(REFERRALS, "sandbox", "fuzzing", "20");
}
