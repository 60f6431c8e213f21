//! Random schemas of one kind of document.

use proptest::prelude::*;
use serde_json::{Value, json};

pub fn schema() -> impl Strategy<Value = Value> {
    let some = |share: f64, name: &'static str, value: Value| {
        prop::bool::weighted(share)
            .prop_map(move |on| if on { json!({ name: value }) } else { json!({}) })
    };
    let keyword = |name, value| some(0.12, name, value);
    let with = |base: Value, extra: Vec<Value>| {
        let mut merged = base;
        for part in extra {
            for (key, value) in part.as_object().expect("an object") {
                merged[key] = value.clone();
            }
        }
        merged
    };
    let d = (
        keyword("required", json!(["a"])),
        keyword("additionalProperties", json!(false)),
        keyword("maxProperties", json!(2)),
        keyword("dependentRequired", json!({"a": ["b"]})),
        keyword("anyOf", json!([{"properties": {"a": {"type": "integer"}}}, {"required": ["b"]}])),
        keyword("if", json!({"required": ["b"]})),
        keyword("then", json!({"properties": {"a": {"maximum": 2}}, "minProperties": 2})),
        keyword("propertyNames", json!({"maxLength": 3})),
        (
            keyword("else", json!({"properties": {"a": {"minimum": 1}}})),
            keyword("not", json!({"required": ["a", "b"]})),
            keyword(
                "patternProperties",
                json!({"^x_": {"type": "string"}, "^x_1": {"maxLength": 1}}),
            ),
            keyword("dependentSchemas", json!({"b": {"properties": {"a": {"const": 1}}}})),
        ),
    );
    let t = (
        keyword("maxItems", json!(2)),
        keyword("minItems", json!(1)),
        keyword("uniqueItems", json!(true)),
        keyword("contains", json!({"required": ["v"]})),
        keyword("prefixItems", json!([{"properties": {"v": {"const": 1}}}])),
    );
    let root = (
        keyword("required", json!(["status"])),
        keyword("additionalProperties", json!(false)),
        keyword(
            "oneOf",
            json!([{"properties": {"n": {"minimum": 2}}}, {"properties": {"n": {"maximum": 1}}}]),
        ),
        keyword("minProperties", json!(2)),
        keyword("allOf", json!([{"$ref": "#/$defs/more"}])),
        keyword("unevaluatedProperties", json!(false)),
    );
    let node = (
        keyword("additionalProperties", json!(false)),
        keyword("patternProperties", json!({"^x_": {"type": "string"}})),
        keyword("required", json!(["v"])),
        // Branches that recurse take long to work out.
        some(0.01, "oneOf", json!([{"required": ["next"]}, {"required": ["kids"]}])),
        keyword("readOnly", json!(true)),
        keyword("minimum", json!(1)),
    );
    let read_only = (
        keyword("readOnly", json!(true)),
        keyword("readOnly", json!(true)),
        keyword("readOnly", json!(true)),
    );
    (d, t, root, read_only, node).prop_map(move |(d, t, root, read_only, node)| {
        let d = with(
            json!({"type": "object", "properties": {
                "a": with(json!({"type": ["integer", "string"], "maximum": 3}), vec![read_only.0]),
                "b": {"type": ["string", "null"]}}}),
            vec![d.0, d.1, d.2, d.3, d.4, d.5, d.6, d.7, d.8.0, d.8.1, d.8.2, d.8.3],
        );
        let item = json!({"type": "object", "properties": {
            "id": with(json!({"type": "integer"}), vec![read_only.1]), "v": {"type": "integer"}}});
        let node = with(
            json!({"type": "object", "properties": {
                "v": with(json!({"type": "integer"}), vec![node.4, node.5]),
                "next": {"$ref": "#/$defs/node"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}),
            vec![node.0, node.1, node.2, node.3],
        );
        let t = with(json!({"type": "array", "items": item}), vec![t.0, t.1, t.2, t.3, t.4]);
        with(
            json!({"type": "object",
                "$defs": {"more": {"properties": {"free": {"type": "string"}}}, "node": node},
                "properties": {
                    "status": {"type": "string", "enum": ["A", "B", "C"]},
                    "sub": {"type": "string", "enum": ["x", "y", "z"]},
                    "n": with(json!({"type": "integer", "minimum": 0}), vec![read_only.2]),
                    "d": d, "t": t, "r": {"$ref": "#/$defs/node"}, "a/b": {"type": "integer"}}}),
            vec![root.0, root.1, root.2, root.3, root.4, root.5],
        )
    })
}
