//! The stand-in for the referrals API alone, so that callers and the gateway have something to talk to.
//!
//! It answers as the documents say, and has a switch for what they leave open. It shares no rule
//! with the gateway, so that each can find the other's mistakes: only the reader of JSON and the
//! application of patches are common. Nothing expires by itself, and nothing outlives the process.

mod answer;
mod binding;
mod change;
mod clock;
mod envelope;
mod list;
mod model;
mod options;
mod paths;
mod precondition;
mod referral;
mod serve;
mod state;
mod store;
#[cfg(test)]
mod testing;
mod trouble;
mod whole;

pub use options::{DealValue, Foreign, NameCase, Options, PatchPaths, Stance, Switch};
pub use serve::serve;

use envelope::Refusal;
use state::State;
use store::Store;
use trouble::Throttle;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use uuid::Uuid;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The stand-in: a store of referrals, and the switches it answers by.
#[derive(Debug)]
pub struct Sandbox {
    options: Options,
    requests: AtomicU64,
    store: Mutex<Store>,
    throttle: Mutex<Throttle>,
}

/// A referral in brief.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Its status and substatus, as in `Active/Accepted`.
    pub state: String,
    /// Its entity tag, quotes included.
    pub tag: String,
}

impl Sandbox {
    /// A sandbox with the sample referrals.
    pub fn new(mut options: Options) -> Self {
        let origin = options.public_url.trim_end_matches('/').len();
        options.public_url.truncate(origin);
        let store = Mutex::new(Store::seeded(&options.public_url));
        Self { options, requests: AtomicU64::new(0), store, throttle: Mutex::default() }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(latency) = self.options.latency() {
            tokio::time::sleep(latency).await;
        }
        let mut response = match lock(&self.throttle).admit(Instant::now(), &self.options) {
            Ok(()) => self.decide(number, &request).unwrap_or_else(Refusal::into_response),
            Err(retry_after) => envelope::throttled(retry_after),
        };
        identify(request.headers(), response.headers_mut());
        response
    }

    /// How many requests have come in.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The referrals there are now.
    pub fn entries(&self) -> Vec<Entry> {
        let store = lock(&self.store);
        let entry = |referral| Entry {
            id: store::id(referral).to_owned(),
            state: State::of(referral).to_string(),
            tag: store::tag(referral).to_owned(),
        };
        store.iter().map(entry).collect()
    }

    fn decide(
        &self,
        number: u64,
        request: &Request<Bytes>,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        if trouble::strikes(number, self.options.error_rate) {
            return Err(Refusal::general());
        }
        if !answer::authenticated(request.headers()) {
            return Err(Refusal::unauthenticated());
        }
        if request.body().len() as u64 > self.options.max_body {
            return Err(Refusal::too_large());
        }
        answer::answer(&mut lock(&self.store), request, &self.options)
    }

    /// Answers a request whose body is too large to be read at all.
    fn answer_too_large(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = Refusal::too_large().into_response();
        identify(headers, response.headers_mut());
        response
    }
}

/// Gives an answer its `Request-ID`: the caller's, if that is a GUID, for a retry repeats it.
fn identify(request: &HeaderMap, response: &mut HeaderMap) {
    let sent = |name: &HeaderName| request.get(name).filter(|value| is_guid(value)).cloned();
    let id = sent(&REQUEST_ID).or_else(|| HeaderValue::from_str(&Uuid::now_v7().to_string()).ok());
    response.extend(id.map(|id| (REQUEST_ID, id)));
    response.extend(sent(&CLIENT_REQUEST_ID).map(|id| (CLIENT_REQUEST_ID, id)));
}

