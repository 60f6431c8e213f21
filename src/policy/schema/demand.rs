//! What a schema demands of one place, written as a JSON Schema again.

use super::spot::Core;
use super::{Place, Schema, Shape};

use serde_json::{Map, Value, json};

use std::fmt::Write as _;

impl Schema {
    /// The schema as it has to be written where it stands at `at`, a pointer into another document:
    /// what it refers to within itself is found there.
    pub fn placed(&self, at: &str) -> Value {
        let own = self.source.get("$id").or_else(|| self.source.get("id")).and_then(Value::as_str);
        let own = own.unwrap_or_default().trim_end_matches('#').to_owned();
        let mut placed = self.source.clone();
        if let Value::Object(keywords) = &mut placed {
            for name in ["$schema", "$id", "id"] {
                keywords.remove(name);
            }
        }
        place(&mut placed, at, &own);
        placed
    }
}

/// Leads the references in a schema, or in a part of it, to `at`.
fn place(part: &mut Value, at: &str, own: &str) {
    match part {
        Value::Array(parts) => parts.iter_mut().for_each(|part| place(part, at, own)),
        Value::Object(keywords) => {
            // It has a base of its own, and what it refers to is found from there.
            if keywords.get("$id").is_some_and(Value::is_string) {
                return;
            }
            for (keyword, value) in keywords {
                match (keyword.as_str(), &mut *value) {
                    ("$ref", Value::String(reference)) => {
                        let within = reference.strip_prefix(own).unwrap_or(reference);
                        if let Some(pointer) = within.strip_prefix('#')
                            && (pointer.is_empty() || pointer.starts_with('/'))
                        {
                            *reference = format!("{at}{pointer}");
                        }
                    }
                    ("const" | "enum" | "default" | "examples", _) => {}
                    (_, value) => place(value, at, own),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl<'s> Place<'s> {
    /// What may stand here, as far as it can be told without what stands around it, as a JSON
    /// Schema that refers to the whole one at `at`.
    pub fn demand(&self, at: &str) -> Value {
        self.core().demand(&|shape| {
            let key = self.schema().keys.get(shape).map_or("", String::as_str);
            json!({ "$ref": format!("{at}{}", fragment(key)) })
        })
    }

    /// The places that one more token leads to, each once; nothing where they cannot be told.
    pub fn beneath(&self) -> Option<Vec<Self>> {
        let shapes = &self.schema().shapes;
        if self
            .core()
            .every(shapes)
            .any(|shape| !shape.patterns.is_empty() || !shape.prefix.is_empty())
        {
            return None;
        }
        let names = self.names();
        let mut other = "*".to_owned();
        while names.contains(&other.as_str()) {
            other.push('*');
        }
        let mut found: Vec<Self> = Vec::new();
        for token in names.into_iter().chain(["0", &other]) {
            let place = self.child(token);
            if !found.iter().any(|known| known.core() == place.core()) {
                found.push(place);
            }
        }
        Some(found)
    }
}

impl Core {
    /// The shapes that hold here, or in a branch.
    fn every<'s>(&'s self, shapes: &'s [Shape]) -> Box<dyn Iterator<Item = &'s Shape> + 's> {
        let branches = self.closure(shapes).flat_map(|shape| shape.either.iter().flatten());
        let branches = branches.filter_map(|at| shapes.get(*at));
        let places = self.either.iter().flatten().flat_map(|place| place.every(shapes));
        Box::new(self.closure(shapes).chain(branches).chain(places))
    }

    fn demand(&self, refer: &impl Fn(usize) -> Value) -> Value {
        if self.forbidden {
            return Value::Bool(false);
        }
        let mut parts: Vec<Value> = self.holds.iter().map(|shape| refer(*shape)).collect();
        for places in &self.either {
            let possible = places.iter().filter(|place| !place.forbidden);
            // A branch that says nothing of the place lets anything stand there.
            if possible.clone().all(|place| place.described) {
                parts.push(json!({ "anyOf": possible.map(|place| place.demand(refer)).collect::<Vec<_>>() }));
            }
        }
        match parts.len() {
            0 => Value::Bool(true),
            1 => parts.remove(0),
            _ => Value::Object(Map::from_iter([("allOf".to_owned(), Value::Array(parts))])),
        }
    }
}

/// A pointer as it stands in the fragment of a URI.
fn fragment(pointer: &str) -> String {
    let mut text = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'$' => {
                text.push(char::from(byte));
            }
            // Writing to a `String` cannot fail.
            other => drop(write!(text, "%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_where_the_schema_stands_and_values_are_left_alone() {
        let schema = Schema::new(&json!({
            "$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example/order",
            "properties": {
                "a": { "$ref": "#/definitions/x" }, "b": { "$ref": "https://example/order#/definitions/x" },
                "c": { "$ref": "#" }, "$ref": { "enum": [{ "$ref": "#" }] } },
            "definitions": { "x": { "type": "string" } } }))
        .expect("a schema");
        assert_eq!(
            schema.placed("#/$defs/order"),
            json!({
                "properties": {
                    "a": { "$ref": "#/$defs/order/definitions/x" },
                    "b": { "$ref": "#/$defs/order/definitions/x" },
                    "c": { "$ref": "#/$defs/order" }, "$ref": { "enum": [{ "$ref": "#" }] } },
                "definitions": { "x": { "type": "string" } } })
        );
    }
}
