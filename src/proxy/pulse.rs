//! Asks the other side of a connection of HTTP/2 again and again whether it is still there.

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How often it is asked, and how long it may take to answer.
const INTERVAL: Duration = Duration::from_secs(20);
const TIME: Duration = Duration::from_secs(10);

/// What is asked on one connection.
#[expect(missing_debug_implementations, reason = "that of h2 has none")]
pub struct Pulse {
    pings: Option<PingPong>,
    timer: Pin<Box<Sleep>>,
    is_asked: bool,
}

impl Pulse {
    /// Asked by `pings`.
    pub fn of(pings: Option<PingPong>) -> Self {
        Self { pings, timer: Box::pin(sleep(INTERVAL)), is_asked: false }
    }

    /// Waits until there is no answer.
    pub fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(pings) = &mut self.pings else { return Poll::Pending };
        loop {
            if self.is_asked && pings.poll_pong(cx).is_ready() {
                self.is_asked = false;
                self.timer.as_mut().reset(Instant::now() + INTERVAL);
            }
            ready!(self.timer.as_mut().poll(cx));
            if self.is_asked {
                self.pings = None;
                return Poll::Ready(());
            }
            // What fails here, fails where the connection is served.
            let _ = pings.send_ping(Ping::opaque());
            self.is_asked = true;
            self.timer.as_mut().reset(Instant::now() + TIME);
        }
    }
}
