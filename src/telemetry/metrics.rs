//! Every number that the gateway tells of itself.
//!
//! `docs/metrics.md` has the same list for people. No label is a text of a request: routes, tiers and
//! credentials are called as the configuration calls them, and all else is one of a few words.

mod form;
mod labels;
mod process;
mod recent;

pub use form::Form;
pub use recent::Recent;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;

pub use labels::{
    Answered, Asked, Build, Certificate, Credential, Found, Limited, Outcome, Policy, Read,
    Rejected, Reloaded, Served, Shadowed, Shaken, Stepped,
};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry, Unit};

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a method is called that is none of the well-known ones.
pub const OTHER: &str = "_OTHER";

/// What OpenTelemetry advises for the durations of HTTP requests, in seconds.
const DURATIONS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Counters<L> = Family<L, Counter>;
type Gauges<L> = Family<L, Gauge>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The numbers. All workers share them; each is atomic by itself.
pub struct Metrics {
    registry: Registry,
    process: process::Numbers,
    /// Requests that have ended.
    pub requests: Counters<Served>,
    /// How long they took, from the head to the end of the answer.
    pub durations: Histograms<Answered>,
    /// Requests under way.
    pub active: Gauge,
    /// Requests that the gateway itself ended, by why.
    pub rejections: Counters<Rejected>,
    /// Requests in which a rule found something, by what it was.
    pub violations: Counters<Found>,
    /// Steps from one state to another that were asked for.
    pub steps: Counters<Stepped>,
    /// Requests that were judged by the current state, by where it came from.
    pub reads: Counters<Read>,
    /// Requests that were sent with the version that was judged.
    pub pins: Counter,
    /// Times that a request was judged again, because the document had moved.
    pub rejudgements: Counter,
    /// Changes that were asked for, by what became of them.
    pub outcomes: Counters<Outcome>,
    /// What the shadow said.
    pub shadow: Counters<Shadowed>,
    /// What the limits said.
    pub limits: Counters<Limited>,
    /// Whether the store of the limits answers.
    pub store: Gauges<[(&'static str, &'static str); 0]>,
    /// Times that the API wanted to be left alone.
    pub holds: Counter,
    /// How long the upstream took to the head of its answer, for each request that was sent.
    pub upstream: Histograms<Asked>,
    /// Connections to the upstream.
    pub upstream_connections: Gauge,
    /// Whether nothing is sent because the upstream fails.
    pub circuit: Gauge,
    /// Connections of callers.
    pub connections: Gauge,
    /// TLS handshakes with callers.
    pub handshakes: Counters<Shaken>,
    /// Bytes of bodies in memory.
    pub bodies: Gauge,
    /// Loads of the configuration since the start.
    pub reloads: Counters<Reloaded>,
    /// Whether the last one took effect.
    pub reload_successful: Gauge,
    /// When the configuration in force was loaded.
    pub reload_time: Gauge,
    /// The configuration in force.
    pub policy: Gauges<Policy>,
    /// When certificates end.
    pub certificates: Gauges<Certificate>,
    /// Tokens that were asked for.
    pub tokens: Counters<Credential>,
    /// Writes of the access log that failed.
    pub log_lost: Counter,
    /// Events that were lost.
    pub events_lost: Counter,
    /// Spans that the collector took.
    pub spans_exported: Counter,
    /// Spans that nobody will see.
    pub spans_dropped: Counter,
    /// Records of the audit log that were written.
    pub audit_records: Counter,
    /// Records that were lost.
    pub audit_lost: Counter,
    /// Records that wait.
    pub audit_queue: Gauge,
    /// Whether the last write failed.
    pub audit_failing: Gauge,
    /// The number of the last record.
    pub audit_sequence: Gauge,
    /// The beginning of the seal of the last record.
    pub audit_head: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut list = List(Registry::default());
        let durations = || Histogram::new(DURATIONS);
        let seconds = Unit::Seconds;
        let process = process::Numbers::register(&mut list.0);
        let build: Gauges<Build> = list.add("patchgate_build_info", "The program that runs");
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        let metrics = Self {
            requests: list.add("patchgate_requests", "Requests that have ended"),
            durations: list.measure(
                "http_server_request_duration",
                "How long requests took, to the end of their answers",
                durations,
            ),
            active: list.add("http_server_active_requests", "Requests under way"),
            rejections: list
                .add("patchgate_rejections", "Requests that the gateway itself ended, by why"),
            violations: list.add(
                "patchgate_violations",
                "Requests in which a rule found something, by what it was and what came of it",
            ),
            steps: list.add(
                "patchgate_transitions",
                "Steps from one state to another that were asked for, by how they were decided",
            ),
            reads: list.add(
                "patchgate_state_reads",
                "Requests that were judged by the current state, by where it came from",
            ),
            pins: list
                .add("patchgate_pins", "Requests that were sent with the version that was judged"),
            rejudgements: list.add(
                "patchgate_rejudgements",
                "Times that a request was judged again, because the document had moved",
            ),
            outcomes: list
                .add("patchgate_outcomes", "Changes that were asked for, by what became of them"),
            shadow: list.add(
                "patchgate_shadow_judgements",
                "Requests that the shadow was asked about, by what it said beside the policy in force",
            ),
            limits: list.add(
                "patchgate_limit_decisions",
                "Requests that limits were asked about, by what they said",
            ),
            store: list.add("patchgate_limits_store_up", "Whether the store of the limits answers"),
            holds: list.add(
                "patchgate_upstream_holds",
                "Answers by which the API wanted to be left alone for a while",
            ),
            upstream: list.measure(
                "http_client_request_duration",
                "How long the upstream took to the head of its answer, for each request sent to it",
                durations,
            ),
            upstream_connections: list
                .add("patchgate_upstream_connections", "Connections to the upstream"),
            circuit: list.add(
                "patchgate_upstream_circuit_open",
                "Whether nothing is sent, because the upstream fails",
            ),
            connections: list.add("patchgate_connections", "Connections of callers"),
            handshakes: list
                .add("patchgate_tls_handshakes", "TLS handshakes with callers, by how they ended"),
            bodies: list.unit("patchgate_bodies", "Bodies in memory", Unit::Bytes),
            reloads: list.add(
                "patchgate_reloads",
                "Loads of the configuration since the start, by what came of them",
            ),
            reload_successful: list.add(
                "patchgate_config_last_reload_successful",
                "Whether the configuration that was loaded last took effect",
            ),
            reload_time: list.unit(
                "patchgate_config_last_reload_success_timestamp",
                "When the configuration in force was loaded, in seconds since 1970",
                seconds.clone(),
            ),
            policy: list.add("patchgate_policy_info", "The configuration in force"),
            certificates: list.unit(
                "patchgate_certificate_expiry_timestamp",
                "When the certificate that is shown ends, in seconds since 1970",
                seconds,
            ),
            tokens: list.add(
                "patchgate_credential_requests",
                "Tokens that were asked for, by what came of it",
            ),
            log_lost: list
                .add("patchgate_access_log_lost_writes", "Writes of the access log that failed"),
            events_lost: list.add("patchgate_events_lost", "Writes of events that failed"),
            spans_exported: list.add("patchgate_spans_exported", "Spans that the collector took"),
            spans_dropped: list.add(
                "patchgate_spans_dropped",
                "Spans that were dropped: there was no room, or the collector did not take them",
            ),
            audit_records: list
                .add("patchgate_audit_records", "Records of the audit log that were written"),
            audit_lost: list.add("patchgate_audit_lost", "Records of the audit log that were lost"),
            audit_queue: list.add(
                "patchgate_audit_queue",
                "Records of the audit log that wait, with those of changes under way",
            ),
            audit_failing: list
                .add("patchgate_audit_failing", "Whether the last write of the audit log failed"),
            audit_sequence: list
                .add("patchgate_audit_sequence", "The number of the last record of the audit log"),
            audit_head: list.add(
                "patchgate_audit_head",
                "The first 48 bits of the seal of the last record of the audit log",
            ),
            process,
            registry: Registry::default(),
        };
        metrics.reload_successful.set(1);
        metrics.begin();
        Self { registry: list.0, ..metrics }
    }
}

