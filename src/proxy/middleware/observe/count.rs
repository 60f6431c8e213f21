//! What the metrics learn of a request.

use super::Ended;

use crate::limits::Decision as Limit;
use crate::policy::Route;
use crate::proxy::trail::{Decision, READING, Trail, known_method};
use crate::telemetry::metrics::{
    Answered, Counter, Found, Histogram, Limited, Metrics, OTHER, Outcome, Read, Recent, Rejected,
    Served, Stepped,
};

use http::StatusCode;

use std::sync::Arc;
use std::time::Duration;

/// What one worker counted last.
#[derive(Debug, Default)]
pub struct Counted {
    requests: Recent<Alike<Arc<Route>>, (Counter, Histogram)>,
    limits: Recent<Limited, Counter>,
    outcomes: Recent<Outcome, Counter>,
    reads: Recent<Read, Counter>,
    rejections: Recent<Rejected, Counter>,
    found: Recent<Found, Counter>,
}

impl Ended {
    pub(super) fn count(&self, duration: Duration) {
        let (metrics, trail) = (&*self.told.telemetry.metrics, &*self.trail);
        let route = trail.route.get();
        let method = known_method(&trail.method).unwrap_or(OTHER);
        let decision = trail.decision.get().map_or("none", Decision::as_str);
        let alike = Alike { route, method, status: self.status, decision };
        let recent = &self.told.recent;
        recent.requests.find(
            |known| known.is(&alike),
            || (alike.known(), alike.metrics(metrics)),
            |(count, times)| {
                count.inc();
                times.observe(duration.as_secs_f64());
            },
        );
        let latency = &self.told.telemetry.latency;
        latency.server.observe(duration);
        if trail.upstream_status.get().is_some() {
            latency.upstream.observe(trail.upstream_time.get());
        }
        if let Some(kind) = trail.rejection.get() {
            let rejected = Rejected { rejection: kind.slug };
            recent.rejections.with(&metrics.rejections, rejected, Counter::inc);
        }
        if let Some(outcome) = trail.outcome() {
            let outcome = Outcome { outcome: outcome.as_str() };
            recent.outcomes.with(&metrics.outcomes, outcome, Counter::inc);
        }
        if let Some(source) = trail.source.get() {
            let read = Read { source: source.as_str() };
            recent.reads.with(&metrics.reads, read, Counter::inc);
        }
        if trail.pinned.get() {
            metrics.pins.inc();
        }
        if let rejudgements @ 1.. = trail.attempts.get().saturating_sub(1) {
            metrics.rejudgements.inc_by(rejudgements.into());
        }
        count_limits(metrics, recent, trail);
        count_step(metrics, trail, decision);
        count_found(metrics, recent, trail);
    }
}

/// What requests have in common that are counted together.
#[derive(Debug)]
struct Alike<R> {
    route: Option<R>,
    method: &'static str,
    status: Option<StatusCode>,
    decision: &'static str,
}

impl Alike<Arc<Route>> {
    /// Whether it is `other`. A route is the same one or another; its names need not be compared.
    fn is(&self, other: &Alike<&Arc<Route>>) -> bool {
        self.route.as_ref().map(Arc::as_ptr) == other.route.map(Arc::as_ptr)
            && self.status == other.status
            && self.method == other.method
            && self.decision == other.decision
    }
}

impl Alike<&Arc<Route>> {
    fn known(&self) -> Alike<Arc<Route>> {
        let Self { route, method, status, decision } = *self;
        Alike { route: route.map(Arc::clone), method, status, decision }
    }

    fn metrics(&self, metrics: &Metrics) -> (Counter, Histogram) {
        let route = self.route;
        let served = Served {
            route: route.map(|route| Arc::clone(&route.id)).unwrap_or_default(),
            method: self.method,
            status: class(self.status),
            decision: self.decision,
        };
        let answered = Answered {
            http_request_method: self.method,
            http_route: route.map(|route| Arc::clone(&route.template)).unwrap_or_default(),
            http_response_status_code: self.status.map(|status| status.as_u16()),
        };
        let count = metrics.requests.get_or_create(&served).clone();
        (count, metrics.durations.get_or_create(&answered).clone())
    }
}

fn count_limits(metrics: &Metrics, recent: &Counted, trail: &Trail) {
    let (Some(limit), Some(partner)) = (trail.limits(), trail.partner.get()) else { return };
    partner.account.tally().count(limit.is_admitted());
    let (tier, class, decision) = (&partner.tier, limit.class().as_str(), word(&limit));
    let is =
        |known: &Limited| known.tier == *tier && known.class == class && known.decision == decision;
    let make = || {
        let limited = Limited { tier: Arc::clone(tier), class, decision };
        let count = metrics.limits.get_or_create(&limited).clone();
        (limited, count)
    };
    recent.limits.find(is, make, |count| count.inc());
}

fn word(limit: &Limit) -> &'static str {
    match limit {
        limit if limit.is_admitted() => "admitted",
        limit if limit.is_crowded() => "crowded",
        limit if limit.is_closed() => "away",
        _ => "spent",
    }
}

fn count_step(metrics: &Metrics, trail: &Trail, decision: &'static str) {
    let (Some(step), Some(route)) = (trail.step.get(), trail.route.get()) else { return };
    let Some(resource) = &route.resource else { return };
    let Some(graph) = &resource.graph else { return };
    let (from, to) = (graph.state(step.from), graph.state(step.to));
    if let (Some(from), Some(to)) = (from, to) {
        let stepped = Stepped {
            resource: Arc::clone(&resource.name),
            from: Arc::clone(&from.name),
            to: Arc::clone(&to.name),
            decision,
        };
        metrics.steps.get_or_create(&stepped).inc();
    }
}

fn count_found(metrics: &Metrics, recent: &Counted, trail: &Trail) {
    let count = |found| recent.found.with(&metrics.violations, found, Counter::inc);
    for (code, rule) in &*trail.codes.borrow() {
        count(Found { rule, code: code.slug(), mode: "enforce" });
    }
    let warnings = trail.warnings.borrow();
    let observes = trail.route.get().is_some_and(|route| route.observe);
    let mut told = Vec::new();
    for warning in &*warnings {
        let rule = warning.rule.unwrap_or(READING);
        if !told.contains(&(warning.code, rule)) {
            told.push((warning.code, rule));
            let mode = if observes { "observe" } else { "warn" };
            count(Found { rule, code: warning.code.slug(), mode });
        }
    }
}

/// As `2xx`.
fn class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        None => "none",
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) => "other",
    }
}
