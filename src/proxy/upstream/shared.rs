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

impl UnderWay {
    /// Waits for a read of the same that somebody else has begun; `None` where there is none, or
    /// where whoever made it has left.
    pub(super) async fn join(&self, ask: &Ask) -> Option<Shared> {
        let mut shared = self.0.by_ask.borrow().get(ask).map(|read| read.shared.clone())?;
        let found = shared.wait_for(Option::is_some).await.ok()?;
        found.clone()
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

    fn found(text: &'static str) -> Shared {
        Shared::Found(Rc::new(Representation { tag: None, body: text.into() }))
    }

    fn text(shared: Option<Shared>) -> String {
        match shared {
            Some(Shared::Found(seen)) => String::from_utf8(seen.body.to_vec()).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn those_who_ask_for_the_same_share_what_one_reads() {
        let (reads, ask) = (UnderWay::default(), Ask::number(1));
        assert_eq!(text(reads.join(&ask).await), "None", "nobody reads");
        let lead = reads.lead(&ask);
        let (joined, ()) = tokio::join!(reads.join(&ask), async { lead.end(found("a")) });
        assert_eq!(text(joined), "a");
        assert_eq!(text(reads.join(&ask).await), "None", "it has ended");
    }

    #[tokio::test]
    async fn who_leaves_leaves_the_others_to_read_for_themselves() {
        let (reads, ask) = (UnderWay::default(), Ask::number(1));
        let lead = reads.lead(&ask);
        let (joined, ()) = tokio::join!(reads.join(&ask), async { drop(lead) });
        assert_eq!(text(joined), "None");
        assert!(reads.0.by_ask.borrow().is_empty());
    }

    #[tokio::test]
    async fn a_later_read_takes_the_place_of_an_earlier_one() {
        let (reads, ask) = (UnderWay::default(), Ask::number(1));
        let earlier = reads.lead(&ask);
        let later = reads.lead(&ask);
        earlier.end(found("old"));
        let (joined, ()) = tokio::join!(reads.join(&ask), async { later.end(found("new")) });
        assert_eq!(text(joined), "new");
    }
}
