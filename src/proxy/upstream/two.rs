//! A connection that HTTP/2 is spoken over: for many requests at once, each on a stream of its own.

use super::Fault;
use super::message::{Message, Progress};
use super::one::{HEAD_MAX, INFORMATIONAL_MAX, is_interim};
use super::pool::{Counted, Lost};
use crate::outbound::{Obstacle, Wire};
use crate::proxy::answer::Answer;
use crate::proxy::body::Broken;
use crate::proxy::pulse::Pulse;
use crate::proxy::tapped::Tapped;
use crate::proxy::trail::Sent;

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::header;
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Response, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Requests on one connection at once, where the upstream does not want fewer.
const STREAMS_MAX: usize = 100;
/// What the upstream may send of an answer before it is read, for one stream and for all: a caller
/// who reads slowly is in nobody else's way.
const STREAM_WINDOW: u32 = 64 << 10;
const WINDOW: u32 = STREAM_WINDOW * 100;
/// What is held of the body of a request that the upstream does not take.
const SEND_BUFFER: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Two {
    sender: SendRequest<Bytes>,
    scheme: Scheme,
    authority: Authority,
    pub(super) born: Instant,
    idle_since: Cell<Instant>,
    state: Rc<State>,
    /// Whether it is left to the streams that it has.
    is_left: Cell<bool>,
    _counted: Counted,
}

/// What is known of a connection by those who use it and by what drives it.
#[derive(Debug)]
struct State {
    streams: Cell<usize>,
    /// How many streams the upstream wants at most.
    most: Cell<usize>,
    has_ended: Cell<bool>,
}

impl Two {
    /// Greets the upstream, and waits for what it says of its own bounds. Whatever happens on it,
    /// the connection is gone after `life`.
    pub(super) async fn open(
        wire: Wire,
        (scheme, authority): (Scheme, Authority),
        life: Duration,
        counted: Counted,
    ) -> Result<Self, Fault> {
        let born = Instant::now();
        // Whoever waits to hear something of the upstream.
        let waiting = Rc::<Cell<Option<Waker>>>::default();
        let heard = Rc::clone(&waiting);
        let wire = Tapped::new(wire, move |_: &[u8]| {
            if let Some(waiting) = heard.take() {
                waiting.wake();
            }
        });
        let (sender, mut connection) = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(0)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER)
            .handshake(wire)
            .await
            .map_err(|_| Fault::Unreachable(Obstacle::Other))?;
        // No stream may be opened before the upstream has told how many.
        poll_fn(|cx| {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(Err(Fault::Unreachable(Obstacle::Other)));
            }
            if connection.max_concurrent_send_streams() > 0 {
                return Poll::Ready(Ok(()));
            }
            waiting.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await?;
        let state = Rc::new(State {
            streams: Cell::new(0),
            most: Cell::new(connection.max_concurrent_send_streams()),
            has_ended: Cell::new(false),
        });
        tokio::task::spawn_local(timeout_at(born + life, drive(connection, Rc::clone(&state))));
        Ok(Self {
            sender,
            scheme,
            authority,
            born,
            idle_since: Cell::new(born),
            state,
            is_left: Cell::new(false),
            _counted: counted,
        })
    }

    /// Whether requests may still be begun on it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_left.get() && !self.state.has_ended.get()
    }

    /// Since when it has no stream, if it has none.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.state.streams.get() == 0).then(|| self.idle_since.get())
    }

    /// A stream, where there is room for one.
    pub(super) fn stream(self: &Rc<Self>) -> Option<Stream> {
        let State { streams, most, .. } = &*self.state;
        (streams.get() < STREAMS_MAX.min(most.get())).then(|| {
            streams.set(streams.get() + 1);
            Stream(Rc::clone(self))
        })
    }
}

/// The room for one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Stream(Rc<Two>);

