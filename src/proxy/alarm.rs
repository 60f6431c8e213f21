//! A timer for all that one task waits for: on a connection, and for the requests that come over it.

use crate::waiter::Waiter;

use tokio::time::{Instant, Sleep, sleep_until};

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A timer that is made when it is first needed, and rings for whatever ends first. One that ends too early is
/// cheaper than one that is set anew for every request. Its clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Alarm(Rc<RefCell<Option<Set>>>);

#[derive(Debug)]
struct Set {
    timer: Pin<Box<Sleep>>,
    waiter: Waiter,
}

impl Alarm {
    /// Waits until `deadline`.
    pub fn poll_until(&self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let set = &mut *self.0.borrow_mut();
        let Set { timer, waiter } = set.get_or_insert_with(|| Set {
            timer: Box::pin(sleep_until(deadline)),
            waiter: Waiter::default(),
        });
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        } else if waiter.is(cx) && !timer.is_elapsed() {
            return Poll::Pending;
        }
        while timer.as_mut().poll(cx).is_ready() {
            waiter.forget();
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        waiter.note(cx);
        Poll::Pending
    }
}

/// Alarms of tasks that come one after the other: each is used by one of them, and then by another.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Rc<RefCell<Vec<Alarm>>>);

impl Alarms {
    /// One that nobody uses.
    pub fn take(&self) -> Alarm {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps `alarm` for whoever comes next.
    pub fn put_back(&self, alarm: Alarm) {
        self.0.borrow_mut().push(alarm);
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
        let alarm = Alarm::default();
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

    #[tokio::test(start_paused = true)]
    async fn it_rings_for_each_of_those_who_share_it_and_in_whatever_task_they_are() {
        let alarm = Alarm::default();
        let began = Instant::now();
        let rings = |seconds: &'static [u64]| {
            let alarm = alarm.clone();
            poll_fn(move |cx| {
                let polled = seconds.iter().map(|seconds| {
                    alarm.poll_until(cx, began + Duration::from_secs(*seconds)).is_ready()
                });
                let rung: Vec<bool> = polled.collect();
                if rung.contains(&true) { Poll::Ready(rung) } else { Poll::Pending }
            })
        };
        let local = tokio::task::LocalSet::new();
        let in_another = |seconds| {
            let rings = rings(seconds);
            local.run_until(async { tokio::task::spawn_local(rings).await })
        };
        let soon = Duration::from_secs(100);
        assert_eq!(timeout(soon, rings(&[9, 4])).await.unwrap(), [false, true]);
        assert_eq!(began.elapsed(), Duration::from_secs(4));
        let rung = timeout(soon, in_another(&[7, 9, 8])).await.unwrap().unwrap();
        assert_eq!(rung, [true, false, false]);
        // It is set to ring for others, and asked by this task alone.
        assert_eq!(timeout(soon, rings(&[9, 20])).await.unwrap(), [true, false]);
        assert_eq!(began.elapsed(), Duration::from_secs(9));
        assert_eq!(timeout(soon, rings(&[20])).await.unwrap(), [true]);
    }
}
