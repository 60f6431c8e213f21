//! Lets `jsonschema` validate a [`Value`] where it lies: no second tree is built for it.

use super::{Number, Object, Value};

use jsonschema::json::{self, Json, JsonNumber, Node, NodeIdentity};
use jsonschema::types::JsonType;

use std::borrow::Cow;

/// The representation that validators are built for: `&Value`.
#[derive(Debug)]
pub struct Borrowed;

impl Json for Borrowed {
    type Node<'a> = &'a Value<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    // Members are found by walking a short list, so one pass soon beats several lookups.
    const KEYS_PER_LOOKUP: usize = 4;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), text: &str, f: impl FnOnce(Self::Node<'_>) -> T) -> T {
        f(&Value::String(Cow::Borrowed(text)))
    }
}

impl<'a> Node<'a, Borrowed> for &'a Value<'a> {
    type Object = &'a Object<'a>;
    type Array = &'a [Value<'a>];
    type Number = &'a Number<'a>;

    fn as_object(&self) -> Option<&'a Object<'a>> {
        if let Value::Object(members) = self { Some(members) } else { None }
    }

    fn as_array(&self) -> Option<&'a [Value<'a>]> {
        if let Value::Array(elements) = self { Some(elements) } else { None }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        if let Value::String(text) = self { Some(Cow::Borrowed(text)) } else { None }
    }

    fn as_number(&self) -> Option<&'a Number<'a>> {
        if let Value::Number(number) = self { Some(number) } else { None }
    }

    fn as_boolean(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        match (self, expected) {
            (Value::String(text), serde_json::Value::String(other)) => text == other,
            (Value::String(_), _) | (_, serde_json::Value::String(_)) => false,
            _ => **self == Value::from(expected),
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(owned(self))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(*self).addr()))
    }
}

impl<'a> json::Object<'a, Borrowed> for &'a Object<'a> {
    type Node = &'a Value<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Object::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value<'a>> {
        Object::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

/// The members of an object, as `jsonschema` wants them.
#[derive(Debug)]
pub struct Members<'a>(std::slice::Iter<'a, (Cow<'a, str>, Value<'a>)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }
}

impl<'a> json::Array<'a, Borrowed> for &'a [Value<'a>] {
    type Node = &'a Value<'a>;
    type ElementsIter = std::slice::Iter<'a, Value<'a>>;

    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        self.iter()
    }
}

impl JsonNumber for &Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.text().parse().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        self.text().parse().ok()
    }

    fn as_f64(&self) -> Option<f64> {
        self.text().parse().ok()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.text())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        // INVARIANT: the reader refuses what does not fit 64 bits, so that the parse succeeds.
        Cow::Owned(self.text().parse().unwrap_or_else(|_| serde_json::Number::from(0)))
    }
}

fn owned(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => (&number).to_number().into_owned().into(),
        Value::String(text) => text.as_ref().into(),
        Value::Array(elements) => elements.iter().map(owned).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.to_string(), owned(value))).collect()
        }
    }
}

impl From<&Value<'_>> for serde_json::Value {
    fn from(value: &Value<'_>) -> Self {
        owned(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Bounds, read};

    #[test]
    fn the_view_is_what_the_schema_crate_asks_of_one() {
        let document = json::conformance::document().to_string();
        let value = read(document.as_bytes(), Bounds::default()).expect("a JSON text");
        json::conformance::assert_conformance::<Borrowed>(&&value);
    }
}
