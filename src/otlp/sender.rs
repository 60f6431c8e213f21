//! The thread that sends spans.

use super::message::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, InstrumentationScope, KeyValue,
    Resource, ResourceSpans, ScopeSpans, Span,
};
use super::{Settings, Shared};
use crate::outbound::{Connector, Tcp, jittered, retry_after, visit};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use prost::Message;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// The most spans that are sent at once, and how long they are gathered before that.
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(2);
/// The longest that a collector may take, and the most bytes that it may answer.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_MAX: usize = 64 << 10;
/// How often the same spans are sent where the collector cannot take them now, and the pause between
/// one time and the next, which doubles.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the end may be put off.
const LAST: Duration = Duration::from_secs(3);

/// What becomes of spans that were sent.
enum Refused {
    /// They may be sent again, after this time at least.
    ForNow(String, Option<Duration>),
    /// They may not.
    ForGood(String),
}

/// Whoever sends.
pub(super) struct Sender {
    shared: Arc<Shared>,
    receiver: UnboundedReceiver<Vec<Span>>,
    connector: Connector,
    target: PathAndQuery,
    headers: header::HeaderMap,
    resource: Resource,
    /// Whether the last spans did not arrive.
    fails: bool,
}

impl Sender {
    pub(super) fn new(
        settings: Settings,
        shared: Arc<Shared>,
        receiver: UnboundedReceiver<Vec<Span>>,
    ) -> Result<Self, &'static str> {
        let Settings { way, mut headers, service, .. } = settings;
        let (authority, target) = (way.url.authority(), way.url.path_and_query().cloned());
        let host = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        headers.insert(header::HOST, host.ok_or("the URL of the collector names no host")?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let resource = Resource {
            attributes: vec![
                KeyValue::text("service.name", &service),
                KeyValue::text("service.version", env!("CARGO_PKG_VERSION")),
            ],
        };
        Ok(Self {
            shared,
            receiver,
            connector: Connector::new(way, Box::new(Tcp))?,
            target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
            headers,
            resource,
            fails: false,
        })
    }

    /// Sends until it is to close; then what waits, for a moment.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut closing = std::pin::pin!(shared.closing.notified());
        let mut spans = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = &mut closing => break,
                () = self.gather(&mut spans) => {}
            }
            tokio::select! {
                biased;
                // What is under way is sent again below: a span that arrives twice is one.
                () = &mut closing => break,
                () = self.send(&spans) => self.done(&mut spans),
            }
        }
        let last = async {
            while !spans.is_empty() || self.take(&mut spans) {
                self.send(&spans).await;
                self.done(&mut spans);
            }
        };
        let _ = timeout_at(Instant::now() + LAST, last).await;
        // Nobody waits for the rest.
        self.receiver.close();
        shared.lose(shared.waiting.load(Ordering::Relaxed));
    }

    /// Adds the spans of a moment to `spans`. What is added stays, whoever stops to wait.
    async fn gather(&mut self, spans: &mut Vec<Span>) {
        if let Some(first) = self.receiver.recv().await {
            spans.extend(first);
        }
        let until = Instant::now() + GATHER;
        while spans.len() < BATCH {
            match timeout_at(until, self.receiver.recv()).await {
                Ok(Some(more)) => spans.extend(more),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// The same of what is there already; whether there was something.
    fn take(&mut self, spans: &mut Vec<Span>) -> bool {
        while spans.len() < BATCH
            && let Ok(more) = self.receiver.try_recv()
        {
            spans.extend(more);
        }
        !spans.is_empty()
    }

    fn done(&self, spans: &mut Vec<Span>) {
        self.shared.waiting.fetch_sub(spans.len(), Ordering::Relaxed);
        spans.clear();
    }

    /// Sends `spans`, and again where that may help; what is to be counted is counted.
    async fn send(&mut self, spans: &[Span]) {
        let body = self.encode(spans);
        let mut pause = PAUSE;
        for tried in 1..=TRIES {
            match self.try_send(body.clone()).await {
                Ok(rejected) => {
                    let taken = spans.len().saturating_sub(rejected);
                    self.shared.exported.fetch_add(taken as u64, Ordering::Relaxed);
                    self.shared.lose(spans.len() - taken);
                    if std::mem::take(&mut self.fails) {
                        tracing::info!("spans are exported again");
                    }
                    return;
                }
                Err(Refused::ForNow(why, wait)) => {
                    self.tell(&why);
                    if tried < TRIES {
                        sleep(wait.unwrap_or_default().max(jittered(pause)).min(PAUSE_MAX)).await;
                        pause *= 2;
                    }
                }
                Err(Refused::ForGood(why)) => {
                    self.tell(&why);
                    break;
                }
            }
        }
        self.shared.lose(spans.len());
    }

    /// Tells once that it does not work.
    fn tell(&mut self, why: &str) {
        if !std::mem::replace(&mut self.fails, true) {
            tracing::warn!(why, "spans are not exported");
        }
    }

    fn encode(&self, spans: &[Span]) -> Bytes {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: spans.to_vec() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    /// How many of them the collector did not take.
    async fn try_send(&self, body: Bytes) -> Result<usize, Refused> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone().into();
        *request.headers_mut() = self.headers.clone();
        let answer = timeout(PATIENCE, visit(&self.connector, request, ANSWER_MAX)).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Refused::ForNow(error.to_string(), None)),
            Err(_) => return Err(Refused::ForNow("it took too long to answer".into(), None)),
        };
        let why = || format!("the collector answered {}", answer.status.as_u16());
        match answer.status {
            StatusCode::OK => {
                let told = ExportTraceServiceResponse::decode(answer.body.as_slice());
                let partial = told.unwrap_or_default().partial_success.unwrap_or_default();
                Ok(usize::try_from(partial.rejected_spans).unwrap_or(0))
            }
            status if status.is_success() => Ok(0),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let wait = retry_after(&answer.headers, SystemTime::now());
                Err(Refused::ForNow(why(), wait))
            }
            _ => Err(Refused::ForGood(why())),
        }
    }
}
