//! Finds out where each request comes from, before anything else can end it.

use crate::proxy::origin::{Origin, Settings};
use crate::proxy::request::Arrived;

use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::sync::Arc;
use std::task::{Context, Poll};

/// Notes in the trail where a request comes from, and takes out of its head what told so.
#[derive(Clone, Debug)]
pub struct FindOrigin<S> {
    inner: S,
    settings: Arc<Settings>,
    own: Option<Arc<str>>,
}

impl<S> FindOrigin<S> {
    /// As `settings` have it; `own` is what we are called, if we are to be named.
    pub fn layer(settings: Settings, own: Option<&str>) -> impl Layer<S, Service = Self> + Clone {
        let (settings, own) = (Arc::new(settings), own.map(Arc::from));
        layer_fn(move |inner| Self { inner, settings: Arc::clone(&settings), own: own.clone() })
    }
}

impl<S, B> Service<Arrived<B>> for FindOrigin<S>
where
    S: Service<Arrived<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut arrived: Arrived<B>) -> Self::Future {
        let origin = Origin::find(&mut arrived, &self.settings, self.own.as_deref());
        let _ = arrived.trail.origin.set(origin);
        self.inner.call(arrived)
    }
}
