//! Spans of requests, sent to an OpenTelemetry collector (OTLP over HTTP, in protobuf).
//!
//! Whoever serves a request never waits for it: spans are put into a queue, and one thread sends them.
//! Where it cannot keep up, spans are dropped, and counted.

mod message;
mod sender;

pub use message::{Span, SpanKind};

use crate::outbound::Way;

use http::header::HeaderMap;
use sender::Sender;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Where spans go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The way to the collector; its URL has the whole path, as `/v1/traces`.
    pub way: Way,
    /// What each request to it carries, as a key.
    pub headers: HeaderMap,
    /// What the gateway is called there.
    pub service: String,
    /// The most spans that wait.
    pub queue: usize,
}

/// Whoever sends spans. All workers share it; the last that lets go ends it.
#[derive(Clone)]
pub struct Exporter(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    queue: usize,
    sender: UnboundedSender<Vec<Span>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread that sends and those who look at it share.
#[derive(Debug, Default)]
struct Shared {
    /// Spans that wait, or are being sent.
    waiting: AtomicUsize,
    /// Spans that the collector took.
    exported: AtomicU64,
    /// Spans that nobody will see.
    dropped: AtomicU64,
    closing: Notify,
}

/// How the export stands, since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Spans that the collector took.
    pub exported: u64,
    /// Spans that nobody will see: there was no room, or the collector did not take them.
    pub dropped: u64,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exporter").field(&self.standing()).finish()
    }
}

impl Exporter {
    /// Begins to send.
    ///
    /// # Errors
    ///
    /// When there is no thread.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (sender, receiver) = unbounded_channel();
        let queue = settings.queue;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("otlp".into());
        let sending = Arc::clone(&shared);
        let thread = thread.spawn(move || match Sender::new(settings, sending, receiver) {
            Ok(sender) => runtime.block_on(sender.run()),
            Err(why) => tracing::error!(why, "spans are not exported"),
        })?;
        Ok(Self(Arc::new(Inner { shared, queue, sender, thread: Mutex::new(Some(thread)) })))
    }

    /// Sends `spans` some time, if there is room for them.
    pub fn export(&self, spans: Vec<Span>) {
        let Inner { shared, queue, sender, .. } = &*self.0;
        let count = spans.len();
        let has_room = shared.waiting.fetch_add(count, Ordering::Relaxed) + count <= *queue;
        if !has_room || sender.send(spans).is_err() {
            shared.waiting.fetch_sub(count, Ordering::Relaxed);
            shared.lose(count);
        }
    }

    /// Sends what waits, as far as that is possible within a few seconds, and returns when that is done.
    pub fn close(&self) {
        self.0.close();
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let shared = &self.0.shared;
        Standing {
            exported: shared.exported.load(Ordering::Relaxed),
            dropped: shared.dropped.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    fn lose(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Inner {
    fn close(&self) {
        self.shared.closing.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("whoever sends spans had panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
