//! A connection of a caller that HTTP/2 is spoken over: many requests at once, each a stream of its own
//! on the thread that accepted the connection.

mod frames;
mod hpack;
mod stream;

pub use frames::Frames;

use super::connection::{Ended, Site, Stack, Times};
use super::phase::Phase;
use crate::proxy::alarm::Alarms;
use crate::proxy::pulse::Pulse;
use crate::proxy::tapped::Tapped;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Streams that one connection may have open.
const STREAMS_MAX: u32 = 100;
/// What a caller may send of a body before it is read, for one stream and for all.
const STREAM_WINDOW: u32 = 64 << 10;
const WINDOW: u32 = 256 << 10;
/// All header fields of a request; beyond it 431.
const HEADER_MAX: u32 = 16 << 10;
/// Streams that a caller resets before they are accepted, and those that it has us reset.
const RESETS_MAX: usize = 50;

/// Serves the caller until it leaves, or the gateway does. A request and its answer take `life` at most:
/// a caller that takes nothing of its answer is asked for nothing either, and so each ends after a time,
/// whatever it waits for.
pub(super) async fn serve<I, S>(
    socket: I,
    site: Site<S>,
    times: Times,
    life: Duration,
    mut phases: watch::Receiver<Phase>,
) -> Result<(), Ended>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Stack,
{
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADER_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(Some(RESETS_MAX))
        .max_send_buffer_size(STREAM_WINDOW as usize);
    // Both sides agree on what was the last request. Whoever comes later stays until the end.
    let begun = *phases.borrow();
    let tally = Rc::new(Tally::begin(times));
    let frames = Rc::<RefCell<Frames>>::default();
    let looked_at = Rc::clone(&frames);
    let socket = Tapped::new(socket, move |bytes: &[u8]| looked_at.borrow_mut().look(bytes));
    let mut connection = timeout(times.head, builder.handshake(socket)).await??;
    let pulse = Pulse::of(connection.ping_pong());
    let (tally_of_streams, alarms) = (Rc::clone(&tally), Alarms::default());
    let mut streams =
        Streams { connection, frames, pulse, site, tally: tally_of_streams, alarms, life };
    // What comes of waiting locks the phase, and must not be held while the rest is served.
    let ending = pin!(async move { drop(phases.wait_for(|phase| *phase > begun).await) });
    // No further request is taken once the gateway stops, or the caller is silent for too long.
    tokio::select! {
        biased;
        served = streams.serve() => return served,
        () = ending => {
            streams.connection.graceful_shutdown();
            return streams.serve().await;
        }
        () = tally.silence() => {}
    }
    // A caller that does not even take its leave is left.
    streams.connection.graceful_shutdown();
    Box::pin(timeout(times.head, streams.serve())).await?
}

/// The streams of a connection.
struct Streams<I, S> {
    connection: Connection<I, Bytes>,
    frames: Rc<RefCell<Frames>>,
    pulse: Pulse,
    site: Site<S>,
    tally: Rc<Tally>,
    /// As many as there were streams at once.
    alarms: Alarms,
    life: Duration,
}

impl<I: AsyncRead + AsyncWrite + Unpin, S: Stack> Streams<I, S> {
    /// Has every stream answered that comes, until none does.
    async fn serve(&mut self) -> Result<(), Ended> {
        poll_fn(|cx| self.poll_serve(cx)).await
    }

    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        loop {
            if self.pulse.poll_lost(cx).is_ready() {
                self.connection.abrupt_shutdown(Reason::NO_ERROR);
            }
            match self.connection.poll_accept(cx)? {
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some((request, respond))) => {
                    let turn = self.tally.enter();
                    let (alarms, alarm) = (self.alarms.clone(), self.alarms.take());
                    let (site, frames) = (&self.site, &self.frames);
                    let answered = stream::answer(site, request, respond, frames, alarm.clone());
                    let bounded = timeout(self.life, answered);
                    tokio::task::spawn_local(async move {
                        if let Ok(Err(error)) = bounded.await {
                            tracing::debug!(%error, "a stream of a caller ended");
                        }
                        alarms.put_back(alarm);
                        drop(turn);
                    });
                }
            }
        }
    }
}

/// What is known of the streams of one connection.
#[derive(Debug)]
struct Tally {
    times: Times,
    has_begun: Cell<bool>,
    open: Cell<u64>,
    quiet_since: Cell<Instant>,
}

impl Tally {
    fn begin(times: Times) -> Self {
        let quiet_since = Cell::new(Instant::now());
        Self { times, has_begun: Cell::new(false), open: Cell::new(0), quiet_since }
    }

    fn enter(self: &Rc<Self>) -> Turn {
        self.has_begun.set(true);
        self.open.set(self.open.get() + 1);
        Turn(Rc::clone(self))
    }

    /// Waits until no stream has been open for too long.
    async fn silence(&self) {
        loop {
            let time = if self.has_begun.get() { self.times.idle } else { self.times.head };
            let is_quiet = self.open.get() == 0;
            // While a stream is open, the silence behind it is yet to begin.
            let since = if is_quiet { self.quiet_since.get() } else { Instant::now() };
            if is_quiet && since.elapsed() >= time {
                return;
            }
            sleep_until(since + time).await;
        }
    }
}

/// A stream that is open.
#[derive(Debug)]
struct Turn(Rc<Tally>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.quiet_since.set(Instant::now());
    }
}
