//! Logs every request once, when its answer has ended or nobody waits for it any more.

use crate::proxy::request::{Arrived, RequestId};
use crate::proxy::trail::{Decision, Outcome, Source, Trail};
use crate::telemetry::LogWriter;
use crate::telemetry::line::Line;

use http::{Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Logs what the trail of a request has come to.
#[derive(Clone, Debug)]
pub struct LogAccess<S> {
    inner: S,
    writer: LogWriter,
    tells_client: bool,
}

impl<S> LogAccess<S> {
    /// The lines go to `writer`, and tell of the client's address if they are to.
    pub fn layer(writer: LogWriter, tells_client: bool) -> impl Layer<S, Service = Self> + Clone {
        layer_fn(move |inner| Self { inner, writer: writer.clone(), tells_client })
    }
}

impl<S, B, C> Service<Arrived<B>> for LogAccess<S>
where
    S: Service<Arrived<B>, Response = Response<C>>,
{
    type Response = Response<Logged<C>>;
    type Error = S::Error;
    type Future = Logging<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Arrived<B>) -> Self::Future {
        let entry = self.writer.is_on().then(|| Entry {
            writer: self.writer.clone(),
            tells_client: self.tells_client,
            id: arrived.id.clone(),
            trail: Rc::clone(&arrived.trail),
            status: None,
            bytes_out: 0,
        });
        Logging { inner: self.inner.call(arrived), entry }
    }
}

pin_project! {
    /// An answer whose request will be logged.
    #[derive(Debug)]
    pub struct Logging<F> {
        #[pin]
        inner: F,
        entry: Option<Entry>,
    }
}

impl<F, C, E> Future for Logging<F>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = Result<Response<Logged<C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let mut entry = this.entry.take();
        if let Some(entry) = &mut entry {
            entry.status = Some(response.status());
        }
        Poll::Ready(Ok(response.map(|body| Logged { body, entry })))
    }
}

pin_project! {
    /// A body whose end is logged.
    #[derive(Debug)]
    pub struct Logged<C> {
        #[pin]
        body: C,
        entry: Option<Entry>,
    }
}

impl<C: Body<Data = bytes::Bytes>> Body for Logged<C> {
    type Data = C::Data;
    type Error = C::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<C::Data>, C::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let (Some(entry), Some(Ok(frame))) = (this.entry, &frame) {
            entry.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The line of one request; it is written when this is dropped, and so whatever happens.
#[derive(Debug)]
struct Entry {
    writer: LogWriter,
    tells_client: bool,
    id: RequestId,
    trail: Rc<Trail>,
    status: Option<StatusCode>,
    bytes_out: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let trail = &*self.trail;
        self.writer.write(|buffer| {
            let route = trail.route.get();
            let snapshot = trail.snapshot.get();
            let codes = trail.codes.borrow();
            let warnings = trail.warnings.borrow();
            let origin = trail.origin.get();
            let client = origin.and_then(|origin| origin.client).filter(|_| self.tells_client);
            let mut line = Line::begin(buffer);
            line.time("time", trail.at)
                .text("request_id", self.id.as_str())
                .optional("trace_id", origin.map(|origin| origin.trace.id()))
                .address("client", client)
                .optional("partner", trail.partner.get().map(|partner| &*partner.id))
                .optional("route", route.map(|route| &*route.id))
                .text("method", known_method(&trail.method))
                .optional("path", route.map(|route| &*route.template))
                .optional_number("status", self.status.map(|status| status.as_u16().into()))
                .optional("decision", trail.decision.get().map(Decision::as_str))
                .list("codes", codes.iter().map(|code| code.slug()))
                .list("warnings", warnings.iter().map(|warning| warning.code.slug()))
                .optional("rejection", trail.rejection.get())
                .optional_number(
                    "upstream_status",
                    trail.upstream_status.get().map(|status| status.as_u16().into()),
                )
                .optional("upstream_request_id", trail.upstream_id.get().map(String::as_str))
                .optional("current", trail.source.get().map(Source::as_str))
                .number("attempts", trail.attempts.get().into())
                .number("fetches", trail.fetches.get().into())
                .optional("outcome", trail.outcome().map(|outcome| outcome.as_str()))
                .optional("resolved", trail.resolved.get().map(Outcome::as_str))
                .number("duration_us", micros(trail.began.elapsed()))
                .number("upstream_us", micros(trail.upstream_time.get()))
                .number("bytes_in", trail.bytes_in.get())
                .number("bytes_out", self.bytes_out)
                .optional("policy", snapshot.map(|snapshot| &*snapshot.digest));
            line.end();
        });
    }
}

/// A method is the caller's text; only the well-known ones are repeated.
fn known_method(method: &Method) -> &str {
    match method.as_str() {
        known @ ("CONNECT" | "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT"
        | "TRACE") => known,
        _ => "other",
    }
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
