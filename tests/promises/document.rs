//! Random values, and documents that mostly fit a random schema.

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
        let name = select(vec!["a", "b", "id", "v", "status", "sub", "n", "d", "t", "free", "A"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..3).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

pub fn document() -> impl Strategy<Value = Json> {
    let item = (prop::option::of(0..3i64), prop::option::of(0..3i64)).prop_map(|(id, v)| {
        let mut item = json!({});
        if let Some(id) = id {
            item["id"] = json!(id)
        }
        if let Some(v) = v {
            item["v"] = json!(v)
        }
        item
    });
    (
        select(vec!["A", "A", "B", "C", "C", "-"]),
        select(vec!["x", "x", "y", "y", "z", "-"]),
        prop::option::of(0..4i64),
        prop::option::of((prop::option::of(leaf()), prop::option::of(leaf()))),
        prop::option::of(prop::collection::vec(item, 0..4)),
        any::<bool>(),
    )
        .prop_map(|(status, sub, n, d, t, free)| {
            let mut document = json!({});
            if status != "-" {
                document["status"] = json!(status)
            }
            if sub != "-" {
                document["sub"] = json!(sub)
            }
            if let Some(n) = n {
                document["n"] = json!(n)
            }
            if let Some((a, b)) = d {
                document["d"] = json!({});
                if let Some(a) = a {
                    document["d"]["a"] = a
                }
                if let Some(b) = b {
                    document["d"]["b"] = b
                }
            }
            if let Some(t) = t {
                document["t"] = Value::Array(t)
            }
            if free {
                document["free"] = json!("f")
            }
            Json(document)
        })
}
