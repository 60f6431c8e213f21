//! How the gateway stands, in one answer: for people at a terminal, and for programs.

mod judged;

pub use judged::{Counted, Resource, Step};

use super::Gateway;

use crate::limits::Limits;
use crate::partner::Partner as Known;
use crate::policy;
use crate::telemetry;
use crate::telemetry::metrics::{Metrics, Served};
use crate::violation::Code;

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The classes of status and the decisions that requests are counted by.
const STATUSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "other"];
const DECISIONS: [&str; 5] = ["advisory", "none", "permit", "refuse", "reject"];

/// How everything stands. Times are seconds since 1970.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Status {
    /// When that was so.
    pub now: f64,
    /// The version of the program.
    pub version: String,
    /// Whether it is to be sent callers.
    pub ready: bool,
    /// Whether it asks them to go elsewhere.
    pub draining: bool,
    /// The name of the policy in force.
    pub policy: String,
    /// The digest of the configuration in force.
    pub digest: String,
    /// What came of reloads.
    pub reloads: Reloads,
    /// Requests under way.
    pub in_flight: usize,
    /// Connections of callers.
    pub connections: usize,
    /// The API.
    pub upstream: Upstream,
    /// Whether the store of the limits answers, if there is one.
    pub store: Option<bool>,
    /// The routes of the policy in force.
    pub routes: Vec<Route>,
    /// The partners of the configuration in force.
    pub partners: Vec<Partner>,
    /// The requests that the gateway ended last, the newest first.
    pub refusals: Vec<Refusal>,
    /// What rules found.
    #[serde(default)]
    pub codes: Vec<Counted>,
    /// The resources with states.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// How long requests took.
    #[serde(default)]
    pub latency: Latency,
    /// The certificates that are shown.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Whether the page may be used to change something.
    #[serde(default)]
    pub takes_token: bool,
}

/// How long requests took, as counts that only grow.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Latency {
    /// For each bucket how long its requests took at most, in microseconds.
    pub bounds_us: Vec<u64>,
    /// How many requests there are in each.
    pub server: Vec<u64>,
    /// The same of the upstream's part of them.
    pub upstream: Vec<u64>,
}

/// A certificate.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Certificate {
    /// Whom it is shown to.
    pub shown_to: String,
    /// When it ends.
    pub ends: f64,
}

/// What came of reloads.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Reloads {
    /// When the configuration in force was loaded.
    pub at: f64,
    /// How many took effect.
    pub taken: u64,
    /// How many did not.
    pub refused: u64,
    /// What was wrong with the last one.
    pub faults: Vec<String>,
}

/// The API.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Upstream {
    /// Connections to it.
    pub connections: i64,
    /// Whether it is given a pause.
    pub paused: bool,
}

/// What came of the requests to one route.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Route {
    /// Its id.
    pub route: String,
    /// Its methods.
    pub methods: Vec<String>,
    /// Its path template.
    pub path: String,
    /// How many there were.
    pub requests: u64,
    /// How many of each decision.
    pub decisions: BTreeMap<String, u64>,
    /// How many of each class of status.
    pub statuses: BTreeMap<String, u64>,
}

/// A partner, and what it has sent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Partner {
    /// Its id.
    pub partner: String,
    /// The name of its limits.
    pub tier: String,
    /// Requests that its limits let through.
    pub admitted: u64,
    /// Those that they did not.
    pub held_back: u64,
    /// Those under way.
    pub under_way: usize,
    /// How many may be.
    pub concurrent: Option<usize>,
    /// Its quotas.
    pub quotas: Vec<Quota>,
}

/// A quota of a partner.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Quota {
    /// Its name, as `RateLimit` tells it.
    pub quota: String,
    /// So much.
    pub most: u32,
    /// In so many seconds.
    pub seconds: f64,
    /// How much of it at once.
    pub burst: u32,
    /// How much is left; nothing where a store knows that.
    pub left: Option<u32>,
}

/// A request that the gateway ended.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Refusal {
    /// When it came.
    pub at: f64,
    /// Its id.
    pub request_id: String,
    /// Its partner, if that was known.
    pub partner: Option<String>,
    /// Its route, if there was one.
    pub route: Option<String>,
    /// The status that it was answered with.
    pub status: Option<u16>,
    /// The slug of the rejection.
    pub rejection: String,
    /// The rejection in words.
    #[serde(default)]
    pub title: String,
    /// What rules found.
    pub found: Vec<Found>,
}

