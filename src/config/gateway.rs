//! The gateway file, as it is written: `kind: Gateway`.

mod audit;
mod credentials;
mod export;
mod fields;
mod identity;
mod limits;
mod reload;
mod tls;
mod upstream;

pub use audit::{Audit, Shown, Unwritable, Values};
pub(crate) use credentials::PASS;
pub use credentials::{AssertionAlgorithm, AuthMethod, Credential, GrantType, Oauth, Static};
pub use export::{Export, Sampler};
pub use fields::{Dialect, Forwarded, IdForm, Passage, RequestId, Told, Trace};
pub use identity::{
    CertificatePart, Identity, Jwt, JwtAlgorithm, Partner, TokenName, UnknownPartners,
};
pub use limits::{Away, Cost, Counts, Limits, Quotas, Scope, Store, Throttle};
pub use reload::Reload;
pub use tls::{ClientAuth, Tls};
pub use upstream::{Circuit, Proxy, Remember, Upstream};

use super::ApiVersion;
use super::secret::Secret;
use super::units::{Delay, Size, Time};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

/// A gateway: where it listens, where it sends to, who may call and how often.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "patchgate gateway file")]
pub struct GatewayFile {
    /// The version of the format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What the file is.
    pub kind: GatewayKind,
    /// The address that callers connect to, as `127.0.0.1:8080`.
    #[serde(default = "listen")]
    pub listen: String,
    /// The hosts that callers may ask for in `Host`, as `api.example`; without a port, on any port. If
    /// they are left out, callers may ask for any.
    #[serde(default)]
    pub hosts: Option<Vec<String>>,
    /// What is shown to callers that speak TLS; without it they are served in the clear.
    #[serde(default)]
    pub tls: Tls,
    /// Whether callers may speak HTTP/2 in the clear, with prior knowledge.
    #[serde(default)]
    pub h2c: bool,
    /// Threads that serve requests, each on its own; 0 means one for each core.
    #[serde(default)]
    pub workers: usize,
    /// The policy file, relative to this one.
    pub policy: String,
    /// A policy that is asked beside it and decides nothing, relative to this file.
    #[serde(default)]
    pub shadow: String,
    /// Where requests are sent to.
    pub upstream: Upstream,
    /// What the gateway shows the upstream in the place of what callers show, by names that you choose.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// The listener for probes and operators.
    #[serde(default)]
    pub admin: Admin,
    /// How long things may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How much there may be at once.
    #[serde(default)]
    pub bounds: Bounds,
    /// The header that identifies a request.
    #[serde(default)]
    pub request_id: RequestId,
    /// Who called before, and whether the upstream is told.
    #[serde(default)]
    pub forwarded: Forwarded,
    /// The trace that a request belongs to.
    #[serde(default)]
    pub trace: Trace,
    /// Where callers reach the gateway, as `https://gateway.example`: what links in answers are led to,
    /// for routes with `links`.
    #[serde(default)]
    pub public_url: String,
    /// What the gateway calls itself in `Via`; `off` for no `Via` at all.
    #[serde(default = "via")]
    pub via: String,
    /// Where a request tells who is calling; the first source that applies decides.
    #[serde(default)]
    pub identity: Vec<Identity>,
    /// The partners that are known by name.
    #[serde(default)]
    pub partners: Vec<Partner>,
    /// What becomes of callers that are no known partner.
    #[serde(default)]
    pub unknown_partners: UnknownPartners,
    /// What each partner may send, and what all together may.
    #[serde(default)]
    pub limits: Limits,
    /// When files are read again.
    #[serde(default)]
    pub reload: Reload,
    /// What is written about requests and about the gateway itself.
    #[serde(default)]
    pub log: Log,
    /// What is written about changes.
    #[serde(default)]
    pub audit: Audit,
}

/// `Gateway`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
pub enum GatewayKind {
    /// A gateway file.
    Gateway,
}

/// The listener for probes and operators.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The address; keep it on loopback or inside the pod.
    #[serde(default = "admin_listen")]
    pub listen: String,
    /// The names that it answers to, beside addresses and `localhost`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What has to be shown to change anything, as a bearer token. Keep it elsewhere: `${file:PATH}`.
    #[serde(default)]
    pub token: Secret,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: admin_listen(), hosts: Vec::new(), token: Secret::default() }
    }
}

