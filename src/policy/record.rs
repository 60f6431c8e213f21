//! What may be written down of a change: its ops, and of their values as much as their class allows.

use super::facts::{Change, Facts};
use super::schema::{DataClass, Place, Schema};
use crate::json::Value;
use crate::patch::Pointer;

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most bytes of ops that are written down, and of a value in clear.
const OPS_MAX: usize = 256 << 10;
const CLEAR_MAX: usize = 4096;

/// How much is told of a value, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// All of it.
    Clear,
    /// Whether it is the same as another.
    Hash,
    /// Of which kind it is.
    Redacted,
}

/// How much is told of values, by their class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Of those that concern a person.
    pub personal: Shown,
    /// Of those that concern a business.
    pub commercial: Shown,
    /// Of those that concern nobody.
    pub public: Shown,
    /// Of those of which the schema does not say whom they concern.
    pub unmarked: Shown,
}

impl Disclosure {
    fn of(&self, class: Option<DataClass>) -> Shown {
        match class {
            Some(DataClass::Personal) => self.personal,
            Some(DataClass::Commercial) => self.commercial,
            Some(DataClass::Public) => self.public,
            None => self.unmarked,
        }
    }

    /// How much is told of `value` at `place`: as little as of anything in it.
    fn of_value(&self, value: &Value<'_>, place: Option<&Place<'_>>) -> Shown {
        let own = || self.of(place.and_then(Place::data_class));
        let child = |token: &str, value: &Value<'_>| match place {
            Some(place) => self.of_value(value, Some(&place.child(token))),
            None => self.of_value(value, None),
        };
        let strictest = match value {
            Value::Array(elements) => {
                elements.iter().enumerate().map(|(at, value)| child(&at.to_string(), value)).max()
            }
            Value::Object(members) => members.iter().map(|(name, value)| child(name, value)).max(),
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
        };
        strictest.unwrap_or_else(own)
    }
}

/// The ops of a change as JSON, and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ops {
    /// An array; `null` where the body could not be read.
    pub json: String,
    /// How many are left out, because they are too many.
    pub more: usize,
}

/// Writes down the ops of `facts`. `hash` tells values apart without telling them.
pub fn ops(facts: &Facts<'_>, disclosure: &Disclosure, hash: &dyn Fn(&str) -> String) -> Ops {
    let schema = facts.route.resource.as_ref().map(|resource| &*resource.schema);
    let writer = Writer { schema, disclosure, hash };
    let mut json = String::with_capacity(256);
    let patch = match &facts.change {
        Err(_) => return Ops { json: "null".to_owned(), more: 0 },
        Ok(Change::Nothing) => return Ops { json: "[]".to_owned(), more: 0 },
        Ok(Change::Document(value)) => {
            json.push_str("[{\"op\":\"document\",\"path\":\"\",\"value\":");
            writer.value(value, &Pointer::ROOT, &mut json);
            json.push_str("}]");
            return Ops { json, more: 0 };
        }
        Ok(Change::Patch(patch)) => patch,
    };
    let mut told = 0;
    json.push('[');
    for op in &patch.ops {
        json.push_str(if told > 0 { ",{\"op\":\"" } else { "{\"op\":\"" });
        json.push_str(op.name().as_str());
        json.push('"');
        if let Some(from) = op.from() {
            pointer("from", from, &mut json);
        }
        pointer("path", op.path(), &mut json);
        if let Some(value) = op.value() {
            json.push_str(",\"value\":");
            writer.value(value, op.path(), &mut json);
        }
        json.push('}');
        told += 1;
        if json.len() > OPS_MAX {
            break;
        }
    }
    json.push(']');
    Ops { json, more: patch.ops.len() - told }
}

fn pointer(name: &str, pointer: &Pointer<'_>, json: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = write!(json, ",\"{name}\":{}", Value::String(Cow::Borrowed(pointer.text())));
}

/// Writes down values, as far as they may be told.
struct Writer<'w> {
    schema: Option<&'w Schema>,
    disclosure: &'w Disclosure,
    hash: &'w dyn Fn(&str) -> String,
}

