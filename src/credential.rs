//! What the gateway shows the upstream in the place of what callers show.
//!
//! A token is worth what whoever holds it may do. It is shown to nobody but the upstream, and
//! overwritten when it is no longer needed.

mod answer;
mod assertion;
mod grant;
mod keeper;
mod state_file;

pub use assertion::{Assertion, Scheme};
pub use grant::{Client, Grant, Proof};
pub use state_file::StateFile;

use crate::outbound::{Bell, Rest, run};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most bytes of a token.
const TOKEN_MAX: usize = 16 << 10;

/// Something that the gateway lends to callers, who show the upstream nothing of their own then.
pub struct Credential {
    name: String,
    number: u64,
    shown: ArcSwapOption<Token>,
    granted: Option<Granted>,
}

/// A bearer token.
struct Token {
    authorization: HeaderValue,
    /// None where it is somebody else's business to replace it in time.
    until: Option<Instant>,
}

/// What is known of a credential that a token endpoint grants again and again.
struct Granted {
    /// What no other configuration of one has.
    digest: [u8; 32],
    /// Until it is kept.
    grant: Mutex<Option<Grant>>,
    /// When the next attempt is made.
    next: Mutex<Option<Instant>>,
    has_come: AtomicBool,
    /// How often a token was granted, and how often none was.
    granted: AtomicU64,
    failed: AtomicU64,
    /// A request for a token is under way.
    is_asking: AtomicBool,
    /// Rung when the token is in doubt.
    bell: Arc<Bell>,
}

/// There is no token that could be shown, for about so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// At least a second.
    pub wait: Duration,
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
        let token = Token { authorization: authorization(token)?, until: None };
        Some(Self::new(name, Some(token), None))
    }

    /// Tokens that come of `grant`, called `name`, once it is [kept](keep). `digest` is what no other
    /// configuration of one has.
    pub fn granted(name: &str, grant: Grant, digest: [u8; 32]) -> Self {
        let granted = Granted {
            digest,
            grant: Mutex::new(Some(grant)),
            next: Mutex::default(),
            has_come: AtomicBool::default(),
            granted: AtomicU64::default(),
            failed: AtomicU64::default(),
            is_asking: AtomicBool::default(),
            bell: Arc::default(),
        };
        Self::new(name, None, Some(granted))
    }

    fn new(name: &str, token: Option<Token>, granted: Option<Granted>) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let shown = ArcSwapOption::from_pointee(token);
        Self { name: name.to_owned(), number, shown, granted }
    }

    /// What it is called in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What no other credential has, nor another load of one that has changed: nothing that was read
    /// with one is given to whoever is lent another.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether `other` comes of the same grant, to the letter.
    pub fn is_same(&self, other: &Self) -> bool {
        let digest = |one: &Self| one.granted.as_ref().map(|granted| granted.digest);
        digest(self).is_some() && digest(self) == digest(other)
    }

    /// The value of `Authorization`.
    ///
    /// # Errors
    ///
    /// When there is no token, or none that is still good.
    pub fn authorization(&self) -> Result<HeaderValue, Missing> {
        let token = self.shown.load();
        let good = token
            .as_ref()
            .filter(|token| token.until.is_none_or(|until| Instant::now() < until))
            .map(|token| token.authorization.clone());
        good.ok_or_else(|| Missing { wait: self.next_attempt() })
    }

    /// Whether there has ever been a token.
    pub fn has_come(&self) -> bool {
        self.granted.as_ref().is_none_or(|granted| granted.has_come.load(Ordering::Relaxed))
    }

    /// How often a token was granted, and how often none was; nothing where nobody is asked for one.
    pub fn asked(&self) -> Option<(u64, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.granted.as_ref().map(|granted| (count(&granted.granted), count(&granted.failed)))
    }

    /// The upstream did not take `authorization`: a token that is still the one to show is asked for
    /// again, if that was not done a moment ago.
    pub fn doubt(&self, authorization: &HeaderValue) {
        let token = self.shown.load();
        let is_shown = token.as_ref().is_some_and(|token| token.authorization == authorization);
        if let (true, Some(granted)) = (is_shown, &self.granted) {
            granted.bell.ring();
        }
    }

    /// Nobody is lent it any longer, but for requests that are under way: it is not renewed, and
    /// what it holds on to is free.
    pub fn retire(&self) {
        if let Some(granted) = &self.granted {
            granted.bell.end();
        }
    }

    /// Retires it, and waits for what is under way: a refresh token that was given must not be lost.
    pub fn settle(&self) {
        self.retire();
        let Some(granted) = &self.granted else { return };
        let began = Instant::now();
        while granted.is_asking.load(Ordering::SeqCst) && began.elapsed() < keeper::PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How long it is until there may be a token.
    fn next_attempt(&self) -> Duration {
        let next = self.granted.as_ref().and_then(|granted| *lock(&granted.next));
        let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
        wait.unwrap_or_default().max(Duration::from_secs(1))
    }
}

/// Credentials by their names.
pub type Credentials = BTreeMap<String, Arc<Credential>>;

/// Begins to keep those of `credentials` that come of a grant and are not kept yet, for as long as
/// they are lent to somebody.
pub fn keep<'c>(credentials: impl Iterator<Item = &'c Arc<Credential>>) {
    let begun = credentials.filter_map(|credential| {
        let granted = credential.granted.as_ref()?;
        let grant = lock(&granted.grant).take()?;
        let rest = Rest::new(Arc::downgrade(&granted.bell));
        Some(keeper::errand(Arc::downgrade(credential), grant, rest))
    });
    run("credentials", begun.collect());
}

/// It is whole at any moment, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `Bearer`, and `token` if it is one of RFC 6750 §2.1.
fn authorization(token: &str) -> Option<HeaderValue> {
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
    Some(authorization)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_of_rfc_6750_and_is_not_shown() {
        let credential = Credential::bearer("api", "a.b-_~+/9==").unwrap();
        assert_eq!(credential.authorization().unwrap(), "Bearer a.b-_~+/9==");
        let shown = format!("{credential:?} {:?}", credential.authorization());
        assert_eq!(shown, "Credential(api) Ok(Sensitive)");
        assert_ne!(credential.number(), Credential::bearer("api", "a").unwrap().number());
        let long = "a".repeat(TOKEN_MAX + 1);
        for text in ["", "=", "a b", "a\n", "a\0", "a=b", "Bearer a", "é", "a,b", "\"a\"", &long] {
            assert!(Credential::bearer("api", text).is_none(), "{text:?}");
        }
    }
}
