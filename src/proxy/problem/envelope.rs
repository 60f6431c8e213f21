//! The error envelope of the Partner Center API, so that clients written for it understand us.

use super::Kind;
use crate::violation::Violations;

use serde::Serialize;

/// The longest message the envelope may carry.
const MESSAGE_MAX: usize = 1024;

#[derive(Serialize)]
struct Envelope<'e> {
    error: Outer<'e>,
}

#[derive(Serialize)]
struct Outer<'e> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'e str>,
    #[serde(rename = "innerError")]
    inner: Inner,
}

#[derive(Serialize)]
struct Inner {
    code: &'static str,
    message: String,
}

pub(super) fn write(kind: Kind, detail: &str, violations: Option<&Violations>) -> Vec<u8> {
    let first = violations.and_then(|violations| violations.iter().next());
    let more = violations.map_or(0, |violations| violations.len().saturating_sub(1));
    let inner = match first {
        Some(violation) => {
            let mut message = violation.message.clone();
            if !violation.accepted.is_empty() {
                message = format!("{message}; accepted: {}", violation.accepted.join(", "));
            }
            Inner { code: violation.code.slug(), message: bounded(message) }
        }
        None => Inner { code: kind.slug, message: detail.to_owned() },
    };
    let message = match first {
        Some(violation) if more > 0 => format!("{} (and {more} more)", violation.message),
        Some(violation) => violation.message.clone(),
        None => format!("{}: {detail}", kind.title),
    };
    let error = Outer {
        code: code(kind.status.as_u16()),
        message: bounded(message),
        target: first.and_then(|violation| violation.pointer.as_deref()),
        inner,
    };
    serde_json::to_vec(&Envelope { error }).unwrap_or_default()
}

/// The documented code that is nearest to a status.
fn code(status: u16) -> &'static str {
    match status {
        401 => "unauthenticated",
        403 => "accessDenied",
        404 => "itemNotFound",
        412 | 428 => "preconditionFailed",
        429 | 503 | 504 => "serviceNotAvailable",
        400..=499 => "invalidRequest",
        _ => "generalException",
    }
}

fn bounded(mut message: String) -> String {
    if message.chars().count() > MESSAGE_MAX {
        message = message.chars().take(MESSAGE_MAX - 1).chain(['\u{2026}']).collect();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::{Code, Violation};

    use http::StatusCode;

    #[test]
    fn a_refusal_fits_the_documented_envelope() {
        let kind =
            Kind { status: StatusCode::UNPROCESSABLE_ENTITY, slug: "refused", title: "Refused" };
        let violation = Violation::new(Code::OpForbidden, "m".repeat(2000)).at("/status");
        let body = write(kind, "d", Some(&violation.into()));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "invalidRequest");
        assert_eq!(body["error"]["target"], "/status");
        assert_eq!(body["error"]["innerError"]["code"], "op-forbidden");
        assert_eq!(body["error"]["message"].as_str().unwrap().chars().count(), MESSAGE_MAX);
    }
}
