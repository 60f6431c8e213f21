//! Bounds how many requests are under way; sheds the rest at once, and never queues.

use super::Step;

use crate::limits::{Capacity, Slot};
use crate::proxy::answer::Answer;
use crate::proxy::body::Content;
use crate::proxy::rejection::Rejection;

use pin_project_lite::pin_project;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Lets a request pass if there is room. The room is held until the answer's body has ended: a
/// body that streams slowly is a request under way.
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

impl<S, R> Service<R> for InFlight<S>
where
    S: Service<R, Response = Answer<Content>, Error = Rejection>,
{
    type Response = Answer<Content>;
    type Error = Rejection;
    type Future = Step<Holding<S::Future>, Result<Answer<Content>, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.capacity.take() {
            Some(slot) => Step::inward(Holding::new(self.inner.call(request), slot)),
            None => Step::end(Err(Rejection::Overloaded)),
        }
    }
}

pin_project! {
    /// An answer on its way, and the room its request takes up.
    #[derive(Debug)]
    pub struct Holding<F> {
        #[pin]
        inner: F,
        slot: Option<Slot>,
    }
}

impl<F> Holding<F> {
    pub(super) fn new(inner: F, slot: Slot) -> Self {
        Self { inner, slot: Some(slot) }
    }
}

impl<F> Future for Holding<F>
where
    F: Future<Output = Result<Answer<Content>, Rejection>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx))?;
        let slot = this.slot.take();
        Poll::Ready(Ok(match slot {
            Some(slot) => answer.map(|content| content.holding(slot)),
            None => answer,
        }))
    }
}
