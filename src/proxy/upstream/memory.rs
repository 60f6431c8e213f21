//! Representations that were read not long ago.
//!
//! What was seen under a strong tag does not change. So a caller whose `If-Match` names exactly
//! that tag can be judged by what is remembered: should another version be stored by now, the
//! upstream's own check finds out, and the patch is not applied. To forget is therefore never
//! needed to be right, only not to be told so by the upstream; that is why it is enough that each
//! worker forgets what it changes itself.
//!
//! Only what was fetched for the judge is kept, not what callers read: the fetch always asks in the
//! same way, so it is always the same kind of document, and a GET costs nothing for it.

use super::Inner;
use super::Remember;
use super::ask::{Ask, Document};
use super::fetch::Representation;
use crate::policy::{Current, EntityTag};
use crate::proxy::target::Target;
use crate::proxy::trail::{Outcome, Sent, Trail};

use bytes::Bytes;
use http::StatusCode;
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
    by_document: HashMap<Document, HashMap<Ask, Entry>>,
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
    remembered: Rc<Remembered>,
}

/// A representation, and what was read of it, so that it is read once.
#[derive(Debug)]
pub struct Remembered {
    /// It.
    pub seen: Representation,
    /// What the judge is told of it.
    pub current: Current<'static>,
}

impl Remembered {
    /// How many bytes it takes up, more or less: the text is there twice.
    fn weight(&self) -> usize {
        2 * self.seen.body.len() + self.current.weight()
    }
}

impl Memory {
    pub(super) fn new(bounds: Remember) -> Self {
        Self { bounds, kept: RefCell::default() }
    }

    /// Keeps `seen`, which was read as `current`, in place of what was kept for the same `ask`, if it
    /// has a strong tag.
    pub(super) fn keep(&self, ask: &Ask, seen: &Representation, current: Current<'_>) {
        let mut kept = self.kept.borrow_mut();
        kept.take(ask);
        let Some(tag) = current.tag().cloned() else { return };
        if self.bounds.entries == 0 || seen.body.len() > self.bounds.bytes {
            return;
        }
        // A copy: the bytes that were read take up room that is meant for requests under way.
        let body = Bytes::copy_from_slice(&seen.body);
        let seen = Representation { tag: seen.tag.clone(), body };
        let remembered = Rc::new(Remembered { seen, current: current.into_owned() });
        let (number, since) = (kept.next, Instant::now());
        kept.put(ask, Entry { number, since, tag, remembered });
        while kept.order.len() > self.bounds.entries || kept.bytes > self.bounds.bytes {
            kept.take_oldest();
        }
    }

    /// What was seen under `tag`, if that was the last thing seen, and not too long ago.
    pub(super) fn recall(&self, ask: &Ask, tag: &EntityTag) -> Option<Rc<Remembered>> {
        let kept = self.kept.borrow();
        let entry = kept.by_document.get(&ask.document)?.get(ask)?;
        (self.is_fresh(entry) && entry.tag.matches(tag)).then(|| Rc::clone(&entry.remembered))
    }

    /// Forgets what anybody saw of `document`, which is asked for where there is something to forget: it
    /// is not, or may not be, what is stored any more.
    pub(super) fn forget(&self, document: impl FnOnce() -> Document) {
        let mut kept = self.kept.borrow_mut();
        if kept.by_document.is_empty() {
            return;
        }
        let entries = kept.by_document.remove(&document()).into_iter().flatten();
        entries.for_each(|(_, entry)| kept.count_out(&entry));
    }

    /// Drops what was seen too long ago.
    pub(super) fn expire(&self) {
        let mut kept = self.kept.borrow_mut();
        while kept.oldest().is_some_and(|entry| !self.is_fresh(entry)) {
            kept.take_oldest();
        }
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        entry.since.elapsed() < self.bounds.time
    }
}

impl Kept {
    fn put(&mut self, ask: &Ask, entry: Entry) {
        self.next += 1;
        self.bytes += entry.remembered.weight();
        self.order.insert(entry.number, ask.clone());
        self.by_document.entry(ask.document).or_default().insert(ask.clone(), entry);
    }

    fn take(&mut self, ask: &Ask) {
        let Some(entries) = self.by_document.get_mut(&ask.document) else { return };
        let entry = entries.remove(ask);
        if entries.is_empty() {
            self.by_document.remove(&ask.document);
        }
        if let Some(entry) = entry {
            self.count_out(&entry);
        }
    }

    fn oldest(&self) -> Option<&Entry> {
        let (_, ask) = self.order.first_key_value()?;
        self.by_document.get(&ask.document)?.get(ask)
    }

    fn take_oldest(&mut self) {
        if let Some((_, ask)) = self.order.pop_first() {
            self.take(&ask);
        }
    }

    fn count_out(&mut self, entry: &Entry) {
        self.order.remove(&entry.number);
        self.bytes -= entry.remembered.weight();
    }
}

