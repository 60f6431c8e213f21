//! The table: the status, slug, title and detail of every rejection.

use crate::proxy::rejection::Rejection;
use crate::proxy::trail::{Outcome, Trail};
use crate::proxy::upstream::Fault;
use crate::violation::Class;

use http::StatusCode;

use std::borrow::Cow;

/// How the caller is told of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The status of the answer.
    pub status: StatusCode,
    /// The stable name, in answers and in the log.
    pub slug: &'static str,
    /// One line for people.
    pub title: &'static str,
}

/// The table: what each rejection is to the caller.
pub fn kind(rejection: &Rejection) -> Kind {
    let (status, slug, title) = match rejection {
        Rejection::AuditUnavailable => {
            (503, "audit-unavailable", "The change cannot be recorded at the moment")
        }
        Rejection::BodyTooLarge { .. } => (413, "body-too-large", "The body is too large"),
        Rejection::BodyTooSlow => (408, "body-too-slow", "The body did not come in time"),
        Rejection::BodyUnreadable => (400, "body-unreadable", "The body could not be read"),
        Rejection::CodingMalformed => (400, "coding-malformed", "The body could not be decoded"),
        Rejection::CodingUnsupported { .. } => {
            (415, "coding-unsupported", "The content coding is not accepted")
        }
        Rejection::CredentialUnavailable { .. } => {
            (503, "credential-unavailable", "The gateway has no credential for the API")
        }
        Rejection::CurrentUnavailable(fault) => (
            fault_status(*fault),
            "current-unavailable",
            "The current state is needed and could not be read",
        ),
        Rejection::DeadlineExceeded => (504, "deadline-exceeded", "The request took too long"),
        Rejection::ExpectationUnknown => {
            (417, "expectation-unknown", "The expectation cannot be met")
        }
        Rejection::Failed => (500, "failed", "The gateway failed"),
        Rejection::HeadMalformed(_) => (400, "head-malformed", "The request is malformed"),
        Rejection::HeadTooLarge => (431, "head-too-large", "The head is too large"),
        Rejection::HeadTooSlow => (408, "head-too-slow", "The head did not come in time"),
        Rejection::HostUnknown => (421, "host-unknown", "The host is not served here"),
        Rejection::KeysUnavailable => {
            (503, "keys-unavailable", "The token cannot be verified at the moment")
        }
        Rejection::LimitsUnavailable { .. } => {
            (503, "limits-unavailable", "The limits cannot be counted at the moment")
        }
        Rejection::LoopDetected => (508, "loop-detected", "The request came here before"),
        Rejection::MediaTypeUnsupported(_) => {
            (415, "media-type-unsupported", "The media type is not accepted")
        }
        Rejection::MethodNotAllowed { .. } => {
            (405, "method-not-allowed", "The method is not allowed here")
        }
        Rejection::MethodUnsupported => (501, "method-unsupported", "The method is not supported"),
        Rejection::NotAdmitted => (403, "not-admitted", "The route is not open to the caller"),
        Rejection::Overloaded => (503, "overloaded", "The gateway has no room"),
        Rejection::RateLimited { .. } => (429, "rate-limited", "The quota is exceeded"),
        Rejection::Refused(violations) => match violations.class() {
            Class::Malformed => (400, "refused", "The policy refuses the request"),
            Class::TooLarge => (413, "refused", "The policy refuses the request"),
            Class::PreconditionRequired => (428, "refused", "The policy refuses the request"),
            Class::PreconditionFailed => (412, "refused", "The policy refuses the request"),
            Class::Forbidden => (422, "refused", "The policy refuses the request"),
            Class::Conflict => (409, "refused", "The policy refuses the request"),
        },
        Rejection::TargetTooLong => (414, "target-too-long", "The request target is too long"),
        Rejection::Unidentified { .. } => (401, "unidentified", "The caller is not known"),
        Rejection::Unrouted => (404, "unrouted", "There is nothing here"),
        Rejection::UpstreamFailed(fault) => {
            (fault_status(*fault), fault.slug(), "The API did not answer properly")
        }
        Rejection::UpstreamThrottled(held) => {
            let status = if held.is_unavailable { 503 } else { 429 };
            (status, "upstream-throttled", "The API wants no requests at the moment")
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Kind { status, slug, title }
}

fn fault_status(fault: Fault) -> u16 {
    match fault {
        Fault::Broken
        | Fault::Proxy(_)
        | Fault::Unreachable(_)
        | Fault::Unusable(_)
        | Fault::Untrusted(_) => 502,
        Fault::Paused(_) | Fault::Saturated => 503,
        Fault::TooSlow => 504,
    }
}

fn fault_detail(fault: Fault) -> &'static str {
    match fault {
        Fault::Broken => "the API closed the connection or broke the protocol before it answered",
        Fault::Paused(_) => {
            "the API failed again and again, and is given a pause; nothing was sent"
        }
        Fault::Saturated => "there is no connection or no memory to spare for the API",
        Fault::TooSlow => "the API did not answer in time",
        Fault::Unreachable(_) => "the API could not be reached; nothing was sent",
        Fault::Untrusted(_) => {
            "no trusted TLS connection to the API could be made; nothing was sent"
        }
        Fault::Proxy(why) | Fault::Unusable(why) => why,
    }
}

/// What went wrong this time, for people.
fn detail(rejection: &Rejection) -> Cow<'static, str> {
    match rejection {
        Rejection::BodyTooLarge { max } => format!("the most is {max} bytes").into(),
        Rejection::BodyTooSlow => "send the body faster, or a smaller one".into(),
        Rejection::BodyUnreadable => "the body broke off, or its chunks are malformed".into(),
        Rejection::CodingMalformed => {
            "send one member of gzip, whole and with nothing behind it".into()
        }
        Rejection::CodingUnsupported { .. } => {
            "send the body without `Content-Encoding`, or in one that `Accept-Encoding` lists"
                .into()
        }
        Rejection::CurrentUnavailable(fault) | Rejection::UpstreamFailed(fault) => {
            fault_detail(*fault).into()
        }
        Rejection::DeadlineExceeded => "no answer could be given in the time allowed".into(),
        Rejection::Failed => {
            "this is a fault of the gateway; name the request id in a report".into()
        }
        Rejection::HeadMalformed(why) => (*why).into(),
        Rejection::HeadTooLarge => "send fewer or shorter header fields".into(),
        Rejection::ExpectationUnknown => {
            "nothing but `100-continue` can be expected; leave `Expect` out".into()
        }
        Rejection::HeadTooSlow => "send the head of the request faster".into(),
        Rejection::HostUnknown => {
            "this gateway does not answer for what `Host` names; mend the URL, or have whoever runs the gateway add the host to `hosts`"
                .into()
        }
        Rejection::CredentialUnavailable { .. }
        | Rejection::AuditUnavailable
        | Rejection::KeysUnavailable
        | Rejection::LimitsUnavailable { .. } => {
            "nothing was sent; try again after the time in `Retry-After`".into()
        }
        Rejection::LoopDetected => "`Via` names this gateway already".into(),
        Rejection::MediaTypeUnsupported(_) => "send one of the accepted media types".into(),
        Rejection::MethodNotAllowed { .. } => "`Allow` lists the methods that are".into(),
        Rejection::MethodUnsupported => {
            "the gateway opens no tunnels and echoes no requests".into()
        }
        Rejection::NotAdmitted => {
            "this route is for other partners or roles; whoever runs the gateway can open it".into()
        }
        Rejection::Overloaded => "too many requests are under way; try again".into(),
        Rejection::RateLimited { .. } => "try again after the time in `Retry-After`".into(),
        Rejection::Refused(violations) => match violations.len() {
            1 => "1 violation; the change was not sent to the API".into(),
            count => format!("{count} violations; the change was not sent to the API").into(),
        },
        Rejection::TargetTooLong => "the path and the query are longer than any here".into(),
        Rejection::Unidentified { .. } => {
            "nothing in the request tells of a known partner; show what `WWW-Authenticate` lists"
                .into()
        }
        Rejection::Unrouted => "no route of the policy has this path".into(),
        Rejection::UpstreamThrottled(_) => {
            "the API has asked to wait; nothing was sent; try again after the time in `Retry-After`"
                .into()
        }
    }
}

/// The same, and what a second look at the document told where the answer was lost.
pub(super) fn told(rejection: &Rejection, trail: &Trail) -> Cow<'static, str> {
    let detail = detail(rejection);
    let found = match trail.resolved.get() {
        None => return detail,
        Some(Outcome::Applied) => "the change is in effect",
        Some(Outcome::NotApplied) => "the change is not in effect, and will not be",
        Some(Outcome::Unknown) => "it does not tell whether the change was applied",
    };
    format!("{detail}; the document was read again: {found}").into()
}

/// The name of a kind of problem, in two parts: a registered one where there is one.
pub(super) fn type_uri(kind: Kind) -> [&'static str; 2] {
    const REGISTERED: &str = "https://iana.org/assignments/http-problem-types#";
    match (kind.status, kind.slug) {
        (StatusCode::TOO_MANY_REQUESTS, _) => [REGISTERED, "quota-exceeded"],
        (
            _,
            "credential-unavailable"
            | "keys-unavailable"
            | "limits-unavailable"
            | "overloaded"
            | "upstream-throttled",
        ) => [REGISTERED, "temporary-reduced-capacity"],
        (_, slug) => ["https://patchgate.dev/problems/", slug],
    }
}
