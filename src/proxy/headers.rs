//! Header fields: what stays on its hop, what is never believed, what the gateway adds.

use super::fields::{FieldValue, Fields};
use super::trail::Trail;
use crate::limits::structured_string;
use crate::snapshot::Host;
use crate::violation::Violations;

use http::Version;
use http::header::{self, HeaderName, HeaderValue};

use std::sync::Arc;

/// The id that the upstream gave a request, where it is not the one it was sent.
pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("upstream-request-id");
/// The media types of a patch that a resource takes (RFC 5789).
pub const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What the policy warns of.
const PATCHGATE_WARNING: HeaderName = HeaderName::from_static("patchgate-warning");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What came before those: what is allowed, what is left, in how many seconds all of it is.
const OLDER: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];

/// The field names that `lines` of `Connection` nominate for this hop only.
pub fn nominated<'h>(
    lines: impl Iterator<Item = FieldValue<'h>>,
) -> impl Iterator<Item = &'h [u8]> {
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Whether the gateway or the upstream decides something by the field `name`, so that it may
/// neither be nominated away nor have a twin.
pub fn is_guarded(name: &[u8], request_id: &HeaderName) -> bool {
    name == request_id.as_str().as_bytes()
        || matches!(
            name,
            b"accept"
                | b"authorization"
                | b"content-digest"
                | b"content-encoding"
                | b"content-length"
                | b"content-md5"
                | b"content-range"
                | b"content-type"
                | b"cookie"
                | b"digest"
                | b"host"
                | b"idempotency-key"
                | b"if-match"
                | b"if-modified-since"
                | b"if-none-match"
                | b"if-range"
                | b"if-unmodified-since"
                | b"prefer"
                | b"repr-digest"
                | b"signature"
                | b"signature-input"
                | b"traceparent"
                | b"tracestate"
                | b"transfer-encoding"
                | b"via"
        )
}

/// Whether a field is about one connection, or says something that only a trusted hop may say.
pub(super) fn stays_here(name: &[u8]) -> bool {
    is_hop_by_hop(name)
        || name.starts_with(b"proxy-")
        || name.starts_with(b"x-forwarded-")
        || matches!(
            name,
            b"cf-connecting-ip"
                | b"client-ip"
                | b"expect"
                | b"fastly-client-ip"
                | b"forwarded"
                | b"true-client-ip"
                | b"x-client-ip"
                | b"x-cluster-client-ip"
                | b"x-http-method"
                | b"x-http-method-override"
                | b"x-method-override"
                | b"x-original-forwarded-for"
                | b"x-original-host"
                | b"x-original-uri"
                | b"x-original-url"
                | b"x-real-ip"
                | b"x-remote-addr"
                | b"x-remote-ip"
                | b"x-rewrite-url"
        )
}

/// RFC 9110 §7.6.1.
fn is_hop_by_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"http2-settings"
            | b"keep-alive"
            | b"proxy-connection"
            | b"te"
            | b"trailer"
            | b"transfer-encoding"
            | b"upgrade"
    )
}

/// Takes out of an answer what is about the upstream's connection.
pub fn clean_answer(fields: &mut Fields) {
    // `Alt-Svc` would lead the caller past the gateway.
    let goes =
        |name: &[u8]| is_hop_by_hop(name) || matches!(name, b"alt-svc" | b"proxy-authenticate");
    let nominated = fields.nominated();
    fields.retain(|name| !goes(name) && !nominated.contains(name));
}

/// What we are called in `Via`.
#[derive(Clone, Debug)]
pub struct Via {
    pseudonym: Arc<str>,
    one: HeaderValue,
    one_zero: HeaderValue,
    two: HeaderValue,
}

impl Via {
    /// Called `pseudonym`, which is a token; `None` if it is none.
    pub fn new(pseudonym: &str) -> Option<Self> {
        let value = |version: &str| HeaderValue::try_from(format!("{version} {pseudonym}")).ok();
        Some(Self {
            one: value("1.1")?,
            one_zero: value("1.0")?,
            two: value("2.0")?,
            pseudonym: pseudonym.into(),
        })
    }

