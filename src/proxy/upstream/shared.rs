//! Reads of the current state that are under way, so that those who ask for the same at once share
//! one of them.

use super::Fault;
use super::ask::Ask;
use super::fetch::Representation;

use tokio::sync::Notify;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// What one worker is reading.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Rc<Reads>);

#[derive(Debug, Default)]
struct Reads {
    by_ask: RefCell<HashMap<Ask, Rc<Read>>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Read {
    number: u64,
    /// What it came to; nothing while it is under way, and where whoever made it has left.
    end: OnceCell<Shared>,
    ended: Notify,
}

/// A moment between two reads of one worker, and all reads that begin after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since(u64);

impl Since {
    /// All reads.
    pub const EVER: Self = Self(0);
}

/// What a read came to, for those who did not make it.
#[derive(Clone, Debug)]
pub(super) enum Shared {
    /// It failed.
    Failed(Fault),
    /// The current state.
    Found(Rc<Representation>),
    /// An answer for the one who asked, and for nobody else.
    Private,
}

/// What is to be done by one who needs a read.
#[derive(Debug)]
pub(super) enum Part {
    /// Nothing: somebody else has made it, and this came of it.
    Joined(Shared),
    /// To make it.
    Lead(Lead),
}

impl UnderWay {
    /// This moment.
    pub(super) fn now(&self) -> Since {
        Since(self.0.next.get())
    }

    /// Waits for a read of the same that somebody else has begun, but not before `since`. Where
    /// there is none, the read is the caller's to make, and others may join it. Of those whose
    /// reader has left, the first makes the next one and the others join that.
    pub(super) async fn join_or_lead(&self, ask: &Ask, since: Since) -> Part {
        loop {
            let begun = self.0.by_ask.borrow().get(ask).map(Rc::clone);
            let Some(read) = begun.filter(|read| read.number >= since.0) else {
                return Part::Lead(self.lead(ask));
            };
            // It is under way, or it would not be there. Those who wait are woken in their order.
            read.ended.notified().await;
            if let Some(shared) = read.end.get() {
                return Part::Joined(shared.clone());
            }
        }
    }

    /// Begins a read that others may join, in place of one that was begun before.
    pub(super) fn lead(&self, ask: &Ask) -> Lead {
        let number = self.0.next.replace(self.0.next.get() + 1);
        let read = Rc::new(Read { number, end: OnceCell::new(), ended: Notify::new() });
        self.0.by_ask.borrow_mut().insert(ask.clone(), Rc::clone(&read));
        Lead { under_way: self.clone(), ask: ask.clone(), read }
    }
}

/// A read that others may join until it ends, or is given up.
#[derive(Debug)]
pub(super) struct Lead {
    under_way: UnderWay,
    ask: Ask,
    read: Rc<Read>,
}

impl Lead {
    /// Tells those who joined what it came to.
    pub(super) fn end(self, shared: Shared) {
        let _it_ends_once = self.read.end.set(shared);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut reads = self.under_way.0.by_ask.borrow_mut();
        if reads.get(&self.ask).is_some_and(|read| Rc::ptr_eq(read, &self.read)) {
            reads.remove(&self.ask);
        }
        self.read.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    fn found(text: &'static str) -> Shared {
        Shared::Found(Rc::new(Representation { tag: None, body: text.into() }))
    }

    /// What came of joining, or `lead`.
    fn told(part: Part) -> String {
        match part {
            Part::Joined(Shared::Found(seen)) => String::from_utf8(seen.body.to_vec()).unwrap(),
            Part::Joined(other) => format!("{other:?}"),
            Part::Lead(_) => "lead".to_owned(),
        }
    }

    #[tokio::test]
    async fn those_who_ask_for_the_same_share_what_one_reads() {
        let (reads, ask) = (UnderWay::default(), Ask::of(1, 1));
        let Part::Lead(lead) = reads.join_or_lead(&ask, Since::EVER).await else {
            panic!("joined")
        };
        let join = reads.join_or_lead(&ask, Since::EVER);
        let other = Ask::of(1, 2);
        let (joined, other, ()) =
            tokio::join!(join, reads.join_or_lead(&other, Since::EVER), async {
                lead.end(found("a"))
            });
        assert_eq!((told(joined), told(other)), ("a".to_owned(), "lead".to_owned()));
        assert_eq!(told(reads.join_or_lead(&ask, Since::EVER).await), "lead", "it has ended");
        assert!(reads.0.by_ask.borrow().is_empty());
    }

    #[tokio::test]
    async fn of_those_whose_reader_leaves_one_reads_and_the_others_join_again() {
        let (reads, ask) = (UnderWay::default(), Ask::of(1, 1));
        let mut reader = Some(reads.lead(&ask));
        let wait = |_| Box::pin(reads.join_or_lead(&ask, Since::EVER));
        let mut waiting: Vec<_> = (0..9).map(wait).collect();
        // Those among the waiting who have to read now; the others wait on.
        let mut poll = async || {
            let mut leads = Vec::new();
            poll_fn(|cx| {
                waiting.retain_mut(|waiter| match waiter.as_mut().poll(cx) {
                    Poll::Pending => true,
                    Poll::Ready(Part::Lead(lead)) => {
                        leads.push(lead);
                        false
                    }
                    Poll::Ready(Part::Joined(shared)) => panic!("{shared:?}"),
                });
                Poll::Ready(())
            })
            .await;
            (leads, waiting.len())
        };
        for left in (0..9).rev() {
            assert_eq!(poll().await.0.len(), 0, "somebody reads");
            drop(reader.take());
            let (mut leads, waiting) = poll().await;
            assert_eq!((leads.len(), waiting), (1, left));
            reader = leads.pop();
        }
    }

    #[tokio::test]
    async fn a_read_that_began_too_early_is_not_joined_and_one_that_did_not_is() {
        let (reads, ask) = (UnderWay::default(), Ask::of(1, 1));
        let earlier = reads.lead(&ask);
        let since = reads.now();
        let Part::Lead(later) = reads.join_or_lead(&ask, since).await else { panic!("joined") };
        let mut joined = pin!(reads.join_or_lead(&ask, since));
        let waits = poll_fn(|cx| Poll::Ready(joined.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "for the later one");
        earlier.end(found("old"));
        let (joined, ()) = tokio::join!(joined, async { later.end(found("new")) });
        assert_eq!(told(joined), "new");
    }
}
