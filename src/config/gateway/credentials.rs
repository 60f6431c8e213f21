//! What the gateway shows the upstream in the place of what callers show, as it is written.

use crate::config::Secret;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that the gateway shows the upstream for callers who are lent it.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// A bearer token that somebody else keeps up to date.
    #[serde(rename = "static")]
    pub fixed: Static,
}

/// A bearer token that somebody else keeps up to date.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Static {
    /// The token. Keep it elsewhere: `${file:PATH}`. A reload takes another one.
    pub token: Secret,
}

/// The name that stands for what the caller shows.
pub(crate) const PASS: &str = "pass";

pub(super) fn pass() -> String {
    PASS.into()
}