impl Writer<'_> {
    fn value(&self, value: &Value<'_>, pointer: &Pointer<'_>, json: &mut String) {
        let place = self.schema.map(|schema| schema.place(pointer));
        let shown = self.disclosure.of_value(value, place.as_ref());
        let begin = json.len();
        if shown == Shown::Clear {
            let _ = write!(json, "{{\"clear\":{value}}}");
            if json.len() <= begin + CLEAR_MAX {
                return;
            }
            json.truncate(begin);
        }
        let kind = value.kind();
        let _ = match shown {
            Shown::Hash => {
                let hash = (self.hash)(&value.to_string());
                write!(json, "{{\"hash\":\"{hash}\",\"kind\":\"{kind}\"}}")
            }
            Shown::Clear | Shown::Redacted => write!(json, "{{\"redacted\":\"{kind}\"}}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Bounds;
    use crate::patch::UnknownMembers;
    use crate::policy::route::{BodyForm, LostAnswer, Route, StateSource};
    use crate::policy::{Audience, Caller, IfMatch, Resource};

    use bytes::Bytes;
    use serde_json::json;

    use std::sync::Arc;

    const SHOWN: Disclosure = Disclosure {
        personal: Shown::Redacted,
        commercial: Shown::Hash,
        public: Shown::Clear,
        unmarked: Shown::Redacted,
    };

    fn route(body: BodyForm) -> Route {
        let schema = json!({"properties": {
            "open": {"x-data-class": "public"},
            "price": {"x-data-class": "commercial"},
            "mail": {"x-data-class": "personal"},
            "both": {"x-data-class": "public", "properties": {"mail": {"x-data-class": "personal"}}}
        }});
        let schema = Arc::new(Schema::new(&schema).unwrap());
        let resource =
            Resource { name: "r".into(), schema, graph: None, folds_case: false, tag: None };
        Route {
            id: "r".into(),
            template: "/r".into(),
            methods: Vec::new(),
            audience: Audience::default(),
            params: Vec::new(),
            body,
            media_types: Vec::new(),
            gzip: false,
            max_body: 1 << 20,
            bounds: Bounds { items: 10_000, values: 100_000, depth: 20, string: 1 << 20 },
            unknown_members: UnknownMembers::Refuse,
            query: false,
            trailing_slashes: 0,
            state: StateSource::Never { permit: true },
            lost_answer: LostAnswer::Report,
            links: Vec::new(),
            resource: Some(Arc::new(resource)),
            rules: Vec::new(),
            warn: Vec::new(),
            observe: false,
        }
    }

    fn written(form: BodyForm, body: &str) -> (serde_json::Value, usize) {
        let (route, body) = (route(form), Bytes::from(body.to_owned()));
        let facts = Facts::read(&route, Caller::default(), &IfMatch::Absent, &body);
        let Ops { json, more } = ops(&facts, &SHOWN, &|text| format!("h({})", text.len()));
        (serde_json::from_str(&json).unwrap(), more)
    }

    #[test]
    fn of_each_value_is_told_what_its_class_allows() {
        let told = |path: &str, value: &str| {
            let body = format!(r#"[{{"op":"replace","path":"{path}","value":{value}}}]"#);
            let (ops, _) = written(BodyForm::JsonPatch, &body);
            assert_eq!((&ops[0]["op"], &ops[0]["path"]), (&"replace".into(), &path.into()));
            ops[0]["value"].clone()
        };
        assert_eq!(told("/open", r#""a""#), json!({"clear": "a"}));
        assert_eq!(told("/price", "12"), json!({"hash": "h(2)", "kind": "number"}));
        assert_eq!(told("/mail", r#""m@x""#), json!({"redacted": "string"}));
        assert_eq!(told("/unknown", "null"), json!({"redacted": "null"}));
        // A whole tells no more than its strictest part allows.
        assert_eq!(told("/both", r#"{"a": 1}"#), json!({"clear": {"a": 1}}));
        assert_eq!(told("/both", r#"{"a": 1, "mail": "m@x"}"#), json!({"redacted": "object"}));
        assert_eq!(told("/both", "{}"), json!({"clear": {}}));
        assert_eq!(
            told("", r#"{"open": 1, "price": 2}"#),
            json!({"hash": "h(20)", "kind": "object"})
        );
        assert_eq!(told("/open", r#"[{"x": ["y"]}]"#), json!({"clear": [{"x": ["y"]}]}));
        // One that is long is not told.
        let long = format!("\"{}\"", "a".repeat(5000));
        assert_eq!(told("/open", &long), json!({"redacted": "string"}));
    }

    #[test]
    fn every_form_of_change_is_told() {
        let body =
            r#"[{"op":"move","from":"/open","path":"/mail"},{"op":"remove","path":"/a\"b"}]"#;
        let moved = json!([
            {"op": "move", "from": "/open", "path": "/mail"},
            {"op": "remove", "path": "/a\"b"}
        ]);
        assert_eq!(written(BodyForm::JsonPatch, body), (moved, 0));
        let merged = json!([
            {"op": "add", "path": ""},
            {"op": "add", "path": "/open", "value": {"clear": 1}},
            {"op": "remove", "path": "/mail"}
        ]);
        assert_eq!(written(BodyForm::MergePatch, r#"{"open":1,"mail":null}"#), (merged, 0));
        let document = json!([{"op": "document", "path": "", "value": {"clear": {"open": 1}}}]);
        assert_eq!(written(BodyForm::Document, r#"{"open":1}"#), (document, 0));
        assert_eq!(written(BodyForm::Nothing, ""), (json!([]), 0));
        assert_eq!(written(BodyForm::JsonPatch, "["), (json!(null), 0));
    }

    #[test]
    fn what_is_written_is_bounded() {
        let op = format!(r#"{{"op":"remove","path":"/{}"}}"#, "a".repeat(250));
        let (ops, more) = written(BodyForm::JsonPatch, &format!("[{}]", vec![op; 2000].join(",")));
        let told = ops.as_array().unwrap().len();
        assert!(told > 400 && told + more == 2000, "{told} {more}");
        assert!(ops.to_string().len() < OPS_MAX + 1024);
    }
}
