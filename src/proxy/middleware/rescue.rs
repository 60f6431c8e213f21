//! From here on inward a failure becomes an answer, and a panic too.

use crate::live::Live;
use crate::proxy::answer::Answer;
use crate::proxy::body::Content;
use crate::proxy::headers;
use crate::proxy::problem::{self, Manner, Wanted};
use crate::proxy::rejection::Rejection;
use crate::proxy::request::Arrived;
use crate::proxy::trail::Trail;

use pin_project_lite::pin_project;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Answers every request: a rejection by its problem, a panic by 500. What the panic said is not
/// repeated; it may hold anything.
#[derive(Clone, Debug)]
pub struct Rescue<S> {
    inner: S,
    ours: Rc<Ours>,
}

/// What is ours in an answer that ends a request.
#[derive(Debug)]
struct Ours {
    live: Live,
    name: Box<str>,
}

impl<S> Rescue<S> {
    /// A request that ends before its snapshot is pinned is answered in the form that `live` has;
    /// `own` is what we are called.
    pub fn layer(live: Live, own: &str) -> impl Layer<S, Service = Self> + Clone {
        let ours = Rc::new(Ours { live, name: own.into() });
        layer_fn(move |inner| Self { inner, ours: Rc::clone(&ours) })
    }
}

impl<S, B> Service<Arrived<B>> for Rescue<S>
where
    S: Service<Arrived<B>, Response = Answer<Content>, Error = Rejection>,
{
    type Response = Answer<Content>;
    type Error = Infallible;
    type Future = Rescuing<S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrived: Arrived<B>) -> Self::Future {
        let trail = Rc::clone(&arrived.trail);
        let wanted = Wanted::read(&arrived.head.fields);
        // Gates that need not wait do their work in `call`, and may panic there.
        let inner = catch_unwind(AssertUnwindSafe(|| self.inner.call(arrived))).ok();
        Rescuing { inner, trail, wanted, ours: Rc::clone(&self.ours) }
    }
}

pin_project! {
    /// An answer, whatever happens.
    #[derive(Debug)]
    pub struct Rescuing<F> {
        #[pin]
        inner: Option<F>,
        trail: Rc<Trail>,
        wanted: Wanted,
        ours: Rc<Ours>,
    }
}

impl<F> Future for Rescuing<F>
where
    F: Future<Output = Result<Answer<Content>, Rejection>>,
{
    type Output = Result<Answer<Content>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.inner.as_pin_mut() {
            Some(inner) => catch_unwind(AssertUnwindSafe(|| inner.poll(cx))),
            None => Ok(Poll::Ready(Err(Rejection::Failed))),
        };
        let result = match polled {
            Ok(poll) => ready!(poll),
            Err(_) => Err(Rejection::Failed),
        };
        let mut answer = result.unwrap_or_else(|rejection| {
            this.trail.leave();
            let snapshot = this.trail.snapshot.get_or_init(|| this.ours.live.load());
            let form = snapshot.policy.errors;
            let manner = Manner { form, wanted: *this.wanted, own: &this.ours.name };
            problem::answer(&rejection, manner, this.trail)
        });
        // Here, where every answer of a request that was counted passes.
        headers::add_rate_limit(&mut answer.fields, this.trail);
        headers::add_warnings(&mut answer.fields, &this.trail.warnings.borrow());
        Poll::Ready(Ok(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::credential::Credentials;
    use crate::limits::Limits;
    use crate::partner::Partners;
    use crate::policy::Policy;
    use crate::snapshot::Snapshot;
    use http::StatusCode;

    use http::Request;
    use http_body_util::BodyExt;
    use tower::{ServiceExt, service_fn};

    fn live() -> Live {
        let partners = Partners::default();
        let (policy, limits) = (Policy::default(), Limits::default());
        let credentials = Credentials::new();
        let (digest, effective) = (String::new(), "".into());
        Live::new(Snapshot {
            policy,
            shadow: None,
            partners,
            credentials,
            hosts: None,
            limits,
            digest,
            effective,
        })
    }

    fn arrived() -> Arrived<()> {
        Arrived::new(Request::new(()).into(), None)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_answered_with_500_and_says_nothing_of_itself() {
        let late = service_fn(|_: Arrived<()>| async {
            tokio::task::yield_now().await;
            if true { panic!("secret") } else { Ok(Answer::new(StatusCode::OK, Content::empty())) }
        });
        let early = service_fn(|_: Arrived<()>| {
            if true { panic!("secret") } else { std::future::ready(Err(Rejection::Overloaded)) }
        });
        let request = arrived();
        let urn = request.trail.id.urn().concat();
        let answers = [
            Rescue::layer(live(), "us").layer(late).oneshot(request).await,
            Rescue::layer(live(), "us").layer(early).oneshot(arrived()).await,
        ];
        for (index, answer) in answers.into_iter().enumerate() {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 500);
            let body = answer.body.collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(!body.contains("secret"), "{body}");
            assert_eq!(body.contains(&urn), index == 0, "{body}");
        }
    }
}
