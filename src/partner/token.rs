//! Tokens that prove who is calling: JWTs (RFC 7519) in the compact form, which a known issuer has
//! signed. What is left open by the RFCs, and what has been attacked before (RFC 8725), is refused.

mod key;
mod key_set;

pub use key::{Algorithm, Keys};
pub use key_set::{KeySet, Source as KeySource, keep};

use crate::json::{self, Bounds, Object, Value};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use std::sync::Arc;
use std::time::Duration;

/// The longest token that is looked at.
const TOKEN_MAX: usize = 8 << 10;

/// What a header or a set of claims may hold.
const BOUNDS: Bounds = Bounds { depth: 16, items: 1_000, values: 2_000, string: TOKEN_MAX };

/// Whose tokens are believed, and for what they have to be made.
#[derive(Debug)]
pub struct Issuer {
    /// The `iss` of its tokens.
    pub name: String,
    /// The `aud` that they are for: one of these.
    pub audiences: Vec<String>,
    /// The `typ` that they have: one of these, whatever their case.
    pub types: Vec<String>,
    /// How they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// The claims that name the caller: the first that is there as a string.
    pub claims: Vec<String>,
    /// What they are signed with.
    pub keys: Arc<KeySet>,
}

/// Nothing can be said of a token before the keys are there.
const NO_KEYS: &str = "the keys of the issuer have not been fetched";

/// Why a token proves nothing. It is for the operator; the caller is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl Broken {
    /// Whether it may prove something later.
    pub fn is_passing(self) -> bool {
        self.0 == NO_KEYS
    }
}

/// One issuer is read in one way.
impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Issuer {}

impl Issuer {
    /// Whom the token `text` proves to be calling at `now`, in seconds since 1970. `None` where it
    /// does not say that it is one of this issuer's.
    pub fn prove(&self, text: &str, now: u64) -> Option<Result<String, Broken>> {
        let parts = parts(text)?;
        let payload = URL_SAFE_NO_PAD.decode(parts.payload).ok()?;
        let claims = object(&payload)?;
        if string(&claims, "iss") != Some(&self.name) {
            return None;
        }
        Some(self.check_signature(&parts).and_then(|()| self.check_claims(&claims, now)))
    }

    fn check_signature(&self, parts: &Parts<'_>) -> Result<(), Broken> {
        let header = URL_SAFE_NO_PAD.decode(parts.header).ok();
        let header =
            header.as_deref().and_then(object).ok_or(Broken("its header is unreadable"))?;
        if header.get("crit").is_some() {
            return Err(Broken("it has extensions that must be understood"));
        }
        let kind = string(&header, "typ").ok_or(Broken("it has no `typ`"))?;
        if !self.types.iter().any(|known| essence(known).eq_ignore_ascii_case(essence(kind))) {
            return Err(Broken("its `typ` is another"));
        }
        let algorithm = string(&header, "alg").and_then(Algorithm::from_name);
        let algorithm = algorithm.filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Broken("its `alg` is not among those of the issuer"))?;
        // Only the name of a key counts. One that the header brings along, or tells where to find,
        // is anybody's.
        let id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(&**id),
            Some(_) => return Err(Broken("its `kid` is no string")),
        };
        let signature = URL_SAFE_NO_PAD.decode(parts.signature);
        let signature = signature.map_err(|_| Broken("its signature is unreadable"))?;
        let verified = self.keys.with(|keys| {
            let key = keys.find(id, algorithm)?;
            Some(key.verifies(algorithm, parts.signed.as_bytes(), &signature))
        });
        match verified {
            Some(Some(true)) => Ok(()),
            Some(Some(false)) => Err(Broken("its signature is wrong")),
            Some(None) => {
                self.keys.miss();
                Err(Broken("no key of the issuer fits it"))
            }
            None => Err(Broken(NO_KEYS)),
        }
    }

    /// Who is calling, if the token is for this gateway, and for now.
    fn check_claims(&self, claims: &Object<'_>, now: u64) -> Result<String, Broken> {
        let is_ours = |audience: &str| self.audiences.iter().any(|known| known == audience);
        let is_for_us = match claims.get("aud") {
            Some(Value::String(audience)) => is_ours(audience),
            Some(Value::Array(audiences)) => {
                audiences.iter().all(|audience| audience.as_str().is_some())
                    && audiences.iter().filter_map(Value::as_str).any(is_ours)
            }
            _ => false,
        };
        if !is_for_us {
            return Err(Broken("it is for another audience"));
        }
        let now = Duration::from_secs(now).as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        let expires = date(claims, "exp")?.ok_or(Broken("it has no `exp`"))?;
        if now >= expires + leeway {
            return Err(Broken("it has expired"));
        }
        for name in ["nbf", "iat"] {
            if date(claims, name)?.is_some_and(|begins| begins > now + leeway) {
                return Err(Broken("it is not valid yet"));
            }
        }
        let mut named = self.claims.iter().filter_map(|name| string(claims, name));
        let caller = named.find(|name| !name.is_empty());
        caller.map(str::to_owned).ok_or(Broken("no claim names the caller"))
    }
}

/// The token of `Authorization: Bearer`, if the field is one.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A token in the compact form of RFC 7515 §7.1.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'t> {
    header: &'t str,
    /// What it says, as base64.
    pub payload: &'t str,
    signature: &'t str,
    /// What the signature is of.
    signed: &'t str,
}

/// The parts of the token `text`, if there are three.
pub fn parts(text: &str) -> Option<Parts<'_>> {
    if text.len() > TOKEN_MAX {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    (!payload.contains('.')).then_some(Parts { header, payload, signature, signed })
}

/// The object that `bytes` are, in which nothing is said twice.
fn object(bytes: &[u8]) -> Option<Object<'_>> {
    let Value::Object(members) = json::read(bytes, BOUNDS).ok()? else { return None };
    Some(members)
}

fn string<'o>(object: &'o Object<'_>, name: &str) -> Option<&'o str> {
    object.get(name).and_then(Value::as_str)
}

/// A time in seconds since 1970, if it is there.
fn date(claims: &Object<'_>, name: &str) -> Result<Option<f64>, Broken> {
    let seconds = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.text().parse::<f64>().ok(),
        Some(_) => None,
    };
    match seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(Broken("a time in it is none")),
    }
}

/// A media type as `typ` has it: without `application/` (RFC 7515 §4.1.9).
fn essence(kind: &str) -> &str {
    match kind.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => kind,
    }
}
