//! `patchgate init`: what it writes loads, does what the file says, and is written whole or not at all.

use super::documents::blocks;
use super::file;
use super::process::{Finished, PROGRAM, finish, patchgate};

use patchgate::config::compile::Expect;
use patchgate::config::{Source, load_cases};

use serde_json::{Value, json};
use tempfile::TempDir;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ORDERS: &str = "tests/data/openapi/orders.yaml";
const DEVICES: &str = "tests/data/openapi/devices.json";
const ODD: &str = "tests/data/openapi/odd.yaml";

/// A schema in which much is awkward: names that YAML and pointers have uses for, and places that nothing
/// can be said of.
const AWKWARD: &str = r##"{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "https://schemas.example/awkward",
  "title": "Awkward: {thing} #1\n- [x]",
  "type": "object",
  "required": ["state", "on"],
  "properties": {
    "on": { "type": "boolean" }, "null": { "type": ["null", "integer"], "multipleOf": 7 },
    "a: b #c": { "const": "*x" }, "~/'\"\\": { "type": "string", "maxLength": 1 }, "é\u2028": { "type": "number" },
    "*": { "type": "string" }, "": { "type": "string" },
    "state": { "enum": ["on", "off", "~", "1", "- a", "same"], "default": "- a" },
    "deep": { "type": "object", "required": ["er"], "properties": { "er": { "$ref": "#/definitions/node" } } },
    "any": {}, "never": false, "all": true, "tuple": { "type": "array", "items": [{ "type": "string" }] },
    "map": { "type": "object", "additionalProperties": { "type": "array", "items": { "type": "integer" } } },
    "either": { "oneOf": [{ "type": "string", "format": "ipv6" }, { "type": "object", "properties": { "x": { "type": "string" } } }] }
  },
  "definitions": {
    "node": { "type": "object", "properties": { "next": { "$ref": "#/definitions/node" }, "list": { "type": "array", "items": { "$ref": "#" } }, "v": { "type": "string", "pattern": "^[a-f]{7}$" } } }
  }
}"##;

/// Runs `init` with `arguments`, and has it write into `folder`.
fn init(folder: &Path, arguments: &[&str]) -> Finished {
    let folder = folder.display().to_string();
    patchgate(&[&["init", "--folder", &folder], arguments].concat())
}

/// The text of a file in `folder`.
fn text(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every file beneath `folder`, by its path in it.
fn files(folder: &Path) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("within").display().to_string());
            }
        }
    }
    found
}

/// What is drafted from `from` in a folder of its own, and what was told of it.
fn drafted(from: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let Finished { code, out, err } = init(folder.path(), &["--from", from]);
    assert_eq!((code, err.as_str()), (0, ""), "{from}: {out}");
    (folder, out)
}

#[test]
fn what_is_drafted_loads_without_a_warning_and_its_cases_pass() {
    let own = tempfile::tempdir().expect("a folder");
    let awkward = file(&own, "awkward.json", AWKWARD);
    let shipped = "schemas/referral.schema.json";
    let inputs: [&[&str]; 7] = [
        &[],
        &["--name", "order"],
        &["--from", ORDERS],
        &["--from", DEVICES],
        &["--from", ODD],
        &["--from", shipped, "--name", "referral", "--url", "https://api.example/v1"],
        &["--from", &awkward],
    ];
    for input in inputs {
        let folder = tempfile::tempdir().expect("a folder");
        let Finished { code, out, err } = init(folder.path(), input);
        assert_eq!((code, err.as_str()), (0, ""), "{input:?}: {out}");
        assert!(!out.contains("warnings:"), "{input:?}: {out}");
        let written: Vec<String> = files(folder.path()).into_iter().collect();
        for name in &written {
            let path = folder.path().join(name);
            assert!(out.contains(&format!("wrote {}\n", path.display())), "{name}: {out}");
        }
        let yaml: Vec<&String> = written.iter().filter(|name| name.ends_with(".yaml")).collect();
        assert_eq!(yaml.len(), 3, "{written:?}");
        for name in yaml {
            let path = folder.path().join(name).display().to_string();
            let Finished { code, err, .. } = patchgate(&["check", "--deny-warnings", &path]);
            assert_eq!(code, 0, "{input:?}: {err}");
        }
        let policies = folder.path().join("policies").display().to_string();
        let Finished { code, out: results, err } = patchgate(&["test", &policies]);
        assert_eq!(code, 0, "{input:?}: {results}{err}");
        assert_each_route_has_cases(&folder, &out);
    }
}

