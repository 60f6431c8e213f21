//! Random worlds: a schema, rules and a state graph.

use super::schema::schema;

use patchgate::patch::OpName;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct World {
    pub schema: Value,
    pub ops: Vec<OpName>,
    pub paths: Vec<(&'static str, bool)>,
    pub immutable: Vec<&'static str>,
    pub steps: Vec<(usize, usize)>,
    pub frozen: bool,
    pub together: bool,
    pub undescribed: bool,
}

pub const STATES: [&str; 4] = ["A/x", "A/y", "B/x", "C/y"];

pub const PATHS: [&str; 14] = [
    "/**", "/status", "/sub", "/n", "/d", "/d/a", "/d/*", "/d/**", "/t", "/t/-", "/t/0", "/t/*/v",
    "/t/**", "/free",
];

pub fn world() -> impl Strategy<Value = World> {
    (
        schema(),
        subsequence(OpName::ALL.to_vec(), 4..=6),
        prop_oneof![
            Just(vec![("/**", true)]),
            prop::collection::vec((select(PATHS.to_vec()), any::<bool>()), 1..12),
        ],
        subsequence(vec!["/n", "/d/a", "/t/*/id", "/d", "/t/0"], 0..3),
        prop::collection::vec((0..4usize, 0..4usize), 2..14),
        any::<(bool, bool, bool)>(),
    )
        .prop_map(|(schema, ops, paths, immutable, steps, (frozen, together, undescribed))| {
            World { schema, ops, paths, immutable, steps, frozen, together, undescribed }
        })
}
