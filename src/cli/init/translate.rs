//! From a schema of an OpenAPI file, and all that it refers to, to one JSON Schema (2020-12) that
//! stands alone.

mod marked;

use super::left::{At, Left};
use super::names::unique;
use super::reference::target;
use super::source::Dialect;
use super::yaml::comment;
use crate::policy::schema::{DataClass, Schema};

use serde_json::{Map, Value, json};

use std::collections::{BTreeMap, BTreeSet};

/// What stays as it is.
const KEPT: [&str; 26] = [
    "$comment",
    "const",
    "contentEncoding",
    "contentMediaType",
    "default",
    "dependentRequired",
    "deprecated",
    "description",
    "enum",
    "examples",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "readOnly",
    "title",
    "type",
    "uniqueItems",
];

/// What is only about a value as such, and may stand beside what it has to be.
const ANNOTATIONS: [&str; 7] =
    ["default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"];

/// The schema that stands `at` this place of the file `root`, as a JSON Schema of its own.
pub(super) fn translate(
    root: &Value,
    dialect: Dialect,
    schema: &Value,
    at: &At,
    left: &mut Left,
) -> Value {
    let (names, defs, open) = (BTreeMap::new(), Map::new(), Vec::new());
    let mut translation = Translation { root, dialect, left, names, defs, open };
    let (mut schema, mut at) = (schema, at.clone());
    // What is only a reference is the schema that it leads to.
    while let Some((pointer, next)) = translation.only_reference(schema) {
        if translation.names.insert(pointer.clone(), "#".to_owned()).is_some() {
            break;
        }
        (schema, at) = (next, At::pointer(&pointer));
    }
    let mut whole = translation.schema(schema, &at, &BTreeSet::new());
    while let Some((pointer, name)) = translation.open.pop() {
        let schema = root.pointer(&pointer).unwrap_or(&Value::Null);
        let schema = translation.schema(schema, &At::pointer(&pointer), &BTreeSet::new());
        translation.defs.insert(name, schema);
    }
    if let Value::Object(members) = &mut whole {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        if !translation.defs.is_empty() {
            members.insert("$defs".to_owned(), Value::Object(translation.defs));
        }
    }
    whole
}

struct Translation<'t> {
    root: &'t Value,
    dialect: Dialect,
    left: &'t mut Left,
    /// What refers to which place of the file from now on.
    names: BTreeMap<String, String>,
    defs: Map<String, Value>,
    /// The places that are still to be translated, and their names under `$defs`.
    open: Vec<(String, String)>,
}

impl<'t> Translation<'t> {
    fn only_reference(&self, schema: &Value) -> Option<(String, &'t Value)> {
        let members = schema.as_object()?;
        let reference = members.get("$ref")?.as_str()?;
        let alone = self.dialect == Dialect::V30 || members.len() == 1;
        let pointer =
            target(self.root, reference).ok().filter(|pointer| alone && !pointer.is_empty())?;
        let next = self.root.pointer(&pointer)?;
        Some((pointer, next))
    }

