//! A connection of a caller that HTTP/1 is spoken over: one request after the other, each answered
//! before the next one is read.
//!
//! Nothing but this file, and what is below it, decides where a request ends; what is not sound is
//! answered in its turn, and ends the connection.

mod answer;
mod head;
mod intake;
mod line;
mod requests;

pub use head::Bounds;
pub use requests::Requests;

use super::connection::{Ended, Site, Stack, Times};
use super::incoming::Incoming;
use super::phase::{Draining, Phase};
use crate::proxy::alarm::Alarm;
use crate::proxy::body::Broken;
use crate::proxy::chunks::Taken;
use crate::proxy::fields::Fields;
use crate::proxy::rejection::Unsound;
use crate::proxy::request::{Head, Interim, Received};
use crate::proxy::stack::Answer;
use crate::proxy::target::Target;
use crate::waiter::Waiter;

use answer::{Asked, Sending};
use line::Line;

use http::{Method, Version};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long an answer is still made for a caller that has closed its side. Whether it has left or
/// only has nothing more to say, nothing tells.
const CLOSED_TIME: Duration = Duration::from_secs(5);
/// How long a caller may need to learn that its connection is about to be closed: what it has sent
/// meanwhile is answered.
const LINGER: Duration = Duration::from_millis(200);

/// A connection that HTTP/1 is spoken over.
#[derive(Debug)]
pub(super) struct One<I, S> {
    line: Rc<RefCell<Line<I>>>,
    site: Site<S>,
    times: Times,
    draining: Draining,
    /// Whether the connection has to end with a reset.
    resets: Rc<Cell<bool>>,
    /// Since when the caller is awaited, and how long it may take.
    quiet_since: Instant,
    quiet_time: Duration,
    /// When the head of which a part is there began to come.
    head_since: Option<Instant>,
    /// When the gateway leaves, if it stops.
    leaves_at: Option<Instant>,
    /// When the caller closed its side.
    closed_at: Option<Instant>,
    alarm: Alarm,
    /// Who is told that the gateway stops.
    stop_told: Waiter,
}

/// What comes next on a connection.
#[derive(Debug)]
enum Next {
    Request(Box<Head>),
    Unsound(Unsound),
    Nothing,
}

impl<I, S> One<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Stack,
{
    pub(super) fn new(
        socket: I,
        bounds: Bounds,
        site: Site<S>,
        times: Times,
        draining: Draining,
        resets: Rc<Cell<bool>>,
    ) -> Self {
        Self {
            line: Rc::new(RefCell::new(Line::new(socket, bounds))),
            site,
            times,
            draining,
            resets,
            quiet_since: Instant::now(),
            quiet_time: times.head,
            head_since: None,
            leaves_at: None,
            closed_at: None,
            alarm: Alarm::default(),
            stop_told: Waiter::default(),
        }
    }

    /// Serves the caller until it leaves, or the gateway does.
    pub(super) async fn serve(mut self, mut phases: watch::Receiver<Phase>) -> Result<(), Ended> {
        // What comes of waiting locks the phase, and must not be held.
        let wait = async move { drop(phases.wait_for(|phase| *phase == Phase::Stop).await) };
        let mut stop = pin!(wait);
        loop {
            let next = poll_fn(|cx| self.poll_next(cx, stop.as_mut())).await?;
            let (head, unsound) = match next {
                Next::Request(head) => (head, None),
                Next::Unsound(unsound) => (stand_in(), Some(unsound)),
                Next::Nothing => break,
            };
            let version = head.version;
            let is_bare = head.method == Method::HEAD;
            let Some(answer) = self.answer(head, unsound).await else { return Ok(()) };
            let is_last = unsound.is_some() || version == Version::HTTP_10;
            let closes = poll_fn(|cx| Poll::Ready(is_last || self.ends(cx))).await;
            let asked = Asked { version, is_bare, closes };
            if !self.send(answer, asked).await? {
                break;
            }
            (self.quiet_since, self.quiet_time) = (Instant::now(), self.times.idle);
        }
        let line = &*self.line;
        poll_fn(|cx| Pin::new(&mut line.borrow_mut().socket).poll_shutdown(cx)).await?;
        Ok(())
    }

