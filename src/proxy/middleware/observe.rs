//! Tells of every request once, when its answer has ended or nobody waits for it any more: to the
//! metrics, to the access log, where it was a change that was judged to the audit log, and where its
//! trace is recorded to that.

mod count;
mod log;
mod record;
mod refusal;
mod spans;

pub use count::Counted;
pub use spans::Tracer;

use crate::proxy::answer::Answer;
use crate::proxy::change::Recorder;
use crate::proxy::origin::Origin;
use crate::proxy::request::Arrived;
use crate::proxy::trail::Trail;
use crate::telemetry::{LogWriter, Telemetry};

use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Tells what the trail of a request has come to.
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
    told: Rc<Told>,
}

/// Who is told of requests.
#[derive(Debug)]
pub struct Told {
    /// Where lines of the access log go.
    pub writer: LogWriter,
    /// Whose metrics count.
    pub telemetry: Telemetry,
    /// What was counted last.
    pub recent: Counted,
    /// Who writes down changes, if somebody does.
    pub recorder: Option<Recorder>,
    /// Who is told of traces that are recorded, if some are.
    pub tracer: Option<Tracer>,
    /// Whether they are told of the address that a request came from.
    pub tells_client: bool,
}

impl<S> Observe<S> {
    /// These are told.
    pub fn layer(told: Told) -> impl Layer<S, Service = Self> + Clone {
        let told = Rc::new(told);
        layer_fn(move |inner| Self { inner, told: Rc::clone(&told) })
    }
}

impl<S, B, C> Service<Arrived<B>> for Observe<S>
where
    S: Service<Arrived<B>, Response = Answer<C>>,
{
    type Response = Answer<Observed<C>>;
    type Error = S::Error;
    type Future = Observing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Arrived<B>) -> Self::Future {
        let ended =
            Ended { told: Rc::clone(&self.told), trail: Rc::clone(&arrived.trail), status: None };
        Observing { inner: self.inner.call(arrived), ended: Some(ended) }
    }
}

pin_project! {
    /// An answer whose request will be told of.
    #[derive(Debug)]
    pub struct Observing<F> {
        #[pin]
        inner: F,
        ended: Option<Ended>,
    }
}

impl<F, C, E> Future for Observing<F>
where
    F: Future<Output = Result<Answer<C>, E>>,
{
    type Output = Result<Answer<Observed<C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx))?;
        let mut ended = this.ended.take();
        if let Some(ended) = &mut ended {
            ended.status = Some(answer.status);
        }
        Poll::Ready(Ok(answer.map(|body| Observed { body, ended })))
    }
}

pin_project! {
    /// A body whose end is told of.
    #[derive(Debug)]
    pub struct Observed<C> {
        #[pin]
        body: C,
        ended: Option<Ended>,
    }
}

impl<C: Body<Data = bytes::Bytes>> Body for Observed<C> {
    type Data = C::Data;
    type Error = C::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<C::Data>, C::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let (Some(ended), Some(Ok(frame))) = (this.ended, &frame) {
            let bytes_out = &ended.trail.bytes_out;
            bytes_out.set(bytes_out.get() + frame.data_ref().map_or(0, |data| data.len() as u64));
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

/// A request that ends when this is dropped, and so whatever happens.
#[derive(Debug)]
struct Ended {
    told: Rc<Told>,
    trail: Rc<Trail>,
    /// `None` where nobody waited for an answer.
    status: Option<StatusCode>,
}

impl Ended {
    /// The address that the request came from, if that is told.
    fn client(&self, origin: &Origin) -> Option<IpAddr> {
        origin.client.filter(|_| self.told.tells_client)
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let now = Instant::now();
        let duration = now.duration_since(self.trail.began);
        self.count(duration);
        self.keep_refusal();
        if self.told.writer.is_on() {
            self.log(duration);
        }
        if let Some(recorder) = &self.told.recorder {
            self.record(recorder);
        }
        if let Some(tracer) = &self.told.tracer {
            self.trace(tracer, now);
        }
    }
}
