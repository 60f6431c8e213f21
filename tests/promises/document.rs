//! Random values, and documents that mostly fit a random schema.

use super::world::STATES;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use std::fmt;

/// A value that a failing case shows as JSON.
#[derive(Clone)]
pub struct Json(pub Value);

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub fn leaf() -> impl Strategy<Value = Value> {
    select(vec![
        json!("A"),
        json!("B"),
        json!("C"),
        json!("x"),
        json!("y"),
        json!(0),
        json!(1),
        json!(2),
        json!(null),
        json!("w"),
    ])
}

pub fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(2, 6, 3, |inner| {
        let name = select(vec![
            "a", "b", "id", "v", "status", "sub", "n", "d", "t", "free", "A", "next", "kids",
            "x_1", "a/b",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..3).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// An element of `t`.
pub fn item() -> impl Strategy<Value = Value> {
    let id = prop::option::of(0..3i64);
    let v = prop::option::of(0..3i64);
    (id, v).prop_map(|(id, v)| object([("id", id.map(Value::from)), ("v", v.map(Value::from))]))
}

pub fn document() -> impl Strategy<Value = Json> {
    let often = |value| prop::option::weighted(0.75, value);
    let number = || (0..4i64).prop_map(Value::from);
    let text = || select(vec![json!("A"), json!("w"), json!(null)]);
    let details = prop_oneof![
        3 => (often(number().boxed()), often(text().boxed())),
        1 => (often(leaf().boxed()), often(leaf().boxed())),
    ];
    let details = details.prop_map(|(a, b)| object([("a", a), ("b", b)]));
    let things = prop::collection::vec(item(), 0..4).prop_map(Value::Array);
    let rest = (
        often(number().boxed()),
        often(details.boxed()),
        often(things.boxed()),
        often(Just(json!("f")).boxed()),
        often(node().boxed()),
        often(number().boxed()),
    );
    let state = prop_oneof![
        7 => state().prop_map(|(status, sub)| (Some(json!(status)), Some(json!(sub)))),
        1 => (prop::option::of(leaf()), prop::option::of(leaf())),
    ];
    (state, rest).prop_map(|((status, sub), (n, d, t, free, r, escaped))| {
        let governed = [("status", status), ("sub", sub)];
        let rest = [("n", n), ("d", d), ("t", t), ("free", free), ("r", r), ("a/b", escaped)];
        Json(object(governed.into_iter().chain(rest)))
    })
}

fn object<'n>(members: impl IntoIterator<Item = (&'n str, Option<Value>)>) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
    members.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The values of the governed fields, mostly those of a state.
pub fn state() -> impl Strategy<Value = (&'static str, &'static str)> {
    let known = STATES.map(|name| name.split_once('/').expect("two values"));
    let other = (select(vec!["A", "B", "C"]), select(vec!["x", "y", "z"]));
    prop_oneof![5 => select(known.to_vec()), 1 => other]
}

/// A value that refers to its like.
pub fn node() -> impl Strategy<Value = Value> {
    let leaf = (0..3i64).prop_map(|v| json!({ "v": v }));
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (0..3i64, inner.clone()).prop_map(|(v, next)| json!({"v": v, "next": next})),
            (0..3i64, prop::collection::vec(inner, 0..3))
                .prop_map(|(v, kids)| json!({"v": v, "kids": kids})),
        ]
    })
}
