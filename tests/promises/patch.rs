//! Random patches.

use super::document::{Json, value};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

pub fn patch() -> impl Strategy<Value = Json> {
    let pointer = || {
        select(vec![
            "/status", "/sub", "/n", "/d", "/d/a", "/d/b", "/d/A", "/t", "/t/-", "/t/0", "/t/1",
            "/t/0/v", "/t/0/id", "/t/1/id", "/free", "/other", "", "/d/a/b", "/Status",
        ])
    };
    let valued = (select(vec!["add", "replace", "test", "add", "replace"]), pointer(), value())
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}));
    let pair = (select(vec!["A", "B", "C"]), select(vec!["x", "y"])).prop_map(|(status, sub)| {
        json!([{"op": "replace", "path": "/status", "value": status},
               {"op": "replace", "path": "/sub", "value": sub}])
    });
    let moved = (select(vec!["move", "copy"]), pointer(), pointer())
        .prop_map(|(op, from, path)| json!({"op": op, "from": from, "path": path}));
    let removed = pointer().prop_map(|path| json!({"op": "remove", "path": path}));
    let one = prop_oneof![
        4 => valued.prop_map(|op| json!([op])),
        2 => pair,
        1 => moved.prop_map(|op| json!([op])),
        1 => removed.prop_map(|op| json!([op])),
    ];
    prop::collection::vec(one, 1..3).prop_map(|parts| {
        Json(
            parts
                .into_iter()
                .flat_map(|part| part.as_array().cloned().unwrap_or_default())
                .collect(),
        )
    })
}
