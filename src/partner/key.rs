//! What the gateway keeps of a key: its digest, from which nobody can tell the key.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use std::fmt;
use std::hash::{Hash, Hasher};

/// What comes before the digits of a digest.
const PREFIX: &str = "sha256:";

/// The SHA-256 of a key.
///
/// A plain digest is enough where keys are random and long: there is nothing to guess, and so nothing
/// to slow down. Digests are compared in constant time, so that how long an answer takes tells nothing of
/// those that are known.
#[derive(Clone, Copy, Eq)]
pub struct KeyDigest([u8; SHA256_OUTPUT_LEN]);

impl KeyDigest {
    /// That of `key`, byte for byte.
    pub fn of(key: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        let digest = digest(&SHA256, key);
        bytes.iter_mut().zip(digest.as_ref()).for_each(|(byte, found)| *byte = *found);
        Self(bytes)
    }

    /// The digest that `text` is: `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        if digits.len() != 2 * bytes.len() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// As the configuration has it.
impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_digest_is_that_of_the_bytes_and_reads_as_it_is_written() {
        assert_eq!(KeyDigest::of(b"abc").to_string(), ABC);
        assert_eq!(KeyDigest::parse(ABC), Some(KeyDigest::of(b"abc")));
        let upper = format!("{PREFIX}{}", ABC[PREFIX.len()..].to_uppercase());
        assert_eq!(KeyDigest::parse(&upper), Some(KeyDigest::of(b"abc")));
        assert_ne!(KeyDigest::of(b"abc"), KeyDigest::of(b"abc\n"));
        assert!(!format!("{:?}", KeyDigest::of(b"abc")).contains("ba78"));
    }

    #[test]
    fn what_is_no_digest_is_none() {
        let long = format!("{ABC}0");
        let signed = format!("{PREFIX}{}", "+1".repeat(32));
        let wide = format!("{PREFIX}{}", "é".repeat(32));
        for text in ["", "sha256:", "abc", &ABC[7..], &ABC[..70], &long, &signed, &wide] {
            assert_eq!(KeyDigest::parse(text), None, "{text}");
        }
    }
}
