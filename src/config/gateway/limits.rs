//! Its section about limits.

use super::{five_minutes, one_second};
use crate::config::secret::Secret;
use crate::config::units::{Rate, Time};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

/// What each partner may send, and what all together may.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Sets of limits, by names that you choose.
    #[serde(default = "tiers")]
    pub tiers: BTreeMap<String, Quotas>,
    /// The tier of partners that name none.
    #[serde(default = "standard")]
    pub tier: String,
    /// The tier of all unknown callers together.
    #[serde(default = "standard")]
    pub unknown_tier: String,
    /// What all callers together may send.
    #[serde(default)]
    pub total: Quotas,
    /// What a request costs.
    #[serde(default)]
    pub cost: Cost,
    /// Which requests are counted that are not sent on.
    #[serde(default)]
    pub counts: Counts,
    /// Whether the older `X-RateLimit-*` fields are sent as well.
    #[serde(default)]
    pub older_fields: bool,
    /// What becomes of requests that the API wants none of at the moment.
    #[serde(default)]
    pub throttle: Throttle,
    /// Where several gateways count together.
    #[serde(default)]
    pub store: Store,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tiers: tiers(),
            tier: standard(),
            unknown_tier: standard(),
            total: Quotas::default(),
            cost: Cost::default(),
            counts: Counts::default(),
            older_fields: false,
            throttle: Throttle::default(),
            store: Store::default(),
        }
    }
}

/// What may be sent. A request is let through if there is room in each rate that holds for it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Reads and writes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Rate>", length(max = 4))]
    pub requests: Option<Vec<Rate>>,
    /// Requests with a safe method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Rate>", length(max = 4))]
    pub reads: Option<Vec<Rate>>,
    /// Requests with any other method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Rate>", length(max = 4))]
    pub writes: Option<Vec<Rate>>,
    /// The gateway's own reads of the current state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Rate>", length(max = 4))]
    pub prefetches: Option<Vec<Rate>>,
    /// Requests under way at once; 0 means that it does not matter how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    pub concurrent: Option<usize>,
    /// What becomes of requests while the store is away, if not what `limits.store.away` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Away")]
    pub away: Option<Away>,
}

/// What a request costs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Each request.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub request: u32,
    /// Each op of its patch, beside that.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub op: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { request: one(), op: 0 }
    }
}

/// Which requests are counted that are not sent on.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Those that are malformed or too large, so that the policy has nothing to say.
    #[serde(default)]
    pub malformed: bool,
    /// Those that the policy refuses.
    #[serde(default = "super::yes")]
    pub refused: bool,
}

impl Default for Counts {
    fn default() -> Self {
        Self { malformed: false, refused: true }
    }
}

/// What becomes of requests that the API wants none of at the moment: it has answered 429 or 503,
/// with `Retry-After`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Whom that holds back.
    #[serde(default)]
    pub scope: Scope,
    /// How long at most, whatever the API says.
    #[serde(default = "five_minutes")]
    pub longest: Time,
    /// How many requests of each partner may wait for its end; the rest are answered at once.
    #[serde(default)]
    pub queue: usize,
    /// How long each of them may wait.
    #[serde(default = "one_second")]
    pub wait: Time,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { scope: Scope::default(), longest: five_minutes(), queue: 0, wait: one_second() }
    }
}

/// Whom the API's throttle holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everybody.
    All,
    /// Nobody: requests are sent all the same.
    Off,
    /// The partner whose request was answered so.
    #[default]
    Partner,
}

/// Where several gateways count together: Redis or Valkey.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Where it is: `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS. Each gateway counts for
    /// itself if this is left out.
    #[serde(default)]
    pub url: String,
    /// The sentinels that know where it is, each as `HOST:PORT`; the host of `url` is then the name
    /// that they know it by.
    #[serde(default)]
    pub sentinels: Vec<String>,
    /// Who the gateway is there; the default user if this is left out.
    #[serde(default)]
    pub username: String,
    /// The password. Keep it elsewhere: `${file:PATH}`.
    #[serde(default)]
    pub password: Secret,
    /// The authorities to trust with `rediss://` instead of the system's, as PEM.
    #[serde(default)]
    pub ca_file: String,
    /// What its keys begin with. Gateways with the same one count together.
    #[serde(default = "patchgate")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub prefix: String,
    /// How long a decision waits for it at most.
    #[serde(default = "twenty_milliseconds")]
    pub timeout: Time,
    /// What becomes of requests while it is away, unless a set of limits says otherwise.
    #[serde(default)]
    pub away: Away,
    /// How many gateways count together. While the store is away, each lets through its share.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: String::new(),
            sentinels: Vec::new(),
            username: String::new(),
            password: Secret::default(),
            ca_file: String::new(),
            prefix: patchgate(),
            timeout: twenty_milliseconds(),
            away: Away::default(),
            replicas: one(),
        }
    }
}

/// What becomes of requests while the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Away {
    /// They are answered with 503.
    Closed,
    /// Each gateway lets through its share of the limits.
    #[default]
    Local,
    /// They are let through.
    Open,
}

fn patchgate() -> String {
    "patchgate".into()
}

fn twenty_milliseconds() -> Time {
    Time::new("20ms")
}

fn tiers() -> BTreeMap<String, Quotas> {
    let requests = Some(vec![Rate::new("100/1s")]);
    BTreeMap::from([(standard(), Quotas { requests, ..Quotas::default() })])
}

fn standard() -> String {
    "standard".into()
}

fn one() -> u32 {
    1
}
