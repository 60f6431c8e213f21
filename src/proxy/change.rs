//! What is written down of a change that was judged.

use crate::audit::{Audit, Room};
use crate::policy::record::{self, Ops};
use crate::policy::{Disclosure, EntityTag, Facts, IfMatch};
use crate::proxy::rejection::Rejection;

use aws_lc_rs::hmac;

use std::fmt;

/// Who writes down changes, and how much of them.
#[derive(Clone)]
pub struct Recorder {
    audit: Audit,
    disclosure: Disclosure,
    key: hmac::Key,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.disclosure).finish()
    }
}

/// A change that is being judged, as far as it may be written down.
#[derive(Debug)]
pub struct Change {
    room: Room,
    /// The path that it is sent to.
    pub target: String,
    /// Its ops.
    pub ops: Ops,
    /// What the caller demanded of the version.
    pub if_match: &'static str,
    /// The version that it was judged by, where the stored document was read.
    pub tag: Option<String>,
}

impl Recorder {
    /// Records go to `audit`, with what `disclosure` allows of values; `key` is what they are hashed
    /// with.
    pub fn new(audit: Audit, disclosure: Disclosure, key: &[u8]) -> Self {
        Self { audit, disclosure, key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Room for the record of a change.
    ///
    /// # Errors
    ///
    /// When there is none, and nothing is to happen that is not recorded.
    pub fn admit(&self) -> Result<Room, Rejection> {
        self.audit.admit().map_err(|_| Rejection::AuditUnavailable)
    }

    /// What is written down of a request to `target`.
    pub fn begin(&self, room: Room, target: &str, facts: &Facts<'_>, if_match: &IfMatch) -> Change {
        let if_match = match if_match {
            IfMatch::Absent => "absent",
            IfMatch::Any => "any",
            IfMatch::Tags(tags) if tags.iter().all(EntityTag::is_weak) => "weak",
            IfMatch::Tags(_) => "tags",
            IfMatch::Malformed => "malformed",
        };
        let ops = record::ops(facts, &self.disclosure, &|text| self.hash(text));
        Change { room, target: target.to_owned(), ops, if_match, tag: None }
    }

    /// Writes down `change`: `members` are those of its record.
    pub(super) fn end(&self, change: Change, members: Vec<u8>) {
        self.audit.record(change.room, members);
    }

    fn hash(&self, text: &str) -> String {
        let tag = hmac::sign(&self.key, text.as_bytes());
        crate::audit::hex(tag.as_ref().get(..16).unwrap_or_default())
    }
}
