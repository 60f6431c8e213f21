//! The body of a request, whichever version of HTTP it comes by.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body of a request, on its way.
pub(super) struct Incoming(Option<Rc<dyn Source>>);

/// Where a body comes from.
pub(super) trait Source {
    /// The next part of it; nothing at its end.
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Torn>>>;

    /// Whether the end of it has come.
    fn is_over(&self) -> bool;

    /// How many bytes of it are to come, if that is known.
    fn left(&self) -> Option<u64>;
}

impl Incoming {
    /// No body.
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// What comes from `source`.
    pub(super) fn of(source: Rc<dyn Source>) -> Self {
        Self(Some(source))
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

/// Trailers stay on their hop.
impl Body for Incoming {
    type Data = Bytes;
    type Error = Torn;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Torn>>> {
        match &self.0 {
            Some(source) => source.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.is_over())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(source) => source.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// A body broke off, or is not framed as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn;

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the request broke off")
    }
}

impl std::error::Error for Torn {}
