//! Bounds how many requests are under way; sheds the rest at once, and never queues.

use super::Step;

use crate::limits::Capacity;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::Arrived;

use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::task::{Context, Poll};

/// Lets a request pass if there is room. The room is held until the answer's body has ended: a
/// body that streams slowly is a request under way. A rejection is none.
#[derive(Clone, Debug)]
pub struct InFlight<S> {
    inner: S,
    capacity: Capacity,
}

impl<S> InFlight<S> {
    /// The room is `capacity`.
    pub fn layer(capacity: Capacity) -> impl Layer<S, Service = Self> + Clone {
        layer_fn(move |inner| Self { inner, capacity: capacity.clone() })
    }
}

impl<S, B, R> Service<Arrived<B>> for InFlight<S>
where
    S: Service<Arrived<B>, Response = R, Error = Rejection>,
{
    type Response = R;
    type Error = Rejection;
    type Future = Step<S::Future, Result<R, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Arrived<B>) -> Self::Future {
        let Some(slot) = self.capacity.take() else { return Step::end(Err(Rejection::Overloaded)) };
        let [room, _] = &arrived.trail.rooms;
        room.set(Some(slot));
        Step::inward(self.inner.call(arrived))
    }
}
