//! The state graph of a resource, as it is written: states, and the steps between them.

use schemars::JsonSchema;
use serde::Deserialize;

/// The state graph.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// Pointers to the fields whose values are the state.
    pub fields: Vec<String>,
    /// Whether the fields change only together, in one patch.
    #[serde(default)]
    pub together: bool,
    /// The states: the values of the fields in order, joined by `/`.
    pub names: Vec<String>,
    /// The states that a new document may begin in; any if it is left out.
    #[serde(default)]
    pub initial: Vec<String>,
    /// The states that documents end in: no step leads from them to another state.
    #[serde(default, rename = "final")]
    pub finals: Vec<String>,
    /// The steps, in order; a later one overrides an earlier one. What none allows is refused.
    pub transitions: Vec<Transition>,
    /// States in which other fields may not be changed.
    #[serde(default)]
    pub edits: Vec<Edits>,
}

/// Steps between states.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// States; `*` stands for any value of a field.
    pub from: Vec<String>,
    /// States that may follow, or `same` for the state itself.
    pub to: Vec<String>,
    /// Whether they may.
    #[serde(default = "yes")]
    pub allow: bool,
    /// The partners that may take them, beside those with one of the `roles`; everybody if both
    /// are left out.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub partners: Vec<String>,
    /// The roles of partners that may take them.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub roles: Vec<String>,
    /// Why not; callers are told.
    #[serde(default)]
    pub reason: String,
    /// Where it is written, for readers.
    #[serde(default)]
    pub source: String,
}

/// What may be changed in a state.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// States; `*` stands for any value of a field.
    #[serde(rename = "in")]
    pub states: Vec<String>,
    /// Whether fields outside the state may be changed.
    #[serde(default)]
    pub allow: bool,
    /// Patterns of fields that may be changed all the same.
    #[serde(default)]
    pub except: Vec<String>,
    /// Why not the others; callers are told.
    #[serde(default)]
    pub reason: String,
    /// Where it is written, for readers.
    #[serde(default)]
    pub source: String,
}

fn yes() -> bool {
    true
}
