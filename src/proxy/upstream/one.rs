//! A connection that HTTP/1.1 is spoken over: for one request at a time.

use super::Fault;
use super::pool::{Counted, Lost};
use super::strict::{Asked, Strict};
use super::tapped::Tapped;
use crate::outbound::{Obstacle, Wire};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

/// The most bytes of an answer's head. (The most fields are 100, which hyper takes by itself; to be told
/// a number has it fill that much room for each answer.)
pub(super) const HEAD_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct One {
    sender: http1::SendRequest<Full<Bytes>>,
    asked: Asked,
    pub(super) born: Instant,
    pub(super) idle_since: Instant,
    _counted: Counted,
}

impl One {
    pub(super) async fn open(wire: Wire, counted: Counted) -> Result<Self, Fault> {
        let asked = Asked::default();
        let (sender, driver) = http1::Builder::new()
            .max_header_size(HEAD_MAX)
            .handshake(TokioIo::new(Tapped::new(wire, Strict::new(asked.clone()))))
            .await
            .map_err(|_| Fault::Unreachable(Obstacle::Other))?;
        tokio::task::spawn_local(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to the upstream ended");
            }
        });
        let now = Instant::now();
        Ok(Self { sender, asked, born: now, idle_since: now, _counted: counted })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends `request`, of which `begun` is told before its first byte.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        begun: impl Fn(),
    ) -> Result<Response<Incoming>, Lost> {
        if let Err(_closed) = self.sender.ready().await {
            return Err(Lost::Unsent(request));
        }
        self.asked.tell();
        begun();
        let answer = self.sender.try_send_request(request).await;
        // Whoever gets the request back knows that not a byte of it was written.
        answer.map_err(|mut error| error.take_message().map_or(Lost::Begun, Lost::Unsent))
    }
}
