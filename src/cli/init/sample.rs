//! Values that fit a schema, and values that do not, for cases to begin with.

use super::view::{Branches, View};
use crate::json::{self, Bounds};
use crate::policy::schema::{Place, Schema};

use serde_json::{Map, Value, json};

/// How deep members that need not be there are filled in.
const DEPTH: usize = 4;

/// Texts of the formats that JSON Schema knows.
const FORMATS: [(&str, &str); 14] = [
    ("date", "2026-01-31"),
    ("date-time", "2026-01-31T12:00:00Z"),
    ("duration", "P1D"),
    ("email", "ada@example.com"),
    ("hostname", "host.example"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
    ("json-pointer", "/a"),
    ("regex", "a"),
    ("time", "12:00:00Z"),
    ("uri", "https://host.example/a"),
    ("uri-reference", "/a"),
    ("url", "https://host.example/a"),
    ("uuid", "10000000-0000-4000-8000-000000000001"),
];

/// Texts that many patterns ask for.
const TEXTS: [&str; 14] = [
    "text",
    "Text",
    "A",
    "AB",
    "EUR",
    "ABCD",
    "a1",
    "A1",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "+4912345678",
];

/// What makes up values for one schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples<'s> {
    /// As it is written.
    pub(super) written: &'s Value,
    /// As it is compiled.
    pub(super) schema: &'s Schema,
}

/// How a value is made up.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// With the examples and defaults that the schema names.
    examples: bool,
    /// With members that need not be there.
    optional: bool,
    /// With members that callers do not send.
    read_only: bool,
}

impl Samples<'_> {
    /// A document as it is stored, or as a caller sends a new one. Of `given` documents the first that
    /// fits is taken.
    pub(super) fn document(&self, stored: bool, given: &[Value]) -> Option<Value> {
        let view = View::of(self.written, Branches::First);
        let given = given.iter().cloned();
        let made = ways(stored).filter_map(|way| make(&view, way, 0));
        given
            .chain(made)
            .find(|value| value.is_object() && read(value, |value| self.schema.fits(value)))
    }

    /// Values that may stand at the place which the pattern `path` stands for, the likeliest first.
    pub(super) fn at(&self, path: &str) -> Vec<Value> {
        let (view, place) = self.find(path);
        let made = ways(false).filter_map(|way| make(&view, way, 0));
        let mut fitting: Vec<Value> =
            made.filter(|value| read(value, |value| place.fits(value))).collect();
        fitting.dedup();
        fitting
    }

    /// A value that may not stand there.
    pub(super) fn not_at(&self, path: &str) -> Option<Value> {
        let (_, place) = self.find(path);
        let all = [json!("none of these"), json!(1), json!(true), json!([[]]), json!({})];
        all.into_iter().find(|value| !read(value, |value| place.fits(value)))
    }

    fn find(&self, path: &str) -> (View<'_>, Place<'_>) {
        let start = (View::of(self.written, Branches::First), self.schema.root());
        path.split('/').skip(1).fold(start, |(view, place), token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match token.as_str() {
                "-" => view.element(),
                "*" if view.has_type("array") => view.element(),
                "*" => view.others(),
                name => view.member(name),
            };
            (next, place.child(if token == "*" { "name" } else { &token }))
        })
    }
}

/// The ways to make up a value, the one that shows the most first.
fn ways(stored: bool) -> impl Iterator<Item = Way> {
    [(true, true), (false, true), (true, false), (false, false)]
        .into_iter()
        .map(move |(examples, optional)| Way { examples, optional, read_only: stored })
}

/// A value by what `view` says, which may yet not fit.
fn make(view: &View<'_>, way: Way, depth: usize) -> Option<Value> {
    if depth > 2 * DEPTH {
        return None;
    }
    if let Some(value) = view.keyword("const") {
        return Some(value.clone());
    }
    let said = view.keyword("examples").and_then(|all| all.as_array()?.first());
    let said = said.or_else(|| view.keyword("default").filter(|value| !value.is_null()));
    if let Some(value) = said.filter(|_| way.examples) {
        return Some(value.clone());
    }
    if let Some(Value::Array(values)) = view.keyword("enum") {
        return values.iter().find(|value| !value.is_null()).or(values.first()).cloned();
    }
    if view.has_type("object") {
        object(view, way, depth)
    } else if view.has_type("array") {
        array(view, way, depth)
    } else if view.has_type("integer") || view.has_type("number") {
        number(view)
    } else if view.has_type("boolean") {
        Some(json!(true))
    } else if view.has_type("null") && !view.has_type("string") {
        Some(Value::Null)
    } else {
        text(view).map(Value::String)
    }
}

fn object(view: &View<'_>, way: Way, depth: usize) -> Option<Value> {
    let required = view.required();
    let mut members = Map::new();
    for name in view.names().into_iter().chain(required.iter().copied()) {
        let member = view.member(name);
        let is = |keyword: &str| member.keyword(keyword) == Some(&Value::Bool(true));
        let wanted =
            way.optional && depth < DEPTH && !is("writeOnly") && (way.read_only || !is("readOnly"));
        let wanted = wanted && !member.recurs();
        if members.contains_key(name) || !wanted && !required.contains(&name) {
            continue;
        }
        match make(&member, way, depth + 1) {
            Some(value) => drop(members.insert(name.to_owned(), value)),
            None if required.contains(&name) => return None,
            None => {}
        }
    }
    Some(Value::Object(members))
}

