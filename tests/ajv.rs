//! What a schema says of a place, beside an independent engine: ajv, from npm. The naive judge walks
//! the schemas, and ajv says what fits.

use crate::harness::packages::npm;
use crate::oracle::place::{Places, fragment};
use crate::oracle::{pointers_of, tokens};
use crate::promises::document::{Json, document, leaf, value};
use crate::promises::patch::POINTERS;
use crate::promises::schema::schema;

use patchgate::patch::Pointer;
use patchgate::policy::schema::Schema;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::process::Command;

/// A schema, and values to stand at places.
struct World {
    draft: &'static str,
    schema: Value,
    cases: Vec<(String, Value)>,
}

const DRAFTS: [(&str, &str); 3] = [
    ("draft-07", "http://json-schema.org/draft-07/schema#"),
    ("2019-09", "https://json-schema.org/draft/2019-09/schema"),
    ("2020-12", "https://json-schema.org/draft/2020-12/schema"),
];

/// Of each reference, what ajv says of each value.
type Table = HashMap<String, HashMap<String, bool>>;

#[test]
fn an_independent_engine_says_the_same_of_every_place() {
    let worlds: Vec<World> = shipped().into_iter().chain(plain()).chain(random()).collect();
    let asked: Vec<Value> = worlds.iter().map(asked).collect();
    let tables = ajv(&json!(asked), &asked);
    let (mut compared, mut fitting, mut explained_ones, mut differ) = (0, 0, 0, Vec::new());
    for (world, table) in worlds.iter().zip(&tables) {
        let ours = Schema::new(&world.schema).expect("a schema");
        let theirs =
            Places::with(&world.schema, |at, value| table[&fragment(at)][&value.to_string()]);
        for (pointer, value) in &world.cases {
            let place = ours.place(&Pointer::parse(pointer.as_str()).expect("a pointer"));
            let said = theirs.at(&tokens(pointer), Some(value));
            let fits = said.fits && !said.forbidden;
            compared += 1;
            fitting += usize::from(fits && said.described);
            let described = said.described && !said.forbidden;
            let ours = (place.is_described(), place.fits(&value.into()));
            if ours == (described, false) && fits && explained(&world.schema, value) {
                explained_ones += 1;
            } else if ours != (described, fits) {
                let (draft, schema) = (world.draft, &world.schema.to_string());
                let schema = &schema[..schema.len().min(1_000)];
                differ.push(format!("{draft}: `{pointer}` takes {value}? {fits}: {schema}"));
            }
        }
    }
    assert!(differ.is_empty(), "{} differ, as {:#?}", differ.len(), &differ[..differ.len().min(8)]);
    let told = format!("{compared} compared, {fitting} fit, {explained_ones} differ as explained");
    assert!(compared >= 60_000 && fitting >= 10_000, "{told}");
    assert!((10..100).contains(&explained_ones), "{told}");
    println!("{told}");
}

/// Whether ajv is known to take such a value where the specification does not.
fn explained(schema: &Value, value: &Value) -> bool {
    // It lets a blank stand for the `T` of a date and a time. RFC 3339 §5.6 lets applications do so,
    // but what it calls `date-time`, and JSON Schema names, has a `T`.
    let blank = value == "2026-11-25 12:00:00Z";
    // It does not look at `contains` in an empty array where `prefixItems` stands beside it. There
    // has to be one element that fits (JSON Schema Validation §6.4.4), whatever the first ones are.
    let empty = value.to_string().contains("[]") && contains_beside_prefix(schema);
    blank || empty
}

fn contains_beside_prefix(schema: &Value) -> bool {
    let prefix = |s: &Value| s.get("prefixItems").is_some() || s["items"].is_array();
    let mut pointers = Vec::new();
    pointers_of("", schema, &mut pointers);
    let mut parts = pointers.iter().filter_map(|at| schema.pointer(at));
    parts.any(|part| part.get("contains").is_some() && prefix(part))
}

