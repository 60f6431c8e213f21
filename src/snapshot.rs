//! Policy, partners and limits of one load: immutable, and known by a digest.

use crate::limits::Limits;
use crate::partner::Partners;
use crate::policy::Policy;

/// What one load of the configuration came to. A request sees one, from its start to its end.
#[derive(Debug)]
pub struct Snapshot {
    /// What is judged.
    pub policy: Policy,
    /// Who may call.
    pub partners: Partners,
    /// What they may spend; kept to be carried over at the next load.
    pub limits: Limits,
    /// The first 16 hexadecimal digits of a digest of every file that was read.
    pub digest: String,
}
