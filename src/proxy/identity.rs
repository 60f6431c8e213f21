//! Who a request comes from: what it proves, and what it only says. See [`IdentitySource`].

use super::fields::{FieldValue, Fields};
use super::rejection::Rejection;
use crate::partner::{
    Certificate, IdentitySource, Network, Partner, Partners, Unverified, Verified, token,
};
use crate::policy::{Caller, Closed, Route};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderName};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the bearer of a token that proves nothing is told, and no more (RFC 6750 §3.1).
const INVALID: &str = "Bearer error=\"invalid_token\"";

/// The partner that a request with these `fields` comes from, by the first source that applies. The
/// peer that sent them is at `address` and has shown `certificate`, as far as they are known.
///
/// # Errors
///
/// When it comes from nobody who is let in, or the field that would tell is there twice.
pub fn find<'p>(
    partners: &'p Partners,
    fields: &Fields,
    address: Option<IpAddr>,
    certificate: Option<&Certificate>,
) -> Result<&'p Arc<Partner>, Rejection> {
    let nobody = || Rejection::Unidentified { challenges: partners.challenges() };
    for source in &partners.identity {
        let found = match source {
            IdentitySource::Verified(source) => proven(partners, source, fields, certificate)?,
            IdentitySource::Unverified(source) => {
                said(source, fields, address)?.map(|name| partners.by_name(&name))
            }
        };
        if let Some(found) = found {
            return found.ok_or_else(nobody);
        }
    }
    partners.unknown.as_ref().ok_or_else(nobody)
}

/// Lets `partner` use `route`.
///
/// # Errors
///
/// When the route is not open to it.
pub fn admit(partners: &Partners, partner: &Arc<Partner>, route: &Route) -> Result<(), Rejection> {
    let caller = Caller { partner: &partner.id, roles: &partner.roles };
    let admitted = route.audience.admit(caller, partners.is_known(partner));
    admitted.map_err(|closed| match closed {
        Closed::ToPartner => Rejection::NotAdmitted,
        Closed::ToUnknown => Rejection::Unidentified { challenges: partners.challenges() },
    })
}

/// Who a request proves that it comes from, if it shows a proof of this kind.
fn proven<'p>(
    partners: &'p Partners,
    source: &Verified,
    fields: &Fields,
    certificate: Option<&Certificate>,
) -> Result<Option<Option<&'p Arc<Partner>>>, Rejection> {
    match source {
        Verified::ApiKey(name) => {
            let key = only(fields, name)?;
            Ok(key.map(|key| partners.by_key(key.as_bytes())))
        }
        Verified::Certificate(kind) => {
            Ok(certificate.and_then(|shown| partners.by_certificate(shown, *kind)))
        }
        Verified::Token(issuer) => {
            let text = fields.get(&header::AUTHORIZATION).and_then(FieldValue::as_str);
            let text = text.and_then(token::bearer);
            // A clock before 1970 finds every token not valid yet.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            match text.and_then(|text| issuer.prove(text, now.as_secs())) {
                None => Ok(None),
                Some(Ok(subject)) => Ok(Some(partners.by_token(issuer, &subject))),
                Some(Err(broken)) if broken.is_passing() => Err(Rejection::KeysUnavailable),
                Some(Err(token::Broken(why))) => {
                    tracing::debug!(issuer = issuer.name, why, "a token proves nothing");
                    Err(Rejection::Unidentified { challenges: INVALID.to_owned() })
                }
            }
        }
    }
}

/// What a request calls its caller, if it says anything there.
fn said<'h>(
    source: &Unverified,
    fields: &'h Fields,
    address: Option<IpAddr>,
) -> Result<Option<Cow<'h, str>>, Rejection> {
    match source {
        Unverified::Header { from, .. } if !is_believed(from, address) => Ok(None),
        Unverified::Header { name, .. } => {
            let name = only(fields, name)?.and_then(FieldValue::as_str);
            Ok(name.filter(|name| !name.is_empty()).map(Cow::Borrowed))
        }
        Unverified::TokenClaims(names) => {
            let token = fields.get(&header::AUTHORIZATION).and_then(FieldValue::as_str);
            Ok(token.and_then(|value| claim(value, names)).map(Cow::Owned))
        }
    }
}

/// The value of a field that tells who is calling, if it is there.
fn only<'h>(fields: &'h Fields, name: &HeaderName) -> Result<Option<FieldValue<'h>>, Rejection> {
    let twice = "the field that tells who is calling is there twice";
    fields.sole(name).map_err(|_twice| Rejection::HeadMalformed(twice))
}

/// Whether a peer at `address` is believed where those `from` some networks are.
fn is_believed(from: &[Network], address: Option<IpAddr>) -> bool {
    let is_in = |address| from.iter().any(|network| network.contains(address));
    from.is_empty() || address.is_some_and(is_in)
}

/// The first of the claims `names` that the bearer token in `value` has as a string.
fn claim(value: &str, names: &[String]) -> Option<String> {
    let token = token::bearer(value).and_then(token::parts)?;
    let json = URL_SAFE_NO_PAD.decode(token.payload).ok()?;
    let mut reader = serde_json::Deserializer::from_slice(&json);
    let found = reader.deserialize_map(Wanted(names)).ok()?;
    reader.end().ok()?;
    found
}

/// Reads the claims `names` and skips the rest.
struct Wanted<'n>(&'n [String]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Self::Value, A::Error> {
        let mut best: Option<(usize, String)> = None;
        while let Some(name) = claims.next_key::<String>()? {
            match self.0.iter().position(|wanted| *wanted == name) {
                Some(rank) => {
                    let value = claims.next_value::<serde_json::Value>()?;
                    let better = best.as_ref().is_none_or(|(other, _)| rank < *other);
                    if let (serde_json::Value::String(text), true) = (value, better) {
                        best = Some((rank, text));
                    }
                }
                None => {
                    claims.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(best.map(|(_, text)| text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim_of(scheme: &str, payload: &str) -> Option<String> {
        let value = format!("{scheme} e30.{}.sig", URL_SAFE_NO_PAD.encode(payload));
        let names = ["azp".to_owned(), "appid".to_owned()];
        claim(&value, &names)
    }

    #[test]
    fn the_first_listed_claim_that_is_a_string_names_the_caller() {
        let found = |payload| claim_of("Bearer", payload);
        assert_eq!(found(r#"{"appid":"b","azp":"a"}"#).as_deref(), Some("a"));
        assert_eq!(found(r#"{"azp":1,"appid":"b","x":[{}]}"#).as_deref(), Some("b"));
        assert_eq!(found(r#"{"x":"a"}"#), None);
        assert_eq!(found(r#"{"azp":"a"} x"#), None);
        assert_eq!(found(r#"["azp"]"#), None);
        assert_eq!(claim_of("bEARER", r#"{"azp":"a"}"#).as_deref(), Some("a"));
        assert_eq!(claim_of("Basic", r#"{"azp":"a"}"#), None);
    }

    #[test]
    fn what_is_no_token_names_nobody() {
        let long = format!("Bearer a.{}.c", "e".repeat(8 << 10));
        for text in ["Bearer", "Bearer a", "Bearer a.b", "Bearer a.!.c", "Bearer a.b.c.d", &long] {
            assert_eq!(claim(text, &["azp".into()]), None);
        }
    }
}