impl Metrics {
    /// What is counted by a word is there from the start, as 0.
    fn begin(&self) {
        Outcome::ALL.iter().for_each(|word| drop(self.outcomes.get_or_create(word)));
        Read::ALL.iter().for_each(|word| drop(self.reads.get_or_create(word)));
        Shadowed::ALL.iter().for_each(|word| drop(self.shadow.get_or_create(word)));
        Shaken::ALL.iter().for_each(|word| drop(self.handshakes.get_or_create(word)));
        Reloaded::ALL.iter().for_each(|word| drop(self.reloads.get_or_create(word)));
    }

    /// All of them, as text.
    pub fn text(&self, form: Form) -> String {
        self.process.look();
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        form.of(text)
    }
}

/// Brings `counter` to `total`, which somebody else counts.
pub fn bring(counter: &Counter, total: u64) {
    let inner: &AtomicU64 = counter.inner();
    inner.store(total, Ordering::Relaxed);
}

/// Those that are registered so far.
struct List(Registry);

impl List {
    fn add<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.0.register(name, help, metric.clone());
        metric
    }

    fn unit<M: Metric + Clone + Default>(&mut self, name: &str, help: &str, unit: Unit) -> M {
        let metric = M::default();
        self.0.register_with_unit(name, help, unit, metric.clone());
        metric
    }

    fn measure<L>(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> Histograms<L>
    where
        L: EncodeLabelSet + Clone + Debug + Hash + Eq + Send + Sync + 'static,
    {
        let family = Family::new_with_constructor(make);
        self.0.register_with_unit(name, help, Unit::Seconds, family.clone());
        family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Metrics of which each has a number at least.
    fn touched() -> Metrics {
        let metrics = Metrics::default();
        let (route, method, decision) = ("r".into(), "GET", "permit");
        let served = Served { route, method, status: "2xx", decision };
        metrics.requests.get_or_create(&served).inc();
        let answered = Answered {
            http_request_method: method,
            http_route: "/r".into(),
            http_response_status_code: None,
        };
        metrics.durations.get_or_create(&answered).observe(1.0);
        metrics.rejections.get_or_create(&Rejected { rejection: "refused" }).inc();
        metrics.violations.get_or_create(&Found { rule: "r", code: "c", mode: "warn" }).inc();
        let (resource, from, to) = ("r".into(), "a".into(), "b".into());
        metrics.steps.get_or_create(&Stepped { resource, from, to, decision }).inc();
        let limited = Limited { tier: "t".into(), class: "read", decision: "spent" };
        metrics.limits.get_or_create(&limited).inc();
        metrics.store.get_or_create(&[]).set(1);
        metrics.shadow.get_or_create(&Shadowed::AGREES).inc();
        let asked = Asked {
            http_request_method: method,
            http_response_status_code: Some(200),
            error_type: "",
        };
        metrics.upstream.get_or_create(&asked).observe(1.0);
        let policy = Policy { policy: "p".to_owned(), digest: "d".to_owned() };
        metrics.policy.get_or_create(&policy).set(1);
        metrics.certificates.get_or_create(&Certificate { shown_to: "callers" }).set(1);
        let credential = Credential { credential: "c".to_owned(), result: "granted" };
        metrics.tokens.get_or_create(&credential).inc();
        metrics
    }

    /// The rows of the tables in the documentation: name, type, labels.
    fn documented() -> Vec<(String, String, String)> {
        let text = include_str!("../../docs/metrics.md");
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let plain = |cell: &str| cell.trim().replace('`', "");
        rows.map(|row| {
            let mut cells = row.split('|').skip(1).map(plain);
            let mut next = || cells.next().unwrap();
            (next(), next(), next())
        })
        .collect()
    }

    #[test]
    fn the_documentation_lists_every_number_with_its_type_and_its_labels() {
        let text = touched().text(Form::OpenMetrics);
        let mut found: Vec<(String, String, String)> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
            .map(|(name, kind)| {
                let name =
                    if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
                let begins = |line: &&str| {
                    let rest = line.strip_prefix(&*name);
                    rest.is_some_and(|rest| rest.starts_with(['{', ' ', '_']))
                };
                let sample = text.lines().find(begins).unwrap_or_else(|| panic!("{name} has none"));
                let labels = sample.split_once('{').map_or("", |(_, labels)| labels);
                let labels = labels.split("\",").filter_map(|label| label.split_once('='));
                let labels: Vec<_> = labels.map(|(label, _)| label).collect();
                (name, kind.to_owned(), labels.join(", "))
            })
            .collect();
        let mut documented = documented();
        found.sort();
        documented.sort();
        assert_eq!(found, documented);
        assert!(found.len() > 25);
    }

    #[test]
    fn what_is_counted_by_a_word_begins_at_0() {
        let text = Metrics::default().text(Form::Plain);
        for series in [
            r#"patchgate_outcomes_total{outcome="unknown"}"#,
            r#"patchgate_state_reads_total{source="shared"}"#,
            r#"patchgate_reloads_total{result="refused"}"#,
            r#"patchgate_tls_handshakes_total{result="failed"}"#,
        ] {
            assert!(text.contains(&format!("{series} 0\n")), "{series}");
        }
    }
}
