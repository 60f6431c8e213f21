//! What a trace learns of a request: by the names of the OpenTelemetry conventions for HTTP, and our
//! own under `patchgate.`.

use super::Ended;

use crate::otlp::{Exporter, Span, SpanKind};
use crate::proxy::origin::Origin;
use crate::proxy::span::{self, Work};
use crate::proxy::trail::{Decision, Source, known_method};
use crate::telemetry::metrics::OTHER;

use http::{StatusCode, Version};
use tokio::time::Instant;

use std::time::SystemTime;

/// The most of a method that nobody knows.
const METHOD_MAX: usize = 32;

/// Where spans go, and what all of them tell.
#[derive(Clone, Debug)]
pub struct Tracer {
    /// Whoever sends them.
    pub exporter: Exporter,
    /// The host of the upstream, and its port.
    pub upstream: (String, u16),
    /// Where callers reach the gateway, and at which port.
    pub own: (String, u16),
}

impl Ended {
    /// Tells of the request and its parts, if its trace is recorded.
    pub(super) fn trace(&self, tracer: &Tracer, now: Instant) {
        let trail = &*self.trail;
        let Some(origin) = trail.origin.get().filter(|origin| origin.trace.is_recorded()) else {
            return;
        };
        let parts = trail.spans.take();
        let mut spans = Vec::with_capacity(1 + parts.len());
        spans.push(self.server_span(origin, tracer, now));
        spans.extend(parts.iter().map(|part| self.part_span(origin, tracer, part)));
        tracer.exporter.export(spans);
    }

    fn server_span(&self, origin: &Origin, tracer: &Tracer, now: Instant) -> Span {
        let (trail, trace) = (&*self.trail, &origin.trace);
        let route = trail.route.get();
        let known = known_method(&trail.method);
        let name = match (known, route) {
            (Some(method), Some(route)) => format!("{method} {}", route.template),
            (Some(method), None) => method.to_owned(),
            (None, _) => "HTTP".to_owned(),
        };
        let original = || trail.method.as_str().chars().take(METHOD_MAX).collect::<String>();
        let status = self.status.filter(StatusCode::is_server_error);
        let mut span = Span::new(trace.id_bytes(), trace.span().bytes(), SpanKind::Server, name);
        span.within(trace.parent().map(|parent| parent.bytes()), true, trace.flags())
            .took(trail.at, self.time(now))
            .text("http.request.method", known.unwrap_or(OTHER))
            .optional("http.request.method_original", known.is_none().then(original))
            .optional("http.route", route.map(|route| &*route.template))
            // What stands in the place of ids is for nobody to see.
            .optional("url.path", route.map(|route| &*route.template))
            .text("url.scheme", if origin.is_tls { "https" } else { "http" })
            .text("server.address", &*tracer.own.0)
            .number("server.port", Some(tracer.own.1))
            .optional("client.address", self.client(origin).map(|client| client.to_string()))
            .text("network.protocol.version", version(origin.version))
            .number("http.response.status_code", self.status.map(|status| status.as_u16()))
            .optional(
                "error.type",
                trail.rejection.get().map(|kind| kind.slug.to_owned()).or_else(|| text(status)),
            )
            .text("patchgate.request_id", self.trail.id.as_str())
            .optional("patchgate.partner", trail.partner.get().map(|partner| &*partner.id))
            .optional("patchgate.route", route.map(|route| &*route.id))
            .optional("patchgate.decision", trail.decision.get().map(Decision::as_str))
            .list("patchgate.codes", trail.codes.borrow().iter().map(|(code, _)| code.slug()))
            .optional("patchgate.outcome", trail.outcome().map(|outcome| outcome.as_str()));
        if self.status.is_none_or(|status| status.is_server_error()) {
            span.failed();
        }
        span
    }

    fn part_span(&self, origin: &Origin, tracer: &Tracer, part: &span::Span) -> Span {
        let (trail, trace) = (&*self.trail, &origin.trace);
        let new = |kind, name: &str| {
            let mut span = Span::new(trace.id_bytes(), part.id.bytes(), kind, name.to_owned());
            span.within(Some(trace.span().bytes()), false, trace.flags())
                .took(self.time(part.began), self.time(part.ended));
            span
        };
        match part.work {
            Work::Judge(decision) => {
                let mut span = new(SpanKind::Internal, "judge");
                let decision = decision.map_or("needs-current", Decision::as_str);
                span.text("patchgate.decision", decision);
                span
            }
            Work::Prefetch(source, ended) => {
                // What another request has read is no request of this one.
                let kind = match source {
                    Some(Source::Shared) => SpanKind::Internal,
                    Some(Source::Fetched | Source::Remembered) | None => SpanKind::Client,
                };
                let mut span = new(kind, "prefetch");
                span.text("http.request.method", "GET")
                    .optional("patchgate.current", source.map(Source::as_str));
                called(&mut span, tracer, ended);
                span
            }
            Work::Upstream(attempt, ended) => {
                let method = known_method(&trail.method).unwrap_or(OTHER);
                let again = Some(attempt.saturating_sub(1)).filter(|again| *again > 0);
                let mut span = new(SpanKind::Client, "upstream");
                span.text("http.request.method", method).number("http.request.resend_count", again);
                called(&mut span, tracer, ended);
                span
            }
        }
    }

    /// By the clock on the wall, when `instant` was.
    fn time(&self, instant: Instant) -> SystemTime {
        self.trail.at + instant.duration_since(self.trail.began)
    }
}

/// What became of a request to the upstream.
fn called(span: &mut Span, tracer: &Tracer, ended: span::Ended) {
    let error = ended.status.filter(|status| status.as_u16() >= 400);
    let nobody = ended.status.is_none().then_some("cancelled");
    let fault = ended.fault.or(nobody).map(str::to_owned).or_else(|| text(error));
    if fault.is_some() {
        span.failed();
    }
    span.text("server.address", &*tracer.upstream.0)
        .number("server.port", Some(tracer.upstream.1))
        .number("http.response.status_code", ended.status.map(|status| status.as_u16()))
        .optional("error.type", fault);
}

fn text(status: Option<StatusCode>) -> Option<String> {
    status.map(|status| status.as_str().to_owned())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
