//! `Proxy-Status` (RFC 9209): tells an answer of the gateway's own from one of the API's, and why it
//! was given, in words that every proxy uses.

use super::{PROXY_STATUS, kind};
use crate::limits::structured_string;
use crate::outbound::{Distrust, Obstacle};
use crate::proxy::rejection::Rejection;
use crate::proxy::trail::{Sent, Trail};
use crate::proxy::upstream::Fault;

use crate::proxy::fields::Fields;

/// The error type of a rejection, by how far the request had come on its way upstream.
pub fn error_type(rejection: &Rejection, sent: Sent) -> &'static str {
    match rejection {
        Rejection::BodyTooLarge { .. }
        | Rejection::BodyTooSlow
        | Rejection::BodyUnreadable
        | Rejection::CodingMalformed
        | Rejection::CodingUnsupported { .. }
        | Rejection::ExpectationUnknown
        | Rejection::HeadMalformed(_)
        | Rejection::HeadTooLarge
        | Rejection::HeadTooSlow
        | Rejection::MediaTypeUnsupported(_)
        | Rejection::MethodUnsupported
        | Rejection::TargetTooLong => "http_request_error",
        Rejection::HostUnknown
        | Rejection::MethodNotAllowed { .. }
        | Rejection::NotAdmitted
        | Rejection::Overloaded
        | Rejection::RateLimited { .. }
        | Rejection::Refused(_)
        | Rejection::Unidentified { .. }
        | Rejection::Unrouted => "http_request_denied",
        Rejection::CurrentUnavailable(fault) => of_fault(*fault, Sent::Begun),
        Rejection::DeadlineExceeded => "http_response_timeout",
        Rejection::AuditUnavailable
        | Rejection::CredentialUnavailable { .. }
        | Rejection::Failed
        | Rejection::KeysUnavailable
        | Rejection::LimitsUnavailable { .. } => "proxy_internal_error",
        Rejection::LoopDetected => "proxy_loop_detected",
        Rejection::UpstreamFailed(fault) => of_fault(*fault, sent),
        Rejection::UpstreamThrottled(_) => "destination_unavailable",
    }
}

fn of_fault(fault: Fault, sent: Sent) -> &'static str {
    match (fault, sent) {
        (Fault::Broken, _) => "connection_terminated",
        (Fault::Saturated, _) => "connection_limit_reached",
        (Fault::TooSlow, Sent::Nothing) => "connection_timeout",
        (Fault::TooSlow, Sent::Answered(_) | Sent::Begun) => "http_response_timeout",
        (Fault::Paused(_) | Fault::Proxy(_) | Fault::Unusable(_), _) => "destination_unavailable",
        (Fault::Unreachable(obstacle), _) => match obstacle {
            Obstacle::Other => "destination_unavailable",
            Obstacle::Refused => "connection_refused",
            Obstacle::Unroutable => "destination_ip_unroutable",
            Obstacle::Unresolved => "dns_error",
        },
        (Fault::Untrusted(distrust), _) => match distrust {
            Distrust::Alert => "tls_alert_received",
            Distrust::Certificate => "tls_certificate_error",
            Distrust::Protocol => "tls_protocol_error",
        },
    }
}

/// Tells that `own`, which is our name, has answered by itself, and that nothing was wrong.
pub fn add_internal(fields: &mut Fields, own: &str) {
    fields.add_written(&PROXY_STATUS, |text| begin(own, "proxy_internal_response", text));
}

/// Tells as `own`, which is our name, of a rejection.
pub(super) fn add(rejection: &Rejection, own: &str, trail: &Trail, fields: &mut Fields) {
    let error = error_type(rejection, trail.sent.get());
    fields.add_written(&PROXY_STATUS, |text| {
        begin(own, error, text);
        for part in [";details=\"", kind(rejection).slug, "\""] {
            text.extend_from_slice(part.as_bytes());
        }
        // Only then is it the status of what the rejection is about.
        if let (Rejection::CurrentUnavailable(Fault::Unusable(_)), Some(status)) =
            (rejection, trail.upstream_status.get())
        {
            text.extend_from_slice(b";received-status=");
            text.extend_from_slice(status.as_str().as_bytes());
        }
    });
}

/// The name is a token where it can be one.
fn begin(own: &str, error: &str, text: &mut Vec<u8>) {
    match own.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => text.extend_from_slice(own.as_bytes()),
        false => text.extend_from_slice(structured_string(own).as_bytes()),
    }
    text.extend_from_slice(b";error=");
    text.extend_from_slice(error.as_bytes());
}
