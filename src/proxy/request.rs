//! A request on its way: each gate it passes gives it another type, so that a gate that is left
//! out or moved does not compile.

use super::answer::Answer;
use super::fields::{FieldValue, Fields};
use super::random::random;
use super::rejection::{Rejection, Unsound};
use super::target::Target;
use super::trail::Trail;
use crate::credential::Missing;
use crate::limits::Decision;
use crate::partner::{Certificate, Partner};
use crate::policy::route::Param;
use crate::policy::{Permit, Route};
use crate::snapshot::Snapshot;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Version};
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The head of a request.
#[derive(Clone)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// What it is for.
    pub target: Target,
    /// The version of HTTP that it came by.
    pub version: Version,
    /// The fields.
    pub fields: Fields,
}

/// Without fields and target, which hold what must not be logged.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("version", &self.version).finish_non_exhaustive()
    }
}

impl From<Parts> for Head {
    fn from(parts: Parts) -> Self {
        let Parts { method, uri, version, headers, .. } = parts;
        Self { method, target: uri.into(), version, fields: Fields::from(&headers) }
    }
}

/// A request as it comes from a connection.
pub struct Received<B> {
    /// Its head. From here to the upstream it stays in one place, however often the request is moved.
    pub head: Box<Head>,
    /// The body, on its way.
    pub body: B,
    /// Who is at the other end, if that is known.
    pub peer: Option<Rc<Peer>>,
    /// What is wrong with the one that it stands in for, if it does.
    pub unsound: Option<Unsound>,
    /// Who is told what the API says before its answer, if anybody is.
    pub interim: Option<Weak<dyn Interim>>,
}

/// Passes on what the API says before its answer (RFC 9110 §15.2).
pub trait Interim {
    /// Passes `answer` on, where it may be understood.
    fn pass(&self, answer: Answer<()>);
}

/// Without the request, which holds what must not be logged.
impl<B> fmt::Debug for Received<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("unsound", &self.unsound).finish_non_exhaustive()
    }
}

impl<B> From<Request<B>> for Received<B> {
    fn from(request: Request<B>) -> Self {
        let (head, body) = request.into_parts();
        Self { head: Box::new(head.into()), body, peer: None, unsound: None, interim: None }
    }
}

/// A request that has an id, and of which nothing else is known.
pub struct Arrived<B> {
    /// Its head.
    pub head: Box<Head>,
    /// The body, on its way.
    pub body: B,
    /// Who is at the other end, if that is known.
    pub peer: Option<Rc<Peer>>,
    /// What is wrong with the one that it stands in for, if it does.
    pub unsound: Option<Unsound>,
    /// Its id.
    pub id: RequestId,
    /// What is learned of it.
    pub trail: Rc<Trail>,
}

/// A request whose snapshot, partner and route are known.
#[derive(Clone)]
pub struct Routed<B> {
    /// The head, as it came.
    pub head: Box<Head>,
    /// The normal form of the path, and the query where the route takes one.
    pub target: Target,
    /// The body: on its way, or all of it.
    pub body: B,
    /// Who is calling.
    pub partner: Arc<Partner>,
    /// The route that method and path lead to.
    pub route: Arc<Route>,
    /// The load that partner and route come from.
    pub snapshot: Arc<Snapshot>,
    /// Its id.
    pub id: RequestId,
    /// What is learned of it.
    pub trail: Rc<Trail>,
}

/// Without fields, path and body, which hold what must not be logged.
impl<B> fmt::Debug for Arrived<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Without fields, path and body, which hold what must not be logged.
impl<B> fmt::Debug for Routed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Routed");
        debug.field("id", &self.id).field("route", &self.route.id);
        debug.finish_non_exhaustive()
    }
}

/// Method and fields of a request are those of its head.
impl<B> Deref for Routed<B> {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl<B> Arrived<B> {
    /// A request that was `received`, with the id that it has, or a new one.
    pub fn new(received: Received<B>, id: Option<RequestId>) -> Self {
        let Received { head, body, peer, unsound, interim } = received;
        let mut trail = Trail::begin(head.method.clone());
        trail.interim = interim;
        let id = id.unwrap_or_else(|| RequestId::make(trail.at));
        let trail = Rc::new(trail);
        Self { head, body, peer, unsound, id, trail }
    }
}

impl<B> Routed<B> {
    /// Lets it through, if the limits do; the trail learns how they stand.
    pub(super) fn admit(&self, decision: Decision) -> Result<(), Rejection> {
        if !decision.is_admitted() {
            return Err(self.over(&decision));
        }
        self.trail.limited(decision);
        Ok(())
    }

    /// The rejection of it where a limit has no room; the trail learns of it too.
    pub(super) fn over(&self, decision: &Decision) -> Rejection {
        self.trail.limited(*decision);
        // Whatever the policy has said meanwhile, this is what it ends with.
        self.trail.codes.take();
        self.trail.warnings.take();
        if decision.is_closed() {
            return Rejection::LimitsUnavailable { wait: decision.wait() };
        }
        let violated = self.snapshot.limits.violated(&self.partner.account, decision);
        Rejection::RateLimited { wait: decision.wait(), violated }
    }