    /// The schema that stands at `at`, where the members `marked` are known to be for one direction only.
    fn schema(&mut self, schema: &Value, at: &At, marked: &BTreeSet<String>) -> Value {
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(_) => return schema.clone(),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.left.push(at, "is no schema; anything may stand there");
                return json!({});
            }
        };
        if let (Dialect::V30, Some(Value::String(reference))) = (self.dialect, members.get("$ref"))
        {
            let said = ["$ref", "description", "summary", "title", "example"];
            for beside in
                members.keys().filter(|key| !said.contains(&key.as_str()) && !key.starts_with("x-"))
            {
                let why = "stands beside `$ref`, where OpenAPI 3.0 ignores it";
                self.left.push(&at.key(beside), why);
            }
            return self.reference(reference, at).map_or(json!({}), |to| json!({ "$ref": to }));
        }
        let marked: BTreeSet<String> = marked.union(&self.marked(schema)).cloned().collect();
        let mut out = Map::new();
        for (keyword, value) in members {
            if let Some((name, value)) = self.keyword(keyword, value, at, &marked) {
                out.insert(name, value);
            }
        }
        self.bounds(members, &mut out);
        if self.dialect == Dialect::V30 && members.get("nullable") == Some(&Value::Bool(true)) {
            return nullable(out);
        }
        Value::Object(out)
    }

    /// What becomes of one keyword.
    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        at: &At,
        marked: &BTreeSet<String>,
    ) -> Option<(String, Value)> {
        let here = at.key(keyword);
        let none = BTreeSet::new();
        let value = match (keyword, value) {
            ("$ref", Value::String(reference)) => self.reference(reference, at)?.into(),
            ("allOf", Value::Array(all)) => self.each(all, &here, marked),
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(all)) => self.each(all, &here, &none),
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(members)) => {
                let mut named = Map::new();
                for (name, schema) in members {
                    if keyword != "patternProperties" || self.is_pattern(name, &here) {
                        named.insert(name.clone(), self.schema(schema, &here.key(name), &none));
                    }
                }
                Value::Object(named)
            }
            // What stands there is then described, as anything.
            ("additionalProperties", Value::Bool(true)) => json!({}),
            (
                "additionalProperties"
                | "items"
                | "not"
                | "contains"
                | "propertyNames"
                | "if"
                | "then"
                | "else"
                | "unevaluatedItems"
                | "unevaluatedProperties",
                schema,
            ) => self.schema(schema, &here, &none),
            ("required", Value::Array(names)) => self.required(names, &here, marked)?,
            ("pattern", Value::String(pattern)) => {
                self.is_pattern(pattern, &here).then(|| value.clone())?
            }
            ("example", example) => return Some(("examples".to_owned(), json!([example]))),
            ("exclusiveMinimum" | "exclusiveMaximum", Value::Number(_)) => value.clone(),
            ("writeOnly", Value::Bool(_)) => value.clone(),
            ("x-data-class", Value::String(class)) if DataClass::from_name(class).is_some() => {
                value.clone()
            }
            (kept, _) if KEPT.contains(&kept) => value.clone(),
            ("exclusiveMinimum" | "exclusiveMaximum" | "nullable", Value::Bool(_))
                if self.dialect == Dialect::V30 =>
            {
                return None;
            }
            ("$schema" | "$defs" | "definitions", _) => return None,
            (private, _) if private.starts_with("x-") => return None,
            ("discriminator" | "xml" | "externalDocs", _) => {
                self.left.push(&here, "is dropped: JSON Schema has no such keyword");
                return None;
            }
            _ => {
                self.left.push(
                    &here,
                    "is dropped: it is no keyword of JSON Schema, or not written as one",
                );
                return None;
            }
        };
        Some((keyword.to_owned(), value))
    }

    fn each(&mut self, all: &[Value], at: &At, marked: &BTreeSet<String>) -> Value {
        let each = all.iter().enumerate();
        each.map(|(index, schema)| self.schema(schema, &at.index(index), marked)).collect()
    }

    /// What refers from now on to what `reference` leads to.
    fn reference(&mut self, reference: &str, at: &At) -> Option<String> {
        let found = target(self.root, reference).and_then(|pointer| match pointer.as_str() {
            "" => Err("`$ref` leads to the file as a whole, which is no schema".to_owned()),
            _ => Ok(pointer),
        });
        let pointer = match found {
            Ok(pointer) => pointer,
            Err(why) => {
                self.left.push(at, format!("{why}. Until then anything may stand there"));
                return None;
            }
        };
        if let Some(known) = self.names.get(&pointer) {
            return Some(known.clone());
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let refers = |name: &str| format!("#/$defs/{name}");
        let name = unique(&last.chars().map(plain).collect::<String>(), |name| {
            self.names.values().any(|known| *known == refers(name))
        });
        self.names.insert(pointer.clone(), refers(&name));
        self.open.push((pointer, name.clone()));
        Some(refers(&name))
    }

    /// The names that have to be there whichever way a document goes.
    fn required(&mut self, names: &[Value], at: &At, marked: &BTreeSet<String>) -> Option<Value> {
        let is_marked = |name: &&Value| name.as_str().is_some_and(|name| marked.contains(name));
        let (one_way, both): (Vec<&Value>, Vec<&Value>) = names.iter().partition(is_marked);
        if !one_way.is_empty() {
            let names = one_way.into_iter().filter_map(Value::as_str).map(comment);
            let names = names.collect::<Vec<_>>().join("`, `");
            let why = format!(
                "without `{names}` from now on: what is `readOnly` or `writeOnly` is there in one direction only"
            );
            self.left.push(at, why);
        }
        (!both.is_empty()).then(|| both.into_iter().cloned().collect())
    }

    /// Whether `pattern` can be matched in linear time, as all patterns have to be here.
    fn is_pattern(&mut self, pattern: &str, at: &At) -> bool {
        let compiles = Schema::new(&json!({ "pattern": pattern })).is_ok()
            && Schema::new(&json!({ "patternProperties": { pattern: {} } })).is_ok();
        if !compiles {
            self.left.push(at, "is dropped: the pattern is malformed, or needs backtracking (look-around, back-references)");
        }
        compiles
    }

    /// Bounds that are exclusive, as OpenAPI 3.0 says it beside them.
    fn bounds(&self, members: &Map<String, Value>, out: &mut Map<String, Value>) {
        for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")]
        {
            if self.dialect == Dialect::V30
                && members.get(exclusive) == Some(&Value::Bool(true))
                && let Some(value) = out.remove(bound)
            {
                out.insert(exclusive.to_owned(), value);
            }
        }
    }
}

