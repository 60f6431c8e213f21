//! The parts of an array or an object: its own, or those of another value, as long as they are the same.

use super::Value;

use std::borrow::Cow;
use std::ops::Deref;

/// What stands in an array, or in an object with its name.
pub trait Part<'a> {
    /// The same, which has the texts and the parts of this one.
    fn borrowed(&'a self) -> Self;
}

impl<'a> Part<'a> for Value<'a> {
    fn borrowed(&'a self) -> Self {
        Value::borrowed(self)
    }
}

impl<'a> Part<'a> for (Cow<'a, str>, Value<'a>) {
    fn borrowed(&'a self) -> Self {
        (Cow::Borrowed(&self.0), self.1.borrowed())
    }
}

/// Parts one after the other. A document that a patch changes in one place has all others in common
/// with the one before.
#[derive(Clone)]
pub enum List<'a, T> {
    /// Those of another value.
    Of(&'a [T]),
    /// Its own.
    Own(Vec<T>),
}

impl<T> List<'_, T> {
    /// The same parts.
    pub(super) fn borrowed(&self) -> List<'_, T> {
        List::Of(self)
    }
}

impl<'a, T: Part<'a>> List<'a, T> {
    /// Its own parts, to be changed.
    pub fn to_mut(&mut self) -> &mut Vec<T> {
        if let Self::Of(parts) = self {
            *self = Self::Own(parts.iter().map(Part::borrowed).collect());
        }
        match self {
            Self::Own(parts) => parts,
            // INVARIANT: what was another's has been made its own just now.
            Self::Of(_) => unreachable!("they are its own now"),
        }
    }
}

impl<'a, T: Part<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(self.to_mut()).into_iter()
    }
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Of(parts) => parts,
            Self::Own(parts) => parts,
        }
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<'_, T> {
    fn from(parts: Vec<T>) -> Self {
        Self::Own(parts)
    }
}

impl<T> FromIterator<T> for List<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        Self::Own(parts.into_iter().collect())
    }
}

impl<'l, T> IntoIterator for &'l List<'_, T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        // Most that are compared are the same, before a change and after it.
        std::ptr::eq(&**self, &**other) || **self == **other
    }
}
