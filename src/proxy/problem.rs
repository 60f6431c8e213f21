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

use super::body::Content;
use super::headers::ACCEPT_PATCH;
use super::rejection::Rejection;
use super::request::RequestId;
use super::trail::{Decision, Trail};
use super::upstream::Fault;
use crate::limits::{HeldBack, whole_seconds};
use crate::policy::{ErrorForm, Route};
use crate::violation::{Violation, Violations};

use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use kind::{told, type_uri};

use std::borrow::Cow;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";

/// Why a proxy answered by itself (RFC 9209).
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Fields that go with the answer.
fn fields(rejection: &Rejection, headers: &mut HeaderMap) {
    let retry = |wait: u64| HeaderValue::from(wait);
    match rejection {
        // What is left of the body is not read.
        Rejection::BodyTooLarge { .. } | Rejection::BodyTooSlow | Rejection::BodyUnreadable => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Rejection::CodingUnsupported { accepted } => {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        }
        Rejection::MediaTypeUnsupported(route) => add_accept_patch(route, headers),
        Rejection::MethodNotAllowed { allow } => {
            if let Ok(value) = HeaderValue::from_str(allow) {
                headers.insert(header::ALLOW, value);
            }
        }
        Rejection::Overloaded
        | Rejection::AuditUnavailable
        | Rejection::KeysUnavailable
        | Rejection::CurrentUnavailable(Fault::Saturated)
        | Rejection::UpstreamFailed(Fault::Saturated) => {
            headers.insert(header::RETRY_AFTER, retry(1));
        }
        Rejection::CurrentUnavailable(Fault::Paused(wait))
        | Rejection::UpstreamFailed(Fault::Paused(wait))
        | Rejection::CredentialUnavailable { wait }
        | Rejection::LimitsUnavailable { wait }
        | Rejection::RateLimited { wait, .. }
        | Rejection::UpstreamThrottled(HeldBack { wait, .. }) => {
            headers.insert(header::RETRY_AFTER, retry(whole_seconds(*wait)));
        }
        Rejection::Unidentified { challenges } => {
            let value = HeaderValue::from_str(challenges);
            let value = value.ok().filter(|value| !value.is_empty());
            let value = value.unwrap_or(HeaderValue::from_static("Bearer"));
            headers.insert(header::WWW_AUTHENTICATE, value);
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

/// Adds `Accept-Patch` where `route` takes patches, else `Accept`.
pub fn add_accept_patch(route: &Route, headers: &mut HeaderMap) {
    let patches = route.methods.iter().any(|method| method == "PATCH");
    if let Ok(value) = HeaderValue::from_str(&route.media_types.join(", ")) {
        headers.insert(if patches { ACCEPT_PATCH } else { header::ACCEPT }, value);
    }
}

#[derive(Serialize)]
struct Problem<'p> {
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    instance: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(rename = "violated-policies", skip_serializing_if = "<[String]>::is_empty")]
    violated: &'p [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'p>>,
    #[serde(skip_serializing_if = "is_none")]
    more: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct Entry<'p> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'p str>,
    message: &'p str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    accepted: &'p [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyword: Option<&'p str>,
    docs: String,
}

impl<'p> From<&'p Violation> for Entry<'p> {
    fn from(violation: &'p Violation) -> Self {
        Self {
            code: violation.code.slug(),
            op: violation.op,
            pointer: violation.pointer.as_deref(),
            message: &violation.message,
            accepted: &violation.accepted,
            rule: violation.rule,
            keyword: violation.keyword.as_deref(),
            docs: format!("https://patchgate.dev/violations/{}", violation.code),
        }
    }
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
pub fn answer(
    rejection: &Rejection,
    manner: Manner<'_>,
    id: &RequestId,
    trail: &Trail,
) -> Response<Content> {
    let kind = kind(rejection);
    trail.rejection.set(Some(kind));
    let violations = if let Rejection::Refused(violations) = rejection {
        Some(violations)
    } else {
        trail.decision.set(Some(Decision::Reject));
        None
    };
    let problem = || write(kind, rejection, violations, id, trail);
    let Wanted { json: wants_json, problem: wants_problem } = manner.wanted;
    let (media_type, body) = match manner.form {
        ErrorForm::PartnerCenter if wants_problem > wants_json => (PROBLEM_JSON, problem()),
        ErrorForm::PartnerCenter => {
            (JSON, envelope::write(kind, &told(rejection, trail), violations))
        }
        ErrorForm::Problem if wants_json > wants_problem => (JSON, problem()),
        ErrorForm::Problem => (PROBLEM_JSON, problem()),
    };
    let mut response = Response::new(Content::from(body));
    *response.status_mut() = kind.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = status::field(rejection, manner.own, trail) {
        headers.insert(PROXY_STATUS, value);
    }
    fields(rejection, headers);
    response
}

fn write(
    kind: Kind,
    rejection: &Rejection,
    violations: Option<&Violations>,
    id: &RequestId,
    trail: &Trail,
) -> Vec<u8> {
    let violated: &[String] =
        if let Rejection::RateLimited { violated, .. } = rejection { violated } else { &[] };
    let outcome = trail.outcome().filter(|_| kind.status.is_server_error());
    let problem = Problem {
        kind: type_uri(kind),
        title: kind.title,
        status: kind.status.as_u16(),
        detail: told(rejection, trail),
        instance: id.urn(),
        code: kind.slug,
        outcome: outcome.map(|outcome| outcome.as_str()),
        violated,
        errors: violations.into_iter().flatten().map(Entry::from).collect(),
        more: violations.map_or(0, Violations::more),
    };
    serde_json::to_vec(&problem).unwrap_or_default()
}
