//! The upstream, as it is written, and what is remembered of it.

use crate::config::Secret;
use crate::config::units::{Size, Time};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where requests are sent to.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `sandbox` for the built-in stand-in, or an `http://` or `https://` URL without a query.
    pub url: String,
    /// A PEM file with the certificates to trust instead of the system's, relative to this file. A
    /// reload reads it again.
    #[serde(default)]
    pub ca_file: String,
    /// The certificate that is shown to the upstream, followed by those that lead to its authority:
    /// a PEM file. A reload reads it again.
    #[serde(default)]
    pub certificate: String,
    /// The key of the certificate.
    #[serde(default)]
    pub key: String,
    /// The name that the upstream has to prove and is asked for, if it is not that of `url`.
    #[serde(default)]
    pub server_name: String,
    /// The keys that the upstream's own certificate may have, beside being trusted: at least two, one
    /// of them a backup, each as `sha256/` and the SHA-256 of the public key in Base64.
    #[serde(default)]
    pub pins: Vec<String>,
    /// Whether HTTP/2 is offered to it, over TLS. A reload takes it for new connections.
    #[serde(default)]
    pub http2: bool,
    /// Which of `credentials` it is shown, for all partners that name none: `pass` for what the caller
    /// shows. A reload takes another.
    #[serde(default = "super::credentials::pass")]
    pub credentials: String,
    /// The company's proxy that it is reached through.
    #[serde(default)]
    pub proxy: Proxy,
    /// How long a connection may take to be made, before TLS.
    #[serde(default = "super::two_seconds")]
    pub connect_timeout: Time,
    /// How long TLS may take to be agreed upon.
    #[serde(default = "super::five_seconds")]
    pub handshake_timeout: Time,
    /// How long the answer's head may take once the request is sent.
    #[serde(default = "super::ten_seconds")]
    pub response_timeout: Time,
    /// How long an answer may take in all, from the request to the end of its body.
    #[serde(default = "super::two_minutes")]
    pub total_timeout: Time,
    /// How long an unused connection is kept; keep it below the upstream's own.
    #[serde(default = "super::thirty_seconds")]
    pub idle_timeout: Time,
    /// How long a connection is used at most, so that changes of address are seen.
    #[serde(default = "super::five_minutes")]
    pub max_age: Time,
    /// Connections for each worker.
    #[serde(default = "super::connections")]
    pub max_connections: usize,
    /// Whether an upstream that fails is given a pause.
    #[serde(default)]
    pub circuit: Circuit,
    /// How long after the loss of its answer a change may still be applied, on the way or by the
    /// upstream; only with it is a lost change called `not-applied`. It matters for routes with
    /// `lost_answer: resolve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_after: Option<Time>,
    /// Current states that are remembered, so that a caller whose `If-Match` names one of them is
    /// judged without another read.
    #[serde(default)]
    pub remember: Remember,
}

/// The company's proxy that the upstream is reached through, by CONNECT.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `http://` or `https://`, a name and a port; without it nothing goes through a proxy.
    #[serde(default)]
    pub url: String,
    /// Who we are to the proxy (Basic).
    #[serde(default)]
    pub username: String,
    /// The password. Keep it elsewhere: `${file:PATH}`.
    #[serde(default)]
    pub password: Secret,
    /// A PEM file with the certificates to trust instead of the system's, for `https://`.
    #[serde(default)]
    pub ca_file: String,
    /// What is reached without the proxy: names with all beneath them, addresses, networks as
    /// `10.0.0.0/8`, each with or without a port, or `*`.
    #[serde(default)]
    pub no_proxy: Vec<String>,
}

/// When an upstream that fails is given a pause.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// After so many failures in a row, of all workers together, nothing is sent for a while; 0 never
    /// pauses.
    #[serde(default)]
    pub failures: u32,
    /// How long nothing is sent.
    #[serde(default = "super::ten_seconds")]
    pub pause: Time,
}

impl Default for Circuit {
    fn default() -> Self {
        Self { failures: 0, pause: super::ten_seconds() }
    }
}

/// What each worker remembers of current states.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remember {
    /// The most of them; 0 remembers none.
    #[serde(default = "remembered")]
    pub entries: usize,
    /// The most bytes of all together.
    #[serde(default = "remembered_bytes")]
    pub bytes: Size,
    /// How long each is remembered.
    #[serde(default = "super::one_minute")]
    pub time: Time,
}

impl Default for Remember {
    fn default() -> Self {
        Self { entries: remembered(), bytes: remembered_bytes(), time: super::one_minute() }
    }
}

fn remembered() -> usize {
    1000
}

fn remembered_bytes() -> Size {
    Size::new("4MiB")
}
