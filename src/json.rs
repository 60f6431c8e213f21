//! JSON as it is judged: read once, strictly, borrowed from the bytes that will be sent.
//!
//! The reader is our own and not `serde_json`'s for three reasons: a number keeps its text, every
//! bound holds before anything is built, and what two readers could understand differently is
//! refused. Tests hold it against `serde_json`: it never accepts what that refuses.

mod bounds;
mod decimal;
mod instance;
mod list;
mod reader;

pub use bounds::{Bounds, Fault, Unreadable};
pub use decimal::Number;
pub use instance::{Borrowed, Members};
pub use list::{List, Part};
pub use reader::read;
pub(crate) use reader::{Failed, Reader, read_as};

use std::borrow::Cow;
use std::fmt;

/// A JSON value, borrowed from the text wherever the text holds it as it is.
#[derive(Clone, PartialEq)]
#[repr(u64)] // With a tag as wide as a word it is moved in words.
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(Number<'a>),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(List<'a, Self>),
    /// An object; no two members have the same name.
    Object(Object<'a>),
}

/// The members of an object in the order they were written.
#[derive(Clone, Default)]
pub struct Object<'a>(List<'a, (Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The value of the member called `name`.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The same, where it most likely is the member `at`.
    pub fn get_near(&self, at: usize, name: &str) -> Option<&Value<'a>> {
        match self.0.get(at) {
            Some((known, value)) if known == name => Some(value),
            Some(_) | None => self.get(name),
        }
    }

    /// The value of the member called `name`, to be changed in place.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value<'a>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        self.0.to_mut().get_mut(at).map(|(_, value)| value)
    }

    /// Sets the member called `name`; gives back the value it had.
    pub fn insert(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Option<Value<'a>> {
        if let Some(slot) = self.get_mut(&name) {
            return Some(std::mem::replace(slot, value));
        }
        self.0.to_mut().push((name, value));
        None
    }

    /// Takes the member called `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.to_mut().remove(at).1)
    }

    /// The members, in the order they were written.
    pub fn iter(&self) -> std::slice::Iter<'_, (Cow<'a, str>, Value<'a>)> {
        self.0.iter()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Objects are equal whatever the order of their members.
impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(&*self.0, &*other.0)
            || self.len() == other.len()
                && (0..)
                    .zip(&self.0)
                    .all(|(at, (name, value))| other.get_near(at, name) == Some(value))
    }
}

impl<'a> Value<'a> {
    /// What kind of value it is, in the words of JSON Schema.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// Whether other values can stand inside it.
    pub fn is_container(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// How many values it is made of, itself included.
    pub fn size(&self) -> usize {
        match self {
            Self::Array(elements) => 1 + elements.iter().map(Self::size).sum::<usize>(),
            Self::Object(members) => {
                1 + members.iter().map(|(_, value)| value.size()).sum::<usize>()
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => 1,
        }
    }

    /// The same value, which has the texts of this one, and the parts.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.borrowed()),
            Self::String(text) => Value::String(Cow::Borrowed(text)),
            Self::Array(elements) => Value::Array(elements.borrowed()),
            Self::Object(members) => Value::Object(Object(members.0.borrowed())),
        }
    }

    /// The same value with a text of its own.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(number) => Value::Number(number.into_owned()),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Array(elements) => {
                Value::Array(elements.into_iter().map(Self::into_owned).collect())
            }
            Self::Object(members) => Value::Object(Object(
                members
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
                    .collect(),
            )),
        }
    }
}

impl<'a> From<&'a serde_json::Value> for Value<'a> {
    fn from(value: &'a serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(Number::from(number)),
            serde_json::Value::String(text) => Self::String(Cow::Borrowed(text)),
            serde_json::Value::Array(elements) => {
                Self::Array(elements.iter().map(Self::from).collect())
            }
            serde_json::Value::Object(members) => Self::Object(Object(
                members
                    .iter()
                    .map(|(name, value)| (Cow::Borrowed(name.as_str()), Self::from(value)))
                    .collect(),
            )),
        }
    }
}

/// The value as JSON text, without blanks; numbers as they were written.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(number.text()),
            Self::String(text) => quote(text, f),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{element}")?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    quote(name, f)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Only the kind: a value from a body must not reach a log by way of `{:?}`.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object of {}", self.0.len())
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    let is_special = |character: char| character < ' ' || matches!(character, '"' | '\\');
    let mut rest = text;
    while let Some((plain, special)) =
        rest.find(is_special).and_then(|at| rest.split_at_checked(at))
    {
        f.write_str(plain)?;
        let mut after = special.chars();
        match after.next() {
            Some('\n') => f.write_str("\\n")?,
            Some('\r') => f.write_str("\\r")?,
            Some('\t') => f.write_str("\\t")?,
            Some(quoted @ ('"' | '\\')) => write!(f, "\\{quoted}")?,
            Some(control) => write!(f, "\\u{:04x}", u32::from(control))?,
            None => {}
        }
        rest = after.as_str();
    }
    f.write_str(rest)?;
    f.write_str("\"")
}