    /// What the partner is lent to show the upstream, if it is lent anything: then nothing of the caller's
    /// is shown beside it.
    pub(super) fn lent(&self) -> Result<Option<HeaderValue>, Rejection> {
        let Some(credential) = &self.partner.credential else { return Ok(None) };
        let shown = credential.authorization();
        shown.map(Some).map_err(|Missing { wait }| Rejection::CredentialUnavailable { wait })
    }

    /// The same with another body, and the body it had.
    pub fn replace_body<C>(self, body: C) -> (Routed<C>, B) {
        let Self { head, target, body: old, partner, route, snapshot, id, trail } = self;
        let new = Routed { head, target, body, partner, route, snapshot, id, trail };
        (new, old)
    }
}

/// A request that is within its partner's quota.
#[derive(Clone, Debug)]
pub struct Admitted<B>(pub(super) Routed<B>);

/// A request that the policy permits. The bytes to send are in the permit.
#[derive(Debug)]
pub struct Permitted {
    /// The request, without a body of its own.
    pub routed: Routed<()>,
    /// The proof.
    pub permit: Permit,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: IpAddr,
    /// Whether it speaks TLS.
    pub is_tls: bool,
    /// The certificate that it has shown, and that was found good.
    pub certificate: Option<Arc<Certificate>>,
}

impl Peer {
    /// The same, now that TLS is agreed upon; `certificate` is what it has shown, and is good.
    pub fn over_tls(self, certificate: Option<&[u8]>) -> Self {
        let certificate = certificate.map(|der| Arc::new(Certificate::read(der)));
        Self { is_tls: true, certificate, ..self }
    }
}

/// What the id of a request has to be, so that it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// A GUID in its usual form, in any case.
    Guid,
    /// `[0-9A-Za-z._-]{1,128}`.
    Token,
}

/// The id of a request: `[0-9A-Za-z._-]{1,128}`. Whoever tells of the request has it; they share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Rc<str>);

impl RequestId {
    /// A new one, for a request that came `at` this time: a UUID of version 7, by which requests are in the
    /// order in which they came, to the millisecond.
    pub fn make(at: SystemTime) -> Self {
        let millis = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let bits = u128::from(random()) << 64 | u128::from(random());
        let random = bits.to_be_bytes();
        let random = random.first_chunk().copied().unwrap_or_default();
        let millis = u64::try_from(millis).unwrap_or_default();
        let uuid = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut text = [0; Hyphenated::LENGTH];
        Self((&*uuid.hyphenated().encode_lower(&mut text)).into())
    }

    /// The id that `value` is, if it has the right form.
    pub fn parse(value: FieldValue<'_>, form: IdForm) -> Option<Self> {
        let text = value.as_str()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = match form {
            IdForm::Guid => Param::Guid.fits(text),
            IdForm::Token => (1..=128).contains(&text.len()) && text.bytes().all(plain),
        };
        fits.then(|| Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a URN, in two parts: `urn:uuid:…` where it is a UUID.
    pub fn urn(&self) -> [&str; 2] {
        let text = self.as_str();
        let uuid = text.len() == 36 && Uuid::try_parse(text).is_ok();
        [if uuid { "urn:uuid:" } else { "urn:request:" }, text]
    }
}

/// Nothing else may be one, and so it is always a field value.
impl<'i> From<&'i RequestId> for FieldValue<'i> {
    fn from(id: &'i RequestId) -> Self {
        Self::of(&id.0).unwrap_or(Self::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    #[test]
    fn only_plain_and_short_ids_are_kept() {
        for (text, kept) in [
            ("a", true),
            ("0A-z._", true),
            (&*"x".repeat(128), true),
            (&*"x".repeat(129), false),
            ("", false),
            ("a b", false),
            ("a%0d", false),
            ("<a>", false),
        ] {
            let value = FieldValue::of(text).unwrap();
            assert_eq!(RequestId::parse(value, IdForm::Token).is_some(), kept, "{text}");
            assert!(RequestId::parse(value, IdForm::Guid).is_none(), "{text}");
        }
        for text in [&*Uuid::now_v7().to_string(), "01A2030C-fc67-70b1-8fef-0a0ad6421b6a"] {
            let value = FieldValue::of(text).unwrap();
            assert_eq!(RequestId::parse(value, IdForm::Guid).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_request_is_shown_without_its_secrets() {
        let request = Request::builder()
            .uri("/referrals/secret-path?secret-query")
            .header("authorization", "Bearer secret-token")
            .body("secret-body")
            .unwrap();
        let arrived = Arrived::new(request.into(), None);
        let shown = format!("{arrived:?}");
        assert!(shown.starts_with("Arrived") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_made_id_is_a_uuid_urn() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let make = |millis| RequestId::make(at(millis));
        let (id, later) = (make(0x0123_4567_89ab), make(0x0123_4567_89ac));
        assert!(id.urn().concat().starts_with("urn:uuid:01234567-89ab-7"), "{id:?}");
        assert!(id.as_str() < later.as_str());
        assert_eq!(Uuid::try_parse(id.as_str()).unwrap().get_version_num(), 7);
        let alike: std::collections::BTreeSet<_> =
            (0..1000).map(|_| make(7).as_str().to_owned()).collect();
        assert_eq!(alike.len(), 1000);
        let own = RequestId::parse(FieldValue::of("retry-7").unwrap(), IdForm::Token).unwrap();
        assert_eq!(own.urn().concat(), "urn:request:retry-7");
    }
}
