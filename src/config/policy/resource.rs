//! A kind of document, as it is written: its schema, and the places in it that ops may reach.

use super::{Choice, Op, States};

use schemars::JsonSchema;
use serde::Deserialize;

/// A kind of document.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its JSON Schema, relative to this file.
    pub schema: String,
    /// Whether `format` demands something of values, or is a remark for readers.
    #[serde(default)]
    pub formats: Formats,
    /// What to do with places that the schema does not describe.
    #[serde(default)]
    pub undescribed: Choice,
    /// Whether the API takes names that differ only in case for the same. With `fold`, an op on
    /// `/Status` meets the rules of `/status`; with `exact` it is refused.
    #[serde(default)]
    pub case: Case,
    /// A JSON Pointer to the entity tag inside a document, for an API that sends no `ETag` header.
    #[serde(default)]
    pub tag: String,
    /// The ops that a patch may use.
    #[serde(default = "add_replace")]
    pub ops: Vec<Op>,
    /// The places that ops may reach.
    #[serde(default)]
    pub paths: Vec<Path>,
    /// Patterns of fields that keep their value, beside those that the schema calls `readOnly`.
    #[serde(default)]
    pub immutable: Vec<String>,
    /// The states that documents can be in, and the steps between them.
    #[serde(default)]
    #[schemars(with = "States")]
    pub states: Option<States>,
}

/// What `format` is in a JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Formats {
    /// A demand.
    #[default]
    Assert,
    /// A remark.
    Annotate,
}

/// How the API compares names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// By code point.
    #[default]
    Exact,
    /// Whatever their case.
    Fold,
}

/// A place that ops may reach.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// A pointer, in which `*` stands for one name or index and a last `**` for anything beneath.
    pub path: String,
    /// The ops that may point there; those of the resource if it is left out.
    #[serde(default)]
    pub ops: Vec<Op>,
    /// Whether an op may write what stands there with everything beneath it.
    #[serde(default)]
    pub subtree: bool,
    /// Why it is allowed, for readers.
    #[serde(default)]
    pub source: String,
}

fn add_replace() -> Vec<Op> {
    vec![Op::Add, Op::Replace]
}
