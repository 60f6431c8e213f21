//! The metrics that were counted last: most requests are like one before, and to find the metric among
//! few is cheaper than to hash its labels.

use prometheus_client::metrics::family::{Family, MetricConstructor};

use std::cell::RefCell;
use std::hash::Hash;

/// So many are few.
const FEW: usize = 8;

/// Some metrics by what they count, for one thread. Never of a family that is cleared.
#[derive(Debug)]
pub struct Recent<K, M>(RefCell<Vec<(K, M)>>);

impl<K, M> Default for Recent<K, M> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<L: Clone + Eq + Hash, M: Clone> Recent<L, M> {
    /// Does something with the metric that `labels` name in `family`.
    pub fn with<C: MetricConstructor<M>, T>(
        &self,
        family: &Family<L, M, C>,
        labels: L,
        what: impl FnOnce(&M) -> T,
    ) -> T {
        let known = |known: &L| *known == labels;
        self.find(known, || (labels.clone(), family.get_or_create(&labels).clone()), what)
    }
}

impl<K, M> Recent<K, M> {
    /// Does something with the metrics of the key that `is` the one, or that `make` makes where none of those
    /// that are known is.
    pub fn find<T>(
        &self,
        is: impl Fn(&K) -> bool,
        make: impl FnOnce() -> (K, M),
        what: impl FnOnce(&M) -> T,
    ) -> T {
        let mut known = self.0.borrow_mut();
        if let Some((_, metric)) = known.iter().find(|(known, _)| is(known)) {
            return what(metric);
        }
        let (key, metric) = make();
        let done = what(&metric);
        if known.len() == FEW {
            known.remove(0);
        }
        known.push((key, metric));
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn each_counts_for_its_labels_however_many_there_are() {
        let family: Family<Vec<(String, String)>, Counter> = Family::default();
        let recent = Recent::default();
        let labels = |number: usize| vec![("n".to_owned(), (number % 20).to_string())];
        for number in 0..200 {
            recent.with(&family, labels(number), Counter::inc);
            recent.with(&family, labels(number), Counter::inc);
        }
        for number in 0..20 {
            assert_eq!(family.get_or_create(&labels(number)).get(), 20);
        }
        assert_eq!(recent.0.borrow().len(), FEW);
    }
}
