//! The body of an answer, and the connection that it comes over.

use super::one::One;
use super::pool::Shared;
use super::two::{Exchange, Stream};
use crate::proxy::body::Broken;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

/// The body of an answer. Its connection is used again once the body has ended, and only then.
#[derive(Debug)]
pub(super) struct Lease {
    source: Option<Source>,
    pool: Weak<Shared>,
    began: Instant,
    answered: Instant,
}

/// What an answer comes over.
#[derive(Debug)]
pub(super) enum Source {
    One(Box<One>),
    Two { exchange: Box<Exchange>, _stream: Stream },
}

impl Lease {
    /// An answer that has begun just now, to a request that was taken up at the moment `began`.
    pub(super) fn begin(source: Source, pool: &Rc<Shared>, began: Instant) -> Self {
        let (source, pool, answered) = (Some(source), Rc::downgrade(pool), Instant::now());
        let mut lease = Self { source, pool, began, answered };
        lease.end(|| answered);
        lease
    }

    /// When the request was taken up.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// When its head had come.
    pub(super) fn answered(&self) -> Instant {
        self.answered
    }

    /// Ends it here: the connection is closed, or the stream on it.
    pub(super) fn cut(&mut self) {
        self.source = None;
    }

    /// Gives the connection back, if the body is over.
    fn end(&mut self, now: impl FnOnce() -> Instant) {
        if !self.source.as_ref().is_some_and(Source::has_ended) {
            return;
        }
        match (self.source.take(), self.pool.upgrade()) {
            (Some(Source::One(one)), Some(pool)) => pool.put_back(one, now()),
            (Some(Source::One(_) | Source::Two { .. }) | None, _) => {}
        }
    }
}

impl Source {
    fn has_ended(&self) -> bool {
        match self {
            Self::One(one) => one.has_ended(),
            Self::Two { exchange, .. } => exchange.has_ended(),
        }
    }

    fn left(&self) -> Option<u64> {
        match self {
            Self::One(one) => one.left(),
            Self::Two { exchange, .. } => exchange.left(),
        }
    }
}

impl Body for Lease {
    type Data = Bytes;
    type Error = Broken;

    /// Trailers stay on their hop.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = match &mut self.source {
            None => None,
            Some(Source::One(one)) => ready!(one.poll_data(cx)).map(|data| data.map(Frame::data)),
            Some(Source::Two { exchange, .. }) => {
                ready!(exchange.poll_data(cx)).map(|data| data.map(Frame::data))
            }
        };
        self.end(Instant::now);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            None => SizeHint::with_exact(0),
            Some(source) => source.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
