//! How much is read at most, and why a text is not read.

use std::fmt;

/// What the reader allows at most.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Containers within containers.
    pub depth: usize,
    /// Elements of an array that is the whole text: the ops of a patch.
    pub items: usize,
    /// Values in all.
    pub values: usize,
    /// Bytes of one string, as written.
    pub string: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { depth: 32, items: 100, values: 20_000, string: 64 * 1024 }
    }
}

/// Why a text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An object names a member twice.
    DuplicateMember,
    /// A number that 64 bits cannot hold exactly.
    ImpreciseNumber,
    /// Not JSON as RFC 8259 and RFC 7493 have it.
    Syntax(&'static str),
    /// More containers within containers than [`Bounds::depth`].
    TooDeep,
    /// More elements than [`Bounds::items`].
    TooManyItems,
    /// More values than [`Bounds::values`], or a string over [`Bounds::string`].
    TooMuch,
}

/// Where and why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Why.
    pub fault: Fault,
    /// The byte at which it was seen, counted from 0.
    pub offset: usize,
    /// The element of the outermost array that was being read, if any.
    pub item: Option<usize>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::DuplicateMember => "a member is named twice",
            Fault::ImpreciseNumber => "a number does not fit 64 bits exactly",
            Fault::Syntax(what) => what,
            Fault::TooDeep => "nested too deeply",
            Fault::TooManyItems => "too many elements in the outermost array",
            Fault::TooMuch => "too many values, or a string that is too long",
        };
        write!(f, "{what} (byte {})", self.offset)
    }
}

impl std::error::Error for Unreadable {}