/// How long things may take.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// A TLS handshake with a caller.
    #[serde(default = "ten_seconds")]
    pub handshake: Time,
    /// A request's head, and the wait for its first byte on a new connection.
    #[serde(default = "ten_seconds")]
    pub header: Time,
    /// The wait for the next request on a connection.
    #[serde(default = "one_minute")]
    pub idle: Time,
    /// A request's body.
    #[serde(default = "ten_seconds")]
    pub body: Time,
    /// How long a body may come more slowly than `bounds.body_rate`.
    #[serde(default = "five_seconds")]
    pub body_grace: Time,
    /// A request in all, until the answer's head.
    #[serde(default = "thirty_seconds")]
    pub request: Time,
    /// From the signal to stop until no more connections are taken, while `/readyz` says no already.
    #[serde(default = "Delay::none")]
    pub drain_delay: Delay,
    /// Requests in flight when the gateway stops.
    #[serde(default = "ten_seconds")]
    pub drain: Time,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: ten_seconds(),
            header: ten_seconds(),
            idle: one_minute(),
            body: ten_seconds(),
            body_grace: five_seconds(),
            request: thirty_seconds(),
            drain_delay: Delay::none(),
            drain: ten_seconds(),
        }
    }
}

/// How much there may be at once.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Connections from callers.
    #[serde(default = "ten_thousand")]
    pub connections: usize,
    /// Connections from one address; more are closed. Of IPv6, a /64 counts as one.
    #[serde(default = "connections")]
    pub connections_per_address: usize,
    /// Bytes of bodies and current states in memory; more are answered 503 at once.
    #[serde(default = "memory")]
    pub memory: Size,
    /// What a body has to come at, for each second since its beginning.
    #[serde(default = "body_rate")]
    pub body_rate: Size,
    /// Requests in flight; more are answered 503 at once.
    #[serde(default = "thousand")]
    pub in_flight: usize,
    /// The first line of a request: method, path and query.
    #[serde(default = "request_line")]
    pub request_line: Size,
    /// All header fields of a request together.
    #[serde(default = "header")]
    pub header: Size,
    /// The number of header fields of a request.
    #[serde(default = "hundred")]
    pub header_fields: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: ten_thousand(),
            connections_per_address: connections(),
            memory: memory(),
            body_rate: body_rate(),
            in_flight: thousand(),
            request_line: request_line(),
            header: header(),
            header_fields: hundred(),
        }
    }
}

/// What is written about requests and about the gateway itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Where one JSON line for each request goes: `stdout`, `stderr`, `off`, or a file.
    #[serde(default = "stdout")]
    pub access: String,
    /// Whether the lines tell of the address that a request came from.
    #[serde(default = "yes")]
    pub client: bool,
    /// What the gateway says of itself, to standard error: `error`, `warn`, `info`, `debug` or
    /// `trace`, or a filter as `patchgate=debug,info`.
    #[serde(default = "info")]
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { access: stdout(), client: yes(), level: info() }
    }
}

/// The largest body that is read where a route does not say.
pub(super) fn max_body() -> Size {
    Size::new("1MiB")
}

fn listen() -> String {
    "127.0.0.1:8080".into()
}

fn admin_listen() -> String {
    "127.0.0.1:9090".into()
}

fn via() -> String {
    "patchgate".into()
}

fn yes() -> bool {
    true
}

fn stdout() -> String {
    "stdout".into()
}

fn info() -> String {
    "info".into()
}

fn one_second() -> Time {
    Time::new("1s")
}

fn two_seconds() -> Time {
    Time::new("2s")
}

fn five_seconds() -> Time {
    Time::new("5s")
}

fn ten_seconds() -> Time {
    Time::new("10s")
}

fn thirty_seconds() -> Time {
    Time::new("30s")
}

fn one_minute() -> Time {
    Time::new("1m")
}

fn two_minutes() -> Time {
    Time::new("2m")
}

fn five_minutes() -> Time {
    Time::new("5m")
}

fn connections() -> usize {
    256
}

fn memory() -> Size {
    Size::new("128MiB")
}

fn body_rate() -> Size {
    Size::new("1KiB")
}

fn request_line() -> Size {
    Size::new("8KiB")
}

fn header() -> Size {
    Size::new("32KiB")
}

fn hundred() -> usize {
    100
}

fn thousand() -> usize {
    1_000
}

fn ten_thousand() -> usize {
    10_000
}
