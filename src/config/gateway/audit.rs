//! The section `audit` of the gateway file.

use crate::config::secret::Secret;
use crate::config::units::{Delay, Size, Time};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The audit log: a record of each change that was judged, sealed with those before it.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The file; none is written without one.
    #[serde(default)]
    pub file: String,
    /// What becomes of changes that cannot be recorded.
    #[serde(default)]
    pub unwritable: Unwritable,
    /// How many records may wait to be written.
    #[serde(default = "queue")]
    pub queue: usize,
    /// How long what was written may wait until it is on the disk for good.
    #[serde(default = "sync")]
    pub sync: Delay,
    /// How large the file becomes before it is put away and another is begun.
    #[serde(default = "rotate_size")]
    pub rotate_size: Size,
    /// How old it becomes.
    #[serde(default = "rotate_every")]
    pub rotate_every: Time,
    /// How much is told of values, by the `x-data-class` that the schema marks them with.
    #[serde(default)]
    pub values: Values,
    /// What values are hashed with, where `values` says `hash`.
    #[serde(default)]
    pub key: Secret,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            file: String::new(),
            unwritable: Unwritable::default(),
            queue: queue(),
            sync: sync(),
            rotate_size: rotate_size(),
            rotate_every: rotate_every(),
            values: Values::default(),
            key: Secret::default(),
        }
    }
}

/// What becomes of changes that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unwritable {
    /// They go on, and are counted.
    Drop,
    /// They are answered with 503.
    #[default]
    Refuse,
}

/// How much is told of values, by their class.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// Of those that concern a person.
    #[serde(default = "redacted")]
    pub personal: Shown,
    /// Of those that concern a business.
    #[serde(default = "redacted")]
    pub commercial: Shown,
    /// Of those that concern nobody.
    #[serde(default = "clear")]
    pub public: Shown,
    /// Of those that are not marked.
    #[serde(default = "redacted")]
    pub unmarked: Shown,
}

impl Default for Values {
    fn default() -> Self {
        Self { personal: redacted(), commercial: redacted(), public: clear(), unmarked: redacted() }
    }
}

/// How much is told of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// All of it.
    Clear,
    /// A keyed hash of it.
    Hash,
    /// Of which kind it is.
    Redacted,
}

fn redacted() -> Shown {
    Shown::Redacted
}

fn clear() -> Shown {
    Shown::Clear
}

fn queue() -> usize {
    10_000
}

fn sync() -> Delay {
    Delay::new("1s")
}

fn rotate_size() -> Size {
    Size::new("100MiB")
}

fn rotate_every() -> Time {
    Time::new("24h")
}
