//! Stands between a caller's socket and hyper, and lets only sound HTTP/1 through.
//!
//! hyper reads heads more leniently than is safe behind or before other readers. So it is shown
//! whole heads only, and only those that [`Scanner`] found sound; in the place of the first that is
//! not, it is shown a small one that stands in for it, and then nothing more. That one goes through
//! the stack and is answered there, after all that came before, with an id and in the policy's form.
//!
//! A head that comes in one piece is looked at where hyper reads it, and not copied.

mod head;
mod scan;

pub use head::{Bounds, Framing};
pub use scan::{Fault, Scanned, Scanner};

use super::entrance::Tally;
use crate::proxy::rejection::Unsound;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long an answer is still made for a caller that has closed its side. Whether it has left or
/// only has nothing more to say, nothing tells.
const CLOSED_TIME: Duration = Duration::from_secs(5);

/// Stands in for a head that is not sound.
const STAND_IN: &[u8] = b"REFUSED / HTTP/1.1\r\nConnection: close\r\n\r\n";

/// A socket of which only sound requests are read.
#[derive(Debug)]
pub(super) struct Guard<S> {
    socket: S,
    scanner: Scanner,
    tally: Rc<Tally>,
    /// What was read and not passed on; the first `sound` bytes may pass.
    held: Vec<u8>,
    sound: usize,
    /// When the head that is held began to come.
    held_since: Instant,
    closed_at: Option<Instant>,
    end: Option<End>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is behind the last byte that may pass.
#[derive(Clone, Copy, Debug)]
enum End {
    /// A body that breaks off.
    Broken,
    /// The end.
    Closed,
    /// Nothing, ever: what stood last is being answered.
    Silence,
}

impl<S: AsyncRead + Unpin> Guard<S> {
    pub(super) fn new(socket: S, bounds: Bounds, tally: Rc<Tally>) -> Self {
        Self {
            socket,
            scanner: Scanner::new(bounds),
            tally,
            held: Vec::new(),
            sound: 0,
            held_since: Instant::now(),
            closed_at: None,
            end: None,
            timer: None,
        }
    }

    /// Answers nothing of the caller's: what stands in for its first request says why.
    pub(super) fn refuse(&mut self, unsound: Unsound) {
        self.held.truncate(self.sound);
        self.held.extend_from_slice(STAND_IN);
        self.sound = self.held.len();
        self.tally.refuse(self.scanner.heads(), unsound);
        self.end = Some(End::Silence);
    }

    fn end_by(&mut self, fault: Option<Fault>) {
        match fault {
            None => {}
            Some(Fault::Body) => {
                self.held.truncate(self.sound);
                self.end = Some(End::Broken);
            }
            Some(Fault::Head(unsound)) => self.refuse(unsound),
        }
    }

    /// Reads right into `buffer`; keeps back a head that has not come whole.
    fn read_through(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Read> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            self.close();
            return Poll::Ready(Ok(false));
        }
        let scanned = self.scanner.scan(new);
        let rest = new.get(scanned.sound..).unwrap_or_default();
        if !rest.is_empty() && scanned.fault.is_none() {
            self.held_since = Instant::now();
            self.held.extend_from_slice(rest);
        }
        buffer.set_filled(before + scanned.sound);
        self.end_by(scanned.fault);
        Poll::Ready(Ok(scanned.sound > 0))
    }

    /// Reads more of a head that is held.
    fn read_on(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        let mut piece = [MaybeUninit::uninit(); 4096];
        let mut piece = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut piece))?;
        if piece.filled().is_empty() {
            self.held.clear();
            self.close();
            return Poll::Ready(Ok(false));
        }
        self.held.extend_from_slice(piece.filled());
        let scanned = self.scanner.scan(&self.held);
        self.sound = scanned.sound;
        self.held_since = if scanned.sound > 0 { Instant::now() } else { self.held_since };
        self.end_by(scanned.fault);
        Poll::Ready(Ok(false))
    }

    /// The caller has closed its side. A body that lacks its end ends there and then.
    fn close(&mut self) {
        self.end = Some(End::Closed);
        self.closed_at = self.scanner.is_before_body().then(Instant::now);
    }

    /// Passes on what is held and sound.
    fn pass(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.sound.min(buffer.remaining());
        buffer.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.drain(..count);
        self.sound -= count;
        if self.held.is_empty() {
            // Most connections never need it again.
            self.held = Vec::new();
        }
    }

    /// When the caller will have been silent for too long, as far as can be told now.
    fn deadline(&self) -> Instant {
        self.own_deadline().unwrap_or_else(|| self.tally.deadline())
    }

    /// The same, or an earlier moment, told without a look at the clock.
    fn earliest_deadline(&self) -> Instant {
        self.own_deadline().unwrap_or_else(|| self.tally.earliest_deadline())
    }

    /// The same, where it does not depend on the requests that are under way.
    fn own_deadline(&self) -> Option<Instant> {
        if let Some(closed_at) = self.closed_at {
            return Some(closed_at + CLOSED_TIME);
        }
        (!self.held.is_empty()).then(|| self.held_since + self.tally.times.head)
    }

    /// Waits until the caller has been silent for too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.take();
        let mut timer = timer.unwrap_or_else(|| Box::pin(sleep_until(self.deadline())));
        // A timer that ends too early is cheaper than one that is set anew for every request.
        if timer.deadline() > self.earliest_deadline() {
            let deadline = self.deadline();
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
        }
        while timer.as_mut().poll(cx).is_ready() {
            let deadline = self.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        self.timer = Some(timer);
        Poll::Pending
    }
}

/// Whether there is something to tell: bytes in the buffer, or the end.
type Read = io::Result<bool>;

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.sound > 0 {
                self.pass(buffer);
                return Poll::Ready(Ok(()));
            }
            match self.end {
                None => {}
                Some(End::Broken) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(End::Closed) => {
                    if self.closed_at.is_some() && self.tally.quiet_since().is_none() {
                        ready!(self.poll_deadline(cx));
                    }
                    return Poll::Ready(Ok(()));
                }
                Some(End::Silence) => return Poll::Pending,
            }
            let read = match self.held.is_empty() {
                true => self.read_through(cx, buffer)?,
                false => self.read_on(cx)?,
            };
            match read {
                Poll::Ready(true) => return Poll::Ready(Ok(())),
                Poll::Ready(false) => {}
                Poll::Pending => {
                    ready!(self.poll_deadline(cx));
                    match self.held.is_empty() {
                        true => self.end = Some(End::Closed),
                        false => self.refuse(Unsound::HeadTooSlow),
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
