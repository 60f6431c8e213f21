//! Values by name, looked up many times and never changed: names are told apart by their length
//! first, so that most lookups compare a text or two and hash none.

/// So many names of one length are few.
const FEW: usize = 8;

/// Values by name.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    /// The shortest names first; those of one length in their own order.
    entries: Vec<(Box<str>, T)>,
    /// Where the names of each length begin.
    begins: Vec<usize>,
}

impl<T> Names<T> {
    /// The values `entries`; of those with the same name the first comes first.
    pub(super) fn new(entries: impl IntoIterator<Item = (Box<str>, T)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|(left, _), (right, _)| (left.len(), left).cmp(&(right.len(), right)));
        let lengths = entries.last().map_or(0, |(longest, _)| longest.len() + 2);
        let begin = |length| entries.partition_point(|(name, _)| name.len() < length);
        Self { begins: (0..lengths).map(begin).collect(), entries }
    }

    /// The names; one that several have comes as often.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| &**name)
    }

    /// What is called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let alike = self.alike(name);
        let (_, value) = alike.get(first(alike, name)?)?;
        Some(value)
    }

    /// All that is called `name`.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &T> {
        let alike = self.alike(name);
        let found = first(alike, name).and_then(|first| alike.get(first..)).unwrap_or_default();
        let found = found.iter().take_while(move |(known, _)| &**known == name);
        found.map(|(_, value)| value)
    }

    /// The entries whose names are as long as `name`.
    fn alike(&self, name: &str) -> &[(Box<str>, T)] {
        let begin = self.begins.get(name.len()).copied();
        let end = self.begins.get(name.len() + 1).copied();
        let alike = begin.zip(end).and_then(|(begin, end)| self.entries.get(begin..end));
        alike.unwrap_or_default()
    }
}

/// Where the first of those called `name` stands.
fn first<T>(alike: &[(Box<str>, T)], name: &str) -> Option<usize> {
    if alike.len() <= FEW {
        // One after the other is compared sooner than their order, and most differ in their ends.
        let end = |name: &str| name.as_bytes().last().copied();
        let sought = end(name);
        return alike.iter().position(|(known, _)| end(known) == sought && &**known == name);
    }
    let first = alike.partition_point(|(known, _)| &**known < name);
    alike.get(first).is_some_and(|(known, _)| &**known == name).then_some(first)
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), begins: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_in_is_found_and_nothing_else(
            entries in prop::collection::vec("[ab/é]{0,4}", 0..60),
            name in "[ab/é]{0,4}",
        ) {
            let names = Names::new(entries.iter().cloned().map(Box::from).zip(0..));
            let found: Vec<usize> = names.all(&name).copied().collect();
            let expected = (0..).zip(&entries).filter(|(_, known)| **known == name);
            prop_assert_eq!(&found, &expected.map(|(at, _)| at).collect::<Vec<usize>>());
            prop_assert_eq!(names.get(&name), found.first());
        }
    }

    #[test]
    fn no_names_hold_nothing() {
        assert_eq!(Names::<()>::default().get(""), None);
    }
}
