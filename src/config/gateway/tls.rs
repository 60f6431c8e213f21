//! The section `tls` of the gateway file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is shown to callers that speak TLS, in PEM files relative to this one. A reload reads them
/// again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, followed by those that lead to its authority.
    #[serde(default)]
    pub certificate: String,
    /// The key of the certificate.
    #[serde(default)]
    pub key: String,
    /// The authorities whose certificates callers may show.
    #[serde(default)]
    pub client_ca: String,
    /// Whether callers show a certificate.
    #[serde(default)]
    pub client_auth: ClientAuth,
}

/// Whether callers show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They are not asked for one.
    #[default]
    None,
    /// They may.
    Optional,
    /// They must.
    Required,
}
