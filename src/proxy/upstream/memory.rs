//! Representations that were read not long ago.
//!
//! What was seen under a strong tag does not change. So a caller whose `If-Match` names exactly
//! that tag can be judged by what is remembered: should another version be stored by now, the
//! upstream's own check finds out, and the patch is not applied.
//!
//! Only what was fetched for the judge is kept, not what callers read: the fetch always asks in the
//! same way, so it is always the same kind of document, and a GET costs nothing for it.

use super::Remember;
use super::ask::Ask;
use super::fetch::Representation;
use crate::policy::EntityTag;

use bytes::Bytes;
use tokio::time::Instant;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// What one worker remembers, the oldest forgotten first.
#[derive(Debug)]
pub(super) struct Memory {
    bounds: Remember,
    kept: RefCell<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Ask, Entry>,
    /// By age: the entries are numbered as they come.
    order: BTreeMap<u64, Ask>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    since: Instant,
    tag: EntityTag,
    seen: Rc<Representation>,
}

impl Memory {
    pub(super) fn new(bounds: Remember) -> Self {
        Self { bounds, kept: RefCell::default() }
    }

    /// Keeps `seen`, whose strong tag is `tag`, in place of what was kept for the same `ask`.
    pub(super) fn keep(&self, ask: &Ask, tag: &EntityTag, seen: &Representation) {
        let mut kept = self.kept.borrow_mut();
        kept.forget(ask);
        if self.bounds.entries == 0 || seen.body.len() > self.bounds.bytes {
            return;
        }
        let (number, since) = (kept.next, Instant::now());
        kept.next += 1;
        kept.bytes += seen.body.len();
        kept.order.insert(number, ask.clone());
        // A copy: the bytes that were read take up room that is meant for requests under way.
        let body = Bytes::copy_from_slice(&seen.body);
        let seen = Rc::new(Representation { tag: seen.tag.clone(), body });
        let entry = Entry { number, since, tag: tag.clone(), seen };
        kept.entries.insert(ask.clone(), entry);
        while kept.entries.len() > self.bounds.entries || kept.bytes > self.bounds.bytes {
            kept.forget_oldest();
        }
    }

    /// What was seen under `tag`, if that was the last thing seen, and not too long ago.
    pub(super) fn recall(&self, ask: &Ask, tag: &EntityTag) -> Option<Rc<Representation>> {
        let kept = self.kept.borrow();
        let entry = kept.entries.get(ask)?;
        let fresh = entry.since.elapsed() < self.bounds.time;
        (fresh && entry.tag.matches(tag)).then(|| Rc::clone(&entry.seen))
    }

    /// Forgets what was seen under `tag`: it is not what is stored any more.
    pub(super) fn forget(&self, ask: &Ask, tag: &EntityTag) {
        let mut kept = self.kept.borrow_mut();
        if kept.entries.get(ask).is_some_and(|entry| entry.tag == *tag) {
            kept.forget(ask);
        }
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        if let Some((_, ask)) = self.order.pop_first() {
            self.forget(&ask);
        }
    }

    fn forget(&mut self, ask: &Ask) {
        if let Some(entry) = self.entries.remove(ask) {
            self.order.remove(&entry.number);
            self.bytes -= entry.seen.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    fn memory(entries: usize, bytes: usize) -> Memory {
        Memory::new(Remember { entries, bytes, time: Duration::from_secs(10) })
    }

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text).unwrap()
    }

    fn seen(length: usize) -> Representation {
        Representation { tag: None, body: Bytes::from(vec![b' '; length]) }
    }

    #[test]
    fn only_the_tag_that_was_seen_last_is_remembered() {
        let (memory, ask) = (memory(9, 99), Ask::number(1));
        memory.keep(&ask, &tag("\"a\""), &seen(1));
        assert!(memory.recall(&ask, &tag("\"a\"")).is_some());
        assert!(memory.recall(&ask, &tag("\"b\"")).is_none());
        assert!(memory.recall(&Ask::number(2), &tag("\"a\"")).is_none());
        memory.keep(&ask, &tag("\"b\""), &seen(1));
        assert!(memory.recall(&ask, &tag("\"a\"")).is_none());
        memory.forget(&ask, &tag("\"a\""));
        assert!(memory.recall(&ask, &tag("\"b\"")).is_some());
    }

    #[test]
    fn what_is_kept_stays_within_its_bounds() {
        let (memory, a) = (memory(3, 10), tag("\"a\""));
        for number in 0..50 {
            let ask = Ask::number(number % 7);
            memory.keep(&ask, &a, &seen(usize::from(number % 5)));
            assert!(memory.recall(&ask, &a).is_some());
            let kept = memory.kept.borrow();
            let bytes: usize = kept.entries.values().map(|entry| entry.seen.body.len()).sum();
            assert_eq!((kept.bytes, kept.order.len()), (bytes, kept.entries.len()));
            assert!(bytes <= 10 && kept.entries.len() <= 3);
        }
        memory.keep(&Ask::number(99), &a, &seen(11));
        assert!(memory.recall(&Ask::number(99), &a).is_none());
    }

    #[test]
    fn what_was_seen_too_long_ago_is_not_recalled() {
        let bounds = Remember { entries: 9, bytes: 99, time: Duration::ZERO };
        let (memory, ask) = (Memory::new(bounds), Ask::number(1));
        memory.keep(&ask, &tag("\"a\""), &seen(1));
        assert!(memory.recall(&ask, &tag("\"a\"")).is_none());
    }

    #[test]
    fn no_entries_means_that_nothing_is_remembered() {
        let (memory, ask) = (memory(0, 10), Ask::number(1));
        memory.keep(&ask, &tag("\"a\""), &seen(1));
        assert!(memory.recall(&ask, &tag("\"a\"")).is_none());
    }
}
