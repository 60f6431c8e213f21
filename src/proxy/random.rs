//! Bits that nobody foresees, for ids.

use std::hash::{BuildHasher, RandomState};

/// Sixty-four bits that nobody foresees, and never none: the hash of nothing under keys that are
/// drawn at random and never used twice.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(()).max(1)
}