/// What ajv has to be asked so that the places of `world` can be told.
fn asked(world: &World) -> Value {
    let asked: RefCell<BTreeMap<String, BTreeMap<String, Value>>> = RefCell::default();
    let places = Places::with(&world.schema, |at, value| {
        let mut asked = asked.borrow_mut();
        let values = asked.entry(fragment(at)).or_default();
        values.insert(value.to_string(), value.clone());
        true
    });
    for (pointer, value) in &world.cases {
        places.at(&tokens(pointer), Some(value));
    }
    drop(places);
    let asked = asked.into_inner().into_iter();
    let asked: Map<_, _> = asked.map(|(at, values)| (at, values.into_values().collect())).collect();
    json!({"draft": world.draft, "schema": world.schema, "asked": asked})
}

/// What ajv says to all of it.
fn ajv(corpus: &Value, asked: &[Value]) -> Vec<Table> {
    let folder = npm("ajv");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), corpus.to_string()).expect("written");
    let ran = Command::new("node").arg(folder.join("compare.js")).arg(file.path()).output();
    let ran = ran.expect("node runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    let answers: Vec<Value> =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(answers.len(), asked.len());
    let table = |(asked, answers): (&Value, &Value)| {
        let all = asked["asked"].as_object().expect("an object").iter();
        all.map(|(at, values)| {
            let values = values.as_array().expect("values");
            let fits = answers[at].as_str().expect("answers");
            assert_eq!(values.len(), fits.len());
            let values = values.iter().map(Value::to_string);
            (at.clone(), values.zip(fits.chars().map(|fits| fits == '1')).collect())
        })
        .collect()
    };
    asked.iter().zip(&answers).map(table).collect()
}

/// The shipped schema: at each place that it names, what its lists and examples hold.
fn shipped() -> Vec<World> {
    let text = include_str!("../schemas/referral.schema.json");
    let schema: Value = serde_json::from_str(text).expect("JSON");
    let mut values = VALUES.map(|text| serde_json::from_str(text).expect("JSON")).to_vec();
    let mut pointers = Vec::new();
    pointers_of("", &schema, &mut pointers);
    let listed = pointers.iter().filter(|at| at.ends_with("/enum") || at.ends_with("/examples"));
    let listed = listed.filter_map(|at| schema.pointer(at)?.as_array()).flatten();
    values.extend(listed.cloned());
    values.sort_by_key(Value::to_string);
    values.dedup();
    let ours = Schema::new(&schema).expect("a schema");
    let mut places = vec![String::new()];
    let mut at = 0;
    while let Some(above) = places.get(at).cloned() {
        let place = ours.place(&Pointer::parse(above.as_str()).expect("a pointer"));
        let names = place.names().into_iter().chain(["0", "-", "other"]);
        let deep = above.matches('/').count() > 2;
        places.extend(
            names.filter(|_| place.is_described() && !deep).map(|name| format!("{above}/{name}")),
        );
        at += 1;
    }
    let all =
        places.iter().flat_map(|at| values.iter().map(move |value| (at.clone(), value.clone())));
    vec![World { draft: "2020-12", cases: all.collect(), schema }]
}

/// Each keyword that judges a value, in each draft that has it.
fn plain() -> impl Iterator<Item = World> {
    DRAFTS.into_iter().flat_map(|(draft, uri)| {
        let knows = move |since: &str| draft != "draft-07" || since == "draft-07";
        SCHEMAS.iter().filter(move |(since, _)| knows(since)).map(move |(_, text)| {
            let part: Value = serde_json::from_str(text).expect("JSON");
            let schema = json!({"type": "object", "properties": {
                    "a": part, "b": {"type": "array", "items": part}}});
            let schema = told_in(draft, uri, schema);
            let values = VALUES.map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
            let places = ["/a", "/b/0", "/b/-", "/a/0", "/a/1", "/a/2", "/a/p", "/a/q", "/a/x"];
            let all = places
                .iter()
                .flat_map(|at| values.iter().map(|value| ((*at).to_owned(), value.clone())));
            World { draft, cases: all.collect(), schema }
        })
    })
}

/// The schemas of the promises, in each draft, and random values at the places of their documents.
fn random() -> impl Iterator<Item = World> {
    let mut runner = TestRunner::deterministic();
    (0..120).map(move |index| {
        let input = (schema(), document(), prop::collection::vec(prop_oneof![leaf(), value()], 8));
        let drawn = input.new_tree(&mut runner).expect("input").current();
        let (schema, Json(document), values) = drawn;
        let (draft, uri) = DRAFTS[index % DRAFTS.len()];
        let mut pointers = POINTERS.map(str::to_owned).to_vec();
        pointers_of("", &document, &mut pointers);
        let cases = pointers.iter().flat_map(|pointer| {
            let own = document.pointer(pointer);
            own.into_iter().chain(&values).map(|value| (pointer.clone(), value.clone()))
        });
        World { draft, cases: cases.collect(), schema: told_in(draft, uri, schema) }
    })
}

