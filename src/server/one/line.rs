//! The two directions of a connection, which the request under way has a part in: its body is read
//! from it, and what the API says before its answer is written to it.

use super::answer::write_interim;
use super::head::Bounds;
use super::intake::Intake;
use super::requests::Requests;
use crate::proxy::answer::Answer;
use crate::proxy::chunks::Taken;
use crate::proxy::request::Interim;
use crate::server::incoming::{Source, Torn};

use bytes::{Buf, Bytes};
use http::Version;
use tokio::io::{AsyncRead, AsyncWrite};

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What is read at once, at most: a body of 64 KiB comes in one piece with its head.
const READ_MAX: usize = 80 << 10;
/// So much is put together before it is written.
const GATHERED: usize = 8 << 10;

/// A socket, what was read of it, and what is to be written to it.
#[derive(Debug)]
pub(super) struct Line<I> {
    pub(super) socket: I,
    pub(super) requests: Requests,
    pub(super) outgoing: Outgoing,
    intake: Intake,
    /// The version of the request whose answer is waited for.
    answering: Option<Version>,
}

impl<I> Line<I> {
    pub(super) fn new(socket: I, bounds: Bounds) -> Self {
        let (requests, outgoing) = (Requests::new(bounds), Outgoing::default());
        Self { socket, requests, outgoing, intake: Intake::new(READ_MAX), answering: None }
    }

    /// Lets what is said before an answer pass, for as long as the answer has not begun.
    pub(super) fn set_answering(&mut self, version: Option<Version>) {
        self.answering = version;
    }
}

impl<I: AsyncRead + Unpin> Line<I> {
    /// Reads more: how many bytes, and none at the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.intake.poll_read(&mut self.socket, &mut self.requests.bytes, cx)
    }
}

impl<I: AsyncWrite + Unpin> Line<I> {
    /// Writes all that is to be written.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_write(&mut self.socket, cx)
    }
}

/// The body of the request under way.
impl<I: AsyncRead + AsyncWrite + Unpin> Source for RefCell<Line<I>> {
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Torn>>> {
        let line = &mut *self.borrow_mut();
        if line.answering.is_none() {
            return Poll::Ready(Some(Err(Torn)));
        }
        loop {
            match line.requests.take_data() {
                Taken::Data(data) => return Poll::Ready(Some(Ok(data))),
                Taken::Ended => return Poll::Ready(None),
                Taken::Broken => return Poll::Ready(Some(Err(Torn))),
                Taken::Nothing => {}
            }
            if line.requests.expects() {
                line.requests.told();
                line.outgoing.bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                // What fails here, fails again where the answer is written.
                let _ = line.poll_write(cx);
            }
            match ready!(line.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Torn))),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.left() == Some(0)
    }

    fn left(&self) -> Option<u64> {
        self.borrow().requests.left()
    }
}

impl<I> Interim for RefCell<Line<I>> {
    fn pass(&self, answer: Answer<()>) {
        let line = &mut *self.borrow_mut();
        // Whoever speaks HTTP/1.0 takes the first answer for the last.
        if line.answering == Some(Version::HTTP_11) {
            write_interim(&answer, &mut line.outgoing.bytes);
        }
    }
}

/// What is to be written: the one behind the other.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) bytes: Vec<u8>,
    pub(super) data: Bytes,
    /// The end of the line behind the data of a chunk.
    pub(super) end: &'static [u8],
    written: usize,
    is_unflushed: bool,
}

impl Outgoing {
    /// Whether more may be put in before this is written.
    pub(super) fn has_room(&self) -> bool {
        self.data.is_empty() && self.end.is_empty() && self.bytes.len() < GATHERED
    }

    fn poll_write<I: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut I,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let bytes = self.bytes.get(self.written..).unwrap_or_default();
            let left = bytes.len() + self.data.len() + self.end.len();
            if left == 0 {
                break;
            }
            let socket = Pin::new(&mut *socket);
            let write = if left == bytes.len() {
                socket.poll_write(cx, bytes)
            } else {
                let data = IoSlice::new(&self.data);
                let slices = [IoSlice::new(bytes), data, IoSlice::new(self.end)];
                socket.poll_write_vectored(cx, &slices)
            };
            match ready!(write)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(Pin::new(socket).poll_flush(cx))?;
            // Most connections have nothing to write at most times.
            *self = Self::default();
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let of_bytes = written.min(self.bytes.len() - self.written);
        self.written += of_bytes;
        let of_data = (written - of_bytes).min(self.data.len());
        self.data.advance(of_data);
        self.end = self.end.get(written - of_bytes - of_data..).unwrap_or_default();
    }
}
