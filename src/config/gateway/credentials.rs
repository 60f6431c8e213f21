//! What the gateway shows the upstream in the place of what callers show, as it is written.

use crate::config::Secret;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that the gateway shows the upstream for callers who are lent it: one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// A bearer token that somebody else keeps up to date.
    #[serde(default, rename = "static", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Static")]
    pub fixed: Option<Static>,
    /// Bearer tokens that the gateway asks a token endpoint for (RFC 6749).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Oauth")]
    pub oauth: Option<Oauth>,
}

/// A bearer token that somebody else keeps up to date.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Static {
    /// The token. Keep it elsewhere: `${file:PATH}`. A reload takes another one.
    pub token: Secret,
}

/// Bearer tokens that the gateway asks a token endpoint for.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth {
    /// What they are granted for.
    pub grant: GrantType,
    /// The token endpoint. It is reached through `upstream.proxy`, where there is one.
    pub token_url: String,
    /// What the endpoint knows the gateway as.
    pub client_id: String,
    /// How the gateway proves that.
    #[serde(default)]
    pub auth_method: AuthMethod,
    /// With `client_secret_basic` and `client_secret_post`: the secret. Keep it elsewhere:
    /// `${file:PATH}`.
    #[serde(default)]
    pub client_secret: Secret,
    /// With `private_key_jwt` and `tls_client_auth`: a PEM file with the private key.
    #[serde(default)]
    pub key: String,
    /// With `tls_client_auth`: a PEM file with the certificate to show. With `private_key_jwt`: the
    /// one whose thumbprint (`x5t#S256`) names the key.
    #[serde(default)]
    pub certificate: String,
    /// With `private_key_jwt`: the `kid` that names the key.
    #[serde(default)]
    pub key_id: String,
    /// With `private_key_jwt`: how it is signed.
    #[serde(default)]
    pub algorithm: AssertionAlgorithm,
    /// What the tokens are to be good for, with a space between one and the next.
    #[serde(default)]
    pub scope: String,
    /// With `refresh_token`: a file with the refresh token in one line. The gateway replaces it
    /// whenever it is given another, before it uses that.
    #[serde(default)]
    pub state_file: String,
    /// A PEM file with the authorities to trust instead of the system's.
    #[serde(default)]
    pub ca_file: String,
}

/// What tokens are granted for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// For the gateway itself.
    ClientCredentials,
    /// For the person who agreed to it once, and whose refresh token the gateway keeps.
    RefreshToken,
}

/// How a client proves who it is, as RFC 7591 and RFC 8705 name it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// By a secret, in `Authorization`.
    #[default]
    ClientSecretBasic,
    /// By a secret, in the body.
    ClientSecretPost,
    /// Not at all: a public client.
    None,
    /// By a token that it signs.
    PrivateKeyJwt,
    /// By a certificate.
    TlsClientAuth,
}

/// How the gateway signs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AssertionAlgorithm {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PSS with SHA-256.
    #[default]
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

/// The name that stands for what the caller shows.
pub(crate) const PASS: &str = "pass";

pub(super) fn pass() -> String {
    PASS.into()
}
