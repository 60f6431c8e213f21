//! The bodies of errors: the envelope of the API, and why a request ended in one.

use crate::json::{self, Bounds, Object, Value};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

/// Why a request is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    target: Option<String>,
    inner: Option<&'static Inner>,
    header: Option<(&'static str, &'static str)>,
}

/// The more specific error within an error.
#[derive(Debug)]
struct Inner {
    code: &'static str,
    message: &'static str,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), target: None, inner: None, header: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::invalid_as(StatusCode::BAD_REQUEST, message)
    }

    /// An invalid request whose status is not documented.
    pub(super) fn invalid_as(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "invalidRequest", message)
    }

    pub(super) fn unauthenticated() -> Self {
        let message = "The caller is not authenticated: send a bearer token.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
            .with("www-authenticate", "Bearer")
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "The resource could not be found.")
    }

    pub(super) fn method(allowed: &'static str) -> Self {
        let message = "The resource does not support the method.";
        Self::invalid_as(StatusCode::METHOD_NOT_ALLOWED, message).with("allow", allowed)
    }

    pub(super) fn media_type() -> Self {
        let message = "The content type is not supported.";
        Self::invalid_as(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).at("Content-Type")
    }

    pub(super) fn too_large() -> Self {
        Self::invalid_as(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.")
    }

    /// The one error body of the real API that has been seen in public.
    pub(super) fn precondition() -> Self {
        let message = "A condition that the request carries in its headers does not hold.";
        let mut refusal =
            Self::new(StatusCode::PRECONDITION_FAILED, "preconditionFailed", message).at("ETag");
        refusal.inner =
            Some(&Inner { code: "99918", message: "The ETag is not that of the resource." });
        refusal
    }

    pub(super) fn full() -> Self {
        let message = "The sandbox keeps no more referrals.";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "generalException", message)
    }

    pub(super) fn general() -> Self {
        let message = "An unspecified error has occurred.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "generalException", message)
    }

    #[must_use]
    pub(super) fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    #[cfg(test)]
    pub(super) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut error = vec![
            ("code", text(self.code)),
            ("message", text(self.message.chars().take(MESSAGE_MAX).collect::<String>())),
        ];
        error.extend(self.target.map(|target| ("target", text(target))));
        error.extend(self.inner.map(|Inner { code, message }| {
            let inner =
                [("code", text(*code)), ("message", text(*message)), ("details", Value::Null)];
            ("innerError", object(inner))
        }));
        let mut response = json_response(self.status, &object([("error", object(error))]));
        if let Some((name, value)) = self.header {
            let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The answer of the sister API while it throttles: the only one that is documented.
pub(super) fn throttled(retry_after: u64) -> Response<Full<Bytes>> {
    let body = r#"{"statusCode":429,"message":"Too many calls. Try again later."}"#;
    let mut response =
        json_bytes(StatusCode::TOO_MANY_REQUESTS, Bytes::from_static(body.as_bytes()));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

pub(super) fn json_response(status: StatusCode, body: &Value<'_>) -> Response<Full<Bytes>> {
    json_bytes(status, Bytes::from(body.to_string()))
}

fn json_bytes(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn text(text: impl Into<String>) -> Value<'static> {
    Value::String(text.into().into())
}

pub(super) fn object<'a>(
    members: impl IntoIterator<Item = (&'static str, Value<'a>)>,
) -> Value<'a> {
    let mut object = Object::default();
    for (name, value) in members {
        object.insert(name.into(), value);
    }
    Value::Object(object)
}

/// The number that `text` is, exactly as JSON has numbers.
pub(super) fn number(text: &str) -> Option<Value<'static>> {
    match json::read(text.as_bytes(), Bounds::default()) {
        Ok(number @ Value::Number(_)) if text.trim() == text => Some(number.into_owned()),
        _ => None,
    }
}

/// The member `name` of `value`, if that is an object which has one.
pub(super) fn member<'v, 'a>(value: &'v Value<'a>, name: &str) -> Option<&'v Value<'a>> {
    if let Value::Object(members) = value { members.get(name) } else { None }
}

const MESSAGE_MAX: usize = 1024;
