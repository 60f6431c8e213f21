//! `patchgate export`, and the small commands for shells, manuals and containers.

use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use super::{WON, file};
use crate::docs::rows;
use crate::harness::{eventually, packages};

use serde_json::{Value, json};

use std::fs;
use std::process::Command;

fn exported(arguments: &[&str]) -> Value {
    let Finished { code, out, err } = patchgate(&[&["export"], arguments].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).expect("JSON")
}

/// A policy with two routes for patches; its schema is of an older draft.
fn orders(folder: &tempfile::TempDir) -> String {
    let schema = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "properties": { "note": { "$ref": "#/definitions/text" }, "lines": { "type": "array",
            "items": { "type": "object", "properties": { "quantity": { "type": "integer", "minimum": 1 } } } } },
        "definitions": { "text": { "type": "string", "maxLength": 3 } } });
    file(folder, "order.json", &schema.to_string());
    let policy = "apiVersion: patchgate/v1\nkind: Policy\nname: orders\nresources:\n  the order:\n    schema: order.json\n\
        \x20   ops: [add, replace, remove]\n    paths:\n      - { path: /note }\n      - { path: '/lines/*/quantity', ops: [replace] }\nroutes:\n\
        \x20 - { id: one, methods: [PATCH], path: '/orders/{id}', params: { id: guid }, resource: the order, body: json-patch, if_match: required, media_types: [application/json-patch+json] }\n\
        \x20 - { id: two, methods: [PATCH], path: '/drafts/{id}', resource: the order, body: json-patch, media_types: [application/json-patch+json] }\n";
    file(folder, "policy.yaml", policy)
}

#[test]
fn the_shipped_policy_is_exported_as_a_schema_that_samples_fit() {
    let schema = exported(&["patch-schema"]);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for (patch, fits) in [
        (WON, true),
        (r#"[{"op":"replace","path":"/details/notes","value":"x"}]"#, true),
        (r#"[{"op":"replace","path":"/details/notes","value":1}]"#, false),
        (r#"[{"op":"remove","path":"/details/notes"}]"#, false),
        (r#"[{"op":"replace","path":"/detials/notes","value":"x"}]"#, false),
        (r#"[{"op":"replace","path":"/details/notes"}]"#, false),
        (r#"[{"op":"replace","path":"/status","value":"Closed"}]"#, false),
        (r#"[{"op":"replace","path":"/details/notes","value":"x","more":1}]"#, false),
        ("[]", false),
        ("{}", false),
    ] {
        let patch: Value = serde_json::from_str(patch).expect("JSON");
        assert_eq!(validator.is_valid(&patch), fits, "{patch}");
    }
    let told = rows("docs/export.md", "## The schema of patches");
    assert!(told.keys().all(|member| schema[member].is_object()), "{told:?}");
}

#[test]
fn a_route_is_named_where_there_are_several() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = orders(&folder);
    let refused = |route: &[&str]| {
        let arguments = [&["export", "patch-schema", "--policy", &policy], route].concat();
        let Finished { code, err, .. } = patchgate(&arguments);
        (code, err)
    };
    let (code, err) = refused(&[]);
    assert_eq!(code, 1);
    assert!(err.contains("say --route, one of `one`, `two`"), "{err}");
    let (code, err) = refused(&["--route", "three"]);
    assert_eq!(code, 1);
    assert!(err.contains("no route `three`") && err.contains("`one`, `two`"), "{err}");
    let schema = exported(&["patch-schema", "--policy", &policy, "--route", "two"]);
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let fits = |path: &str, value: Value| {
        validator.is_valid(&json!([{ "op": "replace", "path": path, "value": value }]))
    };
    assert!(fits("/note", json!("abc")) && !fits("/note", json!("abcd")));
    assert!(fits("/lines/7/quantity", json!(1)) && !fits("/lines/-/quantity", json!(1)));
    assert!(!fits("/lines/7/quantity", json!(0)) && !fits("/lines/7", json!(1)));
    let missing = patchgate(&["export", "patch-schema", "--policy", "nowhere.yaml"]);
    assert_eq!(missing.code, 2);
}

#[test]
fn what_is_exported_as_openapi_is_openapi() {
    let folder = tempfile::tempdir().expect("a folder");
    let orders = exported(&["openapi", "--policy", &orders(&folder)]);
    let order = &orders["paths"]["/orders/{id}"];
    assert_eq!(order["patch"]["parameters"][0]["required"], true);
    assert_eq!(orders["paths"]["/drafts/{id}"]["patch"]["parameters"][0]["required"], false);
    assert_eq!(order["parameters"][0]["schema"]["format"], "uuid");
    let accepted = &order["options"]["responses"]["204"]["headers"]["Accept-Patch"]["schema"];
    assert_eq!(accepted["examples"][0], "application/json-patch+json");
    let content = &order["patch"]["requestBody"]["content"]["application/json-patch+json"];
    assert_eq!(content["schema"]["$ref"], "#/components/schemas/patch.one");
    let schemas = &orders["components"]["schemas"];
    assert_eq!(
        schemas["the-order"]["properties"]["note"]["$ref"],
        "#/components/schemas/the-order/definitions/text"
    );
    let validator = packages::python("deploy").join("openapi-spec-validator");
    for document in [orders, exported(&["openapi"])] {
        let path = file(&folder, "openapi.json", &document.to_string());
        let said = Command::new(&validator).arg(&path).output().expect("it runs");
        let told = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{told}{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn a_health_check_says_no_until_a_gateway_is_ready_and_once_it_drains() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(&folder, "upstream: { url: sandbox }"));
    let admin = gateway.admin.to_string();
    let healthy = || patchgate(&["healthcheck", "--admin", &admin]);
    eventually("it is ready", || healthy().code == 0);
    assert_eq!((healthy().out, healthy().err), (String::new(), String::new()));
    assert_eq!(ask(gateway.admin, "POST /drain", &[], "").status, 200);
    let Finished { code, err, .. } = healthy();
    assert_eq!(code, 1);
    assert!(err.contains("it is not ready"), "{err}");
    drop(gateway);
    let Finished { code, err, .. } = healthy();
    assert_eq!(code, 1);
    assert!(err.contains("no gateway answers"), "{err}");
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    let commands = patchgate(&["--help"]).out;
    let (_, commands) = commands.split_once("Commands:\n").expect("a list");
    let (commands, _) = commands.split_once("\n\n").expect("its end");
    let starts = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let commands: Vec<_> =
        commands.lines().filter(starts).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 20, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("man").display().to_string();
    assert_eq!(patchgate(&["man", &into]).code, 0);
    for shell in ["bash", "zsh", "fish"] {
        let script = patchgate(&["completions", shell]).out;
        assert!(commands.iter().all(|name| script.contains(name)), "{shell}");
    }
    let script = file(&folder, "complete", &patchgate(&["completions", "bash"]).out);
    let complete = "source \"$0\"; COMP_WORDS=(patchgate che); COMP_CWORD=1; _patchgate patchgate che patchgate; echo \"${COMPREPLY[@]}\"";
    let done = Command::new("bash").args(["-c", complete, &script]).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "check\n");
    for name in commands.iter().filter(|name| **name != "help") {
        let page = fs::read_to_string(format!("{into}/patchgate-{name}.1")).expect("a page");
        assert!(page.contains(".SH NAME"), "{name}");
    }
    assert_eq!(patchgate(&["man"]).out, fs::read_to_string(format!("{into}/patchgate.1")).unwrap());
    assert_eq!(patchgate(&["man", "/proc/nowhere"]).code, 2);
}
