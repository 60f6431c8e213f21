//! The value of a field: what may stand there.

use crate::proxy::octets::is_value;
use crate::proxy::request::RequestId;

use http::HeaderValue;

use std::fmt;

/// The value of a field: without control characters but tabs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FieldValue<'v>(pub(super) &'v [u8]);

impl<'v> FieldValue<'v> {
    /// Nothing.
    pub const EMPTY: Self = Self(b"");

    /// Its bytes.
    pub fn as_bytes(self) -> &'v [u8] {
        self.0
    }

    /// Its text, if it is ASCII.
    pub fn as_str(self) -> Option<&'v str> {
        str::from_utf8(self.0).ok().filter(|text| text.is_ascii())
    }

    /// The value that `text` is, if it may be one.
    pub fn of(text: &'v str) -> Option<Self> {
        is_value(text.as_bytes()).then_some(Self(text.as_bytes()))
    }
}

impl<'v> From<&'v HeaderValue> for FieldValue<'v> {
    fn from(value: &'v HeaderValue) -> Self {
        Self(value.as_bytes())
    }
}

/// An id has nothing but letters, digits, dots, hyphens and underscores.
impl<'v> From<&'v RequestId> for FieldValue<'v> {
    fn from(id: &'v RequestId) -> Self {
        Self(id.as_str().as_bytes())
    }
}

/// Without what it says, which must not be logged.
impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
