//! The line of a request in the access log.

use super::Ended;

use crate::proxy::trail::{Decision, Outcome, Source, known_method};
use crate::telemetry::line::Line;

use std::time::Duration;

impl Ended {
    pub(super) fn log(&self) {
        let trail = &*self.trail;
        self.told.writer.write(|buffer| {
            let route = trail.route.get();
            let snapshot = trail.snapshot.get();
            let codes = trail.codes.borrow();
            let warnings = trail.warnings.borrow();
            let origin = trail.origin.get();
            let client = origin.and_then(|origin| self.client(origin));
            let mut line = Line::begin(buffer);
            line.time("time", trail.at)
                .text("request_id", self.id.as_str())
                .optional("trace_id", origin.map(|origin| origin.trace.id()))
                .address("client", client)
                .optional("partner", trail.partner.get().map(|partner| &*partner.id))
                .optional("route", route.map(|route| &*route.id))
                .text("method", known_method(&trail.method).unwrap_or("other"))
                .optional("path", route.map(|route| &*route.template))
                .optional_number("status", self.status.map(|status| status.as_u16().into()))
                .optional("decision", trail.decision.get().map(Decision::as_str))
                .list("codes", codes.iter().map(|(code, _)| code.slug()))
                .list("warnings", warnings.iter().map(|warning| warning.code.slug()))
                .optional("rejection", trail.rejection.get().map(|kind| kind.slug))
                .optional_number(
                    "upstream_status",
                    trail.upstream_status.get().map(|status| status.as_u16().into()),
                )
                .optional("upstream_request_id", trail.upstream_id.get().map(String::as_str))
                .optional("current", trail.source.get().map(Source::as_str))
                .number("attempts", trail.attempts.get().into())
                .number("fetches", trail.fetches.get().into())
                .optional("outcome", trail.outcome().map(|outcome| outcome.as_str()))
                .optional("resolved", trail.resolved.get().map(Outcome::as_str))
                .number("duration_us", micros(trail.began.elapsed()))
                .number("upstream_us", micros(trail.upstream_time.get()))
                .number("bytes_in", trail.bytes_in.get())
                .number("bytes_out", self.bytes_out)
                .optional("policy", snapshot.map(|snapshot| &*snapshot.digest));
            line.end();
        });
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
