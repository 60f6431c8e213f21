//! One way one op breaks one rule: what a caller is told, and what the log may repeat.

mod closest;
mod code;

pub use closest::{closest, closest_places};
pub use code::{Class, Code};

use std::fmt;

/// How many violations a report keeps; the rest are only counted.
pub const CAP: usize = 32;

/// One way one op breaks one rule.
///
/// The message is one lower-case sentence with names in backticks. It never holds a value from
/// a body, so that it may go to the caller and to the log alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The stable code, which names the page that explains it.
    pub code: Code,
    /// The index of the op in the patch, where one op is at fault.
    pub op: Option<usize>,
    /// The place in the document (an RFC 6901 pointer), where one place is at fault.
    pub pointer: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would have been accepted instead, best first.
    pub accepted: Vec<String>,
    /// The rule that found it, where a rule did.
    pub rule: Option<&'static str>,
    /// The keyword of the schema that is at odds with it, as `#/properties/status/enum`.
    pub keyword: Option<String>,
}

impl Violation {
    /// A violation of `code` that `message` describes.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            op: None,
            pointer: None,
            message: message.into(),
            accepted: Vec::new(),
            rule: None,
            keyword: None,
        }
    }

    /// The same, blamed on the op at `index`.
    #[must_use]
    pub fn op(mut self, index: usize) -> Self {
        self.op = Some(index);
        self
    }

    /// The same, at `pointer` in the document.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The same, with what would have been accepted.
    #[must_use]
    pub fn accepted(mut self, accepted: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.accepted = accepted.into_iter().map(Into::into).collect();
        self
    }

    /// The same, at odds with the keyword of the schema at `keyword`.
    #[must_use]
    pub fn keyword(mut self, keyword: Option<String>) -> Self {
        self.keyword = keyword;
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(op) = self.op {
            write!(f, " op {op}")?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, " at `{pointer}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The violations found so far, bounded by [`CAP`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    found: Vec<Violation>,
    more: usize,
}

impl Violations {
    /// Keeps `violation`, or only counts it once [`CAP`] are kept.
    pub fn push(&mut self, violation: Violation) {
        if self.found.len() < CAP {
            self.found.push(violation);
        } else {
            self.more += 1;
        }
    }

    /// Keeps those of `other` as well, as far as there is room.
    pub fn append(&mut self, other: Self) {
        self.more += other.more;
        other.found.into_iter().for_each(|violation| self.push(violation));
    }

    /// Forgets which ops are to blame.
    pub fn forget_ops(&mut self) {
        self.found.iter_mut().for_each(|violation| violation.op = None);
    }

    /// Notes that the rule called `name` found all but the first `before`.
    pub fn found_by(&mut self, name: &'static str, before: usize) {
        for violation in self.found.iter_mut().skip(before) {
            violation.rule = Some(name);
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were found, the counted ones included.
    pub fn len(&self) -> usize {
        self.found.len() + self.more
    }

    /// How many were found beyond those kept.
    pub fn more(&self) -> usize {
        self.more
    }

    /// The kept violations, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.found.iter()
    }

    /// The class that decides the answer: the one that stands first in [`Class`].
    pub fn class(&self) -> Class {
        self.found.iter().map(|violation| violation.code.class()).min().unwrap_or(Class::Forbidden)
    }
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self { found: vec![violation], more: 0 }
    }
}

impl<'v> IntoIterator for &'v Violations {
    type Item = &'v Violation;
    type IntoIter = std::slice::Iter<'v, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_a_bounded_number_and_counts_the_rest() {
        let mut report = Violations::default();
        for index in 0..CAP + 5 {
            report.push(Violation::new(Code::OpForbidden, "not this one").op(index));
        }
        assert_eq!((report.iter().count(), report.more(), report.len()), (CAP, 5, CAP + 5));
    }

    #[test]
    fn the_gravest_class_decides_the_answer() {
        let mut report = Violations::from(Violation::new(Code::TransitionForbidden, "no edge"));
        assert_eq!(report.class(), Class::Conflict);
        report.push(Violation::new(Code::BodyNotJson, "not json"));
        assert_eq!(report.class(), Class::Malformed);
    }
}
