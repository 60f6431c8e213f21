//! The record of a change in the audit log.

use super::Ended;

use crate::proxy::change::Recorder;
use crate::proxy::trail::{Decision, Outcome};
use crate::telemetry::line::{Line, name};

impl Ended {
    /// Writes down the change, if there was one that was judged.
    pub(super) fn record(&self, recorder: &Recorder) {
        let trail = &*self.trail;
        let Some(change) = trail.change.take() else { return };
        let route = trail.route.get();
        let roles = trail.partner.get().map_or(&[][..], |partner| &*partner.roles);
        let step = trail.step.get();
        let graph = route.and_then(|route| route.resource.as_ref()?.graph.as_ref());
        let states =
            graph.zip(step).map(|(graph, step)| (graph.name(step.from), graph.name(step.to)));
        let snapshot = trail.snapshot.get();
        let codes = trail.codes.borrow();
        let warnings = trail.warnings.borrow();
        let status = |status: Option<http::StatusCode>| status.map(|status| status.as_u16().into());
        let mut members = Vec::with_capacity(1024 + change.ops.json.len());
        let mut line = Line::members(&mut members, trail.at);
        line.plain(name!("request_id"), self.trail.id.as_str())
            .optional_plain(name!("trace_id"), trail.origin.get().map(|origin| origin.trace.id()))
            .optional(name!("partner"), trail.partner.get().map(|partner| &*partner.id))
            .list(name!("roles"), roles.iter().map(String::as_str))
            .optional(name!("route"), route.map(|route| &*route.id))
            .text(name!("method"), trail.method.as_str())
            .text(name!("target"), &change.target)
            .optional_plain(name!("form"), route.map(|route| route.body.as_str()))
            .optional(name!("policy"), snapshot.map(|snapshot| &*snapshot.policy.name))
            .optional_plain(name!("digest"), snapshot.map(|snapshot| &*snapshot.digest))
            .json(name!("ops"), &change.ops.json)
            .number(name!("ops_more"), change.ops.more as u64)
            .text(name!("if_match"), change.if_match)
            .optional(name!("from"), states.map(|(from, _)| from))
            .optional(name!("to"), states.map(|(_, to)| to))
            .optional(name!("tag"), change.tag.as_deref())
            .optional_plain(name!("decision"), trail.decision.get().map(Decision::as_str))
            .list(name!("codes"), codes.iter().map(|(code, _)| code.slug()))
            .list(name!("warnings"), warnings.iter().map(|warning| warning.code.slug()))
            .optional_plain(name!("rejection"), trail.rejection.get().map(|kind| kind.slug))
            .optional_number(name!("status"), status(self.status))
            .optional_number(name!("upstream_status"), status(trail.upstream_status.get()))
            .optional_plain(name!("outcome"), trail.outcome().map(Outcome::as_str));
        recorder.end(*change, members);
    }
}