fn array(view: &View<'_>, way: Way, depth: usize) -> Option<Value> {
    let least = view.count("minItems").unwrap_or(0);
    let most = view.count("maxItems").unwrap_or(usize::MAX);
    let wanted = if way.optional && depth < DEPTH { least.max(1).min(most) } else { least };
    let element = (wanted > 0).then(|| make(&view.element(), way, depth + 1)).flatten();
    match element {
        Some(element) if wanted <= 16 => Some(Value::Array(vec![element; wanted])),
        _ if least == 0 => Some(json!([])),
        _ => None,
    }
}

fn number(view: &View<'_>) -> Option<Value> {
    let bound = |keyword: &str| view.keyword(keyword).and_then(Value::as_f64);
    let whole = !view.has_type("number");
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let unit = if whole { 1.0 } else { 0.5 };
    let (least, most) = (bound("minimum"), bound("maximum"));
    let (above, below) = (bound("exclusiveMinimum"), bound("exclusiveMaximum"));
    let fits = |value: &f64| {
        least.is_none_or(|least| *value >= least)
            && most.is_none_or(|most| *value <= most)
            && above.is_none_or(|above| *value > above)
            && below.is_none_or(|below| *value < below)
    };
    let between = least.or(above).zip(most.or(below)).map(|(from, to)| (from + to) / 2.0);
    let ends = [least, above.map(|above| above + unit), most, below.map(|below| below - unit)];
    let likely = std::iter::once(1.0).chain(ends.into_iter().flatten()).chain(between);
    let rounded = |value: f64| match step {
        Some(step) => (value / step).ceil() * step,
        None if whole => value.ceil(),
        None => value,
    };
    let value = likely.map(rounded).find(fits)?;
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
    match value.fract() == 0.0 && value.abs() < 9e15 {
        true => Some(json!(value as i64)),
        false => serde_json::Number::from_f64(value).map(Value::Number),
    }
}

fn text(view: &View<'_>) -> Option<String> {
    let (least, most) =
        (view.count("minLength").unwrap_or(0), view.count("maxLength").unwrap_or(usize::MAX));
    let format = view.keyword("format").and_then(Value::as_str);
    if let Some((_, text)) = FORMATS.iter().find(|(name, _)| Some(*name) == format) {
        return Some((*text).to_owned());
    }
    let pattern = view.keyword("pattern").and_then(Value::as_str);
    let pattern = pattern.and_then(|pattern| regex::Regex::new(pattern).ok());
    let padded = |text: &str| {
        let missing = least.saturating_sub(text.chars().count());
        let text = format!("{text}{}", "x".repeat(missing.min(4096)));
        text.chars().take(most).collect::<String>()
    };
    let known = FORMATS.iter().map(|(_, text)| *text);
    let mut texts = TEXTS.into_iter().chain(known).map(padded);
    texts.find(|text| pattern.as_ref().is_none_or(|pattern| pattern.is_match(text)))
}

/// What `judge` says of `value` as the judge reads it.
fn read(value: &Value, judge: impl Fn(&json::Value<'_>) -> bool) -> bool {
    json::read(value.to_string().as_bytes(), Bounds::default()).is_ok_and(|value| judge(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_fits_and_what_is_not_to_fit_does_not() {
        let written = json!({
            "type": "object",
            "required": ["id", "kind", "n", "code"],
            "additionalProperties": false,
            "properties": {
                "id": { "type": "string", "format": "uuid", "readOnly": true },
                "kind": { "oneOf": [{ "type": "null" }, { "enum": ["a", "b"] }] },
                "n": { "type": "integer", "exclusiveMinimum": 6, "multipleOf": 4 },
                "x": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.25 },
                "code": { "type": "string", "pattern": "^[A-Z]{3}$", "examples": ["wrong"] },
                "list": { "type": "array", "minItems": 2, "items": { "type": "string", "minLength": 9 } },
                "map": { "type": "object", "additionalProperties": { "type": "boolean" } },
                "secret": { "type": "string", "writeOnly": true },
                "odd": { "type": "string", "pattern": "^(very){9}odd$" },
                "any": {},
            },
        });
        let schema = Schema::new(&written).expect("a schema");
        let samples = Samples { written: &written, schema: &schema };
        let stored = samples.document(true, &[json!({ "id": 1 })]).expect("a document");
        assert_eq!(
            (&stored["kind"], &stored["n"], &stored["code"]),
            (&json!("a"), &json!(8), &json!("EUR"))
        );
        assert!(stored.get("secret").is_none() && stored.get("odd").is_none(), "{stored}");
        assert_eq!(stored["list"], json!(["textxxxxx", "textxxxxx"]));
        let given = json!({ "id": "10000000-0000-4000-8000-000000000002", "kind": "b", "n": 12, "code": "ABC" });
        assert_eq!(samples.document(true, std::slice::from_ref(&given)), Some(given));
        for path in ["/kind", "/n", "/x", "/code", "/list", "/list/-", "/map/*", "/id"] {
            assert!(!samples.at(path).is_empty(), "{path}");
            let wrong = samples.not_at(path).unwrap_or_else(|| panic!("{path}"));
            assert!(!samples.at(path).contains(&wrong), "{path}");
        }
        assert_eq!((samples.at("/odd"), samples.not_at("/any")), (Vec::new(), None));
        let recursive =
            json!({ "type": "object", "required": ["n"], "properties": { "n": { "$ref": "#" } } });
        let schema = Schema::new(&recursive).expect("a schema");
        assert_eq!(Samples { written: &recursive, schema: &schema }.document(true, &[]), None);
    }
}
