//! A socket whose peer must read: a caller that stops reading its answer would otherwise hold it,
//! and the upstream's connection behind it, for ever. In turn the socket does not close in its
//! peer's face: it first reads, for a moment, what is still on its way.

use crate::socket::Socket;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A socket on which a write that gets nowhere fails after a time.
#[derive(Debug)]
pub(super) struct Patient {
    socket: Socket,
    time: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    linger: Option<Linger>,
    resets: Rc<Cell<bool>>,
}

/// What is left of the time and the bytes for which a closing socket reads on.
#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    bytes: usize,
}

/// The bounds of reading on.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_MAX: usize = 1 << 20;

impl Patient {
    /// `resets` tells, at the end, whether a reset has to say that what came before is no whole.
    pub(super) fn new(tcp: TcpStream, time: Duration, resets: Rc<Cell<bool>>) -> Self {
        Self { socket: tcp.into(), time, timer: None, linger: None, resets }
    }

    fn bound<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.timer = None;
            return write;
        }
        let time = self.time;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(time)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        if self.resets.get() {
            let _ = SockRef::from(self.socket.tcp()).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.bound(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.bound(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let linger = match &mut this.linger {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
                this.linger.insert(Linger { end: Box::pin(sleep(LINGER_TIME)), bytes: LINGER_MAX })
            }
        };
        // To close a socket with bytes unread resets the connection, and the peer may then lose
        // the answer that says why.
        let mut buffer = [MaybeUninit::uninit(); 4096];
        while linger.bytes > 0 {
            let mut buffer = ReadBuf::uninit(&mut buffer);
            match Pin::new(&mut this.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    linger.bytes = linger.bytes.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.end.as_mut().poll(cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}
