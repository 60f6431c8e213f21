//! The task that waits for something.

use tokio::task::coop::has_budget_remaining;

use std::task::{Context, Waker};

/// The task that is woken once something happens, so far as that is known. To have it woken by what would wake it
/// anyway takes locks and counts of references; to see that it is the same task takes nothing.
///
/// Only where it is is known, as what will wake it keeps it there. So whoever keeps one has to forget it, or to ask
/// anew, once that something has happened: nobody is woken twice.
#[derive(Debug, Default)]
pub struct Waiter(Option<(usize, usize)>);

impl Waiter {
    /// Whether it is the one of `cx`.
    pub fn is(&self, cx: &Context<'_>) -> bool {
        self.0 == Some(place(cx.waker()))
    }

    /// What was asked just now is pending, and wakes the task of `cx`.
    pub fn note(&mut self, cx: &Context<'_>) {
        // Where nothing is left of a task's share of its turn, it was not told of, but is to ask again.
        self.0 = has_budget_remaining().then(|| place(cx.waker()));
    }

    /// From now on nobody is known to be woken.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

/// What makes one waker the same as another, as [`Waker::will_wake`] has it.
fn place(waker: &Waker) -> (usize, usize) {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}
