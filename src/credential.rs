//! What the gateway shows the upstream in the place of what callers show.
//!
//! A token is worth what whoever holds it may do. It is shown to nobody but the upstream, and
//! overwritten when it is no longer needed.

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes of a token.
const TOKEN_MAX: usize = 16 << 10;

/// Something that the gateway lends to callers, who show the upstream nothing of their own then.
pub struct Credential {
    name: String,
    number: u64,
    authorization: HeaderValue,
}

/// Its name alone: the rest is nobody's to see.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.name)
    }
}

impl Credential {
    /// The bearer token `token`, called `name`. `None` where it is no token of RFC 6750 §2.1.
    pub fn bearer(name: &str, token: &str) -> Option<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let digits = token.trim_end_matches('=');
        let is_token = (1..=TOKEN_MAX).contains(&token.len())
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        if !is_token {
            return None;
        }
        // Made in one piece, and overwritten when the last who holds it lets go.
        let mut whole = Zeroizing::new(Vec::with_capacity(token.len() + 7));
        whole.extend_from_slice(b"Bearer ");
        whole.extend_from_slice(token.as_bytes());
        let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(whole)).ok()?;
        authorization.set_sensitive(true);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Some(Self { name: name.to_owned(), number, authorization })
    }

    /// What it is called in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What no other credential has, nor another load of this one: nothing that was read with one is
    /// given to whoever is lent another.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The value of `Authorization`.
    pub fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_of_rfc_6750_and_is_not_shown() {
        let credential = Credential::bearer("api", "a.b-_~+/9==").unwrap();
        assert_eq!(credential.authorization(), "Bearer a.b-_~+/9==");
        let shown = format!("{credential:?} {:?}", credential.authorization());
        assert_eq!(shown, "Credential(api) Sensitive");
        assert_ne!(credential.number(), Credential::bearer("api", "a").unwrap().number());
        let long = "a".repeat(TOKEN_MAX + 1);
        for text in ["", "=", "a b", "a\n", "a\0", "a=b", "Bearer a", "é", "a,b", "\"a\"", &long] {
            assert!(Credential::bearer("api", text).is_none(), "{text:?}");
        }
    }
}