/// Of each route there is a request that is permitted, unless that was told, and one that is refused.
fn assert_each_route_has_cases(folder: &TempDir, told: &str) {
    let name = files(folder.path()).into_iter().find(|name| name.ends_with(".cases.yaml"));
    let path = folder.path().join(name.expect("a case file"));
    let cases = load_cases(Source::Disk, &path, None).expect("cases");
    for route in cases.policy.routes.iter() {
        let of_route = || cases.cases.iter().filter(|case| case.route.id == route.id);
        let is_permitted = of_route().any(|case| case.expect == Expect::Permit);
        let is_told = told.contains(&format!("the route `{}`: no request", route.id));
        assert!(is_permitted != is_told, "{}: {told}", route.id);
        let is_refused = of_route().any(|case| matches!(case.expect, Expect::Violations(_)));
        assert!(is_refused, "{}", route.id);
    }
}

/// What the judge says of `patch` for the stored document `current`: its exit code, and its answer.
fn judged(folder: &TempDir, path: &str, patch: &Value, current: &Value) -> (i32, String) {
    let policy = folder.path().join("policies/orders-api.yaml").display().to_string();
    let patch = file(folder, "patch.json", &patch.to_string());
    let current = file(folder, "current.json", &current.to_string());
    let arguments = ["explain", "--policy", &policy, "--path", path, "--current", &current, &patch];
    let Finished { code, out, .. } = patchgate(&arguments);
    (code, out)
}

#[test]
fn a_policy_from_openapi_permits_what_the_file_describes_and_nothing_else() {
    let (folder, _) = drafted(ORDERS);
    // The versions of these documents are told in them, as a comment proposes.
    let policy = text(&folder, "policies/orders-api.yaml");
    let tagged = policy.replace("  order:\n", "  order:\n    tag: /eTag\n");
    assert!(policy.contains("`tag: /eTag`") && tagged != policy, "{policy}");
    file(&folder, "policies/orders-api.yaml", &tagged);
    let order = json!({ "eTag": "\"1\"", "labels": {}, "notes": "x", "status": "draft", "lines": [], "id": "10000000-0000-4000-8000-000000000001", "address": { "city": "x" } });
    let path = "/orders/10000000-0000-4000-8000-000000000001";
    let replace =
        |path: &str, value: Value| json!([{ "op": "replace", "path": path, "value": value }]);
    let add = |path: &str, value: Value| json!([{ "op": "add", "path": path, "value": value }]);
    for (patch, refused) in [
        (add("/notes", json!(null)), None),
        (add("/notes", json!("x".repeat(401))), Some("value-invalid")),
        (add("/channel", json!(null)), None),
        (add("/channel", json!("fax")), Some("value-invalid")),
        (add("/discount", json!(100)), Some("value-invalid")),
        (add("/discount", json!(99.5)), None),
        (replace("/address/city", json!("y")), None),
        (replace("/address", json!({ "city": "y" })), Some("pointer-forbidden")),
        (add("/address/verified", json!(true)), Some("pointer-forbidden")),
        (add("/lines/-", json!({ "sku": "12345678", "quantity": 1, "product": null })), None),
        (add("/lines/-", json!({ "quantity": 0 })), Some("value-invalid")),
        (replace("/lines", json!([])), Some("pointer-forbidden")),
        (add("/labels/a", json!("b")), None),
        (add("/metadata", json!({})), Some("pointer-forbidden")),
        (replace("/id", json!("10000000-0000-4000-8000-000000000002")), Some("pointer-forbidden")),
        (replace("/status", json!("on")), None),
        (replace("/status", json!(true)), Some("value-invalid")),
        (json!([{ "op": "remove", "path": "/notes" }]), Some("op-forbidden")),
    ] {
        let (code, out) = judged(&folder, path, &patch, &order);
        match refused {
            None => assert_eq!(code, 0, "{patch}: {out}"),
            Some(said) => assert!(code == 1 && out.contains(said), "{patch}: {code} {out}"),
        }
    }
    let line = format!("{path}/lines/7");
    let stored = json!({ "id": 7, "quantity": 1 });
    for (patch, code) in [
        (json!({ "quantity": 2 }), 0),
        (json!({ "product": { "name": "x" } }), 0),
        (json!({ "quantity": 0 }), 1),
        (json!({ "sku": "12345678" }), 1),
        (json!({ "quantity": null }), 1),
    ] {
        // `If-Match` is demanded there.
        let (unconditional, out) = judged(&folder, &line, &patch, &stored);
        assert!(unconditional == 1 && out.contains("if-match-required"), "{patch}: {out}");
        let policy = folder.path().join("policies/orders-api.yaml").display().to_string();
        let body = folder.path().join("patch.json").display().to_string();
        let tag = ["--if-match", "\"1\""];
        let asked = ["explain", "--policy", &policy, "--path", &line, &body];
        let Finished { code: found, out, .. } = patchgate(&[&asked[..], &tag].concat());
        assert_eq!(found, code, "{patch}: {out}");
    }
    for (method, path, said) in
        [("GET", "/orders", 0), ("GET", "/orders/1", 2), ("DELETE", path, 2), ("PUT", "/orders", 2)]
    {
        let policy = folder.path().join("policies/orders-api.yaml").display().to_string();
        let empty = file(&folder, "empty", "");
        let asked = ["explain", "--policy", &policy, "--method", method, "--path", path, &empty];
        assert_eq!(patchgate(&asked).code, said, "{method} {path}");
    }
}

