//! Reads of the current state that are under way, so that those who ask for the same at once share
//! one of them.

use super::Fault;
use super::ask::Ask;
use super::fetch::Representation;

use tokio::sync::watch::{Receiver, Sender, channel};

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// What one worker is reading.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Rc<Reads>);

#[derive(Debug, Default)]
struct Reads {
    by_ask: RefCell<HashMap<Ask, Read>>,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Read {
    number: u64,
    shared: Receiver<Option<Shared>>,
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
            let begun = self
                .0
                .by_ask
                .borrow()
                .get(ask)
                .and_then(|read| (read.number >= since.0).then(|| read.shared.clone()));
            let Some(mut begun) = begun else { return Part::Lead(self.lead(ask)) };
            let shared = begun.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
            if let Some(shared) = shared {
                return Part::Joined(shared);
            }
        }
    }

    /// Begins a read that others may join, in place of one that was begun before.
    pub(super) fn lead(&self, ask: &Ask) -> Lead {
        let number = self.0.next.replace(self.0.next.get() + 1);
        let (sender, shared) = channel(None);
        self.0.by_ask.borrow_mut().insert(ask.clone(), Read { number, shared });
        Lead { under_way: self.clone(), ask: ask.clone(), number, sender }
    }
}

/// A read that others may join until it ends, or is given up.
#[derive(Debug)]
pub(super) struct Lead {
    under_way: UnderWay,
    ask: Ask,
    number: u64,
    sender: Sender<Option<Shared>>,
}

impl Lead {
    /// Tells those who joined what it came to.
    pub(super) fn end(self, shared: Shared) {
        let _nobody_joined = self.sender.send(Some(shared));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut reads = self.under_way.0.by_ask.borrow_mut();
        if reads.get(&self.ask).is_some_and(|read| read.number == self.number) {
            reads.remove(&self.ask);
        }
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
        poll_fn(|cx| Poll::Ready(assert!(joined.as_mut().poll(cx).is_pending()))).await;
        earlier.end(found("old"));
        let (joined, ()) = tokio::join!(joined, async { later.end(found("new")) });
        assert_eq!(told(joined), "new");
    }
}
