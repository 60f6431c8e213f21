//! Who is calling.

mod certificate;
mod key;
mod network;
pub mod token;

pub use certificate::{Certificate, CertificateName, NameKind};
pub use key::KeyDigest;
pub use network::Network;
pub use token::Issuer;

use token::KeySet;

use crate::credential::Credential;
use crate::limits::Account;

use http::HeaderName;
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Who is calling: a tenant, an application, a key holder.
#[derive(Debug)]
pub struct Partner {
    /// The name in logs and metrics; from the configuration, never from a request.
    pub id: String,
    /// What it is, as far as the policy tells partners apart; from the configuration as well.
    pub roles: Vec<String>,
    /// The name of the limits that it has, unless its own override them.
    pub tier: Arc<str>,
    /// What it may send, and what is spent of that.
    pub account: Arc<Account>,
    /// What the upstream is shown for it, if not what it shows itself.
    pub credential: Option<Arc<Credential>>,
}

impl Partner {
    /// The upstream answered `status` to what it was `shown`: a credential that it does not take is
    /// asked for anew.
    pub fn doubt(&self, status: StatusCode, shown: Option<&HeaderValue>) {
        if let (StatusCode::UNAUTHORIZED, Some(credential), Some(shown)) =
            (status, &self.credential, shown)
        {
            credential.doubt(shown);
        }
    }
}

/// The partners of one load, and how a request tells which of them is calling.
#[derive(Debug, Default)]
pub struct Partners {
    /// Where an identity is read from; the first that applies decides.
    pub identity: Vec<IdentitySource>,
    /// The partners by the keys that prove who they are.
    pub keys: HashMap<KeyDigest, Arc<Partner>>,
    /// The partners by the certificates that prove who they are.
    pub certificates: HashMap<CertificateName, Arc<Partner>>,
    /// The partners by the tokens that prove who they are: by issuer, and whom that one names.
    pub tokens: HashMap<String, HashMap<String, Arc<Partner>>>,
    /// The partners by what a header or a token calls them, which nobody has verified. So it can name
    /// nobody that a proof alone names.
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

/// A proof of who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The key in this header field. A wrong one is nobody's: who shows it is not among the unknown
    /// callers.
    ApiKey(HeaderName),
    /// The names of one kind in the certificate that the caller has shown, and that was found good.
    Certificate(NameKind),
    /// A bearer token of this issuer. A broken one is nobody's, as a wrong key is.
    Token(Arc<Issuer>),
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
            Self::Verified(Verified::Certificate(_) | Verified::Token(_))
            | Self::Unverified(Unverified::TokenClaims(_)) => None,
        }
    }
}

impl Partners {
    /// Whether `partner` is one that is known by name.
    pub fn is_known(&self, partner: &Arc<Partner>) -> bool {
        !self.unknown.as_ref().is_some_and(|unknown| Arc::ptr_eq(unknown, partner))
    }

    /// All of them, by their ids; and who everybody else is, if they are let in.
    pub fn all(&self) -> Vec<Arc<Partner>> {
        let tokens = self.tokens.values().flat_map(HashMap::values);
        let named = self.keys.values().chain(self.certificates.values()).chain(tokens);
        let named = named.chain(self.called.values()).chain(&self.unknown);
        let by_id = named.map(|partner| (&*partner.id, partner));
        by_id.collect::<BTreeMap<_, _>>().into_values().cloned().collect()
    }

    /// Whose `key` it is.
    pub fn by_key(&self, key: &[u8]) -> Option<&Arc<Partner>> {
        self.keys.get(&KeyDigest::of(key))
    }

    /// Whose `certificate` it is, if it has names of this kind. All that are known have to be those of
    /// one partner; where none is, it is the shared one for everybody else. Several SPIFFE ids are
    /// nobody's.
    pub fn by_certificate(
        &self,
        certificate: &Certificate,
        kind: NameKind,
    ) -> Option<Option<&Arc<Partner>>> {
        let count = certificate.names(kind).count();
        match (count, kind) {
            (0, _) => return None,
            (2.., NameKind::Spiffe) => return Some(None),
            (_, NameKind::Dns | NameKind::Fingerprint | NameKind::Spiffe) => {}
        }
        let names = certificate.names(kind);
        let mut known = names.filter_map(|name| self.certificates.get(name));
        let Some(first) = known.next() else { return Some(self.unknown.as_ref()) };
        Some(known.all(|other| Arc::ptr_eq(first, other)).then_some(first))
    }

    /// The keys of the issuers of tokens.
    pub fn key_sets(&self) -> impl Iterator<Item = &Arc<KeySet>> {
        self.identity.iter().filter_map(|source| match source {
            IdentitySource::Verified(Verified::Token(issuer)) => Some(&issuer.keys),
            IdentitySource::Verified(Verified::ApiKey(_) | Verified::Certificate(_))
            | IdentitySource::Unverified(_) => None,
        })
    }

    /// Whom `issuer` calls `subject`, or the shared one for everybody else.
    pub fn by_token(&self, issuer: &Issuer, subject: &str) -> Option<&Arc<Partner>> {
        let known = self.tokens.get(&issuer.name).and_then(|named| named.get(subject));
        known.or(self.unknown.as_ref())
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
                // The handshake has asked for it.
                IdentitySource::Verified(Verified::Certificate(_)) => continue,
                IdentitySource::Verified(Verified::Token(_)) | IdentitySource::Unverified(_) => {
                    "Bearer".to_owned()
                }
            };
            if !challenges.contains(&challenge) {
                challenges.push(challenge);
            }
        }
        challenges.join(", ")
    }
}