/// A change under way. However it ends, and even if nobody waits for that: where the document may be
/// another one by then, or has turned out to be, what was seen of it is forgotten.
pub(super) struct Forgetting<'s> {
    pub(super) upstream: &'s Inner,
    pub(super) target: &'s Target,
    pub(super) trail: &'s Trail,
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        let stale = Sent::Answered(StatusCode::PRECONDITION_FAILED);
        let forgets = match self.trail.outcome() {
            Some(Outcome::Applied | Outcome::Unknown) => true,
            Some(Outcome::NotApplied) | None => self.trail.sent.get() == stale,
        };
        if forgets {
            let Inner { memory, asks, .. } = self.upstream;
            memory.forget(|| asks.document(self.target.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::REFERRALS_POLICY;
    use crate::config::{Source, load_policy};

    use std::path::Path;
    use std::time::Duration;

    /// The tag is `"a"`, unless it is said.
    fn keep_as(memory: &Memory, ask: &Ask, tag: &str, length: usize) {
        let body = format!("\"{}\"", "x".repeat(length)).into_bytes();
        let seen = Representation { tag: Some(tag.to_owned()), body: Bytes::from(body) };
        let policy = load_policy(Source::Shipped, Path::new(REFERRALS_POLICY)).unwrap();
        let route = policy.routes.iter().next().unwrap();
        let current = Current::read(route, seen.tag.as_deref(), &seen.body).unwrap();
        memory.keep(ask, &seen, current);
    }

    fn keep(memory: &Memory, ask: &Ask, length: usize) {
        keep_as(memory, ask, "\"a\"", length);
    }

    /// How many bytes one takes up.
    fn weight(length: usize) -> usize {
        let memory = memory(1, usize::MAX);
        keep(&memory, &Ask::of(1, 1), length);
        memory.kept.into_inner().bytes
    }

    fn memory(entries: usize, bytes: usize) -> Memory {
        Memory::new(Remember { entries, bytes, time: Duration::from_secs(10) })
    }

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text).unwrap()
    }

    /// How many entries there are, once all counts have been found to agree.
    fn count(memory: &Memory) -> usize {
        let kept = memory.kept.borrow();
        let entries: Vec<_> = kept.by_document.values().flat_map(HashMap::values).collect();
        let bytes: usize = entries.iter().map(|entry| entry.remembered.weight()).sum();
        assert_eq!((kept.bytes, kept.order.len()), (bytes, entries.len()));
        assert!(kept.by_document.values().all(|entries| !entries.is_empty()));
        entries.len()
    }

    #[test]
    fn only_the_tag_that_was_seen_last_is_remembered() {
        let (memory, ask) = (memory(9, 9999), Ask::of(1, 1));
        keep(&memory, &ask, 1);
        assert!(memory.recall(&ask, &tag("\"a\"")).is_some());
        assert!(memory.recall(&ask, &tag("\"b\"")).is_none());
        assert!(memory.recall(&Ask::of(1, 2), &tag("\"a\"")).is_none());
        keep_as(&memory, &ask, "\"b\"", 1);
        assert!(memory.recall(&ask, &tag("\"a\"")).is_none());
        assert!(memory.recall(&ask, &tag("\"b\"")).is_some());
        assert_eq!(count(&memory), 1);
    }

    #[test]
    fn a_document_that_changed_is_forgotten_for_all_and_no_other_is() {
        let (memory, a) = (memory(9, 9999), tag("\"a\""));
        let asks = [Ask::of(1, 1), Ask::of(1, 2), Ask::of(2, 1)];
        asks.iter().for_each(|ask| keep(&memory, ask, 3));
        memory.forget(|| asks[0].document);
        let known: Vec<_> = asks.iter().map(|ask| memory.recall(ask, &a).is_some()).collect();
        assert_eq!((known, count(&memory)), (vec![false, false, true], 1));
        memory.forget(|| asks[0].document);
        assert_eq!(count(&memory), 1);
    }

    #[test]
    fn what_is_kept_stays_within_its_bounds() {
        let most = weight(10);
        let (memory, a) = (memory(3, most), tag("\"a\""));
        for number in 0..50 {
            let ask = Ask::of(u64::from(number % 2), number % 7);
            keep(&memory, &ask, usize::from(number % 5));
            assert!(memory.recall(&ask, &a).is_some());
            assert!(count(&memory) <= 3 && memory.kept.borrow().bytes <= most);
        }
        keep(&memory, &Ask::of(1, 99), most);
        assert!(memory.recall(&Ask::of(1, 99), &a).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_too_long_ago_is_neither_recalled_nor_kept() {
        let (memory, a) = (memory(9, 9999), tag("\"a\""));
        keep(&memory, &Ask::of(1, 1), 1);
        tokio::time::advance(Duration::from_secs(6)).await;
        keep(&memory, &Ask::of(1, 2), 1);
        memory.expire();
        assert_eq!(count(&memory), 2);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(memory.recall(&Ask::of(1, 1), &a).is_none());
        assert!(memory.recall(&Ask::of(1, 2), &a).is_some());
        memory.expire();
        assert_eq!(count(&memory), 1);
    }

    #[test]
    fn no_entries_means_that_nothing_is_remembered() {
        let (memory, ask) = (memory(0, 9999), Ask::of(1, 1));
        keep(&memory, &ask, 1);
        assert!(memory.recall(&ask, &tag("\"a\"")).is_none());
    }
}
