//! A caller for the tests of the sandbox: requests in one line, answers that are easy to look into.

use super::referral::BASE;
use super::{Options, Sandbox};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

/// A seed in each state.
pub(super) const PENDING: &str = "10000000-0000-4000-8000-000000000001";
pub(super) const ACTIVE: &str = "10000000-0000-4000-8000-000000000003";
pub(super) const WON: &str = "10000000-0000-4000-8000-000000000005";

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answered {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }

    /// What stands at `pointer` in the body.
    pub(super) fn at(&self, pointer: &str) -> Value {
        self.json()
            .pointer(pointer)
            .cloned()
            .unwrap_or_else(|| panic!("{pointer} in {}", self.text))
    }

    /// The status and, of an error, the code and the target.
    pub(super) fn outcome(&self) -> (u16, String, String) {
        let error = |name| match self.text.as_str() {
            "" => String::new(),
            _ => self.json()["error"][name].as_str().unwrap_or_default().to_owned(),
        };
        (self.status.as_u16(), error("code"), error("target"))
    }
}

/// One request and the headers it carries.
pub(super) struct Call<'s> {
    sandbox: &'s Sandbox,
    request: Request<Bytes>,
}

impl Sandbox {
    pub(super) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        Self::new(options)
    }

    /// A request of `method` to `path`, which is relative to the collection unless it begins with `/v`.
    pub(super) fn call(&self, method: Method, path: &str) -> Call<'_> {
        let uri = if path.starts_with("/v") { path.to_owned() } else { format!("{BASE}{path}") };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", "Bearer any")
            .header("content-type", "application/json")
            .body(Bytes::new())
            .expect("a request");
        Call { sandbox: self, request }
    }

    pub(super) fn get(&self, path: &str) -> Answered {
        self.call(Method::GET, path).send()
    }

    pub(super) fn patch(&self, id: &str, body: &str) -> Answered {
        self.call(Method::PATCH, &format!("/{id}")).body(body).send()
    }

    /// What the sandbox keeps of the referral `id`.
    pub(super) fn kept(&self, id: &str) -> Value {
        self.get(&format!("/{id}")).json()
    }
}

impl Call<'_> {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().expect("a field value"));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    pub(super) fn body(mut self, body: &str) -> Self {
        *self.request.body_mut() = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    pub(super) fn send(self) -> Answered {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let (head, body) = self.sandbox.answer(self.request).await.into_parts();
            let body = body.collect().await.expect("a body in memory").to_bytes();
            let text = String::from_utf8(body.to_vec()).expect("UTF-8");
            Answered { status: head.status, headers: head.headers, text }
        })
    }
}
