//! Values by name, looked up many times and never changed: names are told apart by how they begin
//! and end, so that most lookups compare one text.

use std::ops::Range;

/// So many names with like ends are few.
const FEW: usize = 8;

/// Values by name.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    /// In the order of their buckets; those of one bucket in their own order.
    entries: Vec<Entry<T>>,
    /// Where the names of each bucket stand; the buckets are a power of two.
    buckets: Vec<Range<usize>>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    ends: Ends,
    name: Box<str>,
    value: T,
}

impl<T> Names<T> {
    /// The values `entries`; of those with the same name the first is found.
    pub(super) fn new(entries: impl IntoIterator<Item = (Box<str>, T)>) -> Self {
        let entry = |(name, value): (Box<str>, T)| Entry { ends: Ends::of(&name), name, value };
        let mut entries: Vec<_> = entries.into_iter().map(entry).collect();
        let buckets = (entries.len() * 2).next_power_of_two();
        let bucket = |entry: &Entry<T>| entry.ends.mixed() & (buckets - 1);
        entries.sort_by(|one, other| (bucket(one), &one.name).cmp(&(bucket(other), &other.name)));
        let begin = |at| entries.partition_point(|entry| bucket(entry) < at);
        Self { buckets: (0..buckets).map(|at| begin(at)..begin(at + 1)).collect(), entries }
    }

    /// The names; one that several have comes as often.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// What is called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let ends = Ends::of(name);
        let bucket = ends.mixed() & self.buckets.len().checked_sub(1)?;
        let alike = self.entries.get(self.buckets.get(bucket)?.clone())?;
        if alike.len() > FEW {
            let at = alike.partition_point(|entry| &*entry.name < name);
            return alike.get(at).filter(|entry| &*entry.name == name).map(|entry| &entry.value);
        }
        // One after the other is compared sooner than their order.
        let is_it = |entry: &&Entry<T>| {
            entry.ends == ends && (ends.are_all() || entry.name.as_bytes() == name.as_bytes())
        };
        alike.iter().find(is_it).map(|entry| &entry.value)
    }
}

/// How a name begins and ends, and how long it is: eight bytes at either end, which for most are all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
    length: usize,
}

impl Ends {
    #[inline]
    fn of(name: &str) -> Self {
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
        Self { first, last, length: bytes.len() }
    }

    /// Whether they are all of the name, with nothing between them.
    fn are_all(self) -> bool {
        self.length != 3 && self.length <= 16
    }

    /// A number that each of them changes.
    fn mixed(self) -> usize {
        /// Mixes every bit into the upper half (the golden ratio).
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = self.first.wrapping_mul(MIX) ^ self.last ^ self.length as u64;
        (mixed.wrapping_mul(MIX) >> 32) as usize
    }
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
        assert_eq!(Ends::of(&name(0)), Ends::of(&name(299)), "all in one bucket");
        for at in 0..300 {
            assert_eq!(names.get(&name(at)), Some(&at));
        }
        assert_eq!(names.get(&name(300)), None);
    }

    #[test]
    fn every_byte_of_a_name_counts() {
        for length in 1..24 {
            let names = Names::new([(Box::from("a".repeat(length)), ())]);
            assert_eq!(names.get(&"a".repeat(length)), Some(&()));
            for at in 0..length {
                let other = format!("{}b{}", "a".repeat(at), "a".repeat(length - at - 1));
                assert_eq!(names.get(&other), None, "{other}");
            }
            assert_eq!(names.get(&"a".repeat(length + 1)), None, "one longer than {length}");
        }
    }

    #[test]
    fn no_names_hold_nothing() {
        assert_eq!(Names::<()>::default().get(""), None);
    }
}
