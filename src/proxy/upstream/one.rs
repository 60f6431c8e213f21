//! A connection that HTTP/1.1 is spoken over: for one request at a time.
//!
//! It is driven by whoever waits for the answer, and by nobody while it is idle: no task of its own, no
//! channel in between.

mod framing;
mod head;

pub(super) use head::HEAD_MAX;

use super::message::{Message, Progress};
use super::pool::{Counted, Lost};
use crate::outbound::Wire;
use crate::proxy::answer::Answer;
use crate::proxy::body::Broken;
use crate::proxy::chunks::Taken;
use crate::proxy::trail::Sent;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

use framing::Framing;
use head::{Head, Reading, Unsound};

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

/// What is read at once, at first and at most.
const READ_MIN: usize = 1 << 10;
const READ_MAX: usize = 64 << 10;
/// What is rather copied behind its head than written beside it.
const COPY_MAX: usize = 4 << 10;
/// How many informational answers may come before the one that counts.
pub(super) const INFORMATIONAL_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct One {
    wire: Wire,
    outgoing: Outgoing,
    /// What was read and not passed on.
    incoming: BytesMut,
    read_size: usize,
    /// What is known of the head that comes next.
    reading: Reading,
    /// How the answer's body ends, of which something is still to come.
    framing: Framing,
    persists: bool,
    /// How long it may be used for requests.
    pub(super) until: Instant,
    /// How long it may wait for the next one.
    pub(super) idle_until: Instant,
    _counted: Counted,
}

/// What is to be written.
#[derive(Debug, Default)]
struct Outgoing {
    /// The head, and a small body behind it.
    head: Vec<u8>,
    body: Bytes,
    /// How many bytes of both are written.
    written: usize,
    /// Whether some are not, or wait to be flushed.
    is_due: bool,
}

impl One {
    /// It may be used `until` then.
    pub(super) fn new(wire: Wire, counted: Counted, until: Instant) -> Self {
        Self {
            wire,
            outgoing: Outgoing::default(),
            incoming: BytesMut::new(),
            read_size: READ_MIN,
            reading: Reading::default(),
            framing: Framing::Length(0),
            persists: true,
            until,
            idle_until: until,
            _counted: counted,
        }
    }

    /// Whether the other side has closed it, or said what nobody has asked for.
    pub(super) fn is_closed(&mut self) -> bool {
        self.poll_read(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Sends `message`, and waits `until` then for the head of its answer. What becomes of it meanwhile is
    /// `told`; that it has begun, before its first byte.
    pub(super) async fn send(
        &mut self,
        message: &Message,
        until: Instant,
        told: &impl Fn(Progress),
    ) -> Result<Answer<()>, Lost> {
        // Others go first: what is written in one go finds whoever reads it awake, and a call to wake
        // somebody costs more than a turn. It may have been closed meanwhile.
        yield_turn().await;
        if self.is_closed() {
            return Err(Lost::Unsent);
        }
        told(Progress::Sent(Sent::Begun));
        self.outgoing.fill(message);
        let mut informational = 0;
        let answer = poll_fn(|cx| {
            let written = self.outgoing.poll_write(&mut self.wire, cx);
            if let Poll::Ready(Err(error)) = written {
                tracing::debug!(%error, "a request could not be written");
                if self.outgoing.written == 0 && !self.wire.is_encrypted() {
                    return Poll::Ready(Err(Lost::Unsent));
                }
                // What the upstream had to say it may have said before.
                self.outgoing.abandon();
                self.persists = false;
            }
            loop {
                match self.take_head(&message.method) {
                    Ok(None) => {}
                    Ok(Some(head)) if !is_interim(head.answer.status) => {
                        return Poll::Ready(Ok(head));
                    }
                    Ok(Some(head)) if informational < INFORMATIONAL_MAX => {
                        told(Progress::Interim(head.answer));
                        informational += 1;
                        continue;
                    }
                    Ok(Some(_)) => return broken(Unsound("there are too many before it")),
                    Err(unsound) => return broken(unsound),
                }
                let Poll::Ready(read) = self.poll_read(cx) else {
                    return message.alarm.poll_until(cx, until).map(|()| Err(Lost::Late));
                };
                match read {
                    Ok(1..) => {}
                    Ok(0) => return broken(Unsound("the connection ended before it")),
                    Err(error) => {
                        tracing::debug!(%error, "there is no answer of the upstream");
                        return Poll::Ready(Err(Lost::Begun));
                    }
                }
            }
        });
        let Head { answer, framing, persists } = answer.await?;
        self.framing = framing;
        self.persists &= persists && answer.status != StatusCode::SWITCHING_PROTOCOLS;
        Ok(answer)
    }

    /// The next part of the answer's body.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        // An answer may come before all of its request is written.
        if let Poll::Ready(Err(_)) = self.outgoing.poll_write(&mut self.wire, cx) {
            self.outgoing.abandon();
            self.persists = false;
        }
        loop {
            match &mut self.framing {
                Framing::Length(0) => return Poll::Ready(None),
                Framing::Length(left) if !self.incoming.is_empty() => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let data = self.incoming.split_to(most.min(self.incoming.len())).freeze();
                    *left -= data.len() as u64;
                    return Poll::Ready(Some(Ok(data)));
                }
                Framing::Chunks(chunks) => match chunks.take(&mut self.incoming) {
                    Taken::Data(data) => return Poll::Ready(Some(Ok(data))),
                    Taken::Ended => self.framing = Framing::Length(0),
                    Taken::Broken => return Poll::Ready(Some(Err(Broken))),
                    Taken::Nothing => {}
                },
                Framing::Close if !self.incoming.is_empty() => {
                    return Poll::Ready(Some(Ok(self.incoming.split().freeze())));
                }
                Framing::Length(_) | Framing::Close => {}
            }
            if self.has_ended() {
                return Poll::Ready(None);
            }
            match ready!(self.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) if matches!(self.framing, Framing::Close) => {
                    self.framing = Framing::Length(0);
                    self.persists = false;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(Broken))),
                Err(error) => {
                    tracing::debug!(%error, "an answer of the upstream broke off");
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
        }
    }

