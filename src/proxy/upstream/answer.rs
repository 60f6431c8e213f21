//! The body of an upstream's answer, passed on as it comes and never held.

use super::lease::Lease;
use crate::proxy::body::Broken;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The body of an answer, and how long it may take.
#[derive(Debug)]
pub struct Streamed {
    lease: Lease,
    silence: Duration,
    /// When it has to be over.
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    is_cut: bool,
}

impl Streamed {
    pub(super) fn new(lease: Lease, silence: Duration, until: Instant) -> Self {
        Self { lease, silence, until, timer: None, is_cut: false }
    }

    /// Breaks off, but only after whoever passes it on has had time to pass on what came before: that
    /// tells what became of a change.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.is_cut = true;
        self.lease.cut();
        cx.waker().wake_by_ref();
        Poll::Pending
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
        if this.is_cut {
            return Poll::Ready(Some(Err(Broken)));
        }
        loop {
            if Instant::now() >= this.until {
                tracing::warn!("an answer of the upstream took too long");
                return this.cut(cx);
            }
            match Pin::new(&mut this.lease).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    this.timer = None;
                    return Poll::Ready(Some(Ok(frame)));
                }
                // A trailer: it stays on its hop.
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(Broken))) => {
                    tracing::warn!("an answer of the upstream broke off");
                    return this.cut(cx);
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let (silence, until) = (this.silence, this.until);
                    let timer = this.timer.get_or_insert_with(|| {
                        Box::pin(sleep_until(until.min(Instant::now() + silence)))
                    });
                    ready!(timer.as_mut().poll(cx));
                    if Instant::now() < until {
                        tracing::warn!("the upstream fell silent within an answer");
                        return this.cut(cx);
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.is_cut && self.lease.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lease.size_hint()
    }
}