    /// Waits for the next request.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<io::Result<Next>> {
        let mut line = self.line.borrow_mut();
        loop {
            match line.requests.take_head() {
                Ok(Some(head)) => {
                    self.head_since = None;
                    return Poll::Ready(Ok(Next::Request(head)));
                }
                Ok(None) if self.closed_at.is_some() => return Poll::Ready(Ok(Next::Nothing)),
                Ok(None) => {}
                Err(unsound) => return Poll::Ready(Ok(Next::Unsound(unsound))),
            }
            match line.poll_read(cx)? {
                Poll::Ready(0) => self.closed_at = Some(Instant::now()),
                Poll::Ready(_) => {}
                Poll::Pending => break,
            }
        }
        let has_part = line.requests.has_part();
        drop(line);
        // Nobody is told anything before the gateway begins to leave.
        let may_have_heard = self.draining.has_begun() || !self.stop_told.is(cx);
        if self.leaves_at.is_none() && may_have_heard {
            match stop.poll(cx) {
                Poll::Ready(()) => self.leaves_at = Some(Instant::now() + LINGER),
                Poll::Pending => self.stop_told.note(cx),
            }
        }
        let deadline = if has_part {
            *self.head_since.get_or_insert_with(Instant::now) + self.times.head
        } else {
            let deadline = self.quiet_since + self.quiet_time;
            self.leaves_at.map_or(deadline, |leaves_at| leaves_at.min(deadline))
        };
        ready!(self.alarm.poll_until(cx, deadline));
        Poll::Ready(Ok(if has_part { Next::Unsound(Unsound::HeadTooSlow) } else { Next::Nothing }))
    }

    /// Has the request answered; nothing where nobody waits for it any more.
    async fn answer(&mut self, head: Box<Head>, unsound: Option<Unsound>) -> Option<Answer> {
        self.line.borrow_mut().set_answering(Some(head.version));
        let body = match self.line.borrow().requests.left() {
            Some(0) => Incoming::empty(),
            Some(_) | None => Incoming::of(Rc::clone(&self.line) as _),
        };
        let line: Rc<dyn Interim> = Rc::clone(&self.line) as _;
        let received = Received {
            head,
            body,
            peer: Some(Rc::clone(&self.site.peer)),
            unsound,
            interim: Some(Rc::downgrade(&line)),
            alarm: self.alarm.clone(),
        };
        let mut answer = pin!(self.site.call(received));
        let answer = poll_fn(|cx| {
            if let Poll::Ready(Ok(answer)) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            // What cannot be written now, cannot be later.
            let written = self.line.borrow_mut().poll_write(cx);
            if matches!(written, Poll::Ready(Err(_))) {
                return Poll::Ready(None);
            }
            self.poll_gone(cx).map(|()| None)
        })
        .await;
        self.line.borrow_mut().set_answering(None);
        answer
    }

    /// Whether no other request is to follow the one that is about to be answered. What is there of its
    /// body is passed over, since nobody wants it any more.
    fn ends(&mut self, cx: &mut Context<'_>) -> bool {
        let line = &mut *self.line.borrow_mut();
        let mut has_read = false;
        loop {
            match line.requests.take_data() {
                Taken::Data(_) => {}
                Taken::Ended => break,
                Taken::Broken => return true,
                Taken::Nothing if has_read || line.requests.expects() => return true,
                Taken::Nothing => match line.poll_read(cx) {
                    Poll::Ready(Ok(1..)) => has_read = true,
                    Poll::Ready(Ok(0) | Err(_)) | Poll::Pending => return true,
                },
            }
        }
        line.requests.closes() || self.draining.has_begun()
    }

    /// Sends `answer`, and tells whether another one may follow.
    async fn send(&mut self, answer: Answer, asked: Asked) -> Result<bool, Ended> {
        let (mut sending, body) = {
            let (head, body) = answer.split();
            let out = &mut self.line.borrow_mut().outgoing;
            (Sending::begin(&head, &body.size_hint(), asked, out), body)
        };
        let mut body = pin!((!sending.is_bare()).then_some(body));
        let mut broken = false;
        poll_fn(|cx| {
            loop {
                let mut waits = false;
                while let Some(content) = body.as_mut().as_pin_mut()
                    && self.line.borrow().outgoing.has_room()
                {
                    let Poll::Ready(frame) = content.poll_frame(cx) else {
                        waits = true;
                        break;
                    };
                    let out = &mut self.line.borrow_mut().outgoing;
                    let put = match frame {
                        Some(Ok(frame)) => match frame.into_data() {
                            Ok(data) => sending.put(data, out),
                            // A trailer: it stays on its hop.
                            Err(_) => Ok(()),
                        },
                        Some(Err(Broken)) => Err(Broken),
                        None => {
                            // It is told of before the last of it can have come.
                            body.set(None);
                            sending.end(out)
                        }
                    };
                    if put.is_err() {
                        broken = true;
                        body.set(None);
                    }
                }
                ready!(self.line.borrow_mut().poll_write(cx))?;
                if body.is_none() {
                    return Poll::Ready(io::Result::Ok(()));
                }
                if waits {
                    return self.poll_gone(cx).map(|()| Err(io::ErrorKind::BrokenPipe.into()));
                }
            }
        })
        .await?;
        if broken {
            self.resets.set(sending.ends_with_connection());
            return Err(Broken.into());
        }
        Ok(sending.persists)
    }

    /// Waits until the caller is away for too long.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.closed_at.is_none() {
            let line = &mut *self.line.borrow_mut();
            if line.requests.left() != Some(0) || !line.requests.bytes.is_empty() {
                return Poll::Pending;
            }
            match ready!(line.poll_read(cx)) {
                Ok(0) => self.closed_at = Some(Instant::now()),
                // The next request.
                Ok(_) => return Poll::Pending,
                Err(_) => return Poll::Ready(()),
            }
        }
        let closed_at = self.closed_at.unwrap_or_else(Instant::now);
        self.alarm.poll_until(cx, closed_at + CLOSED_TIME)
    }
}

/// What stands for a request that is none, on its way through the stack: there it is answered, with an
/// id and in the policy's form.
fn stand_in() -> Box<Head> {
    Box::new(Head {
        method: Method::from_bytes(b"REFUSED").unwrap_or_default(),
        target: Target::of("/"),
        version: Version::HTTP_11,
        fields: Fields::default(),
    })
}
