//! How everything stands, again and again, for as long as somebody listens (server-sent events).

use super::desk::Desk;

use http_body::{Body, Frame};
use hyper::body::Bytes;
use tokio::time::{Interval, MissedTickBehavior, interval};

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The time between one event and the next.
const EVERY: Duration = Duration::from_secs(1);
/// The most that listen at once.
const LISTENERS_MAX: usize = 16;

/// What one of them hears.
pub(super) struct Events {
    desk: Rc<Desk>,
    ticks: Interval,
    /// How soon a browser comes back is told first.
    has_begun: bool,
}

impl Events {
    /// `None` where too many listen.
    pub(super) fn listen(desk: &Rc<Desk>) -> Option<Self> {
        let listeners = desk.listeners.get();
        if listeners == LISTENERS_MAX {
            return None;
        }
        desk.listeners.set(listeners + 1);
        let mut ticks = interval(EVERY);
        // Whoever reads slowly misses some.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(Self { desk: Rc::clone(desk), ticks, has_begun: false })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.desk.listeners.set(self.desk.listeners.get() - 1);
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.ticks.poll_tick(cx));
        let first = if self.has_begun { "" } else { "retry: 1000\n" };
        self.has_begun = true;
        let event = format!("{first}data: {}\n\n", self.desk.status());
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}
