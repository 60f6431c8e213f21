//! Random patches: most of their ops put a value where it may stand, some put anything anywhere.

use super::document::{Json, item, leaf, node, state, value};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Where the ops point.
pub const POINTERS: [&str; 28] = [
    "/status",
    "/sub",
    "/n",
    "/d",
    "/d/a",
    "/d/b",
    "/d/A",
    "/d/x_1",
    "/t",
    "/t/-",
    "/t/0",
    "/t/1",
    "/t/0/v",
    "/t/0/id",
    "/t/1/id",
    "/free",
    "/other",
    "",
    "/d/a/b",
    "/Status",
    "/a~1b",
    "/r",
    "/r/v",
    "/r/next",
    "/r/next/v",
    "/r/kids/-",
    "/r/kids/0/v",
    "/r/x_1",
];

const STATUS: [&str; 3] = ["A", "B", "C"];
const SUB: [&str; 2] = ["x", "y"];

pub fn patch() -> impl Strategy<Value = Json> {
    let parts = prop_oneof![
        2 => prop::collection::vec(part(), 1..=1),
        1 => prop::collection::vec(part(), 2..=3),
    ];
    parts.prop_map(|parts| {
        let ops = parts.iter().filter_map(Value::as_array).flatten();
        Json(ops.cloned().collect())
    })
}

/// One op, or a few that belong together.
fn part() -> impl Strategy<Value = Value> {
    let pointer = || select(POINTERS.to_vec());
    let name = select(vec!["add", "add", "add", "replace", "replace", "test"]);
    let valued = (name, prop_oneof![5 => fitting(), 1 => (pointer(), value())])
        .prop_map(|(op, (path, value))| json!([{"op": op, "path": path, "value": value}]));
    let moved = (select(vec!["move", "copy"]), pointer(), pointer())
        .prop_map(|(op, from, path)| json!([{"op": op, "from": from, "path": path}]));
    let removed = pointer().prop_map(|path| json!([{"op": "remove", "path": path}]));
    prop_oneof![9 => valued, 3 => pair("replace"), 1 => step(), 2 => moved, 1 => removed]
}

/// A place, and a value that may stand there under most schemas.
fn fitting() -> impl Strategy<Value = (&'static str, Value)> {
    let at = |places: &[&'static str]| select(places.to_vec());
    let number = || (0..4i64).prop_map(Value::from);
    let text = || select(vec![json!("A"), json!("xyz")]);
    let details = prop::collection::btree_map(select(vec!["a", "b", "x_1"]), leaf(), 0..3);
    prop_oneof![
        2 => (at(&["/status"]), select(STATUS.map(Value::from).to_vec())),
        2 => (at(&["/sub"]), select(SUB.map(Value::from).to_vec())),
        2 => (at(&["/n", "/d/a", "/a~1b", "/r/v", "/r/next/v", "/r/kids/0/v"]), number()),
        1 => (at(&["/t/0/v", "/t/0/id", "/t/1/id"]), number()),
        2 => (at(&["/free", "/d/b", "/d/x_1", "/r/x_1"]), text()),
        1 => (at(&["/d"]), details.prop_map(|members| json!(members))),
        1 => (at(&["/t"]), prop::collection::vec(item(), 0..3).prop_map(Value::Array)),
        2 => (at(&["/t/-", "/t/0", "/t/1"]), item()),
        1 => (at(&["/r", "/r/next", "/r/kids/-"]), node()),
    ]
}

/// Both governed fields.
fn pair(op: &'static str) -> impl Strategy<Value = Value> {
    state().prop_map(move |(status, sub)| {
        json!([{"op": op, "path": "/status", "value": status},
               {"op": op, "path": "/sub", "value": sub}])
    })
}

/// A step from a state that the patch itself makes sure of.
fn step() -> impl Strategy<Value = Value> {
    (pair("test"), pair("replace")).prop_map(|(from, to)| {
        [from, to].iter().filter_map(Value::as_array).flatten().cloned().collect()
    })
}
