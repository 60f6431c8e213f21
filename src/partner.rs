//! Who is calling.

mod key;
mod network;

pub use key::KeyDigest;
pub use network::Network;

use crate::limits::Account;

use http::HeaderName;
use http::header::AUTHORIZATION;

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
#[derive(Debug, Default)]
pub struct Partners {
    /// Where an identity is read from; the first that applies decides.
    pub identity: Vec<IdentitySource>,
    /// The partners by the keys that prove who they are.
    pub keys: HashMap<KeyDigest, Arc<Partner>>,
    /// The partners by what a header or a token calls them, which nobody has verified. So it can name
    /// nobody that a key alone names.
    pub called: HashMap<String, Arc<Partner>>,
    /// Who everybody else is, if everybody else is let in: one partner with one shared limit.
    pub unknown: Option<Arc<Partner>>,
}

/// A place in a request that tells who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// It proves who is calling.
    Verified(Verified),
    /// It says who is calling, and whoever can write it can be anybody. It tells partners apart that
    /// the network or the upstream has already admitted.
    Unverified(Unverified),
}

/// A proof of who is calling. A wrong one is nobody's: who shows it is not among the unknown callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The key in this header field.
    ApiKey(HeaderName),
}

/// A statement of who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
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

impl IdentitySource {
    /// The field that it alone is for, which is not sent on.
    pub fn field(&self) -> Option<&HeaderName> {
        match self {
            Self::Verified(Verified::ApiKey(name))
            | Self::Unverified(Unverified::Header { name, .. }) => {
                Some(name).filter(|name| **name != AUTHORIZATION)
            }
            Self::Unverified(Unverified::TokenClaims(_)) => None,
        }
    }
}

impl Partners {
    /// Whose `key` it is.
    pub fn by_key(&self, key: &[u8]) -> Option<&Arc<Partner>> {
        self.keys.get(&KeyDigest::of(key))
    }

    /// The partner that is called `name`, or the shared one for everybody else.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Partner>> {
        self.called.get(name).or(self.unknown.as_ref())
    }

    /// What a caller may prove who it is with, as the challenges of `WWW-Authenticate`.
    pub fn challenges(&self) -> String {
        let mut challenges: Vec<String> = Vec::new();
        for source in &self.identity {
            let challenge = match source {
                IdentitySource::Verified(Verified::ApiKey(name)) => {
                    format!("ApiKey header=\"{name}\"")
                }
                IdentitySource::Unverified(_) => "Bearer".to_owned(),
            };
            if !challenges.contains(&challenge) {
                challenges.push(challenge);
            }
        }
        challenges.join(", ")
    }
}
