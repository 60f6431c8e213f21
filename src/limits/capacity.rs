//! Room for so many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for so many at once, over all workers.
#[derive(Clone, Debug)]
pub struct Capacity {
    used: Arc<AtomicUsize>,
    most: usize,
}

impl Capacity {
    /// Room for `most`.
    pub fn new(most: usize) -> Self {
        Self { used: Arc::default(), most }
    }

    /// Room for `most`, of which as much is taken as of this.
    pub(super) fn resized(&self, most: usize) -> Self {
        Self { used: Arc::clone(&self.used), most }
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many are under way.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes room for one, if there is any.
    pub fn take(&self) -> Option<Slot> {
        let before = self.used.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(&self.used));
        // Dropping the slot takes the count back.
        (before < self.most).then_some(slot)
    }
}

/// Room for one, until this is dropped.
#[derive(Debug)]
pub struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_when_its_slot_is_dropped() {
        let capacity = Capacity::new(1);
        let slot = capacity.take();
        assert!(slot.is_some() && capacity.take().is_none());
        drop(slot);
        assert_eq!(capacity.used(), 0);
        assert!(capacity.take().is_some());
    }

    #[test]
    fn what_is_under_way_takes_room_after_a_change_of_the_bound() {
        let old = Capacity::new(3);
        let slots = [old.take(), old.take()];
        let new = old.resized(2);
        assert!(new.take().is_none());
        drop(slots);
        assert!(new.take().is_some());
    }
}
