//! Keeps credentials good: asks for a token ahead of the time, and for the next after a failure with
//! ever longer pauses. There is one keeper for a credential, however many callers are lent it.

use super::answer::{self, ANSWER_MAX, Given};
use super::grant::Grant;
use super::state_file::{Owned, StateFile};
use super::{Credential, Token, lock};
use crate::outbound::{Connector, Errand, Rest, Tcp, retry_after, visit};

use tokio::time::{sleep, timeout};

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

/// The longest that a token endpoint may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How long before its end a token is replaced, at most, and which part of its life that is.
const AHEAD_MAX: Duration = Duration::from_secs(300);
const AHEAD_PART: u32 = 5;

/// Keeps `credential` by `grant`.
pub(super) fn errand(credential: Weak<Credential>, grant: Grant, rest: Rest) -> Errand {
    Box::new(move || Box::pin(keep(credential, grant, rest)))
}

async fn keep(credential: Weak<Credential>, grant: Grant, mut rest: Rest) {
    let mut asker = match Connector::new(grant.way.clone(), Box::new(Tcp)) {
        Ok(connector) => Asker { grant, connector, owned: None },
        Err(why) => return tracing::error!(why, "a credential is not granted"),
    };
    loop {
        let Some(asking) = Asking::begin(&credential) else { return };
        let asked = asker.ask().await;
        drop(asking);
        let Some(held) = credential.upgrade() else { return };
        let Some(granted) = &held.granted else { return };
        let pause = match asked {
            Ok((token, lifetime)) => {
                granted.granted.fetch_add(1, Ordering::Relaxed);
                if rest.succeeded() {
                    tracing::info!(credential = held.name, "a credential is granted again");
                }
                granted.bell.quiet();
                let ahead = (lifetime / AHEAD_PART).min(AHEAD_MAX);
                let left = token.until.map(|until| until.saturating_duration_since(Instant::now()));
                held.shown.store(Some(Arc::new(token)));
                granted.has_come.store(true, Ordering::Relaxed);
                left.unwrap_or_default().saturating_sub(ahead)
            }
            Err(Failed { why, wait }) => {
                granted.failed.fetch_add(1, Ordering::Relaxed);
                let pause = rest.failed(wait);
                let again_in = pause.as_secs_f64();
                tracing::warn!(
                    credential = held.name,
                    why,
                    again_in,
                    "a credential is not granted"
                );
                pause
            }
        };
        *lock(&granted.next) = Some(Instant::now() + pause);
        // Nothing holds it while nothing is done about it.
        drop(held);
        if !rest.rest(pause).await {
            return;
        }
    }
}

/// A request for a token, while it is under way.
struct Asking(Arc<Credential>);

impl Asking {
    /// `None` where nobody is lent the credential any longer.
    fn begin(credential: &Weak<Credential>) -> Option<Self> {
        let asking = Self(credential.upgrade()?);
        let granted = asking.0.granted.as_ref()?;
        // Whoever retires it does these two the other way round: one sees what the other did.
        granted.is_asking.store(true, Ordering::SeqCst);
        (!granted.bell.is_over()).then_some(asking)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(granted) = &self.0.granted {
            granted.is_asking.store(false, Ordering::SeqCst);
        }
    }
}

/// Why there is no token.
struct Failed {
    why: String,
    /// How long the endpoint wants to be left alone.
    wait: Option<Duration>,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, wait: None }
    }
}

/// Whoever asks for tokens.
struct Asker {
    grant: Grant,
    connector: Connector,
    owned: Option<Owned>,
}

impl Asker {
    async fn ask(&mut self) -> Result<(Token, Duration), Failed> {
        let refresh = match &self.grant.refresh {
            None => None,
            Some(file) => {
                let owned = match self.owned.take() {
                    Some(owned) => owned,
                    None => own(file).await?,
                };
                Some(self.owned.insert(owned).token()?)
            }
        };
        let request = self.grant.request(refresh.as_ref().map(|token| token.as_str()))?;
        let sent = Instant::now();
        let answer = timeout(PATIENCE, visit(&self.connector, request, ANSWER_MAX)).await;
        let answer = answer.map_err(|_| "it took too long to answer".to_owned())?;
        let answer = answer.map_err(|error| error.to_string())?;
        let Given { refresh: next, token } = answer::read(answer.status, &answer.body, sent);
        if let (Some(owned), Some(next)) = (&mut self.owned, next)
            && Some(&next) != refresh.as_ref()
            && let Err(why) = owned.keep(next)
        {
            // The token that came with it is good, and a restart before it is written is not.
            tracing::error!(%why, "a refresh token is not written down yet");
        }
        let wait = retry_after(&answer.headers, SystemTime::now());
        token.map_err(|why| Failed { why, wait })
    }
}

/// Takes possession of `file`. After a reload the one who had it may be about to let go.
async fn own(file: &StateFile) -> Result<Owned, String> {
    const TRIES: u32 = 8;
    for _ in 0..TRIES {
        match file.own() {
            Err(_) => sleep(Duration::from_millis(100)).await,
            owned => return owned,
        }
    }
    file.own()
}
