//! Gives every request an id, and every answer the id of its request, however it ends.

use crate::proxy::headers::sole;
use crate::proxy::request::{Arrived, IdForm, RequestId};
use crate::proxy::trail::Trail;

use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Keeps a well-formed id, since a caller repeats it on a retry; else makes one.
#[derive(Clone, Debug)]
pub struct SetRequestId<S> {
    inner: S,
    field: HeaderName,
    form: IdForm,
}

impl<S> SetRequestId<S> {
    /// The id is in the field called `field`, and kept if it has this `form`.
    pub fn layer(field: HeaderName, form: IdForm) -> impl Layer<S, Service = Self> + Clone {
        layer_fn(move |inner| Self { inner, field: field.clone(), form })
    }
}

impl<S, B, C> Service<Request<B>> for SetRequestId<S>
where
    S: Service<Arrived<B>, Response = Response<C>>,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = WithId<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let given = sole(request.headers(), &self.field).ok().flatten();
        let kept = given.and_then(|value| RequestId::parse(value, self.form));
        let id = kept.unwrap_or_else(RequestId::make);
        let value = id.value().clone();
        let trail = Rc::new(Trail::begin(request.method().clone()));
        let inner = self.inner.call(Arrived { request, id, trail });
        WithId { inner, id: Some((self.field.clone(), value)) }
    }
}

pin_project! {
    /// An answer on its way to its id.
    #[derive(Debug)]
    pub struct WithId<F> {
        #[pin]
        inner: F,
        id: Option<(HeaderName, HeaderValue)>,
    }
}

impl<F, C, E> Future for WithId<F>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(cx));
        if let (Ok(response), Some((field, value))) = (&mut result, this.id.take()) {
            response.headers_mut().insert(field, value);
        }
        Poll::Ready(result)
    }
}
