//! Bounds the time from a request's head to its answer's head.
//!
//! The future inside is dropped when the time is over; what it had learned is in the trail.

use crate::proxy::alarm::Alarm;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::Arrived;

use pin_project_lite::pin_project;
use tokio::time::Instant;
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
        let alarm = arrived.trail.alarm();
        Bounded { inner: self.inner.call(arrived), until, alarm }
    }
}

pin_project! {
    /// An answer, or the end of the time.
    #[derive(Debug)]
    pub struct Bounded<F> {
        #[pin]
        inner: F,
        until: Instant,
        alarm: Alarm,
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
        this.alarm.poll_until(cx, *this.until).map(|()| Err(Rejection::DeadlineExceeded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::proxy::request::Received;

    use http::Request;
    use tokio::time::timeout;
    use tower::{ServiceExt, service_fn};

    /// A request that takes so many milliseconds, or for ever.
    fn arrived(takes: Option<u64>, alarm: &Alarm) -> Arrived<Option<u64>> {
        let alarm = alarm.clone();
        Arrived::new(Received { alarm, ..Request::new(takes).into() }, None)
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_ended() {
        let inner = service_fn(|arrived: Arrived<Option<u64>>| async move {
            assert!(arrived.trail.until.get().is_some());
            match arrived.body {
                Some(0) => {}
                Some(time) => tokio::time::sleep(Duration::from_millis(time)).await,
                None => std::future::pending().await,
            }
            Ok::<_, Rejection>(())
        });
        let deadline = Deadline::layer(Duration::from_millis(20)).layer(inner);
        // They have one alarm, as those of one connection have.
        let alarm = Alarm::default();
        for takes in [Some(0), Some(15), None, Some(15), Some(19), None, None] {
            let began = Instant::now();
            // Nothing lasts for ever here, whatever is wrong.
            let ended =
                timeout(Duration::from_secs(1), deadline.clone().oneshot(arrived(takes, &alarm)));
            let ended = ended.await.unwrap();
            let time = began.elapsed().as_millis();
            match takes {
                Some(takes) => assert!(ended.is_ok() && time == takes.into(), "{takes}: {time}"),
                None => {
                    assert!(matches!(ended, Err(Rejection::DeadlineExceeded)));
                    assert_eq!(time, 20);
                }
            }
        }
    }
}
