//! The connections of one worker: the one used last is used next, each for one request at a time.
//!
//! A connection comes back only when the body of its answer has ended cleanly; all others are
//! closed by being dropped.

use super::connect::Connector;
use super::strict::{Asked, Strict};
use super::{Fault, Settings};
use crate::proxy::headers::sole;
use crate::proxy::trail::Sent;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The bounds of an answer's head.
const HEAD_MAX: usize = 64 << 10;
const FIELDS_MAX: usize = 100;

/// How often a request that was never begun is sent again, each time on a new connection.
const RESENT_MAX: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Pool(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: Connector,
    idle: RefCell<Vec<Connection>>,
    open: Rc<Cell<usize>>,
    most: usize,
    most_idle: usize,
    idle_time: Duration,
    age: Duration,
    head_time: Duration,
}

#[derive(Debug)]
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    asked: Asked,
    born: Instant,
    idle_since: Instant,
    _counted: Counted,
}

/// One of the open connections, until it is dropped.
#[derive(Debug)]
struct Counted(Rc<Cell<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Pool {
    pub(super) fn new(settings: &Settings, connector: Connector) -> Self {
        Self(Rc::new(Shared {
            connector,
            idle: RefCell::default(),
            open: Rc::default(),
            most: settings.connections,
            most_idle: settings.idle,
            idle_time: settings.idle_time,
            age: settings.age,
            head_time: settings.head_time,
        }))
    }

    /// Sends `request` and waits for the head of its answer. `sent` is told how far it came.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        sent: impl Fn(Sent),
    ) -> Result<(Response<Incoming>, Lease), Fault> {
        let began = Instant::now();
        let mut idle = self.0.take_idle(began);
        for _ in 0..=RESENT_MAX {
            let mut connection = match idle.take() {
                Some(connection) => connection,
                None => self.0.open().await?,
            };
            let exchange = async {
                if let Err(_closed) = connection.sender.ready().await {
                    return Err(Some(request));
                }
                connection.asked.tell();
                sent(Sent::Begun);
                let answer = connection.sender.try_send_request(request).await;
                // Whoever gets the request back knows that not a byte of it was written.
                answer.map_err(|mut error| error.take_message())
            };
            match tokio::time::timeout(self.0.head_time, exchange).await {
                Err(_) => return Err(Fault::TooSlow),
                Ok(Ok(answer)) if !is_framed(answer.headers()) => return Err(Fault::Broken),
                Ok(Ok(answer)) => {
                    let pool = Rc::downgrade(&self.0);
                    return Ok((answer, Lease { connection, pool, began }));
                }
                Ok(Err(None)) => return Err(Fault::Broken),
                Ok(Err(Some(unsent))) => {
                    sent(Sent::Nothing);
                    request = unsent;
                }
            }
        }
        Err(Fault::Unreachable)
    }

    /// Closes connections that were idle for too long.
    pub(super) fn evict(&self) {
        self.0.evict();
    }
}

/// Whether everybody finds the same end of an answer with this head. (hyper refuses lengths that
/// differ, and decodes `chunked`; of any coding below it we would pass the bytes on, but not the
/// field that tells of it.)
fn is_framed(headers: &HeaderMap) -> bool {
    match sole(headers, &header::TRANSFER_ENCODING) {
        Ok(None) => true,
        Ok(Some(coding)) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(header::CONTENT_LENGTH)
        }
        Err(_twice) => false,
    }
}

impl Shared {
    /// The connection that was used last and can be used again.
    fn take_idle(&self, now: Instant) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(connection) = idle.pop() {
            if self.is_usable(&connection, now) {
                return Some(connection);
            }
        }
        None
    }

    fn is_usable(&self, connection: &Connection, now: Instant) -> bool {
        !connection.sender.is_closed()
            && now.duration_since(connection.idle_since) < self.idle_time
            && now.duration_since(connection.born) < self.age
    }

    fn evict(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|connection| self.is_usable(connection, now));
    }

    async fn open(&self) -> Result<Connection, Fault> {
        if self.open.get() >= self.most {
            // Some of those that are counted may be idle, and dead.
            self.evict();
        }
        if self.open.get() >= self.most {
            return Err(Fault::Saturated);
        }
        self.open.set(self.open.get() + 1);
        let counted = Counted(Rc::clone(&self.open));
        let asked = Asked::default();
        let wire = Strict::new(self.connector.connect().await?, asked.clone());
        let (sender, driver) = http1::Builder::new()
            .max_headers(FIELDS_MAX)
            .max_header_size(HEAD_MAX)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|_| Fault::Unreachable)?;
        tokio::task::spawn_local(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to the upstream ended");
            }
        });
        let now = Instant::now();
        Ok(Connection { sender, asked, born: now, idle_since: now, _counted: counted })
    }

    fn put_back(&self, mut connection: Connection) {
        let now = Instant::now();
        connection.idle_since = now;
        let mut idle = self.idle.borrow_mut();
        if self.is_usable(&connection, now) && idle.len() < self.most_idle {
            idle.push(connection);
        }
    }
}

/// A connection whose answer is still on its way; dropped, it is closed.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Connection,
    pool: Weak<Shared>,
    began: Instant,
}

impl Lease {
    /// When the request was taken up.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Gives the connection back for the next request.
    pub(super) fn put_back(self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.put_back(self.connection);
        }
    }
}
