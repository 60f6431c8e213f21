//! The requests that were refused last, for whoever looks.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// How many are kept.
const KEPT: usize = 50;

/// A request that the gateway ended. It holds nothing that the caller sent but the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When it came.
    pub at: SystemTime,
    /// Its id.
    pub request_id: String,
    /// The id of its partner, if that was known.
    pub partner: Option<String>,
    /// The id of its route, if there was one.
    pub route: Option<String>,
    /// The status that it was answered with; nothing where nobody waited.
    pub status: Option<u16>,
    /// The slug of the rejection.
    pub rejection: &'static str,
    /// The rejection in words.
    pub title: &'static str,
    /// The rules that found something, and what, by code.
    pub found: Vec<(&'static str, &'static str)>,
}

/// The last ones.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<VecDeque<Refusal>>);

impl Refusals {
    /// Adds one; the oldest is forgotten.
    pub fn push(&self, refusal: Refusal) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        kept.push_front(refusal);
    }

    /// All that are kept, the newest first.
    pub fn all(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
