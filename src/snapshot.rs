//! Policy, partners, credentials and limits of one load: immutable, and known by a digest.

mod hosts;

pub use hosts::{Host, Hosts, Misfit};

use crate::credential::{self, Credentials};
use crate::limits::Limits;
use crate::partner::{Partners, token};
use crate::policy::Policy;

use std::sync::Arc;

/// What one load of the configuration came to. A request sees one, from its start to its end.
#[derive(Debug)]
pub struct Snapshot {
    /// What is judged.
    pub policy: Policy,
    /// What is judged beside it, and decides nothing.
    pub shadow: Option<Policy>,
    /// Who may call.
    pub partners: Partners,
    /// What callers are lent.
    pub credentials: Credentials,
    /// The hosts that they may ask for; without them, any.
    pub hosts: Option<Hosts>,
    /// What they may spend; kept to be carried over at the next load.
    pub limits: Limits,
    /// The first 16 hexadecimal digits of a digest of every file that was read.
    pub digest: String,
    /// The gateway file with all defaults, secrets masked, as JSON.
    pub effective: Arc<str>,
}

impl Snapshot {
    /// Begins to do what it takes to serve with it in the place of `old`: connects to the store, asks
    /// for credentials and the keys of issuers, and gives up those that are no longer lent.
    pub fn open(&self, old: Option<&Self>) {
        let stays = |credential: &Arc<_>| {
            self.credentials.values().any(|other| Arc::ptr_eq(other, credential))
        };
        let old = old.into_iter().flat_map(|old| old.credentials.values());
        old.filter(|credential| !stays(credential)).for_each(|credential| credential.retire());
        credential::keep(self.credentials.values());
        token::keep(self.partners.key_sets());
        self.limits.open();
    }
}
