//! The numbers that nobody counts as they change: they are looked up when somebody asks.

use super::Gateway;

use crate::audit::Audit;
use crate::otlp::Exporter;
use crate::telemetry::Events;
use crate::telemetry::metrics::{Certificate, Credential, Form, Policy, Reloaded, bring};

use std::time::{SystemTime, UNIX_EPOCH};

impl Gateway {
    /// All numbers, as text.
    pub(super) fn numbers(&self, form: Form) -> String {
        let metrics = &*self.telemetry.metrics;
        self.gauges.tell(metrics);
        bring(&metrics.log_lost, self.telemetry.access_log.lost());
        bring(&metrics.events_lost, self.events.as_ref().map_or(0, Events::lost));

        let (snapshot, loads) = (self.live.load(), self.live.loads());
        bring(&metrics.reloads.get_or_create(&Reloaded::TAKEN), loads.taken);
        bring(&metrics.reloads.get_or_create(&Reloaded::REFUSED), loads.refused);
        metrics.reload_successful.set(loads.faults.is_empty().into());
        metrics.reload_time.set(seconds(loads.at));
        metrics.policy.clear();
        let policy = snapshot.policy.name.clone();
        let policy = Policy { policy, digest: snapshot.digest.clone() };
        metrics.policy.get_or_create(&policy).set(1);

        metrics.store.clear();
        if let Some(is_up) = snapshot.limits.is_store_up() {
            metrics.store.get_or_create(&[]).set(is_up.into());
        }
        metrics.tokens.clear();
        for credential in snapshot.credentials.values() {
            let Some((granted, failed)) = credential.asked() else { continue };
            for (result, total) in [("granted", granted), ("failed", failed)] {
                let credential = Credential { credential: credential.name().to_owned(), result };
                bring(&metrics.tokens.get_or_create(&credential), total);
            }
        }
        if let Some(standing) = self.audit.as_ref().map(Audit::standing) {
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            bring(&metrics.audit_records, standing.written);
            bring(&metrics.audit_lost, standing.lost);
            metrics.audit_queue.set(number(standing.queued as u64));
            metrics.audit_failing.set(standing.fails.into());
            metrics.audit_sequence.set(number(standing.head.sequence));
            metrics.audit_head.set(number(standing.head.mark()));
        }
        if let Some(standing) = self.exporter.as_ref().map(Exporter::standing) {
            bring(&metrics.spans_exported, standing.exported);
            bring(&metrics.spans_dropped, standing.dropped);
        }
        metrics.certificates.clear();
        for (shown_to, expires) in self.certificates() {
            metrics.certificates.get_or_create(&Certificate { shown_to }).set(seconds(expires));
        }
        metrics.text(form)
    }

    /// When the certificates end that are shown, by whom they are shown to.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (&'static str, SystemTime)> {
        let to_callers = self.to_callers.as_ref().and_then(|credentials| credentials.expires());
        let to_upstream = self.to_upstream.as_ref().and_then(|credentials| credentials.expires());
        let all = [("callers", to_callers), ("upstream", to_upstream)];
        all.into_iter().filter_map(|(shown_to, expires)| Some((shown_to, expires?)))
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
