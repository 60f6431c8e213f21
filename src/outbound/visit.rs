//! One request of the gateway's own over a connection of its own, with an answer that is small.

use super::{Connector, Unreached};

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use zeroize::Zeroizing;

use std::fmt;

/// The bounds of an answer's head.
const HEAD_MAX: usize = 16 << 10;
const FIELDS_MAX: usize = 100;

/// What was answered, whole.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body, which may be secret: it is overwritten when it is no longer needed.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unvisited {
    /// The connection ended first, or what came over it is no HTTP.
    Broken,
    /// The answer is larger than it may be.
    TooLarge,
    /// No connection could be made.
    Unreached(Unreached),
}

impl fmt::Display for Unvisited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the connection ended before the answer did",
            Self::TooLarge => "the answer is too large",
            Self::Unreached(Unreached::Proxy(why)) => why,
            Self::Unreached(Unreached::TooSlow) => "it took too long to connect",
            Self::Unreached(Unreached::Unreachable(_)) => "nobody could be reached there",
            Self::Unreached(Unreached::Untrusted(_)) => "no trusted TLS connection could be made",
        })
    }
}

/// Sends `request` by `connector`, and reads an answer of at most `most` bytes. How long that may
/// take is for the caller to say.
///
/// # Errors
///
/// When there is no whole answer. The request may have arrived even so.
pub async fn visit(
    connector: &Connector,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<Answer, Unvisited> {
    let broken = |error: hyper::Error| {
        tracing::debug!(%error, "a connection of the gateway's own ended");
        Unvisited::Broken
    };
    let wire = connector.connect().await.map_err(Unvisited::Unreached)?;
    let (mut sender, driver) = http1::Builder::new()
        .max_headers(FIELDS_MAX)
        .max_header_size(HEAD_MAX)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(broken)?;
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (head, mut incoming) = answer.into_parts();
        // In one piece, so that no copy stays behind where it would have to grow.
        let mut body = Zeroizing::new(Vec::with_capacity(most));
        while let Some(frame) = incoming.frame().await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if body.len() + data.len() > most {
                return Err(Unvisited::TooLarge);
            }
            body.extend_from_slice(&data);
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    // The connection goes with whoever stops to wait.
    let mut driver = std::pin::pin!(driver);
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut driver => {
            ended.map_err(broken)?;
            exchange.await
        }
    }
}
