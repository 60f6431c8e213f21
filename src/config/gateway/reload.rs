//! The section `reload` of the gateway file.

use crate::config::units::Time;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When this file, and every file that it leads to, are read again. SIGHUP and `POST /reload` have
/// them read at once.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    /// Whether a change of any of them is looked for.
    #[serde(default = "super::yes")]
    pub watch: bool,
    /// How often. A change is taken when it has stood for a quarter of it.
    #[serde(default = "super::two_seconds")]
    pub every: Time,
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: super::yes(), every: super::two_seconds() }
    }
}
