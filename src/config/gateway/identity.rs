//! Who is calling, and what is known of partners, as it is written.

use super::Quotas;
use crate::config::Secret;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a request that tells who is calling. A key or a certificate proves it. Headers and
/// claims are not verified: use them where the network or the upstream has already admitted the caller.
/// Give one of `api_key`, `certificate`, `header` and `token_claims`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The header that holds a key, which is looked up among the `api_keys` of partners. It is not sent
    /// on.
    #[serde(default)]
    pub api_key: String,
    /// What the certificate of the caller is looked up by, among the `certificates` of partners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificatePart>,
    /// The value of this header. It is not sent on.
    #[serde(default)]
    pub header: String,
    /// With `header`: the networks and addresses of the peers that are believed, as `10.0.0.0/8`; from
    /// others the header says nothing. Everybody is believed if it is left out.
    #[serde(default)]
    pub from: Vec<String>,
    /// The first of these claims that the bearer token has, read without verification.
    #[serde(default)]
    pub token_claims: Vec<String>,
}

/// What a certificate is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificatePart {
    /// The DNS names among its alternative names.
    Dns,
    /// The SHA-256 of the whole.
    Fingerprint,
    /// The one URI among its alternative names, as `spiffe://example/acme`.
    Spiffe,
}

/// A partner that is known by name.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// The name in logs and metrics.
    pub id: String,
    /// What headers and claims call this partner.
    #[serde(default)]
    pub identities: Vec<String>,
    /// The digest of each of its keys, as `patchgate key` prints it: `sha256:` and 64 hexadecimal
    /// digits.
    #[serde(default)]
    pub api_keys: Vec<Secret>,
    /// What its certificates are known by: a SPIFFE id, a DNS name, or `sha256:` and a fingerprint.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// What it is, as far as the policy tells partners apart: steps between states can be for some
    /// roles only.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Which of the `limits.tiers` it has, if not `limits.tier`.
    #[serde(default)]
    pub tier: String,
    /// What it may send; each key that is here overrides that of the tier.
    #[serde(default)]
    pub limits: Quotas,
}

/// What becomes of callers that are no known partner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownPartners {
    /// They are refused with 401.
    Refuse,
    /// They are let in, and are one partner together.
    #[default]
    Share,
}
