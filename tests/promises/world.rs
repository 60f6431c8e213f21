//! Random worlds: a schema, rules and a state graph.

use super::schema::schema;

use patchgate::patch::OpName;
use patchgate::policy::Caller;
use patchgate::policy::rule::Name;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use std::fmt;

#[derive(Clone)]
pub struct World {
    pub schema: Value,
    pub ops: Vec<OpName>,
    pub paths: Vec<(&'static str, bool)>,
    /// What may be done at each of the paths.
    pub path_ops: Vec<OpName>,
    pub immutable: Vec<&'static str>,
    /// From, to, and which of [`TAKERS`] may take it; a later one overrides an earlier one.
    pub steps: Vec<(usize, usize, usize)>,
    /// The id of the partner that calls, and its roles.
    pub caller: (&'static str, Vec<String>),
    pub frozen: bool,
    pub together: bool,
    pub undescribed: bool,
    /// The rules that only warn.
    pub warn: Vec<Name>,
}

pub const STATES: [&str; 4] = ["A/x", "A/y", "B/x", "C/y"];

/// Who may take a step: partners, and roles. Everybody may take the first.
pub const TAKERS: [(&[&str], &[&str]); 4] =
    [(&[], &[]), (&["p"], &[]), (&[], &["r", "s"]), (&["q"], &["s"])];

pub const PATHS: [&str; 19] = [
    "/**",
    "/status",
    "/sub",
    "/n",
    "/d",
    "/d/a",
    "/d/*",
    "/d/**",
    "/d/x_1",
    "/t",
    "/t/-",
    "/t/0",
    "/t/*/v",
    "/t/**",
    "/free",
    "/r/**",
    "/r/*/v",
    "/r/kids/-",
    "/a~1b",
];

pub fn world() -> impl Strategy<Value = World> {
    (
        schema(),
        (ops(), ops()),
        prop_oneof![
            Just(vec![("/**", true)]),
            prop::collection::vec((select(PATHS.to_vec()), any::<bool>()), 1..12),
        ],
        subsequence(vec!["/n", "/d/a", "/t/*/id", "/d", "/t/0", "/r/**", "/r/kids/*/v"], 0..3),
        prop::collection::vec(
            (0..4usize, 0..4usize, prop_oneof![2 => Just(0), 1 => 1..TAKERS.len()]),
            4..20,
        ),
        (select(vec!["p", "q", "r", ""]), subsequence(vec!["r".into(), "s".into()], 0..=2)),
        any::<(bool, bool, bool)>(),
        prop_oneof![4 => Just(Vec::new()), 1 => subsequence(Name::ALL.to_vec(), 1..4)],
    )
        .prop_map(
            |(
                schema,
                (ops, path_ops),
                paths,
                immutable,
                steps,
                caller,
                (frozen, together, undescribed),
                warn,
            )| {
                World {
                    schema,
                    ops,
                    paths,
                    path_ops,
                    immutable,
                    steps,
                    caller,
                    frozen,
                    together,
                    undescribed,
                    warn,
                }
            },
        )
}

fn ops() -> impl Strategy<Value = Vec<OpName>> {
    prop_oneof![2 => Just(OpName::ALL.to_vec()), 1 => subsequence(OpName::ALL.to_vec(), 4..=6)]
}

impl World {
    pub fn caller(&self) -> Caller<'_> {
        Caller { partner: self.caller.0, roles: &self.caller.1 }
    }
}

/// As it would stand in a policy file, with the schema written out.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |ops: &[OpName]| ops.iter().map(|op| op.as_str()).collect::<Vec<_>>().join(", ");
        let (ops, path_ops) = (names(&self.ops), names(&self.path_ops));
        let choice = if self.undescribed { "permit" } else { "refuse" };
        writeln!(f, "\nresources:\n  r:\n    schema: {}\n    undescribed: {choice}", self.schema)?;
        writeln!(f, "    ops: [{ops}]\n    paths:")?;
        for (path, subtree) in &self.paths {
            writeln!(
                f,
                "      - {{ path: {}, ops: [{path_ops}], subtree: {subtree} }}",
                json!(path)
            )?;
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
        let warn: Vec<_> = self.warn.iter().map(|name| name.as_str()).collect();
        writeln!(f, "    warn: [{}]\n# called by {:?}", warn.join(", "), self.caller)
    }
}
