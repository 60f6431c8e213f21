//! A connection that HTTP/2 is spoken over: for many requests at once, each on a stream of its own.

use super::Fault;
use super::heard::{Heard, Waiting};
use super::message::{Message, Progress};
use super::one::HEAD_MAX;
use super::pool::{Counted, Lost};
use crate::outbound::{Obstacle, Wire};
use crate::proxy::trail::Sent;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, timeout_at};

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Requests on one connection at once, where the upstream does not want fewer.
const STREAMS_MAX: usize = 100;
/// What the upstream may send of an answer before it is read, for one stream and for all: a caller
/// who reads slowly is in nobody else's way.
const STREAM_WINDOW: u32 = 64 << 10;
const WINDOW: u32 = STREAM_WINDOW * 100;
/// What is held of the body of a request that the upstream does not take.
const SEND_BUFFER: usize = 64 << 10;
/// How often an upstream that answers nothing is asked whether it is still there, and how long it
/// may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Two {
    sender: http2::SendRequest<Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
    pub(super) born: Instant,
    idle_since: Cell<Instant>,
    streams: Cell<usize>,
    /// How many streams the upstream wants at most.
    most: Rc<Cell<usize>>,
    /// Whether it is left to the streams that it has.
    is_left: Cell<bool>,
    _counted: Counted,
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
        let heard = Waiting::default();
        let wire = Heard::new(wire, Rc::clone(&heard));
        let (sender, mut driver) = http2::Builder::new(Here { until: born + life })
            .timer(TokioTimer::new())
            .initial_max_send_streams(0)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX))
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIME)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|_| Fault::Unreachable(Obstacle::Other))?;
        // No stream may be opened before the upstream has told how many.
        poll_fn(|cx| {
            if Pin::new(&mut driver).poll(cx).is_ready() {
                return Poll::Ready(Err(Fault::Unreachable(Obstacle::Other)));
            }
            if driver.current_max_send_streams() > 0 {
                return Poll::Ready(Ok(()));
            }
            heard.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await?;
        let most = Rc::new(Cell::new(driver.current_max_send_streams()));
        let told = Rc::clone(&most);
        tokio::task::spawn_local(timeout_at(
            born + life,
            poll_fn(move |cx| {
                let polled = Pin::new(&mut driver).poll(cx);
                told.set(driver.current_max_send_streams());
                polled.map(|ended| {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to the upstream ended");
                    }
                })
            }),
        ));
        Ok(Self {
            sender,
            scheme,
            authority,
            born,
            idle_since: Cell::new(born),
            streams: Cell::new(0),
            most,
            is_left: Cell::new(false),
            _counted: counted,
        })
    }

    /// Whether requests may still be begun on it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_left.get() && !self.sender.is_closed()
    }

    /// Since when it has no stream, if it has none.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.streams.get() == 0).then(|| self.idle_since.get())
    }

    /// A stream, where there is room for one.
    pub(super) fn stream(self: &Rc<Self>) -> Option<Stream> {
        let streams = self.streams.get();
        (streams < STREAMS_MAX.min(self.most.get())).then(|| {
            self.streams.set(streams + 1);
            Stream(Rc::clone(self))
        })
    }
}

/// The room for one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Stream(Rc<Two>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
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
        told: impl Fn(Progress),
    ) -> Result<Response<Incoming>, Lost> {
        let addressed = self.address(message).ok_or(Lost::Unsent)?;
        told(Progress::Sent(Sent::Begun));
        let answer = self.0.sender.clone().try_send_request(addressed).await;
        answer.map_err(|error| {
            self.leave();
            tracing::debug!(error = %error.error(), "a stream to the upstream ended");
            match error.message() {
                Some(_) => Lost::Unsent,
                None if is_refused(error.error()) => Lost::Refused,
                None => Lost::Begun,
            }
        })
    }

    /// The message with its whole URI, in place of `Host`.
    fn address(&self, message: &Message) -> Option<Request<Full<Bytes>>> {
        let mut uri = Parts::default();
        uri.scheme = Some(self.0.scheme.clone());
        uri.authority = Some(self.0.authority.clone());
        uri.path_and_query = Some(message.target.clone());
        let mut request = Request::new(Full::new(message.body.clone()));
        *request.uri_mut() = Uri::from_parts(uri).ok()?;
        *request.method_mut() = message.method.clone();
        *request.headers_mut() = HeaderMap::from(&message.fields);
        request.headers_mut().remove(header::HOST);
        Some(request)
    }
}

/// Whether the upstream itself has said that it did nothing about the request: it refused the
/// stream, or went away and named a last stream before it. (h2 ends the streams after that one, and
/// no others, with the error of the peer's GOAWAY.)
fn is_refused(error: &hyper::Error) -> bool {
    let Some(error) = error.source().and_then(|error| error.downcast_ref::<h2::Error>()) else {
        return false;
    };
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// Runs what a connection consists of on the thread of its worker, for as long as it may live.
#[derive(Clone, Copy, Debug)]
struct Here {
    until: Instant,
}

impl<F: Future + 'static> Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(timeout_at(self.until, async move { drop(future.await) }));
    }
}
