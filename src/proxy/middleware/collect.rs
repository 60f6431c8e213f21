//! Reads the body into memory, bounded in size and time; one that will be refused anyway is not
//! read at all, and not asked for with `100 Continue` either.

use super::{Local, Step};

use crate::policy::route::BodyForm;
use crate::proxy::headers::sole;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Admitted, Routed};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http_body::Body;
use http_body_util::BodyExt;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::task::{Context, Poll};
use std::time::Duration;

/// What is read of a body where none is taken: enough for the judge to see that one is there.
const UNWANTED_MAX: usize = 4 << 10;

/// Reads bodies.
#[derive(Clone, Debug)]
pub struct Collect<S> {
    inner: S,
    time: Duration,
}

impl<S> Collect<S> {
    /// A body may take `time`.
    pub fn layer(time: Duration) -> impl Layer<S, Service = Self> + Clone {
        layer_fn(move |inner| Self { inner, time })
    }
}

impl<S, B> Service<Admitted<B>> for Collect<S>
where
    S: Service<Routed<Bytes>, Error = Rejection> + Clone + 'static,
    B: Body<Data = Bytes> + Unpin + 'static,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Step<Local<Result<S::Response, Rejection>>, Result<S::Response, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, Admitted(routed): Admitted<B>) -> Self::Future {
        let max = match check_head(&routed) {
            Ok(max) => max,
            Err(rejection) => return Step::end(Err(rejection)),
        };
        if routed.body.is_end_stream() {
            let (routed, _) = routed.replace_body(Bytes::new());
            return Step::inward(Box::pin(self.inner.call(routed)));
        }
        let (mut inner, time) = (self.inner.clone(), self.time);
        Step::inward(Box::pin(async move {
            let (mut routed, body) = routed.replace_body(Bytes::new());
            let read = tokio::time::timeout(time, read(body, max)).await;
            routed.body = read.map_err(|_| Rejection::BodyTooSlow)??;
            routed.trail.bytes_in.set(routed.body.len() as u64);
            inner.call(routed).await
        }))
    }
}

/// The most bytes that may be read of a body with this head.
fn check_head<B: Body>(routed: &Routed<B>) -> Result<usize, Rejection> {
    let route = &routed.route;
    let max = match route.body {
        BodyForm::Document | BodyForm::JsonPatch | BodyForm::MergePatch | BodyForm::Replacement => {
            let given = routed.headers.get(header::CONTENT_TYPE);
            if !given.is_some_and(|given| is_accepted(given, &route.media_types)) {
                return Err(Rejection::MediaTypeUnsupported(std::sync::Arc::clone(route)));
            }
            route.max_body
        }
        BodyForm::Nothing => route.max_body.max(UNWANTED_MAX),
    };
    if !is_identity(&routed.headers) {
        return Err(Rejection::CodingUnsupported);
    }
    if routed.body.size_hint().lower() > max as u64 {
        return Err(Rejection::BodyTooLarge { max });
    }
    Ok(max)
}

/// Whether `given` is one of `accepted`, with no parameter but a charset that says UTF-8.
fn is_accepted(given: &HeaderValue, accepted: &[String]) -> bool {
    let Ok(text) = given.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    accepted.iter().any(|known| known.eq_ignore_ascii_case(essence)) && parts.all(is_utf8_charset)
}

fn is_utf8_charset(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    name.eq_ignore_ascii_case("charset")
        && ["utf-8", "utf8"].iter().any(|known| known.eq_ignore_ascii_case(bare))
}

/// Whether the body is in no content coding.
fn is_identity(headers: &HeaderMap) -> bool {
    match sole(headers, &header::CONTENT_ENCODING) {
        Ok(None) => true,
        Ok(Some(coding)) => coding.as_bytes().eq_ignore_ascii_case(b"identity"),
        Err(_twice) => false,
    }
}

async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B, max: usize) -> Result<Bytes, Rejection> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::BodyUnreadable)?;
        // A trailer is dropped: it must never count as a header.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > max - first.len().max(rest.len()) {
            return Err(Rejection::BodyTooLarge { max });
        }
        // Most bodies come in one piece, which is then not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(first.len() + data.len());
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_known_in_any_spelling_and_with_no_odd_parameter() {
        let accepted = ["application/json-patch+json".to_owned(), "application/json".to_owned()];
        let is = |text| is_accepted(&HeaderValue::from_static(text), &accepted);
        for text in [
            "application/json",
            "Application/JSON-Patch+json ; Charset=\"UTF-8\"",
            "application/json;charset=utf8",
        ] {
            assert!(is(text), "{text}");
        }
        for text in [
            "",
            "application/merge-patch+json",
            "application/json, text/html",
            "application/json;charset=utf-16",
            "application/json;charset=",
            "application/json;v=1",
            "application/json;",
            "text/plain",
        ] {
            assert!(!is(text), "{text}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        assert_eq!(read(Pieces(&["abc"]), 3).await.unwrap(), "abc");
        assert_eq!(read(Pieces(&["a", "", "b", "c"]), 3).await.unwrap(), "abc");
        for parts in [&["abcd"][..], &["a", "b", "c", "d"]] {
            let read = read(Pieces(parts), 3).await;
            assert!(matches!(read, Err(Rejection::BodyTooLarge { max: 3 })));
        }
    }

    struct Pieces(&'static [&'static str]);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            let Some((piece, rest)) = self.0.split_first() else { return Poll::Ready(None) };
            self.0 = rest;
            Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from(*piece)))))
        }
    }
}
