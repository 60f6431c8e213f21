//! Who asks for which document: what two requests must have in common to share a read of it.

use crate::policy::Need;
use crate::proxy::request::Routed;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;
use http::header;

use std::fmt;
use std::io;

/// Who asks for which document, by which load.
///
/// It is a digest under a key that nobody knows, so that no credential is kept, and none can be
/// found that would pass for another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Ask([u8; 32]);

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}

/// Makes the [`Ask`]s of one worker.
#[derive(Debug)]
pub(super) struct Asks(Key);

impl Asks {
    /// With a key of its own.
    pub(super) fn new() -> io::Result<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new());
        key.map(Self).map_err(|_| io::Error::other("there is no randomness for a key"))
    }

    /// What `routed` asks for. A fetch depends on its target and its credentials alone. The partner
    /// is part of it all the same, and so is the load: another policy may find the tag elsewhere.
    pub(super) fn ask<B>(&self, _: &Need, routed: &Routed<B>) -> Ask {
        let credentials = routed.headers.get(header::AUTHORIZATION);
        let parts = [
            routed.snapshot.digest.as_bytes(),
            routed.partner.id.as_bytes(),
            routed.target.as_str().as_bytes(),
            credentials.map_or(&[][..], |value| value.as_bytes()),
        ];
        let mut signing = hmac::Context::with_key(&self.0);
        for part in parts {
            signing.update(&(part.len() as u64).to_be_bytes());
            signing.update(part);
        }
        let tag = signing.sign();
        // An HMAC-SHA256 has 32 bytes.
        let mut ask = Ask([0; 32]);
        ask.0.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        ask
    }
}

#[cfg(test)]
impl Ask {
    pub(super) fn number(number: u8) -> Self {
        Self([number; 32])
    }
}
