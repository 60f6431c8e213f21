//! What the operator is answered.

use super::Gateway;
use super::hosts::Hosts;

use crate::snapshot::Snapshot;
use crate::telemetry::metrics::Form;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};

use std::cell::Cell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The most bytes of what an operator sends.
const BODY_MAX: usize = 4096;

type Answer = Response<Full<Bytes>>;

pub(super) struct Desk {
    /// Whether it has been: what is missing later is missing for some callers alone.
    was_ready: Cell<bool>,
    gateway: Gateway,
    hosts: Hosts,
}

impl Desk {
    pub(super) fn new(gateway: Gateway, hosts: Hosts) -> Self {
        Self { was_ready: Cell::default(), gateway, hosts }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
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
            (&Method::GET, "/status") => {
                let ready = self.is_ready(&self.gateway.live.load());
                let status = serde_json::to_string(&self.gateway.overview(ready));
                json(StatusCode::OK, status.unwrap_or_default() + "\n")
            }
            (&Method::GET, "/version") => self.version(),
            (&Method::GET, "/metrics") => {
                let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
                let form = Form::wanted(accept);
                typed(text(StatusCode::OK, self.gateway.numbers(form)), form.media_type())
            }
            (&Method::GET, "/config") => json(StatusCode::OK, &*self.gateway.live.load().effective),
            (&Method::GET, "/loglevel") => self.log_level(),
            (&Method::POST | &Method::PUT, _) if is_foreign(headers) => {
                text(StatusCode::FORBIDDEN, "another site's page cannot change anything\n")
            }
            (&Method::PUT, "/loglevel") => self.set_log_level(body).await,
            (&Method::POST, "/reload" | "/-/reload") => self.reload().await,
            (&Method::POST, "/drain") => self.drain(),
            (_, "/livez" | "/readyz" | "/status" | "/version" | "/metrics" | "/config") => {
                not_allowed("GET")
            }
            (_, "/loglevel") => not_allowed("GET, PUT"),
            (_, "/drain" | "/reload" | "/-/reload") => not_allowed("POST"),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
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
        let Ok(read) = Limited::new(body, BODY_MAX).collect().await else {
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

/// Whether a browser sent this on behalf of another site's page.
fn is_foreign(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.map(|(_, authority)| authority) != host
    })
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    typed(response, "text/plain; charset=utf-8")
}

fn json(status: StatusCode, said: impl Into<String>) -> Answer {
    typed(text(status, said.into()), "application/json")
}

fn typed(mut response: Answer, media_type: &'static str) -> Answer {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
