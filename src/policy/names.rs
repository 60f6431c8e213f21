//! Values by name, looked up many times and never changed: names are told apart by how they begin
//! and end, so that most lookups compare one text.

use std::ops::Range;

/// So many names with like ends are few.
const FEW: usize = 8;

/// Values by name.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    /// In the order of their buckets; those of one bucket in their own order.
    entries: Vec<(Box<str>, T)>,
    /// Where the names of each bucket stand; the buckets are a power of two.
    buckets: Vec<Range<usize>>,
}

impl<T> Names<T> {
    /// The values `entries`; of those with the same name the first is found.
    pub(super) fn new(entries: impl IntoIterator<Item = (Box<str>, T)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        let buckets = (entries.len() * 2).next_power_of_two();
        let bucket = |name: &str| ends(name) & (buckets - 1);
        entries.sort_by(|(left, _), (right, _)| (bucket(left), left).cmp(&(bucket(right), right)));
        let begin = |at| entries.partition_point(|(name, _)| bucket(name) < at);
        Self { buckets: (0..buckets).map(|at| begin(at)..begin(at + 1)).collect(), entries }
    }

    /// The names; one that several have comes as often.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| &**name)
    }

    /// What is called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let bucket = ends(name) & self.buckets.len().checked_sub(1)?;
        let alike = self.entries.get(self.buckets.get(bucket)?.clone())?;
        if alike.len() > FEW {
            let at = alike.partition_point(|(known, _)| &**known < name);
            return alike.get(at).filter(|(known, _)| &**known == name).map(|(_, value)| value);
        }
        // One after the other is compared sooner than their order.
        alike.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }
}

/// A number that tells names apart by their length and the eight bytes at either end.
#[inline]
fn ends(name: &str) -> usize {
    /// Mixes every bit into the upper half (the golden ratio).
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = name.as_bytes();
    let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => {
                (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
            }
            _ => {
                let byte = |byte: Option<&u8>| byte.copied().unwrap_or_default().into();
                (byte(bytes.first()), byte(bytes.last()))
            }
        },
    };
    let mixed = (first.wrapping_mul(MIX) ^ last ^ bytes.len() as u64).wrapping_mul(MIX);
    (mixed >> 32) as usize
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), buckets: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_in_is_found_and_nothing_else(
            entries in prop::collection::vec("[ab/é]{0,4}(longer and )?[ab/é]{0,4}( than that)?", 0..60),
            name in "[ab/é]{0,4}(longer and )?[ab/é]{0,4}( than that)?",
        ) {
            let names = Names::new(entries.iter().cloned().map(Box::from).zip(0..));
            for name in entries.iter().chain([&name]) {
                let expected = entries.iter().position(|known| known == name);
                prop_assert_eq!(names.get(name).copied(), expected);
            }
        }
    }

    #[test]
    fn names_with_like_ends_are_found_as_well() {
        let name = |at: usize| format!("the beginning {at:03} and the end");
        let names = Names::new((0..300).map(|at| (Box::from(name(at)), at)));
        assert_eq!(ends(&name(0)), ends(&name(299)), "all in one bucket");
        for at in 0..300 {
            assert_eq!(names.get(&name(at)), Some(&at));
        }
        assert_eq!(names.get(&name(300)), None);
    }

    #[test]
    fn no_names_hold_nothing() {
        assert_eq!(Names::<()>::default().get(""), None);
    }
}
