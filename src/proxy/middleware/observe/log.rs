//! The line of a request in the access log.

use super::Ended;

use crate::proxy::trail::{Decision, Outcome, Source, known_method};
use crate::telemetry::line::{Line, name};

use std::time::Duration;

impl Ended {
    pub(super) fn log(&self, duration: Duration) {
        let trail = &*self.trail;
        self.told.writer.write(|buffer| {
            let route = trail.route.get();
            let snapshot = trail.snapshot.get();
            let codes = trail.codes.borrow();
            let warnings = trail.warnings.borrow();
            let origin = trail.origin.get();
            let client = origin.and_then(|origin| self.client(origin));
            let mut line = Line::begin(buffer, trail.at);
            line.plain(name!("request_id"), self.trail.id.as_str())
                .optional_plain(name!("trace_id"), origin.map(|origin| origin.trace.id()))
                .address(name!("client"), client)
                .optional(name!("partner"), trail.partner.get().map(|partner| &*partner.id))
                .optional(name!("route"), route.map(|route| &*route.id))
                .plain(name!("method"), known_method(&trail.method).unwrap_or("other"))
                // It has a normal form.
                .optional_plain(name!("path"), route.map(|route| &*route.template))
                .optional_number(name!("status"), self.status.map(|status| status.as_u16().into()))
                .optional_plain(name!("decision"), trail.decision.get().map(Decision::as_str))
                .list(name!("codes"), codes.iter().map(|(code, _)| code.slug()))
                .list(name!("warnings"), warnings.iter().map(|warning| warning.code.slug()))
                .optional_plain(name!("rejection"), trail.rejection.get().map(|kind| kind.slug))
                .optional_number(
                    name!("upstream_status"),
                    trail.upstream_status.get().map(|status| status.as_u16().into()),
                )
                .optional_plain(
                    name!("upstream_request_id"),
                    trail.upstream_id.get().map(String::as_str),
                )
                .optional_plain(name!("current"), trail.source.get().map(Source::as_str))
                .number(name!("attempts"), trail.attempts.get().into())
                .number(name!("fetches"), trail.fetches.get().into())
                .optional_plain(name!("outcome"), trail.outcome().map(|outcome| outcome.as_str()))
                .optional_plain(name!("resolved"), trail.resolved.get().map(Outcome::as_str))
                .number(name!("duration_us"), micros(duration))
                .number(name!("upstream_us"), micros(trail.upstream_time.get()))
                .number(name!("bytes_in"), trail.bytes_in.get())
                .number(name!("bytes_out"), self.trail.bytes_out.get())
                .optional_plain(name!("policy"), snapshot.map(|snapshot| &*snapshot.digest));
            line.end();
        });
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
