//! Whether a value fits at a place, and in which ways it does not.
//!
//! The validators say it. But of most values nothing counts but their kind and what stands beneath
//! them, and where that is so it is known at load: then one walk over the value finds that it fits,
//! and that the schema describes each name in it. What the walk does not find may fit all the same.

use super::spot::{Core, Spot};
use super::{Misfit, Schema, Shape, misfit};
use crate::json::{Borrowed, Value};

use jsonschema::Validator;

/// Kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    const NONE: Self = Self(0);
    const ALL: Self = Self(0b11_1111);

    fn of(value: &Value<'_>) -> Self {
        Self(match value {
            Value::Null => 1,
            Value::Bool(_) => 1 << 1,
            Value::Number(_) => 1 << 2,
            Value::String(_) => 1 << 3,
            Value::Array(_) => 1 << 4,
            Value::Object(_) => 1 << 5,
        })
    }

    /// Those that `name` means as a `type`; that of integers depends on the number.
    fn named(name: &str) -> Self {
        Self(match name {
            "null" => 1,
            "boolean" => 1 << 1,
            "number" => 1 << 2,
            "string" => 1 << 3,
            "array" => 1 << 4,
            "object" => 1 << 5,
            _ => 0,
        })
    }

    /// Those that fit the sub-schema `keywords` whatever else they are, if what is beneath them fits
    /// what the sub-schema says of that; none where it says anything else.
    pub(super) fn told_by(keywords: &serde_json::Map<String, serde_json::Value>) -> Self {
        let mut kinds = Self::ALL;
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "type" => {
                    let one = std::slice::from_ref(value);
                    let types = value.as_array().map_or(one, Vec::as_slice).iter();
                    let named = types.filter_map(|name| name.as_str().map(Self::named));
                    kinds.0 &= named.fold(0, |all, kind| all | kind.0);
                }
                // What is demanded is looked for among the members.
                "required" if value.is_array() => {}
                // What these say is found beneath, or in the shapes that hold here as well.
                "properties"
                | "patternProperties"
                | "additionalProperties"
                | "items"
                | "prefixItems"
                | "additionalItems"
                | "allOf"
                | "$ref" => {}
                // These demand nothing.
                "$schema" | "$id" | "$anchor" | "$comment" | "$defs" | "definitions" | "title"
                | "description" | "default" | "examples" | "deprecated" | "readOnly"
                | "writeOnly" | "x-data-class" => {}
                _ => return Self::NONE,
            }
        }
        kinds
    }

    pub(super) fn without_objects(self) -> Self {
        Self(self.0 & !Self::named("object").0)
    }

    fn has(self, value: &Value<'_>) -> bool {
        self.0 & Self::of(value).0 != 0
    }
}

impl Core {
    /// The kinds of values of which nothing counts but what stands beneath.
    pub(super) fn kinds(&self, shapes: &[Shape]) -> Kinds {
        if !self.described || self.forbidden || self.lost || !self.either.is_empty() {
            return Kinds::NONE;
        }
        self.closure(shapes).fold(Kinds::ALL, |all, shape| Kinds(all.0 & shape.kinds.0))
    }

    pub(super) fn fits(&self, value: &Value<'_>, validators: &[Validator<Borrowed>]) -> bool {
        !self.forbidden
            && self
                .holds
                .iter()
                .all(|at| validators.get(*at).is_none_or(|validator| validator.is_valid(value)))
            && self.either.iter().all(|places| {
                // A branch that says nothing of the place lets anything stand there.
                places.iter().any(|place| {
                    !place.forbidden && (!place.described || place.fits(value, validators))
                })
            })
    }

    /// In which ways `value` does not fit; of branches it is what the best one says.
    pub(super) fn misfits(&self, value: &Value<'_>, schema: &Schema) -> Vec<Misfit> {
        let misfit = self.holds.iter().find(|at| {
            schema.validators.get(**at).is_some_and(|validator| !validator.is_valid(value))
        });
        if let Some(at) = misfit {
            return schema.explain(*at, value);
        }
        let branches = self.either.iter().find(|places| {
            !places.iter().any(|place| {
                !place.forbidden && (!place.described || place.fits(value, &schema.validators))
            })
        });
        let places = branches.into_iter().flatten().filter(|place| !place.forbidden);
        let branches: Vec<_> = places.map(|place| place.misfits(value, schema)).collect();
        if branches.is_empty() {
            return vec![Misfit::new("the schema lets no such value stand here", None)];
        }
        misfit::best(branches, "", None)
    }
}

