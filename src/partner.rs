//! Who is calling.

mod network;

pub use network::Network;

use crate::limits::Account;

use http::HeaderName;

use std::collections::HashMap;
use std::sync::Arc;

/// Who is calling: a tenant, an application, a key holder.
#[derive(Debug)]
pub struct Partner {
    /// The name in logs and metrics; from the configuration, never from a request.
    pub id: String,
    /// What it is, as far as the policy tells partners apart; from the configuration as well.
    pub roles: Vec<String>,
    /// The name of the limits that it has, unless its own override them.
    pub tier: String,
    /// What it may send, and what is spent of that.
    pub account: Arc<Account>,
}

/// The partners of one load, and how a request tells which of them is calling.
#[derive(Debug)]
pub struct Partners {
    /// Where an identity is read from; the first that is there decides.
    pub identity: Vec<IdentitySource>,
    /// The partners by what identifies them.
    pub known: HashMap<String, Arc<Partner>>,
    /// Who everybody else is, if everybody else is let in: one partner with one shared limit.
    pub unknown: Option<Arc<Partner>>,
}

/// A place in a request that tells who is calling.
///
/// Neither of these is verified: whoever can write the header or the token can be anybody. They tell
/// partners apart that the network or the upstream has already admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// The value of a header field.
    Header {
        /// Its name.
        name: HeaderName,
        /// The peers that are believed; from others it says nothing. Everybody is, if there are none.
        from: Vec<Network>,
    },
    /// The first of these claims that the bearer token has.
    TokenClaims(Vec<String>),
}

impl Partners {
    /// The partner that `identity` names, or the shared one for everybody else.
    pub fn find(&self, identity: Option<&str>) -> Option<&Arc<Partner>> {
        identity.and_then(|identity| self.known.get(identity)).or(self.unknown.as_ref())
    }
}
