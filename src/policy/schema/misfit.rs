//! In which ways a value does not fit: in our words, with what would fit, and never the value.

use super::{Misfit, Schema};
use crate::json::Value;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::types::JsonType;

use std::cmp::Reverse;

/// How many misfits of one value are told.
const TOLD: usize = 4;

impl Schema {
    /// In which ways `value` does not fit the sub-schema `shape`.
    pub(super) fn explain(&self, shape: usize, value: &Value<'_>) -> Vec<Misfit> {
        let explainable = self.shapes.get(shape).is_some_and(|shape| shape.explainable);
        let base = self.keys.get(shape).map_or("", String::as_str);
        let Some(validator) = self.validators.get(shape).filter(|_| explainable) else {
            let keyword = Some(format!("#{base}"));
            return vec![Misfit::new("the value does not fit the schema of its place", keyword)];
        };
        let mut misfits = Vec::new();
        for error in validator.iter_errors(value).take(TOLD) {
            misfits.extend(misfits_of(&error, base));
        }
        misfits.truncate(TOLD);
        misfits
    }
}

impl Misfit {
    pub(super) fn new(message: impl Into<String>, keyword: Option<String>) -> Self {
        let (pointer, accepted) = (String::new(), Vec::new());
        Self { pointer, message: message.into(), accepted, keyword }
    }

    /// Whether it says that the value at `place`, or a member of it, is of another kind than the
    /// branch is for.
    fn tells_apart(&self, place: &str) -> bool {
        match self.asks() {
            "type" => self.pointer == place,
            "const" | "enum" => self.depth_beneath(place) <= 1,
            _ => false,
        }
    }

    /// The keyword without its place.
    fn asks(&self) -> &str {
        self.keyword.as_deref().and_then(|keyword| keyword.rsplit('/').next()).unwrap_or_default()
    }

    fn depth_beneath(&self, place: &str) -> usize {
        self.pointer.strip_prefix(place).map_or(0, |rest| rest.matches('/').count())
    }
}

/// Of `branches`, each told by its misfits with the value at `place`, the one that fits best: the
/// one that is for such a value, then the one with the fewest faults, then the deepest. Where none
/// is for such a value, what all of them are for; `keyword` is that of the branches.
pub(super) fn best(
    mut branches: Vec<Vec<Misfit>>,
    place: &str,
    keyword: Option<&str>,
) -> Vec<Misfit> {
    let count = branches.len();
    for asked in ["type", "const", "enum"] {
        let all = branches.iter().all(|misfits| {
            misfits.iter().any(|misfit| misfit.pointer == place && misfit.asks() == asked)
        });
        if all && count > 1 {
            let misfits = branches.iter().flatten().filter(|misfit| misfit.asks() == asked);
            let mut accepted: Vec<String> = Vec::new();
            for text in misfits.flat_map(|misfit| &misfit.accepted) {
                if !accepted.contains(text) {
                    accepted.push(text.clone());
                }
            }
            let message = match asked {
                "type" => format!("the value is of another type than {}", listed(&accepted)),
                _ => "the value is not one of those listed".to_owned(),
            };
            let keyword = keyword.map(str::to_owned);
            return vec![Misfit { pointer: place.to_owned(), message, accepted, keyword }];
        }
    }
    branches.sort_by_cached_key(|misfits| {
        let other = misfits.iter().filter(|misfit| misfit.tells_apart(place)).count();
        let deepest = misfits.iter().map(|misfit| misfit.depth_beneath(place)).max();
        (other, misfits.len(), Reverse(deepest))
    });
    let mut best = branches.into_iter().next().unwrap_or_default();
    if count > 1 {
        for misfit in &mut best {
            misfit.message.push_str(&format!(" (in the branch that fits best, of {count})"));
        }
    }
    best
}

/// What one error comes to; of branches it is what the best one says. `base` is where the
/// sub-schema stands that was asked.
fn misfits_of(error: &ValidationError<'_>, base: &str) -> Vec<Misfit> {
    let pointer = error.instance_path().to_string();
    let path = error.schema_path().as_str();
    // Behind a `$ref` the crate counts from the root, else from the sub-schema.
    let base = if error.evaluation_path().as_str() == path { base } else { "" };
    let keyword = format!("#{base}{path}");
    #[allow(clippy::wildcard_enum_match_arm, reason = "the crate's list is open")]
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let told = |errors: &Vec<ValidationError<'_>>| {
                errors.iter().take(TOLD).flat_map(|error| misfits_of(error, base)).collect()
            };
            best(context.iter().map(told).collect(), &pointer, Some(&keyword))
        }
        kind => {
            let (message, accepted) = told(kind, error);
            vec![Misfit { pointer, message, accepted, keyword: Some(keyword) }]
        }
    }
}

