//! Pins one snapshot, and finds out what is asked for and by whom: the head of the request is
//! checked, its path brought to normal form, its route and its partner found.

use super::Step;

use crate::live::Live;
use crate::policy::{NormalPath, Resolution, Route};
use crate::proxy::answer::Answer;
use crate::proxy::body::Content;
use crate::proxy::fields::FieldValue;
use crate::proxy::headers::{ACCEPT_PATCH, Via, is_guarded, nominated};
use crate::proxy::identity;
use crate::proxy::problem::add_internal;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Arrived, Head, Routed};
use crate::proxy::target::Target;
use crate::snapshot::{Host, Hosts};

use http::header::{self, HeaderName};
use http::{Method, StatusCode, Uri};
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::sync::Arc;
use std::task::{Context, Poll};

/// Finds the route and the partner of a request, both of one load.
#[derive(Clone, Debug)]
pub struct Resolve<S> {
    inner: S,
    live: Live,
    request_id: HeaderName,
    via: Option<Via>,
    own: Arc<str>,
}

impl<S> Resolve<S> {
    /// By the snapshot in force in `live`; `request_id` names a field that is relied on, `via` is
    /// what we are called in `Via`, and `own` where we answer.
    pub fn layer(
        live: Live,
        request_id: HeaderName,
        via: Option<Via>,
        own: &str,
    ) -> impl Layer<S, Service = Self> + Clone {
        let own: Arc<str> = own.into();
        layer_fn(move |inner| Self {
            inner,
            live: live.clone(),
            request_id: request_id.clone(),
            via: via.clone(),
            own: Arc::clone(&own),
        })
    }

    fn resolve<B>(&self, arrived: Arrived<B>) -> Result<Resolved<B>, Rejection> {
        let Arrived { head, body, peer, unsound, trail } = arrived;
        let snapshot = self.live.load();
        let _ = trail.snapshot.set(Arc::clone(&snapshot));
        if let Some(unsound) = unsound {
            return Err(unsound.into());
        }
        let is_tls = peer.as_ref().is_some_and(|peer| peer.is_tls);
        let path = self.check_head(&head, snapshot.hosts.as_ref(), is_tls)?;
        let route = match snapshot.policy.routes.resolve(head.method.as_str(), &path) {
            Resolution::Found(route) => Arc::clone(route),
            Resolution::MethodNotAllowed(mut allowed) => {
                if head.method == Method::OPTIONS {
                    allowed.push("OPTIONS");
                    let mut answer = options(&allowed, snapshot.policy.routes.iter());
                    add_internal(&mut answer.fields, &self.own);
                    return Ok(Resolved::Options(answer));
                }
                return Err(Rejection::MethodNotAllowed { allow: allowed.join(", ") });
            }
            Resolution::Unknown => return Err(Rejection::Unrouted),
        };
        let _ = trail.route.set(Arc::clone(&route));
        let target = target(&head.target, &path, &route)?;
        let address = peer.as_ref().map(|peer| peer.address);
        let certificate = peer.as_ref().and_then(|peer| peer.certificate.as_deref());
        let partners = &snapshot.partners;
        let partner = identity::find(partners, &head.fields, address, certificate)?;
        let partner = Arc::clone(partner);
        let _ = trail.partner.set(Arc::clone(&partner));
        let routed = Routed { head, target, body, partner, route, snapshot, trail };
        Ok(Resolved::Routed(routed))
    }

