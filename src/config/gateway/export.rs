//! The section `trace.export` of the gateway file.

use crate::config::secret::Secret;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

/// Where spans are sent (OTLP over HTTP, in protobuf).
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The collector, as `http://127.0.0.1:4318/v1/traces`; nothing is sent without one. It is reached
    /// through `upstream.proxy`, where there is one.
    #[serde(default)]
    pub endpoint: String,
    /// A PEM file with the authorities to trust there instead of the system's.
    #[serde(default)]
    pub ca_file: String,
    /// Headers that each request there carries. Keep keys elsewhere: `${file:PATH}`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Which traces are recorded.
    #[serde(default)]
    pub sampler: Sampler,
    /// The share of traces that are recorded, of those that `sampler` draws from.
    #[serde(default = "ratio")]
    pub ratio: f64,
    /// How many spans may wait to be sent; more are dropped, and counted.
    #[serde(default = "queue")]
    pub queue: usize,
    /// What the gateway is called there.
    #[serde(default = "service_name")]
    pub service_name: String,
}

impl Default for Export {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            ca_file: String::new(),
            headers: BTreeMap::new(),
            sampler: Sampler::default(),
            ratio: ratio(),
            queue: queue(),
            service_name: service_name(),
        }
    }
}

/// Which traces are recorded, as OpenTelemetry calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
pub enum Sampler {
    /// Those that their caller records, and a share of those that begin here.
    #[default]
    #[serde(rename = "parentbased_traceidratio")]
    ParentbasedTraceidratio,
    /// A share of all, whatever the caller does.
    #[serde(rename = "traceidratio")]
    Traceidratio,
}

fn ratio() -> f64 {
    1.0
}

fn queue() -> usize {
    4096
}

fn service_name() -> String {
    "patchgate".into()
}
