//! One stream: a request, brought to the form that the stack knows from HTTP/1.1, and its answer.

use super::frames::Frames;
use crate::proxy::alarm::Alarm;
use crate::proxy::answer;
use crate::proxy::body::Broken;
use crate::proxy::request::{Interim, Received};
use crate::proxy::stack::Answer;
use crate::server::connection::{Ended, Site, Stack};
use crate::server::date;
use crate::server::incoming::{Incoming, Source, Torn};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Has `request` answered over `respond`.
pub(super) fn answer<S: Stack>(
    site: &Site<S>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    frames: &Rc<RefCell<Frames>>,
    alarm: Alarm,
) -> impl Future<Output = Result<(), Ended>> + use<S> {
    let frames = Rc::clone(frames);
    let id = request.body().stream_id().as_u32();
    let respond = Rc::new(Respond(RefCell::new(respond)));
    let is_bare = *request.method() == Method::HEAD;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let mut request = request.map(|stream| match stream.is_end_stream() {
        true => Incoming::empty(),
        false => Incoming::of(Rc::new(Stream {
            stream: RefCell::new(stream),
            frames: Rc::clone(&frames),
            left: Cell::new(length),
            has_ended: Cell::new(false),
        })),
    });
    normalise(&mut request);
    let interim: Rc<dyn Interim> = Rc::clone(&respond) as _;
    let received = Received {
        peer: Some(Rc::clone(&site.peer)),
        interim: Some(Rc::downgrade(&interim)),
        alarm,
        ..Received::from(request)
    };
    let answer = site.call(received);
    async move {
        let answer = {
            let mut answer = pin!(answer);
            poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(Ok(answer)) => Poll::Ready(Ok(answer)),
                // A stream that is reset wants no answer.
                Poll::Pending => respond.0.borrow_mut().poll_reset(cx).map(|reset| {
                    let error = reset.map_or_else(|error| error, h2::Error::from);
                    Err(Ended::from(error))
                }),
            })
            .await?
        };
        if frames.borrow().is_odd(id) {
            respond.0.borrow_mut().send_reset(Reason::PROTOCOL_ERROR);
            return Err(Torn.into());
        }
        send(answer, is_bare, &respond).await
    }
}

/// Sends `answer`, of which only the head is wanted if it `is_bare`.
async fn send(answer: Answer, is_bare: bool, respond: &Respond) -> Result<(), Ended> {
    let (mut head, body) = Response::from(answer).into_parts();
    let is_bare =
        is_bare || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let ends = is_bare || body.is_end_stream();
    let headers = &mut head.headers;
    headers.remove(header::CONNECTION);
    headers.entry(header::DATE).or_insert_with(date::value);
    match body.size_hint().exact() {
        _ if head.status == StatusCode::NO_CONTENT => {
            headers.remove(header::CONTENT_LENGTH);
        }
        Some(length) if !is_bare || length > 0 => {
            headers.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        Some(_) | None => {}
    }
    let response = Response::from_parts(head, ());
    let mut stream = respond.0.borrow_mut().send_response(response, ends)?;
    if ends {
        return Ok(());
    }
    let mut body = pin!(body);
    let mut held = None;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(reason) = stream.poll_reset(cx)? {
                return Poll::Ready(Err(h2::Error::from(reason).into()));
            }
            if held.is_some() {
                ready!(poll_capacity(&mut stream, cx))?;
                let data = held.take().unwrap_or_default();
                stream.send_data(data, body.is_end_stream())?;
            }
            if body.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
            match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // A trailer: it stays on its hop.
                    let Ok(data) = frame.into_data() else { continue };
                    if !data.is_empty() {
                        // What is asked for is taken from all streams, and so is no more than is needed.
                        stream.reserve_capacity(1);
                        held = Some(data);
                    }
                }
                Some(Err(Broken)) => {
                    stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(Err(Broken.into()));
                }
                None => return Poll::Ready(Ok(stream.send_data(Bytes::new(), true)?)),
            }
        }
    })
    .await
}

/// Waits until something can be sent.
fn poll_capacity(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error.into())),
            None => return Poll::Ready(Err(Broken.into())),
        }
    }
    Poll::Ready(Ok(()))
}

/// The body of a request.
struct Stream {
    stream: RefCell<RecvStream>,
    frames: Rc<RefCell<Frames>>,
    /// How much of it is to come, where that was said: h2 holds the caller to it.
    left: Cell<Option<u64>>,
    has_ended: Cell<bool>,
}

impl Source for Stream {
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Torn>>> {
        let stream = &mut *self.stream.borrow_mut();
        Poll::Ready(match ready!(stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // What was taken has been asked for.
                let _ = stream.flow_control().release_capacity(data.len());
                let left = self.left.get();
                self.left.set(left.map(|left| left.saturating_sub(data.len() as u64)));
                Some(Ok(data))
            }
            Some(Err(_)) => Some(Err(Torn)),
            // The end is behind the trailers.
            None => match ready!(stream.poll_trailers(cx)) {
                Ok(_) if !self.frames.borrow().is_odd(stream.stream_id().as_u32()) => {
                    self.has_ended.set(true);
                    None
                }
                Ok(_) | Err(_) => Some(Err(Torn)),
            },
        })
    }

    fn is_over(&self) -> bool {
        self.has_ended.get() || self.stream.borrow().is_end_stream()
    }

    fn left(&self) -> Option<u64> {
        self.left.get()
    }
}

/// Where an answer goes.
struct Respond(RefCell<SendResponse<Bytes>>);

impl Interim for Respond {
    fn pass(&self, answer: answer::Answer<()>) {
        // Of a stream that takes nothing any more, the answer itself learns.
        let _ = self.0.borrow_mut().send_informational(answer.into());
    }
}

/// Brings a request of HTTP/2 to the form that one of HTTP/1.1 has: a `Host`, one `Cookie`. Whether
/// that host is the one of `:authority` is asked of both.
fn normalise<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let headers = request.headers_mut();
    if !headers.contains_key(header::HOST)
        && let Some(host) = authority.and_then(|host| HeaderValue::try_from(host).ok())
    {
        headers.insert(header::HOST, host);
    }
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) {
        let mut whole = first.as_bytes().to_vec();
        for crumb in [second].into_iter().chain(crumbs) {
            whole.extend_from_slice(b"; ");
            whole.extend_from_slice(crumb.as_bytes());
        }
        // What was joined of field values is one.
        if let Ok(cookie) = HeaderValue::from_bytes(&whole) {
            headers.insert(header::COOKIE, cookie);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_has_one_host_and_one_cookie() {
        let mut plain = request("https://a/x", &[("cookie", "a=1"), ("cookie", "b=2")]);
        normalise(&mut plain);
        assert_eq!(plain.headers()["host"], "a");
        assert_eq!(plain.headers()["cookie"], "a=1; b=2");
        assert_eq!(plain.headers().get_all("cookie").iter().count(), 1);
        let mut own = request("https://a/x", &[("host", "b")]);
        normalise(&mut own);
        assert_eq!(own.headers()["host"], "b", "for others to refuse");
    }
}
