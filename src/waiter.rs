//! The task that waits for something.

use tokio::task::coop::has_budget_remaining;

use std::task::{Context, Waker};

/// The task that is woken once something happens, so far as that is known. To have it woken by what would wake it
/// anyway takes locks and counts of references; to see that it is the same task takes nothing.
///
/// Whoever keeps one has to forget it once that something has happened: it wakes nobody twice.
#[derive(Debug, Default)]
pub struct Waiter(Option<Waker>);

impl Waiter {
    /// Whether it is the one of `cx`.
    pub fn is(&self, cx: &Context<'_>) -> bool {
        self.0.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
    }

    /// What was asked just now is pending, and wakes the task of `cx`.
    pub fn note(&mut self, cx: &Context<'_>) {
        if !has_budget_remaining() {
            // Not that was pending: the task has had its share, and is to ask again in its next turn.
            self.forget();
        } else if !self.is(cx) {
            self.0 = Some(cx.waker().clone());
        }
    }

    /// From now on nobody is known to be woken.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}
