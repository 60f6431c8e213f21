//! Reads the current state of a resource, for the judge alone.

use super::ask::Ask;
use super::shared::Shared;
use super::{Fault, Streamed, Upstream};
use crate::policy::{EntityTag, Need};
use crate::proxy::body::Content;
use crate::proxy::budget::Cut;
use crate::proxy::headers::sole;
use crate::proxy::request::Routed;
use crate::proxy::trail::Source;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;

use std::rc::Rc;

/// What came of asking for the current state.
#[derive(Debug)]
pub enum Fetched {
    /// An answer that says the caller may not have it, or that it is not there: theirs to see.
    Answered(Response<Content>),
    /// It.
    Found(Rc<Representation>),
}

/// How old the current state may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It may come of a read that was under way already. It is as good for a permit, since the
    /// patch is pinned to it: should the document move, the upstream does not apply the patch.
    Any,
    /// It is read from now on. A refusal needs that: the caller may have changed the document since
    /// an older read began, and be right.
    Fresh,
}

/// A representation, and the tag its head gives it.
#[derive(Debug)]
pub struct Representation {
    /// The text of `ETag`; where that is no text, or there are several, it is empty, and no tag.
    pub tag: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Upstream {
    /// Reads what `routed` wants to change, with the caller's own credentials.
    ///
    /// # Errors
    ///
    /// When it cannot be had, whole and in time.
    pub async fn current<B>(
        &self,
        need: &Need,
        routed: &Routed<B>,
        age: Age,
    ) -> Result<Fetched, Fault> {
        let ask = self.0.asks.ask(need, routed);
        let _waiting = routed.trail.waiting();
        let read = self.join_or_fetch(&ask, routed, age);
        let time = self.0.settings.fetch_time;
        tokio::time::timeout(time, read).await.unwrap_or(Err(Fault::TooSlow))
    }

    async fn join_or_fetch<B>(
        &self,
        ask: &Ask,
        routed: &Routed<B>,
        age: Age,
    ) -> Result<Fetched, Fault> {
        if age == Age::Any
            && let Some(shared) = self.0.under_way.join(ask).await
        {
            match shared {
                Shared::Failed(fault) => return Err(fault),
                Shared::Found(seen) => {
                    routed.trail.source.set(Some(Source::Shared));
                    return Ok(Fetched::Found(seen));
                }
                Shared::Private => {}
            }
        }
        routed.trail.source.set(Some(Source::Fetched));
        routed.trail.fetches.set(routed.trail.fetches.get() + 1);
        // Dropped when the caller leaves, and then who has joined reads on.
        let lead = self.0.under_way.lead(ask);
        let fetched = self.fetch(routed).await;
        lead.end(match &fetched {
            Ok(Fetched::Answered(_)) => Shared::Private,
            Ok(Fetched::Found(seen)) => Shared::Found(Rc::clone(seen)),
            Err(fault) => Shared::Failed(*fault),
        });
        fetched
    }

    /// What was read for `routed` under `tag` not long ago.
    pub fn recall<B>(
        &self,
        need: &Need,
        routed: &Routed<B>,
        tag: &EntityTag,
    ) -> Option<Rc<Representation>> {
        let seen = self.0.memory.recall(&self.0.asks.ask(need, routed), tag)?;
        routed.trail.source.set(Some(Source::Remembered));
        Some(seen)
    }

    /// Remembers what was `seen` under the strong `tag`.
    pub fn remember<B>(
        &self,
        need: &Need,
        routed: &Routed<B>,
        tag: &EntityTag,
        seen: &Representation,
    ) {
        self.0.memory.keep(&self.0.asks.ask(need, routed), tag, seen);
    }

    /// Forgets what was seen under `tag`: it is not what is stored any more.
    pub fn forget<B>(&self, need: &Need, routed: &Routed<B>, tag: &EntityTag) {
        self.0.memory.forget(&self.0.asks.ask(need, routed), tag);
    }

    async fn fetch<B>(&self, routed: &Routed<B>) -> Result<Fetched, Fault> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(credentials) = routed.headers.get(header::AUTHORIZATION) {
            headers.insert(header::AUTHORIZATION, credentials.clone());
        }
        self.sign(&mut headers, &routed.id, &routed.trail);
        let mut request = Request::new(Full::default());
        let unusable = Fault::Unusable("the resource has no URI upstream");
        *request.uri_mut() = self.uri(routed.target.clone()).map_err(|_| unusable)?;
        *request.headers_mut() = headers;

        let answer = self.0.pool.exchange(request, |_| {}).await?;
        let status = answer.0.status();
        routed.trail.upstream_status.set(Some(status));
        let response = self.receive(answer, &routed.id, &routed.trail);
        match status {
            StatusCode::OK => Ok(Fetched::Found(Rc::new(self.read(response).await?))),
            StatusCode::FORBIDDEN
            | StatusCode::GONE
            | StatusCode::NOT_FOUND
            | StatusCode::UNAUTHORIZED => Ok(Fetched::Answered(response.map(Content::from))),
            _ => Err(Fault::Unusable("the API did not give the current state when it was asked")),
        }
    }

    async fn read(&self, response: Response<Streamed>) -> Result<Representation, Fault> {
        let (parts, body) = response.into_parts();
        let max = self.0.settings.fetch_max;
        let too_large = Fault::Unusable("the current state is larger than the gateway reads");
        let identity = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
        if !parts.headers.get_all(header::CONTENT_ENCODING).iter().all(identity) {
            return Err(Fault::Unusable("the current state came in a content coding"));
        }
        let read = self.0.budget.read(body, max, None).await.map_err(|cut| match cut {
            Cut::Broken | Cut::TooSlow => Fault::Broken,
            Cut::NoRoom => Fault::Saturated,
            Cut::TooLarge => too_large,
        })?;
        Ok(Representation { tag: tag(&parts.headers), body: read })
    }
}

/// The text of `ETag`. One that is no text, or is not the only one, is not taken for one that is not
/// there: it has to be found wanting, and nothing else may stand in for it.
fn tag(headers: &HeaderMap) -> Option<String> {
    let text = match sole(headers, &header::ETAG) {
        Ok(None) => return None,
        Ok(Some(line)) => line.to_str().unwrap_or_default(),
        Err(_twice) => "",
    };
    Some(text.to_owned())
}