impl Drop for Stream {
    fn drop(&mut self) {
        let streams = &self.0.state.streams;
        streams.set(streams.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}

impl Stream {
    /// The connection that it is on.
    pub(super) fn connection(&self) -> Rc<Two> {
        Rc::clone(&self.0)
    }

    /// Has the connection left to the streams that it has.
    pub(super) fn leave(&self) {
        self.0.is_left.set(true);
    }

    /// Sends `message`, and waits for the head of its answer. What becomes of it meanwhile is `told`; that
    /// it has begun, before its first byte.
    pub(super) async fn send(
        &self,
        message: &Message,
        told: &impl Fn(Progress),
    ) -> Result<Answer<Exchange>, Lost> {
        let addressed = self.address(message).ok_or(Lost::Unsent)?;
        let ready = self.0.sender.clone().ready().await;
        let mut sender = ready.map_err(|error| self.lose(&error, Lost::Unsent))?;
        told(Progress::Sent(Sent::Begun));
        let sent = sender.send_request(addressed, message.body.is_empty());
        let (mut answer, stream) = sent.map_err(|error| self.lose(&error, Lost::Unsent))?;
        let mut sending = Sending { stream, body: message.body.clone() };
        let mut informational = 0;
        let answer = poll_fn(|cx| {
            sending.poll(cx);
            while let Some(interim) = take_interim(&mut answer, cx)? {
                informational += 1;
                if informational > INFORMATIONAL_MAX || !is_interim(interim.status()) {
                    return Poll::Ready(Ok(None));
                }
                told(Progress::Interim(interim.into()));
            }
            Pin::new(&mut answer).poll(cx).map_ok(Some)
        });
        match answer.await {
            Ok(Some(answer)) => {
                let left = answer.headers().get(header::CONTENT_LENGTH);
                let left = left.and_then(|length| length.to_str().ok()?.parse().ok());
                Ok(Answer::from(answer).map(|incoming| Exchange { sending, incoming, left }))
            }
            Ok(None) => {
                self.leave();
                tracing::debug!("the upstream says too much before its answer");
                Err(Lost::Begun)
            }
            Err(error) => {
                let lost = if is_refused(&error) { Lost::Refused } else { Lost::Begun };
                Err(self.lose(&error, lost))
            }
        }
    }

    /// A request is lost by `error`: who knows what becomes of others.
    fn lose(&self, error: &h2::Error, lost: Lost) -> Lost {
        self.leave();
        tracing::debug!(%error, "a stream to the upstream ended");
        lost
    }

    /// The message with its whole URI, in place of `Host`.
    fn address(&self, message: &Message) -> Option<Request<()>> {
        let mut uri = Parts::default();
        uri.scheme = Some(self.0.scheme.clone());
        uri.authority = Some(self.0.authority.clone());
        uri.path_and_query = Some(message.target.as_str().parse().ok()?);
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_parts(uri).ok()?;
        *request.method_mut() = message.method.clone();
        // Whoever prints a request by accident prints none of its values.
        *request.headers_mut() = message.fields.to_map(true);
        request.headers_mut().remove(header::HOST);
        Some(request)
    }
}

/// An answer on its way, and what is left of its request.
#[derive(Debug)]
pub(super) struct Exchange {
    sending: Sending,
    incoming: RecvStream,
    /// How much of it is to come, where that was said: h2 holds the upstream to it.
    left: Option<u64>,
}

impl Exchange {
    /// The next part of the answer's body. Trailers stay on their hop.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        // An answer may come before all of its request is sent.
        self.sending.poll(cx);
        Poll::Ready(match ready!(self.incoming.poll_data(cx)) {
            Some(Ok(data)) => {
                // What was taken has been asked for.
                let _ = self.incoming.flow_control().release_capacity(data.len());
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                Some(Ok(data))
            }
            Some(Err(error)) => Some(Err(broken(&error))),
            None => match ready!(self.incoming.poll_trailers(cx)) {
                Ok(_) => None,
                Err(error) => Some(Err(broken(&error))),
            },
        })
    }

    /// How many bytes of the answer are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether the whole answer has come.
    pub(super) fn has_ended(&self) -> bool {
        self.incoming.is_end_stream()
    }
}

fn broken(error: &h2::Error) -> Broken {
    tracing::debug!(%error, "an answer of the upstream broke off");
    Broken
}

/// The body of a request on its way.
#[derive(Debug)]
struct Sending {
    stream: SendStream<Bytes>,
    body: Bytes,
}

impl Sending {
    /// Sends what the upstream takes. That it takes nothing any more, the answer tells.
    fn poll(&mut self, cx: &mut Context<'_>) {
        while !self.body.is_empty() {
            self.stream.reserve_capacity(self.body.len());
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(room))) => {
                    let part = self.body.split_to(room.min(self.body.len()));
                    if self.stream.send_data(part, self.body.is_empty()).is_err() {
                        self.body.clear();
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => self.body.clear(),
                Poll::Pending => return,
            }
        }
    }
}

/// What the upstream said before its answer, if that has come.
fn take_interim(
    answer: &mut ResponseFuture,
    cx: &mut Context<'_>,
) -> Result<Option<Response<()>>, h2::Error> {
    match answer.poll_informational(cx) {
        Poll::Ready(interim) => interim.transpose(),
        Poll::Pending => Ok(None),
    }
}

/// Drives a connection until it ends. An upstream that answers nothing is asked whether it is still there.
async fn drive<I>(mut connection: Connection<I, Bytes>, state: Rc<State>)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let _ending = Ending(Rc::clone(&state));
    let mut pulse = Pulse::of(connection.ping_pong());
    let ended = poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        state.most.set(connection.max_concurrent_send_streams());
        if polled.is_pending() && state.streams.get() > 0 && pulse.poll_lost(cx).is_ready() {
            tracing::debug!("the upstream does not say that it is still there");
            return Poll::Ready(Ok(()));
        }
        polled
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a connection to the upstream ended");
    }
}

/// Dropped, the connection has ended, however it did.
struct Ending(Rc<State>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.has_ended.set(true);
    }
}

/// Whether the upstream itself has said that it did nothing about the request: it refused the
/// stream, or went away and named a last stream before it. (h2 ends the streams after that one, and
/// no others, with the error of the peer's GOAWAY.)
fn is_refused(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}