#[test]
fn names_addresses_and_states_are_those_of_the_file_or_those_asked_for() {
    let (folder, _) = drafted(ORDERS);
    let gateway = text(&folder, "patchgate.yaml");
    assert!(gateway.contains("\n  url: \"https://eu.orders.example/v1\"\n"), "{gateway}");
    let policy = text(&folder, "policies/orders-api.yaml");
    for said in [
        "\n    media_types: [application/json, application/json-patch+json]\n",
        "\n      initial: [draft]\n",
        "\n        - \"on\"\n",
        "\n    states: *order-states\n",
        "\n    params: { id: guid, line: token }\n",
        "\n  - id: list-orders\n    methods: [GET]\n    path: /orders\n    query: permit\n",
        "`remove`, `test`",
    ] {
        assert!(policy.contains(said), "{said}: {policy}");
    }
    let schema: Value =
        serde_json::from_str(&text(&folder, "schemas/order.schema.json")).expect("JSON");
    assert_eq!(schema["allOf"][1]["properties"]["address"], json!({ "$ref": "#/$defs/Address" }));
    assert_eq!(schema["allOf"][1]["properties"]["notes"]["type"], json!(["string", "null"]));
    assert_eq!(schema["allOf"][1]["properties"]["discount"]["exclusiveMaximum"], 100);
    assert_eq!(schema["$defs"]["Entity"]["properties"]["id"]["readOnly"], true);

    let asked = tempfile::tempdir().expect("a folder");
    let arguments = ["--from", ORDERS, "--name", "shop", "--url", "http://127.0.0.1:1/x"];
    assert_eq!(init(asked.path(), &arguments).code, 0);
    assert!(text(&asked, "patchgate.yaml").contains("\n  url: \"http://127.0.0.1:1/x\"\n"));
    assert!(text(&asked, "policies/shop.yaml").contains("\nname: shop\n"));

    let single = tempfile::tempdir().expect("a folder");
    assert_eq!(init(single.path(), &["--name", "entry"]).code, 0);
    let policy = text(&single, "policies/entry.yaml");
    assert!(policy.contains("path: /entries/{id}\n"), "{policy}");
    let own: Value =
        serde_json::from_str(&text(&single, "schemas/entry.schema.json")).expect("JSON");
    assert_eq!(own["title"], "Ticket");
}

#[test]
fn a_json_schema_is_copied_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(
        init(folder.path(), &["--from", "schemas/referral.schema.json", "--name", "r"]).code,
        0
    );
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/referral.schema.json");
    assert_eq!(
        text(&folder, "schemas/r.schema.json"),
        fs::read_to_string(shipped).expect("a schema")
    );
    let yaml = "type: object\nproperties:\n  n: { type: string }\n";
    let from = file(&folder, "thing.yaml", yaml);
    let other = folder.path().join("other");
    assert_eq!(init(&other, &["--from", &from]).code, 0);
    let written = fs::read_to_string(other.join("schemas/thing.schema.json")).expect("a schema");
    let expected = json!({ "type": "object", "properties": { "n": { "type": "string" } } });
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), expected);
}