/// `schema`, or null.
fn nullable(mut schema: Map<String, Value>) -> Value {
    if let Some(name) = schema.get("type").filter(|name| name.is_string()).cloned() {
        schema.insert("type".to_owned(), json!([name, "null"]));
        if let Some(Value::Array(values)) = schema.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
    } else if ["allOf", "anyOf", "oneOf"].iter().any(|keyword| schema.contains_key(*keyword)) {
        let (mut outer, mut inner) = (Map::new(), Map::new());
        for (keyword, value) in schema {
            let is_outer = ANNOTATIONS.contains(&keyword.as_str());
            if is_outer { &mut outer } else { &mut inner }.insert(keyword, value);
        }
        outer.insert("anyOf".to_owned(), json!([inner, { "type": "null" }]));
        return Value::Object(outer);
    }
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(dialect: Dialect, root: &Value) -> (Value, String) {
        let mut left = Left::default();
        let schema = json!({ "$ref": "#/s/A" });
        let translated = translate(root, dialect, &schema, &At::default(), &mut left);
        Schema::new(&translated).expect("a schema");
        (translated, left.to_string())
    }

    #[test]
    fn what_openapi_3_0_says_in_its_own_way_is_said_as_json_schema_does() {
        let root = json!({ "s": {
            "A": { "type": "object", "required": ["id", "n"], "additionalProperties": true, "properties": {
                "id": { "type": "string", "readOnly": true, "example": "x", "xml": { "name": "i" } },
                "n": { "type": "string", "nullable": true, "enum": ["a"] },
                "m": { "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false },
                "b": { "nullable": true, "readOnly": true, "allOf": [{ "$ref": "#/s/B%20b" }] },
                "c": { "$ref": "#/s/A", "nullable": true },
                "p": { "type": "string", "pattern": "(?=a)b" },
            } },
            "B b": { "oneOf": [{ "type": "string" }], "discriminator": { "propertyName": "t" } },
        } });
        let (schema, left) = translated(Dialect::V30, &root);
        assert_eq!(
            schema,
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$defs": { "B_b": { "oneOf": [{ "type": "string" }] } },
                "type": "object", "required": ["n"], "additionalProperties": {}, "properties": {
                    "id": { "type": "string", "readOnly": true, "examples": ["x"] },
                    "n": { "type": ["string", "null"], "enum": ["a", null] },
                    "m": { "exclusiveMinimum": 1, "maximum": 9 },
                    "b": { "readOnly": true, "anyOf": [{ "allOf": [{ "$ref": "#/$defs/B_b" }] }, { "type": "null" }] },
                    "c": { "$ref": "#" },
                    "p": { "type": "string" },
                },
            })
        );
        for said in [
            "s.A.properties.id.xml: is dropped",
            "s.A.properties.c.nullable: stands beside `$ref`",
            "s.A.properties.p.pattern: is dropped",
            "s.A.required: without `id` from now on",
            "s.B b.discriminator: is dropped",
        ] {
            assert!(left.contains(said), "{said}: {left}");
        }
        assert_eq!(left.lines().count(), 5, "{left}");
    }

    #[test]
    fn json_schema_in_openapi_3_1_stays_and_references_lead_to_defs() {
        let root = json!({ "s": {
            "A": { "type": ["object", "null"], "properties": {
                "a": { "$ref": "#/s/A/properties/b", "readOnly": true },
                "b": { "exclusiveMinimum": 1, "const": 2, "x-data-class": "public", "x-other": 1 },
                "c": { "$ref": "other.json" }, "d": true, "e": 1, "f": { "nullable": true },
            }, "required": ["a", "b"], "$id": "https://x.example/" },
        } });
        let (schema, left) = translated(Dialect::V31, &root);
        let number = json!({ "exclusiveMinimum": 1, "const": 2, "x-data-class": "public" });
        assert_eq!(schema["properties"]["a"], json!({ "$ref": "#/$defs/b", "readOnly": true }));
        assert_eq!((&schema["$defs"]["b"], &schema["properties"]["b"]), (&number, &number));
        assert_eq!(
            (&schema["properties"]["c"], &schema["properties"]["d"]),
            (&json!({}), &json!(true))
        );
        assert_eq!(schema["required"], json!(["b"]));
        for said in [
            "c: `$ref` leads to another file",
            "e: is no schema",
            "f.nullable: is dropped",
            "A.$id: is dropped",
        ] {
            assert!(left.contains(said), "{said}: {left}");
        }
    }

    #[test]
    fn what_is_read_only_in_a_part_is_not_required_by_another() {
        let root = json!({ "s": {
            "A": { "allOf": [{ "$ref": "#/s/B" }, { "required": ["id", "n"], "properties": { "n": {} } }] },
            "B": { "properties": { "id": { "allOf": [{ "$ref": "#/s/C" }] } } },
            "C": { "type": "string", "readOnly": true },
        } });
        let (schema, _) = translated(Dialect::V30, &root);
        assert_eq!(schema["allOf"][1]["required"], json!(["n"]));
    }
}
