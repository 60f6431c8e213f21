//! The gates, one file each, in the order of the [`stack`](super::stack()).
//!
//! None of them ever makes a caller wait for readiness: `poll_ready` is always ready, so a service
//! may be called as it is.

pub mod collect;
pub mod deadline;
pub mod enforce;
pub mod in_flight;
pub mod observe;
pub mod origin;
pub mod rate_limit;
pub mod request_id;
pub mod rescue;
pub mod resolve;

use pin_project_lite::pin_project;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future on this thread.
pub(crate) type Local<T> = Pin<Box<dyn Future<Output = T>>>;

pin_project! {
    /// Either the way inward, or an end right here.
    #[project = StepProjection]
    pub enum Step<F, T> {
        /// An end right here.
        End { answer: Option<Box<T>> },
        /// The way inward.
        Inward { #[pin] inner: F },
        /// Which of the two it is, has to be waited for.
        Later { waiting: Local<T> },
    }
}

impl<F, T> Step<F, T> {
    /// An end right here. It is boxed: every request on its way inward would keep room for it.
    pub fn end(answer: T) -> Self {
        Self::End { answer: Some(Box::new(answer)) }
    }

    /// The way inward.
    pub fn inward(inner: F) -> Self {
        Self::Inward { inner }
    }

    /// Which of the two it is, has to be waited for.
    pub(crate) fn later(waiting: Local<T>) -> Self {
        Self::Later { waiting }
    }
}

impl<F: Future> Future for Step<F, F::Output> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            StepProjection::End { answer } => {
                answer.take().map_or(Poll::Pending, |answer| Poll::Ready(*answer))
            }
            StepProjection::Inward { inner } => inner.poll(cx),
            StepProjection::Later { waiting } => waiting.as_mut().poll(cx),
        }
    }
}
