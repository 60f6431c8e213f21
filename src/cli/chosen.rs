//! The policy that a command is asked about.

use crate::config::{ConfigErrors, Source, load_policy, source};
use crate::policy::Policy;

use std::path::Path;

/// The one in the file at `path`; the shipped referrals policy without one.
pub(super) fn policy(path: Option<&Path>) -> Result<Policy, ConfigErrors> {
    match path {
        Some(path) => load_policy(Source::Disk, path),
        None => load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY)),
    }
}
