//! The connections of one worker. Of those with HTTP/1.1 the one used last is used next, each for
//! one request at a time; one with HTTP/2 takes as many as it has room for.
//!
//! A connection with HTTP/1.1 comes back only when the body of its answer has ended cleanly; all
//! others are closed by being dropped.

use super::lease::{Lease, Source};
use super::message::{Message, Progress};
use super::one::One;
use super::two::{Stream, Two};
use super::{Fault, Settings};
use crate::outbound::{Connector, Obstacle};
use crate::proxy::answer::Answer;
use crate::proxy::trail::Sent;
use crate::telemetry::metrics::Gauge;

use http::uri::{Authority, Scheme};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How often a request that was never begun is sent again, each time on another connection.
const RESENT_MAX: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Pool(Rc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    connector: Connector,
    /// What stands in the URI of a request over HTTP/2.
    origin: Option<(Scheme, Authority)>,
    #[expect(clippy::vec_box, reason = "they come and go with each request, and are large")]
    idle: RefCell<Vec<Box<One>>>,
    multiplexed: RefCell<Vec<Rc<Two>>>,
    /// A connection that is being opened, and that may turn out to have room for all who wait.
    opening: RefCell<Option<Rc<Opening>>>,
    /// Whether the last connection came to HTTP/1.1 although HTTP/2 was offered.
    declined: Cell<bool>,
    open: Rc<Cell<usize>>,
    all: Gauge,
    most: usize,
    most_idle: usize,
    idle_time: Duration,
    age: Duration,
    handshake_time: Duration,
    head_time: Duration,
    total_time: Duration,
}

#[derive(Debug, Default)]
struct Opening {
    /// The connection, where there may be room on it for others.
    end: OnceCell<Result<Option<Rc<Two>>, Fault>>,
    ended: Notify,
}

/// Dropped, it has ended, however it did, and nobody waits for it any longer.
struct UnderWay {
    shared: Rc<Shared>,
    opening: Rc<Opening>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.shared.opening.borrow_mut() = None;
        self.opening.ended.notify_waiters();
    }
}

#[derive(Debug)]
enum Connection {
    One(Box<One>),
    Two(Stream),
}

/// How far a request came that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The upstream may have got some of it, or all.
    Begun,
    /// There was no answer in time; the upstream may have got it.
    Late,
    /// The upstream got it, and says that it did nothing about it.
    Refused,
    /// Not a byte of it was written.
    Unsent,
}

/// One of the open connections, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    open: Rc<Cell<usize>>,
    /// Of all workers.
    all: Gauge,
}

impl Counted {
    fn begin(open: &Rc<Cell<usize>>, all: &Gauge) -> Self {
        open.set(open.get() + 1);
        all.inc();
        Self { open: Rc::clone(open), all: all.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
        self.all.dec();
    }
}

impl Pool {
    /// `all` counts the connections of all workers.
    pub(super) fn new(settings: &Settings, connector: Connector, all: Gauge) -> Self {
        let base = &settings.base;
        Self(Rc::new(Shared {
            connector,
            origin: base.scheme().cloned().zip(base.authority().cloned()),
            idle: RefCell::default(),
            multiplexed: RefCell::default(),
            opening: RefCell::default(),
            declined: Cell::default(),
            open: Rc::default(),
            all,
            most: settings.connections,
            most_idle: settings.idle,
            idle_time: settings.idle_time,
            age: settings.age,
            handshake_time: settings.handshake_time,
            head_time: settings.head_time,
            total_time: settings.total_time,
        }))
    }

    /// Sends `message`, and waits for the head of its answer. What becomes of it meanwhile is `told`.
    pub(super) async fn exchange(
        &self,
        message: &Message,
        told: &impl Fn(Progress),
    ) -> Result<Answer<Lease>, Fault> {
        let mut was_refused = false;
        for attempt in 0..=RESENT_MAX {
            let now = if attempt == 0 { message.began } else { Instant::now() };
            let (connection, since) = self.0.connection(attempt == 0, now).await?;
            let until = since + self.0.head_time;
            let lost = match connection.send(message, until, told).await {
                Ok(answer) => {
                    return Ok(answer.map(|source| Lease::begin(source, &self.0, message.began)));
                }
                Err(lost) => lost,
            };
            if let Lost::Refused | Lost::Unsent = lost {
                told(Progress::Sent(Sent::Nothing));
            }
            match lost {
                Lost::Begun => return Err(Fault::Broken),
                Lost::Late => return Err(Fault::TooSlow),
                Lost::Refused if was_refused => return Err(Fault::Saturated),
                Lost::Refused => was_refused = true,
                Lost::Unsent => {}
            }
        }
        Err(Fault::Unreachable(Obstacle::Other))
    }

