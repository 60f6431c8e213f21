//! Holds each partner to the routes that are open to it and to its limits, before a byte of the body
//! is read.

use super::Step;

use crate::limits::{Class, Decision};
use crate::proxy::answer::Answer;
use crate::proxy::body::Content;
use crate::proxy::identity;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Admitted, Routed};

use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::task::{Context, Poll};

/// Refuses a partner that has too many requests under way, or has no room in its quotas. How they
/// stand goes into the trail once that is known, and from there into every answer.
///
/// Here it is only seen whether there is room. It is spent by [`Enforce`](super::enforce::Enforce),
/// once it is known what the request costs; unless malformed requests count too. A request to a route
/// that is not open to its partner counts as one that the policy refuses, and goes no further.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
}

impl<S> RateLimit<S> {
    /// The limits come with the partner.
    pub fn layer() -> impl Layer<S, Service = Self> + Clone {
        layer_fn(|inner| Self { inner })
    }
}

impl<S, B> Service<Routed<B>> for RateLimit<S>
where
    S: Service<Admitted<B>, Response = Answer<Content>, Error = Rejection> + Clone + 'static,
    B: 'static,
{
    type Response = Answer<Content>;
    type Error = Rejection;
    type Future = Step<S::Future, Result<Answer<Content>, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed<B>) -> Self::Future {
        let (limits, account) = (&routed.snapshot.limits, &*routed.partner.account);
        let class = Class::of(&routed.method);
        let Some(slot) = account.room().take() else {
            return Step::end(Err(routed.over(&Decision::crowded(class))));
        };
        let [_, room] = &routed.trail.rooms;
        room.set(Some(slot));
        let cost = limits.cost(0);
        let open = identity::admit(&routed.snapshot.partners, &routed.partner, &routed.route);
        let terms = &limits.terms;
        let spends = terms.counts_malformed || (open.is_err() && terms.counts_refused);
        let decision = match spends {
            true if limits.has_to_wait(account, class) => {
                let mut inner = self.inner.clone();
                return Step::later(Box::pin(async move {
                    let (limits, account) = (&routed.snapshot.limits, &routed.partner.account);
                    routed.admit(limits.decide(account, class, cost).await)?;
                    open?;
                    inner.call(Admitted(routed)).await
                }));
            }
            true => Some(limits.decide_here(account, class, cost)),
            // Most have room, and how they stand is told once it is known what is spent.
            false if limits.has_room(account, class, cost) => {
                routed.trail.had_room.set(true);
                None
            }
            false => Some(limits.look(account, class, cost)),
        };
        let admitted = decision.map_or(Ok(()), |decision| routed.admit(decision));
        match admitted.and(open) {
            Ok(()) => Step::inward(self.inner.call(Admitted(routed))),
            Err(rejection) => Step::end(Err(rejection)),
        }
    }
}
