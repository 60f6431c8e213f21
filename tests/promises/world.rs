//! Random worlds: a schema, rules and a state graph.

use super::schema::schema;

use patchgate::patch::OpName;
use patchgate::policy::Caller;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use std::fmt;

#[derive(Clone)]
pub struct World {
    pub schema: Value,
    pub ops: Vec<OpName>,
    pub paths: Vec<(&'static str, bool)>,
    pub immutable: Vec<&'static str>,
    /// From, to, and which of [`TAKERS`] may take it; a later one overrides an earlier one.
    pub steps: Vec<(usize, usize, usize)>,
    /// The id of the partner that calls, and its roles.
    pub caller: (&'static str, Vec<String>),
    pub frozen: bool,
    pub together: bool,
    pub undescribed: bool,
}

pub const STATES: [&str; 4] = ["A/x", "A/y", "B/x", "C/y"];

/// Who may take a step: partners, and roles. Everybody may take the first.
pub const TAKERS: [(&[&str], &[&str]); 4] =
    [(&[], &[]), (&["p"], &[]), (&[], &["r", "s"]), (&["q"], &["s"])];

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
        prop::collection::vec(
            (0..4usize, 0..4usize, prop_oneof![2 => Just(0), 1 => 0..TAKERS.len()]),
            2..14,
        ),
        (select(vec!["p", "q", "r", ""]), subsequence(vec!["r".into(), "s".into()], 0..=2)),
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |(schema, ops, paths, immutable, steps, caller, (frozen, together, undescribed))| {
                World {
                    schema,
                    ops,
                    paths,
                    immutable,
                    steps,
                    caller,
                    frozen,
                    together,
                    undescribed,
                }
            },
        )
}

impl World {
    pub fn caller(&self) -> Caller<'_> {
        Caller { partner: self.caller.0, roles: &self.caller.1 }
    }
}

/// As it would stand in a policy file, with the schema written out.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ops: Vec<_> = self.ops.iter().map(|op| op.as_str()).collect();
        let choice = if self.undescribed { "permit" } else { "refuse" };
        writeln!(f, "\nresources:\n  r:\n    schema: {}\n    undescribed: {choice}", self.schema)?;
        writeln!(f, "    ops: [{}]\n    paths:", ops.join(", "))?;
        for (path, subtree) in &self.paths {
            writeln!(f, "      - {{ path: {}, subtree: {subtree} }}", json!(path))?;
        }
        writeln!(
            f,
            "    immutable: {}\n    states:\n      fields: [/status, /sub]",
            json!(self.immutable)
        )?;
        writeln!(
            f,
            "      together: {}\n      names: {}\n      transitions:",
            self.together,
            json!(STATES)
        )?;
        for (from, to, takers) in &self.steps {
            let (from, to, (partners, roles)) = (STATES[*from], STATES[*to], TAKERS[*takers]);
            let takers = format!("partners: {partners:?}, roles: {roles:?}");
            writeln!(f, "        - {{ from: [{from}], to: [{to}], {takers} }}")?;
        }
        if self.frozen {
            writeln!(f, "      edits:\n        - {{ in: [C/*], allow: false, except: [/free] }}")?;
        }
        writeln!(f, "# called by {:?}", self.caller)
    }
}
