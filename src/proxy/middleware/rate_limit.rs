//! Holds each partner to its quota, before a byte of the body is read.

use super::Step;

use crate::limits::Spent;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Admitted, Routed};

use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::task::{Context, Poll};

/// Refuses a partner that has spent its quota. What is left goes into the trail, and from there
/// into every answer.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
}

impl<S> RateLimit<S> {
    /// The quota comes with the partner.
    pub fn layer() -> impl Layer<S, Service = Self> + Clone {
        layer_fn(|inner| Self { inner })
    }
}

impl<S, B> Service<Routed<B>> for RateLimit<S>
where
    S: Service<Admitted<B>, Error = Rejection>,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Step<S::Future, Result<S::Response, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed<B>) -> Self::Future {
        let spent = routed.partner.limit.spend();
        routed.trail.spent.set(Some(spent));
        match spent {
            Spent::Left(_) => Step::inward(self.inner.call(Admitted(routed))),
            Spent::Wait(wait) => {
                let limit = routed.partner.limit.name().to_owned();
                Step::end(Err(Rejection::RateLimited { wait, limit }))
            }
        }
    }
}
