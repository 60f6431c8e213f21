//! A rejection as the caller sees it: problem details (RFC 9457), or the API's own envelope.
//!
//! No value of the request is repeated; names and pointers are.

mod accept;
mod envelope;
mod kind;
mod status;

pub use accept::Wanted;
pub use kind::{Kind, kind};
pub use status::{add_internal, error_type};

use super::answer::Answer;
use super::body::Content;
use super::fields::{FieldValue, Fields};
use super::headers::ACCEPT_PATCH;
use super::rejection::Rejection;
use super::trail::{Decision, Trail};
use super::upstream::Fault;
use crate::limits::{HeldBack, whole_seconds};
use crate::policy::{ErrorForm, Route};
use crate::telemetry::line::{Line, name};
use crate::violation::{Violation, Violations};

use http::header::{self, HeaderName};
use kind::{told, type_uri};

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";

/// Most problems have no more bytes.
const BODY: usize = 1024;

/// Why a proxy answered by itself (RFC 9209).
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Adds what goes with the answer.
fn add_fields(rejection: &Rejection, fields: &mut Fields) {
    match rejection {
        // What is left of the body is not read.
        Rejection::BodyTooLarge { .. } | Rejection::BodyTooSlow | Rejection::BodyUnreadable => {
            add(&header::CONNECTION, "close", fields);
        }
        Rejection::CodingUnsupported { accepted } => {
            add(&header::ACCEPT_ENCODING, accepted, fields);
        }
        Rejection::MediaTypeUnsupported(route) => add_accept_patch(route, fields),
        Rejection::MethodNotAllowed { allow } => add(&header::ALLOW, allow, fields),
        Rejection::Overloaded
        | Rejection::AuditUnavailable
        | Rejection::KeysUnavailable
        | Rejection::CurrentUnavailable(Fault::Saturated)
        | Rejection::UpstreamFailed(Fault::Saturated) => {
            fields.add_number(&header::RETRY_AFTER, 1);
        }
        Rejection::CurrentUnavailable(Fault::Paused(wait))
        | Rejection::UpstreamFailed(Fault::Paused(wait))
        | Rejection::CredentialUnavailable { wait }
        | Rejection::LimitsUnavailable { wait }
        | Rejection::RateLimited { wait, .. }
        | Rejection::UpstreamThrottled(HeldBack { wait, .. }) => {
            fields.add_number(&header::RETRY_AFTER, whole_seconds(*wait));
        }
        Rejection::Unidentified { challenges } => {
            let is_one = !challenges.is_empty() && FieldValue::of(challenges).is_some();
            add(&header::WWW_AUTHENTICATE, if is_one { challenges } else { "Bearer" }, fields);
        }
        Rejection::CodingMalformed
        | Rejection::CurrentUnavailable(_)
        | Rejection::DeadlineExceeded
        | Rejection::ExpectationUnknown
        | Rejection::Failed
        | Rejection::HeadMalformed(_)
        | Rejection::HeadTooLarge
        | Rejection::HeadTooSlow
        | Rejection::HostUnknown
        | Rejection::LoopDetected
        | Rejection::MethodUnsupported
        | Rejection::NotAdmitted
        | Rejection::Refused(_)
        | Rejection::TargetTooLong
        | Rejection::Unrouted
        | Rejection::UpstreamFailed(_) => {}
    }
}

fn add(name: &HeaderName, value: &str, fields: &mut Fields) {
    if let Some(value) = FieldValue::of(value) {
        fields.add(name, value);
    }
}

/// Adds `Accept-Patch` where `route` takes patches, else `Accept`.
fn add_accept_patch(route: &Route, fields: &mut Fields) {
    let patches = route.methods.iter().any(|method| method == "PATCH");
    let name = if patches { ACCEPT_PATCH } else { header::ACCEPT };
    add(&name, &route.media_types.join(", "), fields);
}

/// What an answer of the gateway's own depends on, beside the reason for it.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'m> {
    /// The form that the policy asks for.
    pub form: ErrorForm,
    /// The forms that the caller wants.
    pub wanted: Wanted,
    /// What the gateway calls itself.
    pub own: &'m str,
}

/// The answer to a request that ended in `rejection`; the trail learns of it too.
pub fn answer(rejection: &Rejection, manner: Manner<'_>, trail: &Trail) -> Answer<Content> {
    let kind = kind(rejection);
    trail.rejection.set(Some(kind));
    let violations = if let Rejection::Refused(violations) = rejection {
        Some(violations)
    } else {
        trail.decision.set(Some(Decision::Reject));
        None
    };
    let problem = || write(kind, rejection, violations, trail);
    let Wanted { json: wants_json, problem: wants_problem } = manner.wanted;
    let (media_type, body) = match manner.form {
        ErrorForm::PartnerCenter if wants_problem > wants_json => (PROBLEM_JSON, problem()),
        ErrorForm::PartnerCenter => {
            (JSON, envelope::write(kind, &told(rejection, trail), violations))
        }
        ErrorForm::Problem if wants_json > wants_problem => (JSON, problem()),
        ErrorForm::Problem => (PROBLEM_JSON, problem()),
    };
    let mut fields = Fields::with_room(0);
    add(&header::CONTENT_TYPE, media_type, &mut fields);
    add(&header::CACHE_CONTROL, "no-store", &mut fields);
    status::add(rejection, manner.own, trail, &mut fields);
    add_fields(rejection, &mut fields);
    Answer { fields, ..Answer::new(kind.status, Content::from(body)) }
}

fn write(
    kind: Kind,
    rejection: &Rejection,
    violations: Option<&Violations>,
    trail: &Trail,
) -> Vec<u8> {
    let violated: &[String] =
        if let Rejection::RateLimited { violated, .. } = rejection { violated } else { &[] };
    let outcome = trail.outcome().filter(|_| kind.status.is_server_error());
    let mut body = Vec::with_capacity(BODY);
    Line::object(&mut body, |problem| {
        problem
            .joined(name!("type"), type_uri(kind))
            .text(name!("title"), kind.title)
            .number(name!("status"), kind.status.as_u16().into())
            .text(name!("detail"), &told(rejection, trail))
            .joined(name!("instance"), trail.id.urn())
            .plain(name!("code"), kind.slug);
        if let Some(outcome) = outcome {
            problem.plain(name!("outcome"), outcome.as_str());
        }
        if !violated.is_empty() {
            problem.list(name!("violated-policies"), violated.iter().map(String::as_str));
        }
        let Some(violations) = violations else { return };
        problem.objects(name!("errors"), violations.iter(), write_violation);
        if violations.more() > 0 {
            problem.number(name!("more"), violations.more() as u64);
        }
    });
    body
}

fn write_violation(error: &mut Line<'_>, violation: &Violation) {
    error.plain(name!("code"), violation.code.slug());
    if let Some(op) = violation.op {
        error.number(name!("op"), op as u64);
    }
    if let Some(pointer) = &violation.pointer {
        error.text(name!("pointer"), pointer);
    }
    error.text(name!("message"), &violation.message);
    if !violation.accepted.is_empty() {
        error.list(name!("accepted"), violation.accepted.iter().map(String::as_str));
    }
    if let Some(rule) = violation.rule {
        error.plain(name!("rule"), rule);
    }
    if let Some(keyword) = &violation.keyword {
        error.text(name!("keyword"), keyword);
    }
    let page = "https://patchgate.dev/violations/";
    error.joined(name!("docs"), [page, violation.code.slug()]);
}
