//! The way into the stack, one for each connection: it counts what goes in and what has come out
//! again, and knows which request only stands in for one that was not sound.

use super::phase::Draining;
use super::two::normalise;
use crate::proxy::rejection::Unsound;
use crate::proxy::request::{Peer, Received};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::Service;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// How long a caller may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// From the first byte of a head to its last, and from the connection to the first byte.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

/// What is known of the requests of one connection.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) times: Times,
    begun: Cell<u64>,
    open: Cell<u64>,
    quiet_since: Cell<Instant>,
    unsound: Cell<Option<(u64, Unsound)>>,
    draining: Option<Draining>,
    /// Whether the connection has to end with a reset.
    resets: Rc<Cell<bool>>,
}

impl Tally {
    /// Of a connection that was just made. Where answers say whether they are the last, `draining`
    /// tells it; `resets` is told whether the connection has to end with a reset.
    pub(super) fn begin(
        times: Times,
        draining: Option<Draining>,
        resets: Rc<Cell<bool>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            times,
            begun: Cell::new(0),
            open: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            unsound: Cell::new(None),
            draining,
            resets,
        })
    }

    /// Since when no request has been under way; `None` while one is.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        (self.open.get() == 0).then(|| self.quiet_since.get())
    }

    /// When the caller will have been silent for too long, as far as can be told now: while a
    /// request is under way, its end is yet to come.
    pub(super) fn deadline(&self) -> Instant {
        self.quiet_since().unwrap_or_else(Instant::now) + self.quiet_time()
    }

    /// The same, or an earlier moment: as if no request were under way.
    pub(super) fn earliest_deadline(&self) -> Instant {
        self.quiet_since.get() + self.quiet_time()
    }

    /// How long nothing may come where no request is under way.
    fn quiet_time(&self) -> Duration {
        if self.begun.get() == 0 { self.times.head } else { self.times.idle }
    }

    /// Notes that the request after the first `sound` only stands in for one that is not.
    pub(super) fn refuse(&self, sound: u64, unsound: Unsound) {
        self.unsound.set(Some((sound + 1, unsound)));
    }

    /// Whether no further request is wanted.
    fn is_leaving(&self) -> bool {
        self.draining.as_ref().is_some_and(Draining::has_begun)
    }

    /// Counts a request that comes in by `version`. What is given is dropped when its answer has ended.
    fn enter(self: &Rc<Self>, version: Version) -> (Option<Unsound>, Turn) {
        self.begun.set(self.begun.get() + 1);
        self.open.set(self.open.get() + 1);
        let unsound = self.unsound.get().filter(|(index, _)| *index == self.begun.get());
        (unsound.map(|(_, unsound)| unsound), Turn { tally: Rc::clone(self), version })
    }
}

/// A request that is under way.
#[derive(Debug)]
struct Turn {
    tally: Rc<Tally>,
    version: Version,
}

impl Turn {
    /// Notes that the answer breaks off. With HTTP/1.0 the end of the connection may be that of a whole
    /// one, and only a reset cannot.
    fn break_off(&self) {
        if self.version == Version::HTTP_10 {
            self.tally.resets.set(true);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.tally.open.set(self.tally.open.get() - 1);
        self.tally.quiet_since.set(Instant::now());
    }
}

/// The stack as hyper calls it.
#[derive(Debug)]
pub(super) struct Entrance<S> {
    stack: Rc<RefCell<S>>,
    tally: Rc<Tally>,
    peer: Rc<Peer>,
}

impl<S> Entrance<S> {
    /// The way into `stack` for `peer`.
    pub(super) fn new(stack: Rc<RefCell<S>>, tally: Rc<Tally>, peer: Peer) -> Self {
        Self { stack, tally, peer: Rc::new(peer) }
    }
}

impl<S, C> hyper::service::Service<Request<Incoming>> for Entrance<S>
where
    S: Service<Received, Response = Response<C>>,
{
    type Response = Response<Counted<C>>;
    type Error = S::Error;
    type Future = Counted<S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (unsound, turn) = self.tally.enter(request.version());
        normalise(&mut request);
        // Whoever prints a request by accident prints none of its values.
        request.headers_mut().values_mut().for_each(|value| value.set_sensitive(true));
        let received = Received { request, peer: Some(Rc::clone(&self.peer)), unsound };
        let mut stack = self.stack.borrow_mut();
        // Every gate is always ready (see `proxy::middleware`), so asking is a formality, and one stack
        // serves all that a worker serves.
        let ready = stack.poll_ready(&mut Context::from_waker(Waker::noop()));
        debug_assert!(ready.is_ready(), "a gate made a caller wait");
        Counted { inner: stack.call(received), turn: Some(turn) }
    }
}

pin_project! {
    /// An answer, or its body: the request is under way until it has ended.
    #[derive(Debug)]
    pub(super) struct Counted<T> {
        #[pin]
        inner: T,
        turn: Option<Turn>,
    }
}

impl<F, C, E> Future for Counted<F>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = Result<Response<Counted<C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let turn = this.turn.take();
        if turn.as_ref().is_some_and(|turn| turn.tally.is_leaving()) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|inner| Counted { inner, turn })))
    }
}

impl<C: Body> Body for Counted<C> {
    type Data = C::Data;
    type Error = C::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<C::Data>, C::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let (Some(Err(_)), Some(turn)) = (&frame, this.turn) {
            turn.break_off();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
