//! What of a file could not be translated, each with its place.

use std::fmt;

/// How many of it are told.
const TOLD: usize = 200;

/// What could not be translated, in the order it was found.
#[derive(Debug, Default)]
pub(super) struct Left(Vec<(At, String)>);

impl Left {
    /// Notes that what stands `at` this place was not translated, and `why`; once.
    pub(super) fn push(&mut self, at: &At, why: impl Into<String>) {
        let found = (at.clone(), why.into());
        if !self.0.contains(&found) {
            self.0.push(found);
        }
    }

    /// Adds what `other` tells.
    pub(super) fn append(&mut self, other: Self) {
        for (at, why) in other.0 {
            self.push(&at, why);
        }
    }

    /// Whether everything was translated.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, why) in self.0.iter().take(TOLD) {
            writeln!(f, "  {at}: {why}")?;
        }
        match self.0.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}

/// A place in the file, as `paths./orders/{id}.patch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct At(String);

impl At {
    /// The place that `pointer`, a JSON Pointer, leads to.
    pub(super) fn pointer(pointer: &str) -> Self {
        let tokens = pointer.split('/').skip(1);
        tokens
            .fold(Self::default(), |at, token| at.key(&token.replace("~1", "/").replace("~0", "~")))
    }

    /// The place of the member `key` of what stands here.
    pub(super) fn key(&self, key: &str) -> Self {
        // A key of a file of somebody's must not begin a line of its own.
        let key: String = key.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match self.0.as_str() {
            "" => Self(key),
            above => Self(format!("{above}.{key}")),
        }
    }

    /// The place of the element `index` of what stands here.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the file" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_once_and_not_without_end() {
        let mut left = Left::default();
        for _ in 0..2 {
            left.push(&At::pointer("/paths/~1a~1{id}").key("patch").index(0), "why");
        }
        assert_eq!(left.to_string(), "  paths./a/{id}.patch[0]: why\n");
        for index in 0..TOLD {
            left.push(&At::default().index(index), "why");
        }
        assert!(left.to_string().ends_with("  and 1 more\n"));
        assert_eq!(At::default().key("a\nb").to_string(), "a b");
    }
}
