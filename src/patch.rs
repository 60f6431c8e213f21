//! JSON Patch (RFC 6902) and merge patch (RFC 7396) as values: read strictly, with every bad op
//! reported by its index.

pub mod apply;
pub mod effect;
mod merge;
pub mod partial;
pub mod pointer;
mod read;

pub use apply::{Inapplicable, apply};
pub use effect::{Effect, Touch};
pub use partial::{Known, Partial};
pub use pointer::Pointer;
pub use read::unreadable_body;

use crate::json::{Bounds, Value};

use std::fmt;

/// The six operations of RFC 6902.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpName {
    /// §4.1
    Add,
    /// §4.5
    Copy,
    /// §4.4
    Move,
    /// §4.2
    Remove,
    /// §4.3
    Replace,
    /// §4.6
    Test,
}

impl OpName {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Add, Self::Copy, Self::Move, Self::Remove, Self::Replace, Self::Test];

    /// The name as it stands in a patch.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Copy => "copy",
            Self::Move => "move",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Test => "test",
        }
    }

    /// The operation that is spelt exactly `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str() == name)
    }

    fn takes_value(self) -> bool {
        matches!(self, Self::Add | Self::Replace | Self::Test)
    }

    fn takes_from(self) -> bool {
        matches!(self, Self::Copy | Self::Move)
    }
}

impl fmt::Display for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One operation: of a JSON Patch, or one that a merge patch comes to.
#[derive(Clone, Debug)]
pub enum Op<'a> {
    /// Sets a member, or inserts an element.
    Add { path: Pointer<'a>, value: Value<'a> },
    /// Writes at `path` what stands at `from`.
    Copy { from: Pointer<'a>, path: Pointer<'a> },
    /// Takes away what stands at `from` and writes it at `path`.
    Move { from: Pointer<'a>, path: Pointer<'a> },
    /// Of a merge patch: whatever stands at `path`, an object stands there then; an object keeps
    /// its members.
    Open { path: Pointer<'a> },
    /// Takes away what stands at `path`.
    Remove { path: Pointer<'a> },
    /// Sets what stands at `path`.
    Replace { path: Pointer<'a>, value: Value<'a> },
    /// Demands that what stands at `path` equals `value`.
    Test { path: Pointer<'a>, value: Value<'a> },
    /// Of a merge patch: takes away what stands at `path`, if anything does.
    Unset { path: Pointer<'a> },
}

impl<'a> Op<'a> {
    /// Which operation it is, or is judged as.
    pub fn name(&self) -> OpName {
        match self {
            Self::Add { .. } | Self::Open { .. } => OpName::Add,
            Self::Copy { .. } => OpName::Copy,
            Self::Move { .. } => OpName::Move,
            Self::Remove { .. } | Self::Unset { .. } => OpName::Remove,
            Self::Replace { .. } => OpName::Replace,
            Self::Test { .. } => OpName::Test,
        }
    }

    /// Where it points.
    pub fn path(&self) -> &Pointer<'a> {
        match self {
            Self::Add { path, .. }
            | Self::Copy { path, .. }
            | Self::Move { path, .. }
            | Self::Open { path }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Test { path, .. }
            | Self::Unset { path } => path,
        }
    }

    /// The value that it brings.
    pub fn value(&self) -> Option<&Value<'a>> {
        match self {
            Self::Add { value, .. } | Self::Replace { value, .. } | Self::Test { value, .. } => {
                Some(value)
            }
            Self::Copy { .. }
            | Self::Move { .. }
            | Self::Open { .. }
            | Self::Remove { .. }
            | Self::Unset { .. } => None,
        }
    }

    /// Where it takes its value from.
    pub fn from(&self) -> Option<&Pointer<'a>> {
        match self {
            Self::Copy { from, .. } | Self::Move { from, .. } => Some(from),
            Self::Add { .. }
            | Self::Open { .. }
            | Self::Remove { .. }
            | Self::Replace { .. }
            | Self::Test { .. }
            | Self::Unset { .. } => None,
        }
    }
}

/// A patch: operations that are applied in order, all or none.
#[derive(Clone, Debug, Default)]
pub struct Patch<'a> {
    /// The operations.
    pub ops: Vec<Op<'a>>,
}

/// What members an op may have beside its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownMembers {
    /// None.
    #[default]
    Refuse,
    /// Any whose name is not that of a known one in another case.
    Permit,
}

impl<'a> Patch<'a> {
    /// Replaces every pointer by what `map` makes of it.
    pub fn map_pointers(&mut self, map: impl Fn(&Pointer<'a>) -> Pointer<'a>) {
        for op in &mut self.ops {
            match op {
                Op::Add { path, .. }
                | Op::Open { path }
                | Op::Remove { path }
                | Op::Replace { path, .. }
                | Op::Test { path, .. }
                | Op::Unset { path } => *path = map(path),
                Op::Copy { from, path } | Op::Move { from, path } => {
                    *from = map(from);
                    *path = map(path);
                }
            }
        }
    }

    /// What the ops do to a document, in order.
    pub fn effects(&self) -> impl Iterator<Item = Effect<'_, 'a>> {
        let (mut ops, mut second) = (self.ops.iter().enumerate(), None);
        std::iter::from_fn(move || {
            if second.is_some() {
                return second.take();
            }
            let (index, op) = ops.next()?;
            let (first, next) = effect::of(index, op);
            second = next;
            Some(first)
        })
    }
}

impl<'a> From<&'a str> for Patch<'a> {
    /// For tests and examples: an unreadable patch becomes an empty one.
    fn from(text: &'a str) -> Self {
        Self::read(text.as_bytes(), Bounds::default(), UnknownMembers::Refuse).unwrap_or_default()
    }
}