    /// Whether the whole answer was passed on.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.framing, Framing::Length(0))
    }

    /// How many bytes of the answer are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(left) => Some(left),
            Framing::Chunks(_) | Framing::Close => None,
        }
    }

    /// Whether another request may be sent over it: the last one is over, and left nothing behind.
    pub(super) fn is_free(&self) -> bool {
        self.persists && self.has_ended() && !self.outgoing.is_due && self.incoming.is_empty()
    }

    /// The head of an answer, if it is all there.
    fn take_head(&mut self, method: &Method) -> Result<Option<Head>, Unsound> {
        let Some(end) = self.reading.look(&mut self.incoming)? else { return Ok(None) };
        let head = self.reading.take(self.incoming.get(..end).unwrap_or_default(), method);
        self.incoming.advance(end);
        head.map(Some)
    }

    /// Reads more, and nothing at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.incoming.reserve(self.read_size);
        let read = ready!(pin!(self.wire.read_buf(&mut self.incoming)).poll(cx))?;
        if read >= self.read_size {
            self.read_size = (self.read_size * 2).min(READ_MAX);
        }
        Poll::Ready(Ok(read))
    }
}

impl Drop for One {
    fn drop(&mut self) {
        // TLS wants an end that is said. Whoever does not take it does not get it.
        if self.wire.is_encrypted() {
            let _ = Pin::new(&mut self.wire).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Outgoing {
    fn fill(&mut self, message: &Message) {
        self.head.clear();
        head::write(message, &mut self.head);
        if message.body.len() <= COPY_MAX {
            self.head.extend_from_slice(&message.body);
        } else {
            self.body = message.body.clone();
        }
        (self.written, self.is_due) = (0, true);
    }

    /// Leaves what is not written yet.
    fn abandon(&mut self) {
        *self = Self::default();
    }

    /// Writes what the wire takes, head and body together.
    fn poll_write(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_due {
            let in_body = self.written.saturating_sub(self.head.len());
            let head = self.head.get(self.written..).unwrap_or_default();
            let body = self.body.get(in_body..).unwrap_or_default();
            if head.is_empty() && body.is_empty() {
                ready!(Pin::new(&mut *wire).poll_flush(cx))?;
                (self.body, self.is_due) = (Bytes::new(), false);
                break;
            }
            let wire = Pin::new(&mut *wire);
            let write = if body.is_empty() {
                wire.poll_write(cx, head)
            } else {
                wire.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
            };
            match ready!(write)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Lets whatever else is ready on this thread go first. (That of tokio waits for events as well, which
/// is a call.)
async fn yield_turn() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whether another answer follows.
pub(super) fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

fn broken<T>(Unsound(why): Unsound) -> Poll<Result<T, Lost>> {
    tracing::debug!(why, "there is no answer of the upstream");
    Poll::Ready(Err(Lost::Begun))
}