    /// Checks what may be read and must not pass; gives the normal form of the path. It is for one of
    /// `hosts`, if those are told.
    fn check_head<'h>(
        &self,
        head: &'h Head,
        hosts: Option<&Hosts>,
        is_tls: bool,
    ) -> Result<NormalPath<'h>, Rejection> {
        let malformed = |why| Err(Rejection::HeadMalformed(why));
        let fields = &head.fields;
        let Ok(Some(line)) = fields.sole(&header::HOST) else {
            return malformed("exactly one `Host` is needed");
        };
        let Some(host) = Host::read(line.as_bytes()) else {
            return malformed("`Host` is malformed");
        };
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            return Err(Rejection::MethodUnsupported);
        }
        let whole = head.target.whole();
        if let Some((uri, authority)) = whole.and_then(|uri| Some((uri, uri.authority()?))) {
            let web = matches!(uri.scheme_str(), Some("http" | "https"));
            if !web || !authority.as_str().as_bytes().eq_ignore_ascii_case(line.as_bytes()) {
                return malformed("the request target names another host than `Host`");
            }
        }
        if let Some(hosts) = hosts {
            let is_https =
                whole.and_then(Uri::scheme_str).map_or(is_tls, |scheme| scheme == "https");
            if !hosts.include(&host, if is_https { 443 } else { 80 }) {
                return Err(Rejection::HostUnknown);
            }
        }
        if fields.sole(&header::AUTHORIZATION).is_err() {
            return malformed("`Authorization` is there twice");
        }
        if fields.sole(&header::CONTENT_TYPE).is_err() {
            return malformed("`Content-Type` is there twice");
        }
        let is_known = |line: FieldValue<'_>| line.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if !fields.get_all(&header::EXPECT).all(is_known) {
            return Err(Rejection::ExpectationUnknown);
        }
        let takes_away = |name: &[u8]| match HeaderName::from_bytes(name) {
            Ok(name) => is_guarded(name.as_str().as_bytes(), &self.request_id),
            Err(_) => false,
        };
        // These are no fields, and nearly all that is ever said there.
        let is_field = |name: &&[u8]| {
            let words: [&[u8]; 2] = [b"close", b"keep-alive"];
            !words.iter().any(|word| name.eq_ignore_ascii_case(word))
        };
        let mut nominated = nominated(fields.get_all(&header::CONNECTION)).filter(is_field);
        if nominated.any(takes_away) {
            return malformed("`Connection` names a field that has to be passed on");
        }
        if self.via.as_ref().is_some_and(|via| via.is_in(fields)) {
            return Err(Rejection::LoopDetected);
        }
        NormalPath::of(head.target.path()).ok_or(Rejection::Unrouted)
    }
}

enum Resolved<B> {
    Options(Answer<Content>),
    Routed(Routed<B>),
}

/// What is sent on: the normal form of the path, and the query as it came.
fn target(came: &Target, path: &NormalPath<'_>, route: &Route) -> Result<Target, Rejection> {
    match came.query() {
        Some(_) if !route.query => {
            return Err(Rejection::HeadMalformed("this route takes no query"));
        }
        Some(query) if !query.is_ascii() => {
            return Err(Rejection::HeadMalformed("the query holds what is not ASCII; escape it"));
        }
        Some(_) | None => {}
    }
    Ok(match came.query() {
        _ if came.path() == path.as_str() => came.clone(),
        Some(query) => Target::of(&format!("{}?{query}", path.as_str())),
        None => Target::of(path.as_str()),
    })
}

/// What a path can do, told without asking the upstream.
fn options<'r>(allowed: &[&str], routes: impl Iterator<Item = &'r Arc<Route>>) -> Answer<Content> {
    let mut answer = Answer::new(StatusCode::NO_CONTENT, Content::empty());
    let fields = &mut answer.fields;
    if let Some(value) = FieldValue::of(&allowed.join(", ")) {
        fields.add(&header::ALLOW, value);
    }
    if allowed.contains(&"PATCH") {
        let mut types: Vec<&str> = routes
            .filter(|route| route.methods.iter().any(|method| method == "PATCH"))
            .flat_map(|route| route.media_types.iter().map(String::as_str))
            .collect();
        types.sort_unstable();
        types.dedup();
        if let Some(value) = FieldValue::of(&types.join(", ")) {
            fields.add(&ACCEPT_PATCH, value);
        }
    }
    answer
}

impl<S, B> Service<Arrived<B>> for Resolve<S>
where
    S: Service<Routed<B>, Response = Answer<Content>, Error = Rejection>,
{
    type Response = Answer<Content>;
    type Error = Rejection;
    type Future = Step<S::Future, Result<Answer<Content>, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Arrived<B>) -> Self::Future {
        match self.resolve(arrived) {
            Ok(Resolved::Routed(routed)) => Step::inward(self.inner.call(routed)),
            Ok(Resolved::Options(answer)) => Step::end(Ok(answer)),
            Err(rejection) => Step::end(Err(rejection)),
        }
    }
}