/// A schema of 2020-12 as it is written in `draft`.
fn told_in(draft: &str, uri: &str, schema: Value) -> Value {
    let mut schema = rewritten(draft, schema);
    schema["$schema"] = uri.into();
    schema
}

fn rewritten(draft: &str, schema: Value) -> Value {
    let Value::Object(keywords) = schema else {
        let Value::Array(schemas) = schema else { return schema };
        return schemas.into_iter().map(|schema| rewritten(draft, schema)).collect();
    };
    let has_prefix = keywords.contains_key("prefixItems");
    let mut written = Map::new();
    for (keyword, value) in keywords {
        let old = draft == "draft-07";
        let name = match keyword.as_str() {
            "prefixItems" if draft != "2020-12" => "items",
            "items" if draft != "2020-12" && has_prefix => "additionalItems",
            "$defs" if old => "definitions",
            "dependentRequired" | "dependentSchemas" if old => "dependencies",
            "unevaluatedProperties" | "unevaluatedItems" if old => continue,
            name => name,
        };
        let reference =
            value.as_str().filter(|_| old).map(|r| r.replace("#/$defs/", "#/definitions/"));
        let value = reference.map_or_else(|| rewritten(draft, value), Value::from);
        match (written.get_mut(name).and_then(Value::as_object_mut), value) {
            (Some(known), Value::Object(more)) => known.extend(more),
            (_, value) => drop(written.insert(name.to_owned(), value)),
        }
    }
    written.into()
}