impl Schema {
    /// Whether it is seen at once that `value` fits at `spot`, and that each name in it is described.
    pub(super) fn takes(&self, spot: &Spot, value: &Value<'_>) -> bool {
        if !spot.kinds.has(value) {
            let core = &spot.core;
            return !value.is_container() && core.described && core.fits(value, &self.validators);
        }
        let takes = |spot: Option<usize>, value: &Value<'_>| {
            let spot = spot.and_then(|at| self.spots.get(at));
            // Most of what stands in others is seen without asking once more.
            let plain = |spot: &Spot| !value.is_container() && spot.kinds.has(value);
            spot.is_some_and(|spot| plain(spot) || self.takes(spot, value))
        };
        match value {
            Value::Object(members) => {
                (members.iter()).all(|(name, value)| takes(spot.children.get(name).copied(), value))
                    && spot.required.iter().all(|name| members.get(name).is_some())
            }
            Value::Array(elements) => elements.iter().all(|value| takes(spot.element, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Bounds, read};
    use crate::policy::schema::Place;

    use proptest::prelude::*;
    use serde_json::json;

    use std::cell::Cell;

    /// Sub-schemas, most of them told by kind and by what is beneath.
    fn schemas() -> impl Strategy<Value = serde_json::Value> {
        let kind = prop::sample::select(vec![
            json!("string"),
            json!("object"),
            json!("array"),
            json!(["integer", "null"]),
            json!(["object", "null"]),
            json!(["array", "string"]),
            json!(["number", "boolean", "string", "null"]),
            json!(["number", "boolean", "string", "object", "array"]),
        ]);
        let leaf = prop_oneof![
            4 => kind.clone().prop_map(|kind| json!({ "type": kind })),
            1 => prop::sample::select(vec![
                json!({}), json!(true), json!(false), json!({"enum": ["x", 1]}), json!({"maxLength": 1}),
                json!({"pattern": "^x"}), json!({"$ref": "#/$defs/d"}), json!({"$ref": "#/$defs/e"}),
            ]),
        ];
        leaf.prop_recursive(3, 16, 3, move |inner| {
            let members = prop::collection::btree_map(name(), inner.clone(), 0..4);
            let more = prop_oneof![
                8 => Just(json!({})),
                1 => inner.clone().prop_map(|schema| json!({ "additionalProperties": schema })),
                1 => inner.clone().prop_map(|schema| json!({ "patternProperties": { "a|0": schema } })),
                1 => inner.clone().prop_map(|schema| json!({ "allOf": [schema] })),
                1 => inner.clone().prop_map(|schema| json!({ "anyOf": [schema, {"type": "null"}] })),
                1 => inner.clone().prop_map(|schema| json!({ "prefixItems": [schema] })),
                1 => prop::sample::select(vec![
                    json!({"required": ["a"]}), json!({"maxProperties": 1}), json!({"minItems": 1}),
                    json!({"uniqueItems": true}), json!({"unevaluatedProperties": false}), json!({"$ref": "#/$defs/d"}),
                ]),
            ];
            (kind.clone(), members, inner, more).prop_map(|(kind, members, items, more)| {
                let mut schema = json!({ "type": kind, "properties": members, "items": items });
                for (keyword, value) in more.as_object().into_iter().flatten() {
                    schema[keyword] = value.clone();
                }
                schema
            })
        })
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![9 => "[ab]", 1 => "[A0-]"]
    }

    fn values() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["null", "true", "1", "1.5", "\"x\"", "\"yy\""]);
        leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(|v| format!("[{}]", v.join(","))),
                prop::collection::btree_map(name(), inner, 0..3).prop_map(|members| {
                    let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    /// Whether each name in `value` is described, one after the other.
    fn is_described(value: &Value<'_>, place: &Place<'_>) -> bool {
        match value {
            Value::Object(members) => members.iter().all(|(name, value)| {
                let child = place.child(name);
                child.is_described() && is_described(value, &child)
            }),
            Value::Array(elements) => (0..)
                .zip(elements)
                .all(|(at, value): (usize, _)| is_described(value, &place.child(&at.to_string()))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }

    #[test]
    fn what_is_taken_at_once_fits_by_the_validators_and_is_described() {
        let (taken, filled, left) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let more = |count: &Cell<u32>| count.set(count.get() + 1);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(600)
        });
        let found = runner.run(&(schemas(), prop::collection::vec(values(), 30)), |(here, texts)| {
            let schema = json!({
                "properties": { "here": here },
                "$defs": {
                    "d": { "type": ["object", "string"], "properties": { "b": { "$ref": "#/$defs/d" } } },
                    "e": { "type": "array", "items": { "$ref": "#/$defs/d" } } } });
            let Ok(schema) = Schema::new(&schema) else { return Ok(()) };
            let place = schema.root().child("here");
            for text in &texts {
                let value = read(text.as_bytes(), Bounds::default()).expect("JSON");
                if place.takes(&value) {
                    prop_assert!(place.is_described() && place.fits(&value), "it does not fit");
                    prop_assert!(is_described(&value, &place), "it is not described");
                    more(if value.size() > 1 { &filled } else { &taken });
                } else if place.is_described() && place.fits(&value) {
                    more(&left);
                }
            }
            Ok(())
        });
        assert_eq!(found, Ok(()));
        let told = (taken.get(), filled.get(), left.get());
        assert!(told.0 > 1_000 && told.1 > 150 && told.2 > 500, "{told:?}");
    }

    #[test]
    fn what_the_shipped_schema_says_of_a_member_of_a_team_is_seen_at_once() {
        let schema = include_str!("../../../schemas/referral.schema.json");
        let schema = Schema::new(&serde_json::from_str(schema).expect("JSON")).expect("a schema");
        let place = schema.root().child("team").child("-");
        let takes =
            |text: &str| place.takes(&read(text.as_bytes(), Bounds::default()).expect("JSON"));
        assert!(takes(r#"{"email":"a@b.c","contactPreference":{"disableNotifications":true}}"#));
        for text in [
            r#"{"email":1}"#,
            r#"{"Email":"a@b.c"}"#,
            r#"{"contactPreference":{"x":1}}"#,
            "[]",
            "null",
        ] {
            assert!(!takes(text), "{text}");
        }
    }

    #[test]
    fn a_whole_referral_is_seen_at_once_and_what_it_lacks_as_well() {
        let schema = include_str!("../../../schemas/referral.schema.json");
        let schema = Schema::new(&serde_json::from_str(schema).expect("JSON")).expect("a schema");
        let seeds = include_str!("../../sandbox/seeds.json");
        let mut seeds: Vec<serde_json::Value> = serde_json::from_str(seeds).expect("JSON");
        assert!(!seeds.is_empty());
        for seed in &mut seeds {
            let text = seed.to_string();
            let whole = read(text.as_bytes(), Bounds::default()).expect("JSON");
            assert!(schema.root().takes(&whole), "{text}");
            seed.as_object_mut().expect("an object").remove("consent");
            let text = seed.to_string();
            let part = read(text.as_bytes(), Bounds::default()).expect("JSON");
            assert!(!schema.root().takes(&part) && !schema.fits(&part), "{text}");
        }
    }

    #[test]
    fn a_member_named_like_an_element_is_left_to_the_validators() {
        let schema = json!({ "properties": { "0": { "type": "string" } },
            "allOf": [{ "additionalProperties": false, "items": { "type": "string" } }] });
        let schema = Schema::new(&schema).expect("a schema");
        let value = read(br#"{"0":"x"}"#, Bounds::default()).expect("JSON");
        assert!(!schema.fits(&value) && !schema.root().takes(&value));
    }

    #[test]
    fn where_a_part_has_an_identifier_of_its_own_nothing_is_seen_at_once() {
        let part = json!({ "$id": "https://example/part", "type": "object",
            "properties": { "a": { "$ref": "#/$defs/b" } }, "$defs": { "b": { "type": "string" } } });
        let schema = json!({ "$id": "https://example/whole", "properties": { "p": part, "q": {"type": "object"} },
            "$defs": { "b": { "type": "null" } } });
        let schema = Schema::new(&schema).expect("a schema");
        for (name, text) in [("p", r#"{"a":null}"#), ("p", r#"{"a":"x"}"#), ("q", "{}")] {
            let value = read(text.as_bytes(), Bounds::default()).expect("JSON");
            assert!(!schema.root().child(name).takes(&value), "{name} {text}");
        }
    }
}