    /// Closes connections that were idle for too long.
    pub(super) fn evict(&self) {
        self.0.evict();
    }
}

impl Connection {
    /// Waits `until` then. Without an answer, one with HTTP/1.1 is closed, and of one with HTTP/2 the
    /// stream; where that was too slow, the connection is left to the streams that it has.
    async fn send(
        self,
        message: &Message,
        until: Instant,
        told: &impl Fn(Progress),
    ) -> Result<Answer<Source>, Lost> {
        match self {
            Self::One(mut one) => {
                let answer = one.send(message, until, told).await;
                answer.map(|answer| answer.map(|()| Source::One(one)))
            }
            Self::Two(stream) => {
                // Most connections are no such.
                let answer = Box::pin(timeout_at(until, stream.send(message, told))).await;
                if answer.is_err() {
                    stream.leave();
                }
                let answer = answer.unwrap_or(Err(Lost::Late))?;
                Ok(answer
                    .map(|exchange| Source::Two { exchange: Box::new(exchange), _stream: stream }))
            }
        }
    }
}

impl Shared {
    /// One for the next request, and since when it is there for it, which may be `now`. It may be an
    /// idle one only if `is_first`: where one has died, the others may have died with it.
    async fn connection(
        self: &Rc<Self>,
        is_first: bool,
        mut now: Instant,
    ) -> Result<(Connection, Instant), Fault> {
        loop {
            if let Some(stream) = self.take_stream(now) {
                return Ok((Connection::Two(stream), now));
            }
            if is_first && let Some(one) = self.take_idle(now) {
                return Ok((Connection::One(one), now));
            }
            // Most requests find one, and theirs is the future that is made for each.
            if self.declined.get() || !self.connector.offers_two() {
                let opened = Box::pin(self.open()).await?;
                return Ok((opened, Instant::now()));
            }
            let opened = Box::pin(self.open_for_all()).await?;
            now = Instant::now();
            if let Some(stream) = opened.as_ref().and_then(Two::stream) {
                return Ok((Connection::Two(stream), now));
            }
        }
    }

    /// Waits until one is open that may have room for others as well. Whoever leaves does not keep
    /// the others from getting it.
    async fn open_for_all(self: &Rc<Self>) -> Result<Option<Rc<Two>>, Fault> {
        let begun = self.opening.borrow().clone();
        let opening = begun.unwrap_or_else(|| {
            let opening = Rc::<Opening>::default();
            *self.opening.borrow_mut() = Some(Rc::clone(&opening));
            let under_way = UnderWay { shared: Rc::clone(self), opening: Rc::clone(&opening) };
            tokio::task::spawn_local(async move {
                let UnderWay { shared, opening } = &under_way;
                let end = shared.open().await.map(|connection| match connection {
                    Connection::One(one) => {
                        shared.put_back(one, Instant::now());
                        None
                    }
                    Connection::Two(stream) => Some(stream.connection()),
                });
                let _it_ends_once = opening.end.set(end);
            });
            opening
        });
        opening.ended.notified().await;
        opening.end.get().cloned().unwrap_or(Err(Fault::Unreachable(Obstacle::Other)))
    }

    /// Room on a connection that has some.
    fn take_stream(&self, now: Instant) -> Option<Stream> {
        let multiplexed = self.multiplexed.borrow();
        let mut usable = multiplexed.iter().filter(|two| self.is_usable_two(two, now));
        usable.find_map(Two::stream)
    }

    /// The connection that was used last and can be used again.
    fn take_idle(&self, now: Instant) -> Option<Box<One>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(one) = idle.pop() {
            if now < one.idle_until {
                return Some(one);
            }
        }
        None
    }

    fn is_usable_two(&self, two: &Two, now: Instant) -> bool {
        two.is_open()
            && two.idle_since().is_none_or(|since| now.duration_since(since) < self.idle_time)
            && now.duration_since(two.born) < self.age
    }

    fn evict(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain_mut(|one| now < one.idle_until && !one.is_closed());
        // The streams of one that is left keep it until they have ended.
        self.multiplexed.borrow_mut().retain(|two| self.is_usable_two(two, now));
    }

    async fn open(&self) -> Result<Connection, Fault> {
        if self.open.get() >= self.most {
            // Some of those that are counted may be idle, and dead.
            self.evict();
        }
        if self.open.get() >= self.most {
            return Err(Fault::Saturated);
        }
        let counted = Counted::begin(&self.open, &self.all);
        let wire = self.connector.connect().await?;
        let origin = self.origin.clone().filter(|_| wire.speaks_two());
        self.declined.set(origin.is_none());
        let Some(origin) = origin else {
            let until = Instant::now() + self.age;
            return Ok(Connection::One(Box::new(One::new(wire, counted, until))));
        };
        let life = self.age + self.total_time;
        let opened = timeout(self.handshake_time, Two::open(wire, origin, life, counted)).await;
        let two = Rc::new(opened.map_err(|_| Fault::TooSlow)??);
        self.multiplexed.borrow_mut().push(Rc::clone(&two));
        two.stream().map(Connection::Two).ok_or(Fault::Saturated)
    }

    /// Keeps it for the next request, if it can be used again.
    pub(super) fn put_back(&self, mut one: Box<One>, now: Instant) {
        one.idle_until = one.until.min(now + self.idle_time);
        let mut idle = self.idle.borrow_mut();
        if one.is_free() && now < one.idle_until && idle.len() < self.most_idle {
            idle.push(one);
        }
    }
}
