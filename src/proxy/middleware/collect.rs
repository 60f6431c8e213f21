//! Reads the body into memory, bounded in size and time; one that will be refused anyway is not
//! read at all, and not asked for with `100 Continue` either.

use super::{Local, Step};

use crate::policy::route::BodyForm;
use crate::proxy::budget::{Budget, Cut, Pace};
use crate::proxy::fields::{FieldValue, Fields};
use crate::proxy::gzip;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{Admitted, Routed};

use bytes::Bytes;
use http::header;
use http_body::Body;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use std::task::{Context, Poll};

/// What is read of a body where none is taken: enough for the judge to see that one is there.
const UNWANTED_MAX: usize = 4 << 10;

/// Reads bodies.
#[derive(Clone, Debug)]
pub struct Collect<S> {
    inner: S,
    budget: Budget,
    pace: Pace,
}

impl<S> Collect<S> {
    /// A body takes up room of `budget`, and has to come at `pace`.
    pub fn layer(budget: Budget, pace: Pace) -> impl Layer<S, Service = Self> + Clone {
        layer_fn(move |inner| Self { inner, budget: budget.clone(), pace })
    }
}

impl<S, B, R> Service<Admitted<B>> for Collect<S>
where
    S: Service<Routed<Bytes>, Response = R, Error = Rejection>,
    S: Service<Routed<Bytes>, Future = Local<Result<R, Rejection>>> + Clone + 'static,
    B: Body<Data = Bytes> + Unpin + 'static,
{
    type Response = R;
    type Error = Rejection;
    type Future = Step<S::Future, Result<R, Rejection>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, Admitted(mut routed): Admitted<B>) -> Self::Future {
        let (max, coding) = match check_head(&mut routed) {
            Ok(found) => found,
            Err(rejection) => return Step::end(Err(rejection)),
        };
        let begun = self.budget.begin(&routed.body, max).and_then(|mut reading| {
            let is_whole = reading.read_come(&mut routed.body)?;
            Ok((reading, is_whole))
        });
        let (reading, is_whole) = match begun {
            Ok(begun) => begun,
            Err(cut) => return Step::end(Err(rejection(cut, max))),
        };
        let (routed, mut body) = routed.replace_body(Bytes::new());
        if is_whole && coding == Coding::None {
            return Step::inward(self.inner.call(whole(routed, reading.end())));
        }
        let (mut inner, budget, pace) = (self.inner.clone(), self.budget.clone(), self.pace);
        Step::inward(Box::pin(async move {
            let pace = Some((routed.trail.began, pace));
            let read = match is_whole {
                true => Ok(reading.end()),
                false => reading.go_on(&mut body, pace).await,
            };
            let mut routed = whole(routed, read.map_err(|cut| rejection(cut, max))?);
            if coding == Coding::Gzip {
                routed.body = gzip::decode(&routed.body, max, &budget)?;
            }
            inner.call(routed).await
        }))
    }
}

/// The request with `body`, which is all that came.
fn whole(mut routed: Routed<Bytes>, body: Bytes) -> Routed<Bytes> {
    routed.trail.bytes_in.set(body.len() as u64);
    routed.body = body;
    routed
}

fn rejection(cut: Cut, max: usize) -> Rejection {
    match cut {
        Cut::Broken => Rejection::BodyUnreadable,
        Cut::NoRoom => Rejection::Overloaded,
        Cut::TooLarge => Rejection::BodyTooLarge { max },
        Cut::TooSlow => Rejection::BodyTooSlow,
    }
}

/// What a body is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    None,
}

/// The most bytes that may be read of a body with this head, and what it is in; the head says no
/// longer that it is in anything.
fn check_head<B: Body>(routed: &mut Routed<B>) -> Result<(usize, Coding), Rejection> {
    let route = &routed.route;
    let max = match route.body {
        BodyForm::Document | BodyForm::JsonPatch | BodyForm::MergePatch | BodyForm::Replacement => {
            let given = routed.fields.get(&header::CONTENT_TYPE);
            if !given.is_some_and(|given| is_accepted(given, &route.media_types)) {
                return Err(Rejection::MediaTypeUnsupported(std::sync::Arc::clone(route)));
            }
            // It is judged as a whole.
            if routed.fields.has(&header::CONTENT_RANGE) {
                return Err(Rejection::HeadMalformed(
                    "`Content-Range` makes the body a part of something; send the whole without it",
                ));
            }
            route.max_body
        }
        BodyForm::Nothing => route.max_body.max(UNWANTED_MAX),
    };
    let accepted = if route.gzip { "gzip, identity" } else { "identity" };
    let coding = match coding(&routed.fields) {
        Some(Coding::Gzip) if !route.gzip => None,
        coding => coding,
    };
    let coding = coding.ok_or(Rejection::CodingUnsupported { accepted })?;
    if routed.body.size_hint().lower() > max as u64 {
        return Err(Rejection::BodyTooLarge { max });
    }
    if coding == Coding::Gzip {
        gzip::uncode(&mut routed.head.fields)?;
    }
    Ok((max, coding))
}

/// Whether `given` is one of `accepted`, with no parameter but a charset that says UTF-8.
fn is_accepted(given: FieldValue<'_>, accepted: &[String]) -> bool {
    // As nearly everybody writes it. (What is accepted has no parameters.)
    if accepted.iter().any(|known| known.as_bytes() == given.as_bytes()) {
        return true;
    }
    let Some(text) = given.as_str() else { return false };
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

/// The coding that the body is in, if it is one that is known.
fn coding(fields: &Fields) -> Option<Coding> {
    let Some(name) = fields.sole(&header::CONTENT_ENCODING).ok()? else {
        return Some(Coding::None);
    };
    let is = |known: &str| name.as_bytes().eq_ignore_ascii_case(known.as_bytes());
    match () {
        () if is("identity") => Some(Coding::None),
        () if is("gzip") || is("x-gzip") => Some(Coding::Gzip),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_known_in_any_spelling_and_with_no_odd_parameter() {
        let accepted = ["application/json-patch+json".to_owned(), "application/json".to_owned()];
        let is = |text| is_accepted(FieldValue::of(text).unwrap(), &accepted);
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
}