fn is_guid(value: &HeaderValue) -> bool {
    // With hyphens and without braces: that form alone is 36 long.
    value.len() == 36 && Uuid::try_parse_ascii(value.as_bytes()).is_ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

#[cfg(test)]
mod tests {
    use super::testing::ACTIVE;
    use super::*;

    use http::Method;
    use std::time::Duration;

    const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"x"}]"#;
    const GUID: &str = "8F14e45f-ceea-467f-a0e6-3f5c1d2b9a10";

    #[test]
    fn without_a_bearer_token_the_answer_is_401() {
        let sandbox = Sandbox::new(Options::default());
        let call = || sandbox.call(Method::GET, "");
        for answered in [
            call().without("authorization").send(),
            call().header("authorization", "Basic dTpw").send(),
            call().header("authorization", "Bearer ").send(),
        ] {
            assert_eq!(answered.outcome(), (401, "unauthenticated".into(), String::new()));
            assert_eq!(answered.header("www-authenticate"), Some("Bearer"));
        }
        assert_eq!(call().header("authorization", "bearer x").send().outcome().0, 200);
    }

    #[test]
    fn every_answer_carries_a_request_id() {
        let sandbox = Sandbox::with(|options| options.throttle_after = Some(4));
        let call = |path: &str| sandbox.call(Method::GET, path);
        let id = |answered: testing::Answered| answered.header("request-id").map(str::to_owned);
        assert_eq!(id(call("").header("request-id", GUID).send()).as_deref(), Some(GUID));
        for call in [
            call("").header("request-id", "not a guid"),
            call("/nobody").header("request-id", &GUID.replace('-', "")),
            call("").without("authorization"),
            call("").header("request-id", &format!("{{{}}}", &GUID[1..35])),
        ] {
            let made = id(call.send()).expect("an id");
            assert_eq!(Uuid::parse_str(&made).map(|id| id.get_version_num()), Ok(7));
        }
        let both = call("").header("client-request-id", GUID).send();
        assert_eq!((both.status.as_u16(), both.header("client-request-id")), (429, Some(GUID)));
    }

    #[test]
    fn latency_delays_every_answer() {
        let sandbox = Sandbox::with(|options| options.latency_ms = 30);
        let begun = Instant::now();
        assert_eq!(sandbox.get("").outcome().0, 200);
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }

    #[test]
    fn an_error_comes_before_anything_is_applied() {
        let sandbox = Sandbox::with(|options| options.error_rate = 0.5);
        let before = sandbox.entries();
        assert_eq!(sandbox.get("").outcome().0, 200);
        let failed = sandbox.patch(ACTIVE, NOTE).outcome();
        assert_eq!(failed, (500, "generalException".into(), String::new()));
        assert_eq!(sandbox.entries(), before);
        assert_eq!(sandbox.patch(ACTIVE, NOTE).outcome().0, 204);
        assert_ne!(sandbox.entries(), before);
    }

    #[test]
    fn throttling_answers_429_with_the_documented_body() {
        let sandbox = Sandbox::with(|options| {
            options.throttle_after = Some(1);
            options.retry_after = Some(57);
        });
        assert_eq!(sandbox.get("").outcome().0, 200);
        let answered = sandbox.get("");
        assert_eq!((answered.status.as_u16(), answered.header("retry-after")), (429, Some("57")));
        assert_eq!(answered.at("/statusCode"), 429);
        assert!(answered.at("/message").is_string() && answered.json().get("error").is_none());
    }

    #[test]
    fn requests_are_counted_however_they_end() {
        let sandbox = Sandbox::new(Options::default());
        sandbox.get("");
        sandbox.get("/nobody");
        sandbox.answer_too_large(&HeaderMap::new());
        assert_eq!(sandbox.requests(), 3);
    }

    #[test]
    fn a_body_over_the_bound_is_a_413() {
        let sandbox = Sandbox::with(|options| options.max_body = NOTE.len() as u64 - 1);
        assert_eq!(sandbox.patch(ACTIVE, NOTE).outcome().0, 413);
        let sandbox = Sandbox::with(|options| options.max_body = NOTE.len() as u64);
        assert_eq!(sandbox.patch(ACTIVE, NOTE).outcome().0, 204);
    }

    #[test]
    fn messages_of_errors_are_bounded() {
        let long = Refusal::invalid("é".repeat(5000)).into_response();
        let body = http_body_util::BodyExt::collect(long.into_body());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let body = runtime.block_on(body).expect("a body in memory").to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["error"]["message"].as_str().map(|text| text.chars().count()), Some(1024));
    }
}
