//! A request on its way: each gate it passes gives it another type, so that a gate that is left
//! out or moved does not compile.

mod id;

pub use id::{IdForm, RequestId};

use super::alarm::Alarm;
use super::answer::Answer;
use super::fields::Fields;
use super::rejection::{Rejection, Unsound};
use super::target::Target;
use super::trail::Trail;
use crate::credential::Missing;
use crate::limits::Decision;
use crate::partner::{Certificate, Partner};
use crate::policy::{Permit, Route};
use crate::snapshot::Snapshot;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Version};

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::sync::Arc;

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
    /// What rings for all that its task waits for.
    pub alarm: Alarm,
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
        let (head, alarm) = (Box::new(head.into()), Alarm::default());
        Self { head, body, peer: None, unsound: None, interim: None, alarm }
    }
}

/// A request that has an id, in its trail, and of which nothing else is known.
pub struct Arrived<B> {
    /// Its head.
    pub head: Box<Head>,
    /// The body, on its way.
    pub body: B,
    /// Who is at the other end, if that is known.
    pub peer: Option<Rc<Peer>>,
    /// What is wrong with the one that it stands in for, if it does.
    pub unsound: Option<Unsound>,
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
    /// What is learned of it.
    pub trail: Rc<Trail>,
}

/// Without fields, path and body, which hold what must not be logged.
impl<B> fmt::Debug for Arrived<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived").field("id", &self.trail.id).finish_non_exhaustive()
    }
}

/// Without fields, path and body, which hold what must not be logged.
impl<B> fmt::Debug for Routed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Routed");
        debug.field("id", &self.trail.id).field("route", &self.route.id);
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
        let Received { head, body, peer, unsound, interim, alarm } = received;
        // It is not touched before it is where it stays, as it is large.
        let trail = Rc::new(Trail::begin(head.method.clone(), id));
        let _it_begins_once = (trail.alarm.set(alarm), interim.map(|pass| trail.interim.set(pass)));
        Self { head, body, peer, unsound, trail }
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
        let Self { head, target, body: old, partner, route, snapshot, trail } = self;
        let new = Routed { head, target, body, partner, route, snapshot, trail };
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
