//! What the operator is answered.

use super::events::Events;
use super::hosts::Hosts;
use super::{Gateway, page};

use crate::partner::KeyDigest;
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::Form;
use crate::violation::Code;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Bytes, Incoming};

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The most bytes of a level, and of what the judge is asked.
const LEVEL_MAX: usize = 4096;
const QUESTION_MAX: usize = 2 << 20;

pub(super) type Answer = Response<Full<Bytes>>;
/// An answer that may go on.
pub(super) type Said = Response<Either<Full<Bytes>, Events>>;

pub(super) struct Desk {
    /// Whether it has been: what is missing later is missing for some callers alone.
    was_ready: Cell<bool>,
    gateway: Gateway,
    hosts: Hosts,
    /// What has to be shown to change anything.
    token: Option<KeyDigest>,
    /// How many listen.
    pub(super) listeners: Cell<usize>,
}

impl Desk {
    pub(super) fn new(gateway: Gateway, hosts: Hosts, token: Option<KeyDigest>) -> Self {
        let (was_ready, listeners) = (Cell::default(), Cell::default());
        Self { was_ready, gateway, hosts, token, listeners }
    }

    /// Answers; an answer to whoever listens goes on.
    pub(super) async fn serve(self: Rc<Self>, request: Request<Incoming>) -> Said {
        let listens = request.method() == Method::GET && request.uri().path() == "/events";
        let answer = self.answer(request).await;
        if !listens || answer.status() != StatusCode::OK {
            return answer.map(Either::Left);
        }
        match Events::listen(&self) {
            Some(events) => answer.map(|_| Either::Right(events)),
            None => {
                let why = "too many listen to `/events`; close one, or ask `/status`\n";
                text(StatusCode::SERVICE_UNAVAILABLE, why).map(Either::Left)
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        // HTTP/1.0 need not say, and no browser speaks it.
        let says_host = parts.version != Version::HTTP_10 || headers.contains_key(header::HOST);
        if says_host && !self.hosts.include(headers) {
            let why = "this listener has another name; add it to `admin.hosts`\n";
            return text(StatusCode::MISDIRECTED_REQUEST, why);
        }
        let (path, verbose) = (parts.uri.path(), parts.uri.query() == Some("verbose"));
        match (&parts.method, path) {
            (&Method::GET, "/livez") => text(StatusCode::OK, "alive\n"),
            (&Method::GET, "/readyz") => self.readiness(verbose),
            (&Method::GET, "/status") => json(StatusCode::OK, self.status() + "\n"),
            (&Method::GET, "/version") => self.version(),
            (&Method::GET, "/metrics") => {
                let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
                let form = Form::wanted(accept);
                typed(text(StatusCode::OK, self.gateway.numbers(form)), form.media_type())
            }
            (&Method::GET, "/config") => json(StatusCode::OK, &*self.gateway.live.load().effective),
            (&Method::GET, "/loglevel") => self.log_level(),
            (&Method::GET, "/pictures") => {
                let snapshot = self.gateway.live.load();
                page::pictures(&snapshot.digest, &(self.gateway.pictures.1)(&snapshot.policy))
            }
            (&Method::GET, "/events") | (&Method::POST | &Method::PUT, _)
                if is_foreign(headers) =>
            {
                text(StatusCode::FORBIDDEN, "this is not for another site's page\n")
            }
            (&Method::GET, "/events") => typed(text(StatusCode::OK, ""), "text/event-stream"),
            (&Method::GET, path) if let Some(part) = page::part(path, self.gateway.pictures.0) => {
                part
            }
            (&Method::GET, path) if path.starts_with("/codes/") => explained(path),
            // It changes nothing.
            (&Method::POST, "/explain") => self.explain(body).await,
            (&Method::POST | &Method::PUT, "/drain" | "/loglevel" | "/reload" | "/-/reload")
                if let Some(refused) = self.refuse_change(headers) =>
            {
                refused
            }
            (&Method::PUT, "/loglevel") => self.set_log_level(body).await,
            (&Method::POST, "/reload" | "/-/reload") => self.reload().await,
            (&Method::POST, "/drain") => self.drain(),
            (
                _,
                "/livez" | "/readyz" | "/status" | "/version" | "/metrics" | "/config" | "/events"
                | "/pictures",
            ) => not_allowed("GET"),
            (_, "/loglevel") => not_allowed("GET, PUT"),
            (_, "/drain" | "/explain" | "/reload" | "/-/reload") => not_allowed("POST"),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    /// How everything stands, as JSON.
    pub(super) fn status(&self) -> String {
        let ready = self.is_ready(&self.gateway.live.load());
        let status = self.gateway.overview(ready, self.token.is_some());
        serde_json::to_string(&status).unwrap_or_default()
    }

    /// What whoever sends `headers` is answered who may not change anything.
    fn refuse_change(&self, headers: &HeaderMap) -> Option<Answer> {
        let Some(token) = &self.token else {
            // A page that a browser shows is for looking.
            let is_browser = headers.contains_key(header::ORIGIN) || headers.contains_key(SITE);
            let why = "the page is read-only; configure `admin.token` to change that\n";
            return is_browser.then(|| text(StatusCode::FORBIDDEN, why));
        };
        let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = shown.and_then(|shown| shown.strip_prefix(b"Bearer "));
        if shown.is_some_and(|shown| KeyDigest::of(shown) == *token) {
            return None;
        }
        let why = "show the token of `admin.token`, as `Authorization: Bearer …`\n";
        let mut refused = text(StatusCode::UNAUTHORIZED, why);
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Some(refused)
    }

    async fn explain(&self, body: Incoming) -> Answer {
        let Ok(read) = Limited::new(body, QUESTION_MAX).collect().await else {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "that is more than 2 MiB; send less\n");
        };
        let question = match serde_json::from_slice(&read.to_bytes()) {
            Ok(question) => question,
            Err(error) => {
                // What it would say itself may repeat what was sent.
                let (line, column) = (error.line(), error.column());
                let said = format!(
                    "line {line}, column {column}: this is no question; write it as {{\"route\": ID, \"body\": TEXT}}, with \"partner\", \"if_match\" and \"current\" if need be, all of them strings\n"
                );
                return text(StatusCode::BAD_REQUEST, said);
            }
        };
        let explain = Arc::clone(&self.gateway.explain);
        match tokio::task::spawn_blocking(move || explain(&question)).await {
            Ok(Ok(said)) => json(StatusCode::OK, said.to_string()),
            Ok(Err(why)) => text(StatusCode::UNPROCESSABLE_ENTITY, why + "\n"),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the judge panicked\n"),
        }
    }

    fn version(&self) -> Answer {
        let snapshot = self.gateway.live.load();
        let version = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "policy": snapshot.policy.name,
            "digest": snapshot.digest,
        });
        json(StatusCode::OK, format!("{version}\n"))
    }

    fn is_ready(&self, snapshot: &Snapshot) -> bool {
        let has_keys = snapshot.partners.key_sets().all(|keys| keys.has_come());
        self.was_ready.set(self.was_ready.get() || awaited(snapshot).is_empty() && has_keys);
        self.was_ready.get() && !self.gateway.draining.has_begun()
    }

    /// Everybody is served as before, and asked to go elsewhere.
    fn drain(&self) -> Answer {
        if !self.gateway.draining.has_begun() {
            tracing::info!(in_flight = self.gateway.gauges.in_flight(), "draining");
        }
        self.gateway.leave.take();
        text(StatusCode::OK, format!("draining, {} under way\n", self.gateway.gauges.in_flight()))
    }

    fn readiness(&self, verbose: bool) -> Answer {
        let (snapshot, loads) = (self.gateway.live.load(), self.gateway.live.loads());
        let awaited = awaited(&snapshot);
        let has_keys = snapshot.partners.key_sets().all(|keys| keys.has_come());
        let ready = self.is_ready(&snapshot);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut state = serde_json::json!({
            "ready": ready,
            "policy": snapshot.policy.name,
            "digest": snapshot.digest,
            // Those of which there has been no token yet.
            "credentials_awaited": awaited,
            // Whether those of every issuer are there.
            "keys": has_keys,
            // Not as new as the files: no reason to send callers elsewhere, but one to look.
            "reloads": { "taken": loads.taken, "refused": loads.refused, "faults": loads.faults },
        });
        if let (true, Some(state)) = (verbose, state.as_object_mut()) {
            // What is amiss outside, or may soon be: nothing of it makes this gateway less ready.
            state.insert("draining".into(), self.gateway.draining.has_begun().into());
            state.insert("store".into(), snapshot.limits.is_store_up().into());
            state.insert("upstream_paused".into(), self.gateway.gauges.is_paused().into());
            let ends = self.gateway.certificates().map(|(shown_to, expires)| {
                let seconds = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let is_over = expires <= SystemTime::now();
                (shown_to.to_owned(), serde_json::json!({ "ends": seconds, "over": is_over }))
            });
            state.insert("certificates".into(), serde_json::Value::Object(ends.collect()));
        }
        json(status, format!("{state}\n"))
    }

    fn log_level(&self) -> Answer {
        match &self.gateway.events {
            Some(events) => text(StatusCode::OK, events.filter() + "\n"),
            None => text(StatusCode::NOT_FOUND, "events go nowhere\n"),
        }
    }

    async fn set_log_level(&self, body: Incoming) -> Answer {
        let Some(events) = &self.gateway.events else { return self.log_level() };
        let Ok(read) = Limited::new(body, LEVEL_MAX).collect().await else {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "that is no level\n");
        };
        let read = read.to_bytes();
        let filter = String::from_utf8_lossy(&read);
        match events.set_filter(filter.trim()) {
            Ok(()) => {
                tracing::info!(filter = filter.trim(), "the level of events was changed");
                self.log_level()
            }
            Err(error) => {
                let said = format!(
                    "{error}; send a level, as `debug`, or several, as `patchgate=debug,warn`\n"
                );
                text(StatusCode::UNPROCESSABLE_ENTITY, said)
            }
        }
    }