/// Sub-schemas, with the first draft that knows all they say.
const SCHEMAS: [(&str, &str); 38] = [
    ("draft-07", r#"{"type": "integer"}"#),
    ("draft-07", r#"{"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 2.5}"#),
    ("draft-07", r#"{"maximum": 1e2, "exclusiveMinimum": -1}"#),
    ("draft-07", r#"{"multipleOf": 0.5}"#),
    ("draft-07", r#"{"multipleOf": 3}"#),
    ("draft-07", r#"{"const": 1}"#),
    ("draft-07", r#"{"const": {"p": [1.0, null]}}"#),
    ("draft-07", r#"{"enum": ["A", 0, null, [], {"p": 1}]}"#),
    ("draft-07", r#"{"type": "string", "minLength": 1, "maxLength": 2}"#),
    ("draft-07", r#"{"pattern": "^[a-z\\d-]+$"}"#),
    ("draft-07", r#"{"pattern": "^\\S{2,}\\w$"}"#),
    ("draft-07", r#"{"format": "date-time"}"#),
    ("draft-07", r#"{"format": "date"}"#),
    ("draft-07", r#"{"format": "email"}"#),
    ("draft-07", r#"{"format": "ipv4"}"#),
    ("draft-07", r#"{"format": "ipv6"}"#),
    ("draft-07", r#"{"format": "uri"}"#),
    ("2019-09", r#"{"format": "uuid"}"#),
    (
        "draft-07",
        r#"{"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}"#,
    ),
    ("draft-07", r#"{"type": "array", "uniqueItems": true}"#),
    (
        "draft-07",
        r#"{"type": "array", "prefixItems": [{"const": 1}, {"type": "string"}], "items": {"type": "null"}}"#,
    ),
    ("draft-07", r#"{"type": "array", "prefixItems": [{"const": 1}], "items": false}"#),
    ("draft-07", r#"{"type": "array", "contains": {"const": 1}}"#),
    (
        "draft-07",
        r#"{"type": "array", "prefixItems": [{"const": 1}], "contains": {"type": "string"}}"#,
    ),
    (
        "2019-09",
        r#"{"type": "array", "contains": {"const": 1}, "minContains": 2, "maxContains": 2}"#,
    ),
    ("2019-09", r#"{"type": "array", "contains": {"const": 1}, "minContains": 0}"#),
    (
        "2019-09",
        r#"{"type": "array", "prefixItems": [{"const": 1}], "unevaluatedItems": {"type": "string"}}"#,
    ),
    (
        "draft-07",
        r#"{"type": "object", "properties": {"p": {"type": "integer"}}, "additionalProperties": false}"#,
    ),
    (
        "draft-07",
        r#"{"type": "object", "patternProperties": {"^p": {"maximum": 1}, "q$": false}, "additionalProperties": {"type": "string"}}"#,
    ),
    (
        "draft-07",
        r#"{"type": "object", "required": ["p"], "minProperties": 1, "maxProperties": 1}"#,
    ),
    ("draft-07", r#"{"type": "object", "propertyNames": {"pattern": "^[pq]$"}}"#),
    (
        "draft-07",
        r#"{"type": "object", "dependentRequired": {"p": ["q"]}, "dependentSchemas": {"q": {"properties": {"p": {"const": 1}}}}}"#,
    ),
    (
        "2019-09",
        r#"{"type": "object", "properties": {"p": true}, "unevaluatedProperties": {"type": "integer"}}"#,
    ),
    (
        "draft-07",
        r#"{"if": {"type": "object"}, "then": {"properties": {"p": {"const": 1}}}, "else": {"maximum": 1}}"#,
    ),
    ("draft-07", r#"{"not": {"type": ["string", "object"]}}"#),
    (
        "draft-07",
        r#"{"allOf": [{"type": "object"}, {"properties": {"p": {"minimum": 1}}}, {"properties": {"p": {"maximum": 1}}}]}"#,
    ),
    (
        "draft-07",
        r#"{"anyOf": [{"type": "object", "properties": {"p": {"type": "string"}}}, {"type": "array", "items": {"type": "integer"}}]}"#,
    ),
    ("draft-07", r#"{"oneOf": [{"type": "integer"}, {"minimum": 1}]}"#),
];

/// What is put to them.
const VALUES: [&str; 74] = [
    "null",
    "true",
    "false",
    "0",
    "-0.0",
    "1",
    "1.0",
    "2",
    "2.5",
    "3",
    "-1",
    "0.1",
    "1e2",
    "1.5",
    "4503599627370497",
    r#""""#,
    r#""A""#,
    r#""a""#,
    r#""ab""#,
    r#""abc""#,
    r#""a-1""#,
    r#""é""#,
    r#""😀""#,
    r#""😀😀😀""#,
    r#""a b""#,
    r#""a\n""#,
    r#""2026-11-25""#,
    r#""2026-02-29""#,
    r#""2024-02-29""#,
    r#""2026-11-25T12:00:00Z""#,
    r#""2026-11-25T12:00:00.123+01:00""#,
    r#""2026-11-25T25:00:00Z""#,
    r#""2026-11-25T12:00:00""#,
    r#""2026-11-25t12:00:00z""#,
    r#""2026-11-25 12:00:00Z""#,
    r#""a@b.example""#,
    r#""a@b@c""#,
    r#""@b""#,
    r#""127.0.0.1""#,
    r#""127.0.0.256""#,
    r#""127.0.0.01""#,
    r#""::1""#,
    r#""1::2::3""#,
    r#""https://a.example/b?c#d""#,
    r#""/b""#,
    r#""a:b""#,
    r#""01a2030c-fc67-70b1-8fef-0a0ad6421b6a""#,
    r#""01a2030cfc6770b18fef0a0ad6421b6a""#,
    "[]",
    "[1]",
    "[1.0, 1]",
    "[1, 1]",
    "[1, 1, 1]",
    "[1, 2]",
    "[1, \"a\"]",
    "[1, \"a\", null]",
    "[1, \"a\", 1]",
    "[\"a\"]",
    "[null]",
    "[[1], [1.0]]",
    "[{}, {}]",
    "[{\"p\": 1, \"q\": 2}, {\"q\": 2, \"p\": 1}]",
    "{}",
    r#"{"p": 1}"#,
    r#"{"p": 1.0}"#,
    r#"{"p": [1, null]}"#,
    r#"{"p": "a"}"#,
    r#"{"q": 1}"#,
    r#"{"p": 1, "q": 2}"#,
    r#"{"p": 2, "q": "a"}"#,
    r#"{"x": 1}"#,
    r#"{"x": "a"}"#,
    r#"{"pq": 0}"#,
    r#"{"p": 0, "x": null}"#,
];