#[test]
fn what_cannot_be_translated_is_told_with_its_place() {
    let (_, out) = drafted(ODD);
    for said in [
        "paths./things/{id}.patch.requestBody: `application/xml` is no JSON",
        "paths./things/{id}.patch.requestBody: `application/merge-patch+json` is left out",
        "paths./things/{id}.parameters[1]: cookies are passed on",
        "paths./things/{id}.parameters[2]: the only field that a route demands is `If-Match`",
        "paths./things/{id}.parameters[3]: `$ref` leads to another file, `shared.yaml#/parameters/Trace`",
        "paths./remote/{id}.get.responses.200.content.application/json.schema: `$ref` leads to another file",
        "paths./remote/{id}.patch: no route is drafted",
        "paths./elsewhere/{id}: `$ref` leads to another file",
        "paths./xml/{id}.patch.requestBody: `text/xml` is no JSON",
        "paths./nothing/{id}.patch.requestBody: says nothing of what is sent",
        "paths./a b/{id}: no route can have this path",
        "paths./slash/{id}/: the slash at the end is taken, and not sent on",
        "paths./broken/{id}.get.responses.200.content.application/json.schema: the schema cannot be used",
        "paths./health: it has no `patch`",
        "components.schemas.Thing.discriminator: is dropped",
        "components.schemas.Thing.externalDocs: is dropped",
        "components.schemas.Thing.properties.kind.xml: is dropped",
        "components.schemas.Thing.properties.code.pattern: is dropped",
        "components.schemas.Thing.properties.remote: `$ref` leads to another file, `thing.yaml`",
        "components.schemas.Thing.properties.ref.nullable: stands beside `$ref`",
        "components.schemas.Thing.properties.unknown.someKeyword: is dropped",
        "components.securitySchemes.key: ",
        "servers[0].url: ",
        "thing `/remote`: ",
        "thing `/status`: looks like a state",
    ] {
        assert!(out.contains(&format!("\n  {said}")), "{said}: {out}");
    }
    let (_, out) = drafted(DEVICES);
    for said in [
        "device `/*`: it is called like a wildcard",
        "device `/parent`: it is what stands above it, once more",
        "profile `/stage`: looks like a state and may be no text",
        "paths./profiles/{profile}.patch.requestBody: `application/json` does not say",
    ] {
        assert!(out.contains(&format!("\n  {said}")), "{said}: {out}");
    }
}

#[test]
fn nothing_is_written_where_a_file_is_there_unless_it_may_be_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("policies")).expect("a folder");
    let there = file(&folder, "policies/ticket.cases.yaml", "mine\n");
    let Finished { code, out, err } = init(folder.path(), &[]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains(&format!("{there}: there already")) && err.contains("--force"), "{err}");
    assert_eq!(files(folder.path()), BTreeSet::from(["policies/ticket.cases.yaml".to_owned()]));
    assert_eq!(text(&folder, "policies/ticket.cases.yaml"), "mine\n");

    let Finished { code, err, .. } = init(folder.path(), &["--force"]);
    assert_eq!(code, 0, "{err}");
    assert!(text(&folder, "policies/ticket.cases.yaml").contains("kind: Cases"));
    let names = [
        "patchgate.yaml",
        "policies/ticket.cases.yaml",
        "policies/ticket.yaml",
        "schemas/ticket.schema.json",
    ];
    assert_eq!(files(folder.path()), names.map(str::to_owned).into());

    // What cannot be replaced leaves the others as they were.
    fs::remove_file(folder.path().join("schemas/ticket.schema.json")).expect("a file");
    fs::create_dir(folder.path().join("schemas/ticket.schema.json")).expect("a folder");
    fs::write(folder.path().join("patchgate.yaml"), "mine\n").expect("a file");
    let Finished { code, err, .. } = init(folder.path(), &["--force"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("schemas/ticket.schema.json: cannot be written"), "{err}");
    assert_eq!(text(&folder, "patchgate.yaml"), "mine\n");
    let names = ["patchgate.yaml", "policies/ticket.cases.yaml", "policies/ticket.yaml"];
    assert_eq!(files(folder.path()), names.map(str::to_owned).into());
}

