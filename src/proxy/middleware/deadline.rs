//! Bounds the time from a request's head to its answer's head.
//!
//! The future inside is dropped when the time is over; what it had learned is in the trail.

use crate::proxy::rejection::Rejection;
use crate::proxy::request::Arrived;

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Ends a request that takes too long.
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    time: Duration,
}

impl<S> Deadline<S> {
    /// A request may take `time`.
    pub fn layer(time: Duration) -> impl Layer<S, Service = Self> + Clone {
        layer_fn(move |inner| Self { inner, time })
    }
}

impl<S, B> Service<Arrived<B>> for Deadline<S>
where
    S: Service<Arrived<B>, Error = Rejection>,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Bounded<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Arrived<B>) -> Self::Future {
        let until = arrived.trail.began + self.time;
        let _it_comes_here_once = arrived.trail.until.set(until);
        Bounded { inner: self.inner.call(arrived), end: sleep_until(until) }
    }
}

pin_project! {
    /// An answer, or the end of the time.
    #[derive(Debug)]
    pub struct Bounded<F> {
        #[pin]
        inner: F,
        #[pin]
        end: Sleep,
    }
}

impl<F, T> Future for Bounded<F>
where
    F: Future<Output = Result<T, Rejection>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result);
        }
        this.end.poll(cx).map(|()| Err(Rejection::DeadlineExceeded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::request::RequestId;

    use http::Request;
    use tower::{ServiceExt, service_fn};

    fn arrived(body: bool) -> Arrived<bool> {
        Arrived::new(Request::new(body).into(), RequestId::make())
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended() {
        let inner = service_fn(|arrived: Arrived<bool>| async move {
            assert!(arrived.trail.until.get().is_some());
            if arrived.body {
                std::future::pending::<()>().await;
            }
            Ok::<_, Rejection>(())
        });
        let deadline = Deadline { inner, time: Duration::from_millis(20) };
        assert!(deadline.clone().oneshot(arrived(false)).await.is_ok());
        let late = deadline.oneshot(arrived(true)).await;
        assert!(matches!(late, Err(Rejection::DeadlineExceeded)));
    }
}