    async fn reload(&self) -> Answer {
        let reload = Arc::clone(&self.gateway.reload);
        // Compiling takes time; probes must be answered meanwhile.
        match tokio::task::spawn_blocking(move || reload()).await {
            Ok(Ok(said)) => text(StatusCode::OK, said),
            Ok(Err(said)) => text(StatusCode::UNPROCESSABLE_ENTITY, said),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the reload panicked\n"),
        }
    }
}

/// The credentials of which there has been no token yet.
fn awaited(snapshot: &Snapshot) -> Vec<&str> {
    let all = snapshot.credentials.values().filter(|credential| !credential.has_come());
    all.map(|credential| credential.name()).collect()
}

/// The page of a code.
fn explained(path: &str) -> Answer {
    match path.strip_prefix("/codes/").and_then(Code::from_slug) {
        Some(code) => typed(text(StatusCode::OK, code.page()), "text/markdown; charset=utf-8"),
        None => {
            let why = "there is no such code; `/status` names those of the last refusals\n";
            text(StatusCode::NOT_FOUND, why)
        }
    }
}

/// By this a browser says whose page it sends something for.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser sent this on behalf of another site's page.
fn is_foreign(headers: &HeaderMap) -> bool {
    if headers.get(SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.map(|(_, authority)| authority) != host
    })
}

pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    typed(response, "text/plain; charset=utf-8")
}

pub(super) fn json(status: StatusCode, said: impl Into<String>) -> Answer {
    typed(text(status, said.into()), "application/json")
}

pub(super) fn typed(mut response: Answer, media_type: &'static str) -> Answer {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
