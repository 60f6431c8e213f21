//! Gives every request an id, and every answer the id of its request, however it ends.

use crate::proxy::answer::Answer;
use crate::proxy::request::{Arrived, IdForm, Received, RequestId};
use crate::proxy::trail::Trail;

use http::HeaderName;
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
    field: Rc<HeaderName>,
    form: IdForm,
}

impl<S> SetRequestId<S> {
    /// The id is in the field called `field`, and kept if it has this `form`.
    pub fn layer(field: HeaderName, form: IdForm) -> impl Layer<S, Service = Self> + Clone {
        let field = Rc::new(field);
        layer_fn(move |inner| Self { inner, field: Rc::clone(&field), form })
    }
}

impl<S, B, C> Service<Received<B>> for SetRequestId<S>
where
    S: Service<Arrived<B>, Response = Answer<C>>,
{
    type Response = Answer<C>;
    type Error = S::Error;
    type Future = WithId<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, received: Received<B>) -> Self::Future {
        let given = received.head.fields.sole(&self.field).ok().flatten();
        let kept = given.and_then(|value| RequestId::parse(value, self.form));
        let arrived = Arrived::new(received, kept);
        let trail = Rc::clone(&arrived.trail);
        let inner = self.inner.call(arrived);
        WithId { inner, field: Rc::clone(&self.field), trail }
    }
}

pin_project! {
    /// An answer on its way to its id.
    #[derive(Debug)]
    pub struct WithId<F> {
        #[pin]
        inner: F,
        field: Rc<HeaderName>,
        trail: Rc<Trail>,
    }
}

impl<F, C, E> Future for WithId<F>
where
    F: Future<Output = Result<Answer<C>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(cx));
        if let Ok(answer) = &mut result {
            answer.fields.set(this.field, &this.trail.id);
        }
        Poll::Ready(result)
    }
}
