//! Who asks for which document: what two requests must have in common to share a read of it.

use crate::policy::Need;
use crate::proxy::request::Routed;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;
use http::header;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// Who asks for which document, by which load.
///
/// It is a digest under a key that nobody knows, so that no credential is kept, and none can be
/// found that would pass for another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    pub(super) document: Document,
    digest: [u8; 32],
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}

/// The document that a target is of, whoever asks for it. Two may be taken for one, if rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Document(u64);

/// Makes the [`Ask`]s of one worker.
#[derive(Debug)]
pub(super) struct Asks {
    key: Key,
    hasher: RandomState,
}

impl Asks {
    /// With a key of its own.
    pub(super) fn new() -> io::Result<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| io::Error::other("there is no randomness for a key"))?;
        Ok(Self { key, hasher: RandomState::new() })
    }

    /// What `routed` asks for. A fetch depends on its target and on what the upstream is shown alone:
    /// what the partner is lent, else what the caller shows. The partner is part of it all the same,
    /// and so are the load and the route: another policy, or resource, may find the tag elsewhere.
    pub(super) fn ask<B>(&self, _: Need, routed: &Routed<B>) -> Ask {
        let lent = routed.partner.credential.as_ref();
        let lent = lent.map(|credential| credential.number().to_be_bytes());
        let own = routed.fields.get(&header::AUTHORIZATION).filter(|_| lent.is_none());
        let parts = [
            Some(routed.snapshot.digest.as_bytes()),
            Some(routed.route.id.as_bytes()),
            Some(routed.partner.id.as_bytes()),
            Some(routed.target.as_str().as_bytes()),
            lent.as_ref().map(|number| &number[..]),
            own.map(|shown| shown.as_bytes()),
        ];
        Ask { document: self.document(routed.target.path()), digest: self.digest(&parts) }
    }

    /// The document that `path` leads to.
    pub(super) fn document(&self, path: &str) -> Document {
        Document(self.hasher.hash_one(path))
    }

    /// A digest that differs where a part does, and where one is empty that was not there.
    fn digest(&self, parts: &[Option<&[u8]>]) -> [u8; 32] {
        let mut signing = hmac::Context::with_key(&self.key);
        for part in parts {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            signing.update(&length.to_be_bytes());
            signing.update(part.unwrap_or_default());
        }
        // An HMAC-SHA256 has 32 bytes.
        let mut digest = [0; 32];
        digest.iter_mut().zip(signing.sign().as_ref()).for_each(|(to, from)| *to = *from);
        digest
    }
}

#[cfg(test)]
impl Ask {
    /// One for the document `document`, by the caller `caller`.
    pub(super) fn of(document: u64, caller: u8) -> Self {
        Self { document: Document(document), digest: [caller; 32] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::target::Target;

    #[test]
    fn what_is_empty_is_not_what_is_absent_and_no_part_runs_into_the_next() {
        let asks = Asks::new().unwrap();
        let [a, b, ab, none] = [Some(&b"a"[..]), Some(b"b"), Some(b"ab"), None];
        let empty = Some(&b""[..]);
        let different = [[a, b], [ab, empty], [empty, ab], [ab, none], [none, ab], [none, none]];
        for (index, one) in different.iter().enumerate() {
            for (other_index, other) in different.iter().enumerate() {
                assert_eq!(asks.digest(one) == asks.digest(other), index == other_index);
            }
        }
        assert_ne!(asks.digest(&[a]), Asks::new().unwrap().digest(&[a]), "each has a key");
    }

    #[test]
    fn the_query_makes_no_other_document() {
        let asks = Asks::new().unwrap();
        let document = |target| asks.document(Target::of(target).path());
        assert_eq!(document("/a?b"), document("/a"));
        assert_ne!(document("/a"), document("/b"));
    }
}
