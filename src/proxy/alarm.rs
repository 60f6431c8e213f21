//! Timers for what is waited for one thing after the other: on a connection, or by the requests of a worker.

use tokio::time::{Instant, Sleep, sleep_until};

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A timer that is made when it is first needed. One that ends too early is cheaper than one that is set
/// anew for every request.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until `deadline`.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// So many are kept for those who come next.
const KEPT: usize = 256;

/// Alarms of a worker: each is used by one request, and then by another.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Rc<RefCell<Vec<Alarm>>>);

impl Alarms {
    /// One that nobody uses.
    pub fn take(&self) -> Alarm {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps `alarm` for whoever comes next.
    pub fn put_back(&self, alarm: Alarm) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT {
            kept.push(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::time::timeout;

    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_has_to_whatever_it_was_set_to_before() {
        let mut alarm = Alarm::default();
        let began = Instant::now();
        for seconds in [5, 2, 9, 1, 0] {
            let deadline = Instant::now() + Duration::from_secs(seconds);
            let rings = poll_fn(|cx| alarm.poll_until(cx, deadline));
            timeout(Duration::from_secs(60), rings).await.unwrap();
            assert_eq!(Instant::now(), deadline);
            // It is asked for again, and not waited for.
            let later = Instant::now() + Duration::from_secs(60);
            let waits = poll_fn(|cx| Poll::Ready(alarm.poll_until(cx, later).is_pending())).await;
            assert!(waits);
        }
        assert_eq!(began.elapsed(), Duration::from_secs(17));
    }
}