    /// What tells that we have received a message, by `version`.
    pub fn received(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_10 => &self.one_zero,
            Version::HTTP_2 => &self.two,
            _ => &self.one,
        }
    }

    /// Whether `fields` say that we have received the message before.
    pub fn is_in(&self, fields: &Fields) -> bool {
        let lines = fields.get_all(&header::VIA);
        let mut hops = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        hops.any(|hop| {
            let words = hop.split(|byte| matches!(*byte, b' ' | b'\t'));
            let name = words.filter(|word| !word.is_empty()).nth(1);
            name.is_some_and(|name| name.eq_ignore_ascii_case(self.pseudonym.as_bytes()))
        })
    }
}

/// Whether `host` is a name or an address, with or without a port, and nothing else.
pub fn is_host(host: &[u8]) -> bool {
    Host::read(host).is_some()
}

/// Adds how the partner's limits stand, beside what the upstream says of its own: that stays as it
/// is, and of the older fields ours are only added where it has none.
pub fn add_rate_limit(fields: &mut Fields, trail: &Trail) {
    let (Some(partner), Some(decision)) = (trail.partner.get(), trail.limits()) else { return };
    let account = &partner.account;
    if let Some(value) = account.policy(decision.class()) {
        fields.add(&RATE_LIMIT_POLICY, value);
    }
    fields.add_written(&RATE_LIMIT, |text| account.write_rest(&decision, text));
    let older_fields =
        trail.snapshot.get().is_some_and(|snapshot| snapshot.limits.terms.older_fields);
    if !older_fields || OLDER.iter().any(|name| fields.has(name)) {
        return;
    }
    if let Some((most, left, time)) = account.nearest(&decision) {
        for (name, value) in OLDER.iter().zip([most.into(), left.into(), time]) {
            fields.add_number(name, value);
        }
    }
}

/// How many warnings an answer tells; the rest are counted.
const WARNINGS: usize = 8;

/// Tells what the policy warns of: a list of codes (RFC 9651), each with the op and the place.
pub fn add_warnings(fields: &mut Fields, warnings: &Violations) {
    if warnings.is_empty() {
        return;
    }
    let mut text = String::new();
    for violation in warnings.iter().take(WARNINGS) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(violation.code.slug());
        if let Some(op) = violation.op {
            text.push_str(&format!(";op={op}"));
        }
        if let Some(pointer) = &violation.pointer {
            text.push_str(&format!(";at={}", structured_string(pointer)));
        }
    }
    let untold = warnings.len().saturating_sub(WARNINGS);
    if untold > 0 {
        text.push_str(&format!(", more;count={untold}"));
    }
    if let Some(value) = FieldValue::of(&text) {
        fields.add(&PATCHGATE_WARNING, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_a_port() {
        for host in ["a", "a.b-c:80", "127.0.0.1:1", "[::1]", "[::ffff:1.2.3.4]:80", "a:"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let names = ["", ":80", "a b", "a@b", "a/b", "a:b", "a,b", "a:1:2"];
        // Found by fuzzing: what stands in brackets is an address.
        let addresses = ["[]", "[::1", "::1", "[:]", "[::1::]", "[1:2:3:4:5:6:7:8:9]", "[a.b]"];
        for host in names.into_iter().chain(addresses) {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_loop_is_seen_by_our_own_name_alone() {
        let via = |line| Fields::from_iter([(header::VIA, HeaderValue::from_static(line))]);
        let ours = Via::new("patchgate").unwrap();
        assert!(ours.is_in(&via("1.1 a, 2.0 PatchGate (x)")));
        assert!(!ours.is_in(&via("1.1 patchgate2, 1.1 b (1.1 patchgate)")));
    }
}
