//! The body of an answer: the gateway's own, or the upstream's as it comes.

use super::upstream::{Led, Streamed};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer.
#[derive(Debug)]
pub struct Content(Source);

#[derive(Debug)]
enum Source {
    Own(Option<Bytes>),
    Led(Box<Led>),
    Upstream(Box<Streamed>),
}

impl Content {
    /// Nothing.
    pub fn empty() -> Self {
        Self(Source::Own(None))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Source::Own(Some(bytes.into())))
    }
}

impl From<Streamed> for Content {
    fn from(streamed: Streamed) -> Self {
        // Most answers to a change have none.
        if streamed.is_end_stream() {
            Self::empty()
        } else {
            Self(Source::Upstream(Box::new(streamed)))
        }
    }
}

impl From<Led> for Content {
    fn from(led: Led) -> Self {
        Self(Source::Led(Box::new(led)))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Led(led) => Pin::new(&mut **led).poll_frame(cx),
            Source::Upstream(streamed) => Pin::new(&mut **streamed).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Own(bytes) => bytes.is_none(),
            Source::Led(led) => led.is_end_stream(),
            Source::Upstream(streamed) => streamed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Led(led) => led.size_hint(),
            Source::Upstream(streamed) => streamed.size_hint(),
        }
    }
}

/// An answer's body broke off; the caller's connection must break with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upstream's answer broke off")
    }
}

impl std::error::Error for Broken {}
