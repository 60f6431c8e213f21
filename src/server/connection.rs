//! One connection of a caller, from the first byte to the last.

use super::Settings;
use super::patient::Patient;
use crate::proxy::Entrance;
use crate::proxy::stack::Answer;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::Service;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

/// The bounds of a request's head.
const HEAD_MAX: usize = 32 << 10;
const FIELDS_MAX: usize = 100;

/// How HTTP is spoken with callers.
pub(super) fn http(settings: &Settings) -> http1::Builder {
    let mut http = http1::Builder::new();
    // Without a timer hyper knows no timeouts.
    http.timer(TokioTimer::new())
        .header_read_timeout(settings.head_time)
        .max_headers(FIELDS_MAX)
        .max_header_size(HEAD_MAX);
    http
}

/// Serves the connection until it ends; once `stopped`, until the request under way has ended.
pub(super) fn serve<S>(
    http: &http1::Builder,
    tcp: TcpStream,
    stall_time: Duration,
    stack: S,
    mut stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<S>
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: 'static> + 'static,
{
    let _ = tcp.set_nodelay(true);
    let io = TokioIo::new(Patient::new(tcp, stall_time));
    let connection = http.serve_connection(io, Entrance::new(stack));
    async move {
        let mut connection = pin!(connection);
        let served = tokio::select! {
            biased;
            served = connection.as_mut() => served,
            _ = stopped.wait_for(|stopped| *stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a caller's connection ended");
        }
    }
}
