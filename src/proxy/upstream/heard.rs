//! A connection to the upstream whose bytes are seen as they come in.
use crate::outbound::Wire;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Who sees the bytes.
pub(super) trait Tap: Unpin {
    /// Sees what was read, which is nothing at the end.
    ///
    /// # Errors
    ///
    /// When it is not what the upstream may send.
    fn see(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A connection whose bytes `tap` sees.
#[derive(Debug)]
pub(super) struct Tapped<T> {
    wire: Wire,
    tap: T,
}

impl<T: Tap> Tapped<T> {
    pub(super) fn new(wire: Wire, tap: T) -> Self {
        Self { wire, tap }
    }
}

impl<T: Tap> AsyncRead for Tapped<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut this.wire).poll_read(cx, buffer))?;
        Poll::Ready(this.tap.see(buffer.filled().get(before..).unwrap_or_default()))
    }
}

impl<T: Tap> AsyncWrite for Tapped<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