/// What a rule found.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Found {
    /// The rule.
    pub rule: String,
    /// The code.
    pub code: String,
    /// The code in words.
    pub title: String,
}

impl Gateway {
    /// How everything stands.
    pub(super) fn overview(&self, ready: bool, takes_token: bool) -> Status {
        let (snapshot, loads) = (self.live.load(), self.live.loads());
        let metrics = &*self.telemetry.metrics;
        let partners = snapshot.partners.all();
        let refusals = self.telemetry.refusals.all();
        Status {
            now: seconds(SystemTime::now()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ready,
            draining: self.draining.has_begun(),
            policy: snapshot.policy.name.clone(),
            digest: snapshot.digest.clone(),
            reloads: Reloads {
                at: seconds(loads.at),
                taken: loads.taken,
                refused: loads.refused,
                faults: loads.faults.clone(),
            },
            in_flight: self.gauges.in_flight(),
            connections: self.gauges.connections(),
            upstream: Upstream {
                connections: metrics.upstream_connections.get(),
                paused: self.gauges.is_paused(),
            },
            store: snapshot.limits.is_store_up(),
            routes: snapshot.policy.routes.iter().map(|route| Route::of(route, metrics)).collect(),
            partners: partners.iter().map(|known| Partner::of(known, &snapshot.limits)).collect(),
            refusals: refusals.into_iter().map(Refusal::of).collect(),
            codes: Counted::all(metrics),
            resources: Resource::all(&snapshot.policy, metrics),
            latency: Latency {
                bounds_us: telemetry::Latency::bounds(),
                server: self.telemetry.latency.server.counts(),
                upstream: self.telemetry.latency.upstream.counts(),
            },
            certificates: self
                .certificates()
                .map(|(shown_to, ends)| Certificate {
                    shown_to: shown_to.to_owned(),
                    ends: seconds(ends),
                })
                .collect(),
            takes_token,
        }
    }
}

impl Route {
    fn of(route: &policy::Route, metrics: &Metrics) -> Self {
        let mut told = Self {
            route: route.id.to_string(),
            methods: route.methods.clone(),
            path: route.template.to_string(),
            ..Self::default()
        };
        for method in route.methods.iter().filter_map(|method| known(method)) {
            for decision in DECISIONS {
                for status in STATUSES {
                    let served = Served { route: Arc::clone(&route.id), method, status, decision };
                    let count = metrics.requests.get(&served).map_or(0, |counter| counter.get());
                    told.requests += count;
                    *told.decisions.entry(decision.to_owned()).or_default() += count;
                    *told.statuses.entry(status.to_owned()).or_default() += count;
                }
            }
        }
        told
    }
}

fn known(method: &str) -> Option<&'static str> {
    crate::proxy::trail::known_method(&http::Method::from_bytes(method.as_bytes()).ok()?)
}

impl Partner {
    fn of(known: &Known, limits: &Limits) -> Self {
        let account = &known.account;
        let quotas = limits.standings(account).into_iter().map(|(name, quota, standing)| Quota {
            quota: name,
            most: quota.most.get(),
            seconds: quota.per.as_secs_f64(),
            burst: quota.burst.get(),
            left: standing.map(|standing| standing.left),
        });
        Self {
            partner: known.id.clone(),
            tier: known.tier.to_string(),
            admitted: account.tally().admitted(),
            held_back: account.tally().held_back(),
            under_way: account.room().used(),
            concurrent: account.quotas().concurrent,
            quotas: quotas.collect(),
        }
    }
}

impl Refusal {
    fn of(kept: telemetry::Refusal) -> Self {
        let found = kept.found.iter().map(|(rule, code)| Found {
            rule: (*rule).to_owned(),
            code: (*code).to_owned(),
            title: Code::from_slug(code).map_or("", Code::title).to_owned(),
        });
        Self {
            at: seconds(kept.at),
            found: found.collect(),
            request_id: kept.request_id,
            partner: kept.partner,
            route: kept.route,
            status: kept.status,
            rejection: kept.rejection.to_owned(),
            title: kept.title.to_owned(),
        }
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}
