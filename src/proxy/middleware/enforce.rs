//! Asks the judge, and reads the current state if, and only if, the judge asks for it.

use super::Local;

use crate::policy::{Caller, Current, Facts, IfMatch, Need, Permit, Verdict};
use crate::proxy::body::Content;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Permitted, Routed};
use crate::proxy::trail::Decision;
use crate::proxy::upstream::{Fault, Fetched, Representation, Upstream};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::hash::{BuildHasher, Hasher, RandomState};
use std::task::{Context, Poll};
use std::time::Duration;

/// How often a request is judged again because the document moved under our own pin.
const REJUDGED_MAX: usize = 2;

/// Lets through what the policy permits.
///
/// It is a service only right above the upstream: nothing can be put between what is judged and
/// what is sent.
#[derive(Clone, Debug)]
pub struct Enforce<S> {
    upstream: S,
}

impl<S> Enforce<S> {
    /// The policy comes with the request.
    pub fn layer() -> impl Layer<S, Service = Self> + Clone {
        layer_fn(|upstream| Self { upstream })
    }
}

impl Service<Routed<Bytes>> for Enforce<Upstream> {
    type Response = Response<Content>;
    type Error = Rejection;
    type Future = Local<Result<Response<Content>, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.upstream.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed<Bytes>) -> Self::Future {
        Box::pin(enforce(self.upstream.clone(), routed))
    }
}

async fn enforce(
    mut upstream: Upstream,
    routed: Routed<Bytes>,
) -> Result<Response<Content>, Rejection> {
    let lines = routed.headers.get_all(header::IF_MATCH);
    let if_match = IfMatch::parse(lines.iter().map(|line| line.as_bytes()));
    let need = match judge(&routed, &if_match, None)? {
        Ruling::Permit(permit) => {
            let (routed, _) = routed.replace_body(());
            return upstream.call(Permitted { routed, permit }).await;
        }
        Ruling::NeedsCurrent(need) => need,
    };
    let is_callers = matches!(if_match, IfMatch::Tags(_));
    let mut rejudged = 0;
    loop {
        let current = match upstream.current(&need, &routed).await {
            Ok(Fetched::Found(current)) => current,
            Ok(Fetched::Answered(response)) => {
                routed.trail.decision.set(Some(Decision::Reject));
                return Ok(response);
            }
            Err(fault) => return Err(Rejection::CurrentUnavailable(fault)),
        };
        let permit = match judge(&routed, &if_match, Some(&current))? {
            Ruling::Permit(permit) => permit,
            Ruling::NeedsCurrent(_) => {
                let why = "the current state does not decide what the policy asks";
                return Err(Rejection::CurrentUnavailable(Fault::Unusable(why)));
            }
        };
        if is_callers || permit.pin().is_none() || rejudged == REJUDGED_MAX {
            let (routed, _) = routed.replace_body(());
            return upstream.call(Permitted { routed, permit }).await;
        }
        let (copy, _) = routed.clone().replace_body(());
        let response = upstream.call(Permitted { routed: copy, permit }).await?;
        // The condition was ours, so its failure is ours too: the document moved in between.
        if response.status() != StatusCode::PRECONDITION_FAILED {
            return Ok(response);
        }
        rejudged += 1;
        tokio::time::sleep(jitter()).await;
    }
}

enum Ruling {
    NeedsCurrent(Need),
    Permit(Permit),
}

fn judge(
    routed: &Routed<Bytes>,
    if_match: &IfMatch,
    current: Option<&Representation>,
) -> Result<Ruling, Rejection> {
    let route = &routed.route;
    let current = match current {
        None => None,
        Some(seen) => {
            let unusable = Fault::Unusable("the current state is not JSON that can be judged");
            let read = Current::read(route, seen.tag.as_deref(), &seen.body);
            Some(read.map_err(|_| Rejection::CurrentUnavailable(unusable))?)
        }
    };
    let caller = Caller { partner: &routed.partner.id, roles: &routed.partner.roles };
    let facts = Facts::read(route, caller, if_match, &routed.body);
    let judgement = routed.snapshot.policy.judge(&facts, current.as_ref());
    routed.trail.warnings.replace(judgement.warnings);
    match judgement.verdict {
        Verdict::NeedsCurrent(need) => Ok(Ruling::NeedsCurrent(need)),
        Verdict::Permit(permit) => {
            let advisory = permit.is_advisory();
            let decision = if advisory { Decision::Advisory } else { Decision::Permit };
            routed.trail.decision.set(Some(decision));
            Ok(Ruling::Permit(permit))
        }
        Verdict::Refuse(violations) => {
            routed.trail.refused(&violations);
            Err(Rejection::Refused(violations))
        }
    }
}

/// A short wait, so that those who collided do not collide again.
fn jitter() -> Duration {
    Duration::from_millis(5 + RandomState::new().build_hasher().finish() % 20)
}
