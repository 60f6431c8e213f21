//! The body of an upstream's answer, passed on as it comes and never held.

use super::pool::Lease;
use crate::proxy::body::Broken;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The body of an answer. Its connection is used again once it has ended, and only then.
#[derive(Debug)]
pub struct Streamed {
    incoming: Incoming,
    lease: Option<Lease>,
    silence: Duration,
    /// When it has to be over.
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Streamed {
    pub(super) fn new(incoming: Incoming, lease: Lease, silence: Duration, until: Instant) -> Self {
        let mut streamed = Self { incoming, lease: Some(lease), silence, until, timer: None };
        if streamed.incoming.is_end_stream() {
            streamed.end();
        }
        streamed
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.put_back();
        }
    }

    fn cut(&mut self) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.lease = None;
        Poll::Ready(Some(Err(Broken)))
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        loop {
            if Instant::now() >= this.until {
                tracing::warn!("an answer of the upstream took too long");
                return this.cut();
            }
            match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    this.timer = None;
                    return Poll::Ready(Some(Ok(frame)));
                }
                // A trailer: it stays on its hop.
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    tracing::warn!(%error, "an answer of the upstream broke off");
                    return this.cut();
                }
                Poll::Ready(None) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let (silence, until) = (this.silence, this.until);
                    let timer = this.timer.get_or_insert_with(|| {
                        Box::pin(sleep_until(until.min(Instant::now() + silence)))
                    });
                    ready!(timer.as_mut().poll(cx));
                    if Instant::now() < until {
                        tracing::warn!("the upstream fell silent within an answer");
                        return this.cut();
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        // hyper does not ask again after the last byte of a known length.
        if self.incoming.is_end_stream() {
            self.end();
        }
    }
}
