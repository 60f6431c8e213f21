//! Who is calling, and what is known of partners, as it is written.

use super::Quotas;
use crate::config::Secret;
use crate::config::units::Time;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a request that tells who is calling. A key, a certificate or a `jwt` proves it. Headers and
/// `token_claims` are not verified: use them where the network or the upstream has already admitted the
/// caller. Give one of `api_key`, `certificate`, `header`, `jwt` and `token_claims`.
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
    /// The bearer token, if it is of this issuer; it is verified, and its caller looked up among the
    /// `tokens` of partners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Jwt")]
    pub jwt: Option<Jwt>,
    /// The first of these claims that the bearer token has, read without verification.
    #[serde(default)]
    pub token_claims: Vec<String>,
}

/// Tokens of one issuer, as JWTs that it has signed. They have to be made for this gateway: one that is
/// made for the upstream is for the upstream alone to read.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Who makes them, exactly as their `iss` has it.
    pub issuer: String,
    /// What they are made for: `aud` is, or holds, one of these.
    pub audiences: Vec<String>,
    /// The issuer's public keys, as a JWK Set in a file: this or `jwks_url`. A reload takes other ones.
    #[serde(default)]
    pub jwks_file: String,
    /// Where they are published, to be fetched now and then. It is reached through `upstream.proxy`,
    /// where there is one.
    #[serde(default)]
    pub jwks_url: String,
    /// With `jwks_url`: a PEM file with the authorities to trust there instead of the system's.
    #[serde(default)]
    pub ca_file: String,
    /// How they may be signed.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<JwtAlgorithm>,
    /// By how much the issuer's clock may differ; at most five minutes.
    #[serde(default = "leeway")]
    pub leeway: Time,
    /// What they say that they are: `typ` is one of these, whatever its case. Many issuers, Microsoft
    /// Entra among them, write `JWT`.
    #[serde(default = "typ")]
    pub typ: Vec<String>,
    /// The claims that name the caller: the first that is there as a string.
    #[serde(default = "claims")]
    pub claims: Vec<String>,
}

/// A way to sign a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
pub enum JwtAlgorithm {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA over P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
}

fn algorithms() -> Vec<JwtAlgorithm> {
    vec![JwtAlgorithm::Es256, JwtAlgorithm::Rs256]
}

fn leeway() -> Time {
    Time::new("60s")
}

fn typ() -> Vec<String> {
    vec!["at+jwt".into()]
}

fn claims() -> Vec<String> {
    vec!["sub".into()]
}

/// Whom an issuer of tokens calls a partner.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenName {
    /// Which issuer: the `issuer` of a `jwt` under `identity`.
    pub issuer: String,
    /// What its tokens call the partner, exactly as the first of the `claims` has it.
    pub subject: String,
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
    /// What verified tokens call it.
    #[serde(default)]
    pub tokens: Vec<TokenName>,
    /// What it is, as far as the policy tells partners apart: steps between states can be for some
    /// roles only.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Which of `credentials` the upstream is shown for it, if not `upstream.credentials`: `pass` for
    /// what the caller shows.
    #[serde(default)]
    pub credentials: String,
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