/// What is wrong, and what would fit.
#[allow(clippy::wildcard_enum_match_arm, reason = "the crate's list is open")]
fn told(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> (String, Vec<String>) {
    use ValidationErrorKind as Kind;
    let message = match kind {
        Kind::Type { kind } => {
            let types: Vec<String> = match kind {
                TypeKind::Single(one) => vec![one.to_string()],
                TypeKind::Multiple(set) => {
                    set.iter().map(|one: JsonType| one.to_string()).collect()
                }
            };
            return (format!("the value is of another type than {}", listed(&types)), types);
        }
        Kind::Enum { options } => {
            let options = options.as_array().into_iter().flatten().map(ToString::to_string);
            return ("the value is not one of those listed".to_owned(), options.collect());
        }
        Kind::Constant { expected_value } => {
            let accepted = vec![expected_value.to_string()];
            return ("the value is not the one that is expected".to_owned(), accepted);
        }
        // These name members of the body.
        Kind::AdditionalProperties { .. }
        | Kind::PropertyNames { .. }
        | Kind::UnevaluatedProperties { .. } => {
            "a member with such a name is not allowed here".to_owned()
        }
        Kind::AdditionalItems { limit } => format!("the list has more than {limit} elements"),
        Kind::UnevaluatedItems { .. } => "the list has elements that are not allowed".to_owned(),
        Kind::Contains => "the list lacks an element that it has to hold".to_owned(),
        Kind::ExclusiveMaximum { limit } => format!("the number is not below {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("the number is not above {limit}"),
        Kind::FalseSchema => "the schema lets nothing stand here".to_owned(),
        Kind::Format { format } => format!("the text is not of the format `{format}`"),
        Kind::MaxItems { limit } => format!("the list has more than {limit} elements"),
        Kind::Maximum { limit } => format!("the number is above {limit}"),
        Kind::MaxLength { limit } => format!("the text is longer than {limit} characters"),
        Kind::MaxProperties { limit } => format!("the object has more than {limit} members"),
        Kind::MinItems { limit } => format!("the list has fewer than {limit} elements"),
        Kind::Minimum { limit } => format!("the number is below {limit}"),
        Kind::MinLength { limit } => format!("the text is shorter than {limit} characters"),
        Kind::MinProperties { limit } => format!("the object has fewer than {limit} members"),
        Kind::MultipleOf { multiple_of } => format!("the number is no multiple of {multiple_of}"),
        Kind::Not { .. } => "the value is one that the schema excludes".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "the value fits several branches of which it may fit only one".to_owned()
        }
        Kind::Pattern { pattern } => format!("the text does not match the pattern `{pattern}`"),
        Kind::Required { property } => {
            format!("the member `{}` is missing", property.as_str().unwrap_or_default())
        }
        Kind::UniqueItems => "two elements of the list are the same".to_owned(),
        _ => error.masked().to_string(),
    };
    (message, Vec::new())
}

/// The names in backticks, as one reads them out.
fn listed(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Bounds, read};
    use crate::patch::Pointer;

    use serde_json::json;

    /// What is said of `document`: place, message, accepted, keyword.
    fn told(schema: &serde_json::Value, document: &str) -> Vec<String> {
        let schema = Schema::new(schema).expect("a schema");
        let document = read(document.as_bytes(), Bounds::default()).expect("JSON");
        schema.misfits(&document).iter().map(shown).collect()
    }

    fn shown(misfit: &Misfit) -> String {
        let Misfit { pointer, message, accepted, keyword } = misfit;
        format!("{pointer}: {message} {accepted:?} {}", keyword.as_deref().unwrap_or("-"))
    }

    #[test]
    fn a_misfit_says_what_is_expected_and_which_keyword_expects_it() {
        let schema = json!({
            "$defs": {"d": {"properties": {"n": {"maxLength": 2}}}},
            "properties": {
                "a": {"type": ["number", "null"]}, "b": {"enum": ["x", 1]},
                "c": {"pattern": "^q"}, "d": {"$ref": "#/$defs/d"}},
            "required": ["a"]});
        for (document, expected) in [
            (
                r#"{"a":"t"}"#,
                r#"/a: the value is of another type than `null` or `number` ["null", "number"] #/properties/a/type"#,
            ),
            (
                r#"{"a":1,"b":2}"#,
                r#"/b: the value is not one of those listed ["\"x\"", "1"] #/properties/b/enum"#,
            ),
            (
                r#"{"a":1,"c":"x"}"#,
                "/c: the text does not match the pattern `^q` [] #/properties/c/pattern",
            ),
            (
                r#"{"a":1,"d":{"n":"xyz"}}"#,
                "/d/n: the text is longer than 2 characters [] #/$defs/d/properties/n/maxLength",
            ),
            ("{}", ": the member `a` is missing [] #/required"),
        ] {
            assert_eq!(told(&schema, document), [expected]);
        }
    }

    #[test]
    fn of_branches_the_one_is_told_that_is_meant() {
        let car = json!({"properties": {"kind": {"const": "car"}, "doors": {"maximum": 5}}});
        let ship = json!({"properties": {"kind": {"const": "ship"}, "masts": {"type": "integer"}}});
        let kinds = json!({"oneOf": [car, ship]});
        assert_eq!(
            told(&kinds, r#"{"kind":"ship","masts":"two","doors":9}"#),
            [
                "/masts: the value is of another type than `integer` (in the branch that fits best, of 2) [\"integer\"] #/oneOf/1/properties/masts/type"
            ],
            "the constant tells which"
        );
        let texts = json!({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]});
        assert_eq!(
            told(&texts, r#""xy""#),
            [
                ": the text is longer than 1 characters (in the branch that fits best, of 2) [] #/anyOf/1/maxLength"
            ]
        );
        assert_eq!(
            told(&texts, "true"),
            [
                ": the value is of another type than `integer` or `string` [\"integer\", \"string\"] #/anyOf"
            ]
        );
        let words = json!({"oneOf": [{"const": "a"}, {"const": "b"}]});
        assert_eq!(
            told(&words, r#""c""#),
            [": the value is not one of those listed [\"\\\"a\\\"\", \"\\\"b\\\"\"] #/oneOf"]
        );
    }

    #[test]
    fn a_keyword_is_found_from_a_place_as_it_is_from_the_whole() {
        let schema = json!({
            "$defs": {
                "d": {"properties": {"n": {"maxLength": 2}}},
                "e": {"anyOf": [{"$ref": "#/$defs/d"}, {"properties": {"n": {"maxLength": 1}}}]}},
            "properties": {
                "a": {"properties": {"b": {"type": "null"}}}, "d": {"$ref": "#/$defs/d"},
                "e": {"$ref": "#/$defs/e"}, "f": {"properties": {"d": {"$ref": "#/$defs/d"}}}}});
        let schema = Schema::new(&schema).expect("a schema");
        let documents = [
            ("a", r#"{"b":1}"#, "#/properties/a/properties/b/type"),
            ("d", r#"{"n":"xyz"}"#, "#/$defs/d/properties/n/maxLength"),
            ("e", r#"{"n":"xyz"}"#, "#/$defs/d/properties/n/maxLength"),
            ("f", r#"{"d":{"n":"xyz"}}"#, "#/$defs/d/properties/n/maxLength"),
        ];
        for (member, value, keyword) in documents {
            let text = format!("{{\"{member}\":{value}}}");
            let whole = read(text.as_bytes(), Bounds::default()).expect("JSON");
            let value = read(value.as_bytes(), Bounds::default()).expect("JSON");
            let place = schema.place(&Pointer::ROOT.join(member));
            for found in [schema.misfits(&whole), place.misfits(&value)] {
                assert_eq!(found[0].keyword.as_deref(), Some(keyword), "{member}");
            }
        }
    }

    #[test]
    fn beneath_branches_the_best_one_is_told_as_well() {
        let schema = json!({"anyOf": [
            {"properties": {"a": {"type": "integer"}}},
            {"properties": {"a": {"type": "string", "maxLength": 1}}}]});
        let schema = Schema::new(&schema).expect("a schema");
        let place = schema.place(&Pointer::parse("/a").expect("a pointer"));
        let value = read(br#""xy""#, Bounds::default()).expect("JSON");
        let told: Vec<_> = place.misfits(&value).iter().map(shown).collect();
        assert_eq!(
            told,
            [
                ": the text is longer than 1 characters (in the branch that fits best, of 2) [] #/anyOf/1/properties/a/maxLength"
            ]
        );
    }
}
