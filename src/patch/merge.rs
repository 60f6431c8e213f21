//! Merge patches (RFC 7396), read into the ops that they come to.
//!
//! A merge patch reaches members only, never elements: where it has an object, an object stands
//! afterwards, whatever stood there before. [`Op::Open`] says so; [`Op::Unset`] is its `null`.

use super::read::{pointer_too_long, unreadable_body};
use super::{Op, Patch, Pointer};
use crate::json::{self, Bounds, Value};
use crate::violation::{Code, Violation, Violations};

impl<'a> Patch<'a> {
    /// Reads the merge patch that `bytes` are; it may come to as many ops as `bounds` has items.
    ///
    /// # Errors
    ///
    /// The text cannot be read, or it comes to too many ops or to one at too long a pointer.
    pub fn read_merge(bytes: &'a [u8], bounds: Bounds) -> Result<Self, Violations> {
        let whole = Bounds { items: bounds.values, ..bounds };
        let value = json::read(bytes, whole)
            .map_err(|unreadable| Violations::from(unreadable_body(unreadable, whole)))?;
        let mut ops = Vec::new();
        unfold(Pointer::ROOT, value, &mut ops);
        if ops.len() > bounds.items {
            let message = format!("the merge patch sets more than {} members", bounds.items);
            return Err(Violation::new(Code::TooManyOps, message).into());
        }
        match ops.iter().find_map(|op| pointer_too_long("a member's place", op.path().text())) {
            Some(violation) => Err(violation.into()),
            None => Ok(Self { ops }),
        }
    }
}

fn unfold<'a>(path: Pointer<'a>, value: Value<'a>, ops: &mut Vec<Op<'a>>) {
    match value {
        Value::Object(members) => {
            ops.push(Op::Open { path: path.clone() });
            for (name, value) in members {
                unfold(path.join(&name), value, ops);
            }
        }
        Value::Null if !path.is_root() => ops.push(Op::Unset { path }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            ops.push(Op::Add { path, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read;
    use crate::patch::{Known, Partial, apply};
    use proptest::prelude::*;

    fn merged(document: &str, patch: &str) -> String {
        let document = read(document.as_bytes(), Bounds::default()).expect("JSON");
        let patch = Patch::read_merge(patch.as_bytes(), Bounds::default()).expect("a merge patch");
        apply(&patch, document).expect("a merge patch always applies").to_string()
    }

    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        for (document, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merged(document, patch), result, "{patch} on {document}");
        }
    }

    #[test]
    fn an_array_that_is_given_members_is_gone() {
        assert_eq!(merged(r#"{"t":[1,2]}"#, r#"{"t":{"0":3}}"#), r#"{"t":{"0":3}}"#);
        let patch = Patch::read_merge(br#"{"t":{"0":3}}"#, Bounds::default()).expect("a patch");
        let second = Pointer::parse("/t/1").expect("well-formed");
        assert!(patch.effects().any(|effect| effect.may_change(&second)));
    }

    #[test]
    fn what_it_comes_to_is_bounded() {
        let bounds = Bounds { items: 2, ..Bounds::default() };
        assert!(Patch::read_merge(br#"{"a":1}"#, bounds).is_ok());
        let found = Patch::read_merge(br#"{"a":1,"b":2}"#, bounds).expect_err("too many");
        assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::TooManyOps]);
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(300));
        assert!(Patch::read_merge(long.as_bytes(), Bounds::default()).is_err());
    }

    /// RFC 7396 §2, as it is written there.
    fn merge(target: &serde_json::Value, patch: &serde_json::Value) -> serde_json::Value {
        let serde_json::Value::Object(members) = patch else { return patch.clone() };
        let mut target = target.as_object().cloned().unwrap_or_default();
        for (name, value) in members {
            let old = target.remove(name).unwrap_or_default();
            if !value.is_null() {
                target.insert(name.clone(), merge(&old, value));
            }
        }
        target.into()
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::{Value, json};
        let leaf = prop_oneof![Just(json!(1)), Just(json!("x")), Just(Value::Null)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::btree_map("[ab0-]", inner, 0..3)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn it_merges_as_the_rfc_says_and_its_effects_are_all_that_changes(
            before in document(), patch in document(), at in "(/[ab01-]){0,3}",
        ) {
            let (text, body) = (before.to_string(), patch.to_string());
            let old = read(text.as_bytes(), Bounds::default()).expect("JSON");
            let ours = Patch::read_merge(body.as_bytes(), Bounds::default()).expect("a patch");
            let new = apply(&ours, old.clone()).expect("it always applies");
            let expected = merge(&before, &patch).to_string();
            let expected = read(expected.as_bytes(), Bounds::default()).expect("JSON");
            prop_assert_eq!(&new, &expected);

            let at = Pointer::parse(at).expect("well-formed");
            let (was, is) = (apply::find(&old, &at), apply::find(&new, &at));
            match Partial::around(&ours, &[]).1.at(&at) {
                Known::Value(value) => prop_assert_eq!(is, Some(value)),
                Known::Absent => prop_assert_eq!(is, None),
                Known::Unknown => {}
            }
            if was != is {
                prop_assert!(ours.effects().any(|effect| effect.may_change(&at)));
            }
        }
    }
}