#[test]
fn what_nothing_can_be_made_of_exits_with_1_and_what_cannot_be_read_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let openapi = |paths: &str| {
        format!("openapi: 3.0.0\ninfo: {{ title: t, version: '1' }}\npaths: {paths}\n")
    };
    let xml = "{ /x: { patch: { requestBody: { content: { text/xml: {} } } } } }";
    for (name, text, code, said) in [
        ("none.yaml", openapi("{ /x: { get: {} } }"), 1, "no path has a `patch`"),
        ("xml.yaml", openapi(xml), 1, "paths./x.patch.requestBody: `text/xml` is no JSON"),
        ("two.yaml", "swagger: '2.0'\n".to_owned(), 1, "convert it to OpenAPI 3"),
        ("next.yaml", "openapi: 3.9.0\n".to_owned(), 1, "neither 3.0 nor 3.1"),
        ("other.yaml", "a: 1\n".to_owned(), 1, "neither OpenAPI"),
        ("list.json", r#"{ "type": "array" }"#.to_owned(), 1, "describes no object"),
        (
            "remote.json",
            r#"{ "properties": { "a": { "$ref": "x.json" } } }"#.to_owned(),
            1,
            "cannot be used",
        ),
        ("broken.json", "{\n  \"a\": }".to_owned(), 2, "broken.json:2:8: is not JSON"),
        ("broken.yaml", "a: [\n".to_owned(), 2, "broken.yaml:1:4: "),
    ] {
        let from = file(&folder, name, &text);
        let into = folder.path().join("into");
        let Finished { code: found, out, err } = init(&into, &["--from", &from]);
        assert_eq!((found, out.as_str()), (code, ""), "{name}: {err}");
        assert!(
            err.starts_with("patchgate: ") && err.contains(said) && err.contains(name),
            "{err}"
        );
        assert!(!into.exists(), "{name}");
    }
    let here = file(&folder, "a-file", "");
    for (arguments, said) in [
        (&["--from", "no-such.yaml"][..], "no-such.yaml: cannot be read"),
        (&["--name", "../x"], "`--name ../x` is no name"),
        (&["--url", "ftp://x"], "`--url ftp://x` is no address"),
        (&["--folder", &here], "a-file: cannot be written"),
        (&["--nothing"], "--nothing"),
    ] {
        let Finished { code, err, .. } = patchgate(&[&["init"], arguments].concat());
        assert!(code == 2 && err.contains(said), "{arguments:?}: {code} {err}");
    }
    assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).join("patchgate.yaml").exists());
}

#[test]
fn editors_are_told_of_the_formats_where_these_are() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(init(folder.path(), &[]).code, 0);
    for (name, kind) in [
        ("patchgate.yaml", "gateway"),
        ("policies/ticket.yaml", "policy"),
        ("policies/ticket.cases.yaml", "cases"),
    ] {
        let first = text(&folder, name).lines().next().unwrap_or_default().to_owned();
        let said = format!("`patchgate schema {kind} > schemas/{kind}.schema.json`");
        assert!(first.starts_with("# ") && first.contains(&said), "{first}");
        let schema = patchgate(&["schema", kind]).out;
        file(&folder, &format!("schemas/{kind}.schema.json"), &schema);
    }
    assert_eq!(init(folder.path(), &["--force"]).code, 0);
    for (name, path) in [
        ("patchgate.yaml", "schemas/gateway.schema.json"),
        ("policies/ticket.yaml", "../schemas/policy.schema.json"),
        ("policies/ticket.cases.yaml", "../schemas/cases.schema.json"),
    ] {
        let first = format!("# yaml-language-server: $schema={path}\n");
        assert!(text(&folder, name).starts_with(&first), "{name}");
    }
}

#[test]
fn the_documentation_shows_what_is_written_and_the_next_commands_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let orders = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/openapi/orders.yaml");
    fs::copy(orders, folder.path().join("orders.yaml")).expect("a copy");
    let here = folder.path().display();
    let shell =
        |line: &str| finish(Command::new("bash").args(["-c", &format!("cd '{here}' && {line}")]));
    let ours = |line: &str| line.replace("patchgate ", &format!("{PROGRAM} "));
    let console = blocks("docs/init.md", &["console"]).remove(0);
    let (command, shown) =
        console.strip_prefix("$ ").and_then(|text| text.split_once('\n')).expect("a command");
    let Finished { code, out, err } = shell(&ours(command));
    assert_eq!(code, 0, "{out}{err}");
    let mut printed = out.lines();
    for line in shown.lines().filter(|line| *line != "…") {
        assert!(
            printed.any(|printed| printed == line),
            "{line} is not printed, or not there:\n{out}"
        );
    }
    let policy = text(&folder, "policies/orders-api.yaml");
    let mut written = policy.lines();
    for line in
        blocks("docs/init.md", &["yaml"]).remove(0).lines().filter(|line| line.trim() != "# …")
    {
        assert!(
            written.any(|written| written == line),
            "{line} is not written, or not there:\n{policy}"
        );
    }
    let next: Vec<&str> = out.split("\nnext:\n").nth(1).expect("commands").lines().collect();
    assert_eq!(next.len(), 3, "{out}");
    for line in &next[..2] {
        let Finished { code, err, .. } = shell(&ours(line.trim()));
        assert_eq!(code, 0, "{line}: {err}");
    }
    assert_eq!(next[2], "  patchgate run --config patchgate.yaml");
}
