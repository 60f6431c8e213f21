//! Where the keys of an issuer come from: a file that a reload reads again, or a URL that is asked now
//! and then. Those that were good stay while others cannot be had.

use super::key::Keys;
use crate::outbound::{Bell, Connector, Errand, Rest, Tcp, Way, retry_after, run, visit};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::timeout;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

/// How often they are asked for.
const EVERY: Duration = Duration::from_secs(300);
/// How long they are good for while no others can be had.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that the URL may take, and the most bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(15);
const ANSWER_MAX: usize = 1 << 20;

/// The keys of an issuer, as they are now.
#[derive(Debug)]
pub struct KeySet {
    held: ArcSwapOption<Held>,
    fetched: Option<Fetched>,
}

#[derive(Debug)]
struct Held {
    keys: Keys,
    /// None where a file has them.
    until: Option<Instant>,
}

#[derive(Debug)]
struct Fetched {
    /// What no other configuration of a source has.
    digest: [u8; 32],
    /// Until they are fetched from it.
    source: Mutex<Option<Source>>,
    /// Rung when a token names a key that is not among them.
    bell: Arc<Bell>,
}

/// Where keys are fetched from.
#[derive(Debug)]
pub struct Source {
    /// The URL of the JWK Set.
    pub url: Uri,
    /// The way to there.
    pub way: Way,
}

impl KeySet {
    /// These, for as long as the configuration says so.
    pub fn fixed(keys: Keys) -> Self {
        let held = ArcSwapOption::from_pointee(Held { keys, until: None });
        Self { held, fetched: None }
    }

    /// Those of `source`, once they are [fetched](keep). `digest` is what no other configuration of one
    /// has.
    pub fn fetched(source: Source, digest: [u8; 32]) -> Self {
        let source = Mutex::new(Some(source));
        let fetched = Fetched { digest, source, bell: Arc::default() };
        Self { held: ArcSwapOption::empty(), fetched: Some(fetched) }
    }

    /// Whether `other` comes of the same source, configured to the letter as this one.
    pub fn is_same(&self, other: &Self) -> bool {
        let digest = |one: &Self| one.fetched.as_ref().map(|fetched| fetched.digest);
        digest(self).is_some() && digest(self) == digest(other)
    }

    /// Whether there are any.
    pub fn has_come(&self) -> bool {
        self.with(|_| ()).is_some()
    }

    /// What `look` makes of them, if there are any.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Keys) -> T) -> Option<T> {
        let held = self.held.load();
        let held = held.as_ref()?;
        let is_good = held.until.is_none_or(|until| Instant::now() < until);
        is_good.then(|| look(&held.keys))
    }

    /// A token names a key that is not among them: there may be new ones.
    pub(super) fn miss(&self) {
        if let Some(fetched) = &self.fetched {
            fetched.bell.ring();
        }
    }
}

/// Begins to fetch those of `sets` that come from a URL and are not fetched yet, for as long as somebody
/// holds them.
pub fn keep<'k>(sets: impl Iterator<Item = &'k Arc<KeySet>>) {
    let begun = sets.filter_map(|set| {
        let fetched = set.fetched.as_ref()?;
        let source = fetched.source.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (set, rest) = (Arc::downgrade(set), Rest::new(Arc::downgrade(&fetched.bell)));
        Some(errand(set, source, rest))
    });
    run("issuers", begun.collect());
}

fn errand(set: Weak<KeySet>, source: Source, rest: Rest) -> Errand {
    Box::new(move || Box::pin(fetch_all(set, source, rest)))
}

async fn fetch_all(set: Weak<KeySet>, source: Source, mut rest: Rest) {
    let url = source.url.to_string();
    let connector = match Connector::new(source.way.clone(), Box::new(Tcp)) {
        Ok(connector) => connector,
        Err(why) => return tracing::error!(url, why, "keys of an issuer are not fetched"),
    };
    loop {
        let fetched = fetch(&source.url, &connector).await;
        let Some(held) = set.upgrade() else { return };
        let pause = match fetched {
            Ok(keys) => {
                if rest.succeeded() {
                    tracing::info!(url, "keys of an issuer are fetched again");
                }
                let until = Some(Instant::now() + GOOD_FOR);
                held.held.store(Some(Arc::new(Held { keys, until })));
                held.fetched.iter().for_each(|fetched| fetched.bell.quiet());
                EVERY
            }
            Err((why, wait)) => {
                let pause = rest.failed(wait);
                let again_in = pause.as_secs_f64();
                tracing::warn!(url, why, again_in, "keys of an issuer are not fetched");
                pause
            }
        };
        drop(held);
        if !rest.rest(pause).await {
            return;
        }
    }
}

type Failed = (String, Option<Duration>);

async fn fetch(url: &Uri, connector: &Connector) -> Result<Keys, Failed> {
    let say = |why: &str| (why.to_owned(), None);
    let mut request = Request::new(Full::<Bytes>::default());
    let target = url.path_and_query().cloned().ok_or_else(|| say("its URL has no path"))?;
    *request.uri_mut() = target.into();
    let host = url.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    request.headers_mut().insert(header::HOST, host.ok_or_else(|| say("its URL has no host"))?);
    let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
    request.headers_mut().insert(header::ACCEPT, accept);
    let answer = timeout(PATIENCE, visit(connector, request, ANSWER_MAX)).await;
    let answer = answer.map_err(|_| say("it took too long to answer"))?;
    let answer = answer.map_err(|error| say(&error.to_string()))?;
    if answer.status != StatusCode::OK {
        let wait = retry_after(&answer.headers, SystemTime::now());
        return Err((format!("it answered {}", answer.status.as_u16()), wait));
    }
    Keys::read(&answer.body).map_err(|what| (format!("its answer {what}"), None))
}
