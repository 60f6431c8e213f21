//! The sections of the gateway file about single header fields: the id of a request, the hops that
//! it came over, the trace that it belongs to.

use super::Export;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The header that identifies a request.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RequestId {
    /// Its name.
    #[serde(default = "request_id")]
    pub header: String,
    /// What a caller's id has to be, so that it is kept.
    #[serde(default)]
    pub form: IdForm,
}

impl Default for RequestId {
    fn default() -> Self {
        Self { header: request_id(), form: IdForm::default() }
    }
}

/// What a caller's id has to be, so that it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdForm {
    /// A GUID, as `01a2030c-fc67-70b1-8fef-0a0ad6421b6a`.
    Guid,
    /// 1 to 128 letters, digits, `.`, `_` or `-`.
    #[default]
    Token,
}

/// Who called before, by `Forwarded` or `X-Forwarded-*`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarded {
    /// The networks and addresses of hops that are believed, as `10.0.0.0/8`.
    #[serde(default)]
    pub trusted: Vec<String>,
    /// The fields that those write; the other ones are not looked at.
    #[serde(default)]
    pub read: Dialect,
    /// The fields that tell the upstream who called.
    #[serde(default)]
    pub send: Told,
}

/// The fields that tell of hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwarded,
}

/// What the upstream is told of who called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// Nothing.
    #[default]
    None,
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwarded,
}

/// The trace that a request belongs to (W3C Trace Context).
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Whether the upstream is told of it, by `traceparent` and `tracestate`.
    #[serde(default = "pass")]
    pub context: Passage,
    /// What becomes of the caller's `baggage`.
    #[serde(default = "drop_it")]
    pub baggage: Passage,
    /// Where spans are sent.
    #[serde(default)]
    pub export: Export,
}

impl Default for Trace {
    fn default() -> Self {
        Self { context: pass(), baggage: drop_it(), export: Export::default() }
    }
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Passage {
    /// It ends here.
    Drop,
    /// It goes on.
    Pass,
}

fn request_id() -> String {
    "Request-ID".into()
}

fn pass() -> Passage {
    Passage::Pass
}

fn drop_it() -> Passage {
    Passage::Drop
}
