//! Traps found in the crates we stand on, each closed.

use patchgate::json::{Bounds, Value, read};
use patchgate::patch::Pointer;
use patchgate::policy::schema::Schema;

use serde_json::json;

use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_schema_never_reaches_for_a_file_or_the_network() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), r#"{"type":"string"}"#).expect("written");
    let urls = [
        format!("file://{}", file.path().display()),
        "http://127.0.0.1:9/schema.json".to_owned(),
        "https://example.com/schema.json".to_owned(),
        "other.json".to_owned(),
    ];
    for url in urls {
        let schema = json!({"properties": {"a": {"$ref": url}}});
        assert!(Schema::new(&schema).is_err(), "{url}");
    }
}

#[test]
fn a_schema_that_is_none_is_refused() {
    for schema in [
        json!({"type": "strnig"}),
        json!({"$schema": "https://example.com/my-dialect"}),
        json!({"properties": {"a": {"pattern": "(?=x)y"}}}),
        json!({"properties": {"a": {"pattern": "("}}}),
        json!({"$ref": "#/$defs/missing"}),
        json!({"anyOf": [{"$ref": "#"}, {"type": "object"}]}),
        json!([]),
    ] {
        assert!(Schema::new(&schema).is_err(), "{schema}");
    }
}

#[test]
fn formats_are_asserted_and_not_only_noted() {
    let schema =
        json!({"properties": {"at": {"format": "date-time"}, "mail": {"format": "email"}}});
    let schema = Schema::new(&schema).expect("a schema");
    for (document, fits) in [
        (r#"{"at":"2021-01-29T00:00:00.0000000Z"}"#, true),
        (r#"{"at":"2021-02-30T00:00:00Z"}"#, false),
        (r#"{"at":"tomorrow"}"#, false),
        (r#"{"mail":"a@b.example"}"#, true),
        (r#"{"mail":"nobody"}"#, false),
    ] {
        let document = read(document.as_bytes(), Bounds::default()).expect("JSON");
        assert_eq!(schema.fits(&document), fits, "{document}");
    }
}

#[test]
fn a_pattern_of_a_schema_takes_linear_time() {
    let schema = json!({"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}});
    let schema = Schema::new(&schema).expect("a schema");
    let bait = format!("{{\"a\":\"{}!\"}}", "a".repeat(20_000));
    let bait = read(bait.as_bytes(), Bounds::default()).expect("JSON");
    let started = Instant::now();
    assert!(!schema.fits(&bait));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn errors_of_branches_that_recurse_take_no_exponential_time() {
    let schema = json!({
        "$defs": {"node": {"anyOf": [
            {"type": "integer"},
            {"type": "array", "items": {"$ref": "#/$defs/node"}},
            {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 9}]}},
        "type": "object", "properties": {"n": {"$ref": "#/$defs/node"}}});
    let schema = Schema::new(&schema).expect("a schema");
    let deep = format!("{{\"n\":{}\"x\"{}}}", "[".repeat(28), "]".repeat(28));
    let deep = read(deep.as_bytes(), Bounds::default()).expect("JSON");
    let started = Instant::now();
    assert_eq!(schema.misfits(&deep).len(), 1);
    let Value::Object(members) = &deep else { panic!("an object") };
    let place = schema.place(&Pointer::parse("/n").expect("a pointer"));
    assert_eq!(place.misfits(members.get("n").expect("n")).len(), 1);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn a_pointer_through_branches_that_recurse_takes_no_exponential_time() {
    let schema = json!({
        "$defs": {"node": {"anyOf": [
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["b"]},
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "maxProperties": 2},
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}}]}},
        "type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}});
    let started = Instant::now();
    let schema = Schema::new(&schema).expect("a schema");
    let place = schema.place(&Pointer::parse("/a".repeat(120)).expect("a pointer"));
    assert!(place.is_described() && place.whole(false).is_some());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn a_message_about_a_value_does_not_hold_the_value() {
    let schema = json!({"type": "object", "additionalProperties": false,
        "propertyNames": {"maxLength": 30},
        "properties": {"a": {"enum": ["x"]}, "b": {"type": "integer", "maximum": 3},
            "c": {"pattern": "^q"}, "d": {"const": 1}, "e": {"format": "date-time"}, "f": {"maxLength": 2},
            "g": {"not": {"type": "string"}}, "h": {"minimum": 5}, "i": {"uniqueItems": true}}});
    let schema = Schema::new(&schema).expect("a schema");
    for member in ["a", "b", "c", "d", "e", "f", "g", "i", "secretNameSecretNameSecretNameX"] {
        for value in ["\"s3cr3t-0815\"", "[\"s3cr3t-0815\",\"s3cr3t-0815\"]"] {
            let document = format!("{{\"{member}\":{value}}}");
            let document = read(document.as_bytes(), Bounds::default()).expect("JSON");
            for misfit in schema.misfits(&document) {
                let told = format!("{} {:?}", misfit.message, misfit.accepted);
                assert!(
                    !told.contains("s3cr3t") && !told.contains("secretName"),
                    "{member}: {told}"
                );
            }
        }
    }
}

#[test]
fn numbers_are_not_read_in_arbitrary_precision_anywhere() {
    assert!(serde_json::from_str::<serde_json::Value>("1e400").is_err());
}

#[test]
fn there_is_one_library_of_cryptography() {
    for other in ["ring", "openssl-sys", "openssl", "native-tls", "reqwest"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--edges", "normal,build", "--invert", other])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let found = String::from_utf8_lossy(&tree.stdout).lines().count() > 1;
        assert!(!found, "{other} is compiled in:\n{}", String::from_utf8_lossy(&tree.stdout));
    }
}
