//! Bounds how many requests are under way; sheds the rest at once, and never queues.

use crate::proxy::body::Content;
use crate::proxy::rejection::Rejection;

use super::Step;

use http::Response;
use pin_project_lite::pin_project;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

/// Room for so many requests at once, over all workers.
#[derive(Clone, Debug)]
pub struct Capacity(Arc<Room>);

#[derive(Debug)]
struct Room {
    used: AtomicUsize,
    most: usize,
}

impl Capacity {
    /// Room for `most`.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Room { used: AtomicUsize::new(0), most }))
    }

    /// How many are under way.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Takes room for one, if there is any.
    pub fn take(&self) -> Option<Slot> {
        let before = self.0.used.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(&self.0));
        // Dropping the slot takes the count back.
        (before < self.0.most).then_some(slot)
    }
}

/// Room for one, until this is dropped.
#[derive(Debug)]
pub struct Slot(Arc<Room>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}

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
    S: Service<R, Response = Response<Content>, Error = Rejection>,
{
    type Response = Response<Content>;
    type Error = Rejection;
    type Future = Step<Holding<S::Future>, Result<Response<Content>, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.capacity.take() {
            Some(slot) => {
                Step::inward(Holding { inner: self.inner.call(request), slot: Some(slot) })
            }
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

impl<F> Future for Holding<F>
where
    F: Future<Output = Result<Response<Content>, Rejection>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let slot = this.slot.take();
        Poll::Ready(Ok(match slot {
            Some(slot) => response.map(|content| content.holding(slot)),
            None => response,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_when_its_slot_is_dropped() {
        let capacity = Capacity::new(1);
        let slot = capacity.take();
        assert!(slot.is_some() && capacity.take().is_none());
        drop(slot);
        assert_eq!(capacity.used(), 0);
        assert!(capacity.take().is_some());
    }
}
