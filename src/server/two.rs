//! HTTP/2 with callers: its bounds, and what of a request has to be brought to the form that the
//! stack knows from HTTP/1.1.

use http::header::{self, HeaderValue};
use http::{Request, Version};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::time::timeout;

use std::time::Duration;

/// Streams that one connection may have open.
const STREAMS_MAX: u32 = 100;
/// What a caller may send of a body before it is read, for one stream and for all.
const STREAM_WINDOW: u32 = 64 << 10;
const WINDOW: u32 = 256 << 10;
/// All header fields of a request; beyond it 431.
const HEADER_MAX: u32 = 16 << 10;
/// Streams that a caller resets before they are accepted, and those that it has us reset.
const RESETS_MAX: usize = 50;
/// How often a caller is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);

/// How HTTP/2 is spoken, where a request and its answer take `life` at most.
pub(super) fn builder(life: Duration) -> http2::Builder<Here> {
    let mut two = http2::Builder::new(Here { life });
    two.timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADER_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIME);
    two
}

/// Runs the streams of a connection on the thread that accepted it. A caller that takes nothing of its
/// answer is asked for nothing either, and so each ends after a time, whatever it waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    life: Duration,
}

impl<F: Future + 'static> Executor<F> for Here {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(timeout(self.life, async move { drop(future.await) })));
    }
}

/// Brings a request of HTTP/2 to the form that one of HTTP/1.1 has: a `Host`, one `Cookie`. Whether
/// that host is the one of `:authority` is asked of both.
pub(super) fn normalise<B>(request: &mut Request<B>) {
    if request.version() != Version::HTTP_2 {
        return;
    }
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
        if let Ok(mut cookie) = HeaderValue::from_bytes(&whole) {
            cookie.set_sensitive(true);
            headers.insert(header::COOKIE, cookie);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri).version(Version::HTTP_2);
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
