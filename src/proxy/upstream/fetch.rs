//! Reads the current state of a resource, for the judge alone.

use super::ask::Ask;
use super::memory::Remembered;
use super::message::Message;
use super::shared::{Part, Shared, Since};
use super::{Fault, Streamed, Upstream, throttle};
use crate::limits::Class;
use crate::policy::{Current, EntityTag, Need};
use crate::proxy::answer::Answer;
use crate::proxy::body::Content;
use crate::proxy::budget::Cut;
use crate::proxy::fields::{FieldValue, Fields};
use crate::proxy::rejection::Rejection;
use crate::proxy::request::Routed;
use crate::proxy::span::{OpenSpan, Stage};
use crate::proxy::trail::Source;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

/// What came of asking for the current state.
#[derive(Debug)]
pub enum Fetched {
    /// An answer that says the caller may not have it, or that it is not there: theirs to see.
    Answered(Answer<Content>),
    /// It.
    Found(Rc<Representation>),
}

/// A representation, and the tag its head gives it.
#[derive(Clone, Debug)]
pub struct Representation {
    /// The text of `ETag`; where that is no text, or there are several, it is empty, and no tag.
    pub tag: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Upstream {
    /// What `routed` asks for, where the judge needs it.
    pub fn ask<B>(&self, need: Need, routed: &Routed<B>) -> Ask {
        self.0.asks.ask(need, routed)
    }

    /// This moment, for [`current`](Self::current).
    pub fn now(&self) -> Since {
        self.0.under_way.now()
    }

    /// Reads what `routed` wants to change, with the caller's own credentials, or joins a read of
    /// the same that has begun since then.
    ///
    /// # Errors
    ///
    /// When it cannot be had, whole and in time, or a limit has no room for another read.
    pub async fn current<B>(
        &self,
        ask: &Ask,
        routed: &Routed<B>,
        since: Since,
    ) -> Result<Fetched, Rejection> {
        let span = routed.trail.begin_span(Stage::Prefetch, Instant::now);
        let time = self.0.settings.fetch_time;
        let joining = self.0.under_way.join_or_lead(ask, since);
        let lead = match timeout_at(Instant::now() + time, joining).await {
            Err(_) => {
                span.failed(Fault::TooSlow.slug());
                return Err(unavailable(Fault::TooSlow));
            }
            Ok(Part::Joined(Shared::Failed(fault))) => {
                span.failed(fault.slug());
                return Err(unavailable(fault));
            }
            Ok(Part::Joined(Shared::Found(seen))) => {
                routed.trail.source.set(Some(Source::Shared));
                return Ok(Fetched::Found(seen));
            }
            Ok(Part::Joined(Shared::Private)) => self.0.under_way.lead(ask),
            Ok(Part::Lead(lead)) => lead,
        };
        // From here on the lead is dropped where it comes to nothing that is about others as well,
        // or the caller leaves. Then one of those who joined reads.
        let limits = &routed.snapshot.limits;
        let account = &routed.partner.account;
        let decision = limits.decide(account, Class::Prefetch, NonZeroU32::MIN).await;
        if !decision.is_admitted() {
            return Err(routed.over(&decision));
        }
        let turn = throttle::turn(routed).await?;
        routed.trail.source.set(Some(Source::Fetched));
        routed.trail.fetches.set(routed.trail.fetches.get() + 1);
        let late = Err(unavailable(Fault::TooSlow));
        let until = Instant::now() + time;
        let fetched = timeout_at(until, self.fetch(routed, until, &span)).await.unwrap_or(late);
        drop(turn);
        match &fetched {
            Ok(Fetched::Answered(_)) => lead.end(Shared::Private),
            Ok(Fetched::Found(seen)) => lead.end(Shared::Found(Rc::clone(seen))),
            Err(Rejection::CurrentUnavailable(fault)) => {
                span.failed(fault.slug());
                lead.end(Shared::Failed(*fault));
            }
            Err(_) => drop(lead),
        }
        fetched
    }

    /// How long after the loss of its answer a change may still be applied, if that is known.
    pub fn settled_after(&self) -> Option<Duration> {
        self.0.settings.settled_after
    }

    /// What was read for `routed` under `tag` not long ago.
    pub fn recall<B>(
        &self,
        ask: &Ask,
        routed: &Routed<B>,
        tag: &EntityTag,
    ) -> Option<Rc<Remembered>> {
        let remembered = self.0.memory.recall(ask, tag)?;
        routed.trail.source.set(Some(Source::Remembered));
        Some(remembered)
    }

    /// Remembers what was `seen`, and read as `current`, if it has a strong tag: until the document
    /// changes by way of this worker.
    pub fn remember(&self, ask: &Ask, seen: &Representation, current: Current<'_>) {
        self.0.memory.keep(ask, seen, current);
    }

    async fn fetch<B>(
        &self,
        routed: &Routed<B>,
        until: Instant,
        span: &OpenSpan<'_>,
    ) -> Result<Fetched, Rejection> {
        let mut fields = Fields::default();
        fields.add(&header::ACCEPT, &HeaderValue::from_static("application/json"));
        fields.add(&header::ACCEPT_ENCODING, &HeaderValue::from_static("identity"));
        let lent = routed.lent()?;
        let own = || routed.fields.get(&header::AUTHORIZATION);
        if let Some(shown) = lent.as_ref().map(FieldValue::from).or_else(own) {
            fields.add(&header::AUTHORIZATION, shown);
        }
        self.sign(&mut fields, &routed.trail, span);
        let target = self.target(routed.target.clone());
        let until = routed.trail.until.get().map_or(until, |deadline| until.min(*deadline));
        let mut message = Message {
            method: Method::GET,
            target,
            fields,
            body: Bytes::new(),
            began: Instant::now(),
            until: Some(until),
            alarm: routed.trail.alarm(),
        };
        let answer = self.exchange(&mut message, &|_| {}).await;
        let answer = answer.map_err(unavailable)?;
        let status = answer.status;
        span.answered(status);
        routed.partner.doubt(status, lent.as_ref());
        routed.trail.upstream_status.set(Some(status));
        let (limits, account) = (&routed.snapshot.limits, &routed.partner.account);
        if let Some(held) = self.heed(limits, account, &answer) {
            return Err(Rejection::UpstreamThrottled(held));
        }
        let answer = self.receive(answer, &routed.trail);
        match status {
            StatusCode::OK => {
                let seen = self.read(answer).await.map_err(unavailable)?;
                Ok(Fetched::Found(Rc::new(seen)))
            }
            StatusCode::FORBIDDEN
            | StatusCode::GONE
            | StatusCode::NOT_FOUND
            | StatusCode::UNAUTHORIZED => Ok(Fetched::Answered(answer.map(Content::from))),
            _ => {
                let why = "the API did not give the current state when it was asked";
                Err(unavailable(Fault::Unusable(why)))
            }
        }
    }

    async fn read(&self, answer: Answer<Streamed>) -> Result<Representation, Fault> {
        let Answer { fields, body, .. } = answer;
        let max = self.0.settings.fetch_max;
        let too_large = Fault::Unusable("the current state is larger than the gateway reads");
        let identity = |coding: FieldValue<'_>| coding.as_bytes().eq_ignore_ascii_case(b"identity");
        if !fields.get_all(&header::CONTENT_ENCODING).all(identity) {
            return Err(Fault::Unusable("the current state came in a content coding"));
        }
        let read = self.0.budget.read(body, max, None).await.map_err(|cut| match cut {
            Cut::Broken | Cut::TooSlow => Fault::Broken,
            Cut::NoRoom => Fault::Saturated,
            Cut::TooLarge => too_large,
        })?;
        Ok(Representation { tag: tag(&fields), body: read })
    }
}

fn unavailable(fault: Fault) -> Rejection {
    Rejection::CurrentUnavailable(fault)
}

/// The text of `ETag`. One that is no text, or is not the only one, is not taken for one that is not
/// there: it has to be found wanting, and nothing else may stand in for it.
fn tag(fields: &Fields) -> Option<String> {
    let mut lines = fields.get_all(&header::ETAG);
    let text = match (lines.next(), lines.next()) {
        (None, _) => return None,
        (Some(line), None) => line.as_str().unwrap_or_default(),
        (Some(_), Some(_)) => "",
    };
    Some(text.to_owned())
}
