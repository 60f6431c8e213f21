//! Keeps credentials good: asks for a token ahead of the time, and for the next after a failure with
//! ever longer pauses. There is one keeper for a credential, however many callers are lent it.

use super::answer::{self, ANSWER_MAX, Given};
use super::grant::Grant;
use super::state_file::{Owned, StateFile};
use super::{Credential, Token, lock};
use crate::outbound::{Connector, Tcp, retry_after, visit};

use tokio::time::{sleep, timeout};

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

/// The longest that a token endpoint may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How long before its end a token is replaced, at most, and which part of its life that is.
const AHEAD_MAX: Duration = Duration::from_secs(300);
const AHEAD_PART: u32 = 5;
/// The pause after a failure, which doubles from the one to the other.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// How often a token that the upstream does not take is replaced, at most.
const DOUBT_PAUSE: Duration = Duration::from_secs(30);

/// Begins to keep `credentials`, on a thread of its own that ends with the last of them.
pub(super) fn begin(credentials: Vec<(Weak<Credential>, Grant)>) {
    if credentials.is_empty() {
        return;
    }
    let spawned =
        tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            let keep = move || {
                let all = tokio::task::LocalSet::new();
                for (credential, grant) in credentials {
                    all.spawn_local(keep(credential, grant));
                }
                runtime.block_on(all);
            };
            std::thread::Builder::new().name("credentials".into()).spawn(keep)
        });
    if let Err(error) = spawned {
        tracing::error!(%error, "credentials are not kept");
    }
}

async fn keep(credential: Weak<Credential>, grant: Grant) {
    let mut asker = match Connector::new(grant.way.clone(), Box::new(Tcp)) {
        Ok(connector) => Asker { grant, connector, owned: None },
        Err(why) => return tracing::error!(why, "a credential is not kept"),
    };
    let mut failures = 0;
    let mut doubted = None;
    loop {
        let Some(name) = credential.upgrade().map(|credential| credential.name.clone()) else {
            return;
        };
        let Some(asking) = Asking::begin(&credential) else { return };
        let asked = asker.ask().await;
        drop(asking);
        let Some(held) = credential.upgrade() else { return };
        let Some(granted) = &held.granted else { return };
        let pause = match asked {
            Ok((token, lifetime)) => {
                if failures > 0 {
                    tracing::info!(credential = %name, "a credential is granted again");
                }
                failures = 0;
                granted.is_doubted.store(false, Ordering::Relaxed);
                let ahead = (lifetime / AHEAD_PART).min(AHEAD_MAX);
                let left = token.until.map(|until| until.saturating_duration_since(Instant::now()));
                held.shown.store(Some(Arc::new(token)));
                granted.has_come.store(true, Ordering::Relaxed);
                left.unwrap_or_default().saturating_sub(ahead).max(PAUSE_MIN)
            }
            Err(Failed { why, wait }) => {
                failures += 1;
                let pause = pause(failures).max(wait.unwrap_or_default()).min(PAUSE_MAX);
                let again_in = pause.as_secs_f64();
                tracing::warn!(credential = %name, %why, again_in, "a credential is not granted");
                pause
            }
        };
        *lock(&granted.next) = Some(Instant::now() + pause);
        // Nothing holds it while nothing is done about it.
        drop(held);
        if !rest(&credential, pause, failures > 0, &mut doubted).await {
            return;
        }
    }
}

/// Waits so long, or until the token is in doubt, unless the endpoint `is_failing`; whether there is
/// anything to be done after that. `doubted` is when a token was last in doubt.
async fn rest(
    credential: &Weak<Credential>,
    pause: Duration,
    is_failing: bool,
    doubted: &mut Option<Instant>,
) -> bool {
    /// How soon it is seen that a credential is gone.
    const LOOK: Duration = Duration::from_secs(1);
    let began = Instant::now();
    loop {
        let Some(held) = credential.upgrade() else { return false };
        let Some(granted) = &held.granted else { return false };
        let left = pause.saturating_sub(began.elapsed());
        if granted.is_retired.load(Ordering::Relaxed) {
            return false;
        }
        let is_doubted = !is_failing && granted.is_doubted.load(Ordering::Relaxed);
        if left.is_zero() {
            return true;
        }
        if is_doubted && doubted.is_none_or(|last| last.elapsed() >= DOUBT_PAUSE) {
            *doubted = Some(Instant::now());
            return true;
        }
        tokio::select! {
            () = granted.woken.notified() => {}
            () = sleep(left.min(LOOK)) => {}
        }
    }
}

/// The pause after so many failures in a row, and a bit, so that many gateways do not ask at once.
fn pause(failures: u32) -> Duration {
    let doubled = PAUSE_MIN.saturating_mul(1 << (failures - 1).min(16)).min(PAUSE_MAX);
    // Up to a quarter.
    doubled + doubled / 4 * u32::from(RandomState::new().hash_one(()) as u8) / 256
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
        (!granted.is_retired.load(Ordering::SeqCst)).then_some(asking)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_minutes_and_differ() {
        for (failures, seconds) in [(1, 1), (2, 2), (5, 16), (10, 512), (11, 600), (1_000, 600)] {
            let pause = pause(failures).as_secs_f64();
            let least = f64::from(seconds);
            assert!((least..=least * 1.25).contains(&pause), "{failures}: {pause}");
        }
    }
}
