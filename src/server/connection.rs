//! One connection of a caller, from the first byte to the last.

use super::Settings;
use super::entrance::{Entrance, Tally};
use super::guard::{Bounds, Guard, Times};
use super::patient::Patient;
use crate::proxy::stack::Answer;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::Service;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

/// The most that hyper reads ahead, unless a head is larger.
const BUFFER_MAX: usize = 64 << 10;

/// How HTTP is spoken with callers.
#[derive(Clone, Debug)]
pub(super) struct Http {
    one: http1::Builder,
    head: Bounds,
    times: Times,
    stall_time: Duration,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Self {
        let head = settings.head;
        let whole = head.line + head.header + 64;
        let mut one = http1::Builder::new();
        // What is beyond these the guard has refused before; it also keeps the time.
        one.max_headers(head.fields + 1).max_header_size(whole).max_buf_size(whole.max(BUFFER_MAX));
        let times = Times { head: settings.head_time, idle: settings.idle_time };
        Self { one, head, times, stall_time: settings.stall_time }
    }

    /// Serves the connection until it ends; once `stopped`, until the request under way has ended.
    pub(super) fn serve<S>(
        &self,
        tcp: TcpStream,
        stack: S,
        mut stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<S>
    where
        S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: 'static>
            + 'static,
    {
        let _ = tcp.set_nodelay(true);
        let tally = Tally::begin();
        let socket = Patient::new(tcp, self.stall_time);
        let guard = Guard::new(socket, self.head, self.times, tally.clone());
        let connection =
            self.one.serve_connection(TokioIo::new(guard), Entrance::new(stack, tally));
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
}
