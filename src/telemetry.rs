//! What the process tells about itself: events for its operator, and the access log.

mod file;
mod human;
mod latency;
pub mod line;
pub mod metrics;
mod pipe;
mod refusals;

use file::{BLOCK, LogFile};
pub use latency::Latency;
pub use metrics::Metrics;
pub use refusals::{Refusal, Refusals};

use pipe::Pipe;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{EnvFilter, reload};

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a line of the access log may wait to be written.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// How much may wait at a worker.
const FLUSH_OVER: usize = BLOCK;

/// Sends events to standard error: as JSON, or for people where it is a terminal. `filter` says
/// which, as `info` or `patchgate=debug,warn`.
///
/// From here on a panic is an event as well, and says where it happened but not what it said,
/// which may hold anything.
///
/// # Errors
///
/// When `filter` is malformed, or events go somewhere already.
pub fn init(filter: &str) -> Result<Events, InitError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = parse(filter)?;
    let pipe = Pipe::open("events", io::stderr()).map_err(|error| InitError(error.to_string()))?;
    let pipe = Arc::new(pipe);
    let own = Arc::clone(&pipe);
    let writer = move || Said(Arc::clone(&own));
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let taken = |error: TryInitError| InitError(error.to_string());
    let events = if io::stderr().is_terminal() {
        let events = events.with_filter_reloading();
        let handle = Events::by(events.reload_handle(), &pipe);
        events.finish().try_init().map_err(taken)?;
        handle
    } else {
        let events = events.json().flatten_event(true).with_ansi(false).with_filter_reloading();
        let handle = Events::by(events.reload_handle(), &pipe);
        events.finish().try_init().map_err(taken)?;
        handle
    };
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "panicked");
        pipe.settle();
    }));
    Ok(events)
}

fn parse(filter: &str) -> Result<EnvFilter, InitError> {
    EnvFilter::try_new(filter).map_err(|error| InitError(error.to_string()))
}

/// One event on its way to standard error. One that finds no room is lost, and counted.
struct Said(Arc<Pipe>);

impl Write for Said {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let _ = self.0.leave(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Which events are told, while the process runs.
#[derive(Clone)]
pub struct Events {
    pipe: Arc<Pipe>,
    get: Arc<dyn Fn() -> String + Send + Sync>,
    set: Arc<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.filter()).finish()
    }
}

impl Events {
    fn by<S: 'static>(handle: reload::Handle<EnvFilter, S>, pipe: &Arc<Pipe>) -> Self {
        let reading = handle.clone();
        Self {
            pipe: Arc::clone(pipe),
            get: Arc::new(move || reading.with_current(ToString::to_string).unwrap_or_default()),
            set: Arc::new(move |filter| handle.reload(filter)),
        }
    }

    /// How often there was no room for one, or some could not be written.
    pub fn lost(&self) -> u64 {
        self.pipe.lost()
    }

    /// Waits until what was said is written, but not for long.
    pub fn settle(&self) {
        self.pipe.settle();
    }

    /// The filter in force.
    pub fn filter(&self) -> String {
        (self.get)()
    }

    /// Puts `filter` in force until the next start.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn set_filter(&self, filter: &str) -> Result<(), InitError> {
        (self.set)(parse(filter)?).map_err(|error| InitError(error.to_string()))
    }
}

/// Why events go nowhere.
#[derive(Debug)]
pub struct InitError(String);

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InitError {}

/// Who is told of all that happens.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The access log.
    pub access_log: AccessLog,
    /// The numbers.
    pub metrics: Arc<Metrics>,
    /// The requests that were refused last.
    pub refusals: Arc<Refusals>,
    /// How long requests took, and the upstream.
    pub latency: Arc<Latencies>,
}

/// How long requests took.
#[derive(Debug, Default)]
pub struct Latencies {
    /// From the head of the request to the end of the answer.
    pub server: Latency,
    /// The upstream's part of it.
    pub upstream: Latency,
}

impl Telemetry {
    /// This access log, and numbers that begin at 0.
    pub fn new(access_log: AccessLog) -> Self {
        let (metrics, refusals, latency) = Default::default();
        Self { access_log, metrics, refusals, latency }
    }
}

/// Where the access log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// To the end of this file.
    File(PathBuf),
    /// Nowhere.
    #[default]
    Off,
    /// To standard error.
    Stderr,
    /// To standard output.
    Stdout,
}

/// The access log: one JSON object a line, one line a request; on a terminal, a line for people.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sink: Sink,
    /// How many writes have failed.
    lost: AtomicU64,
}

#[derive(Debug)]
enum Sink {
    File(LogFile),
    Off,
    Pipe { pipe: Pipe, is_terminal: bool },
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        let sink = match destination {
            Destination::File(path) => Sink::File(LogFile::open(path)?),
            Destination::Off => Sink::Off,
            Destination::Stderr => Sink::pipe(io::stderr())?,
            Destination::Stdout => Sink::pipe(io::stdout())?,
        };
        Ok(Self(Arc::new(Shared { sink, lost: AtomicU64::new(0) })))
    }

    /// How many writes have failed.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// A writer for one worker.
    pub fn writer(&self) -> LogWriter {
        LogWriter(Rc::new(Pending {
            log: self.clone(),
            lines: RefCell::default(),
            some: tokio::sync::Notify::new(),
        }))
    }

    /// Writes whole lines in one go, so that those of several workers do not mix.
    fn write(&self, lines: &mut Vec<u8>) {
        self.tell(match &self.0.sink {
            Sink::File(file) => file.add(lines),
            Sink::Off => Ok(()),
            Sink::Pipe { pipe, is_terminal: true } => pipe.leave(human::lines(lines).as_bytes()),
            Sink::Pipe { pipe, is_terminal: false } => pipe.leave(lines),
        });
        lines.clear();
    }

    /// The same of more lines than are to wait; some may stay, where that is cheaper.
    fn write_most(&self, lines: &mut Vec<u8>) {
        match &self.0.sink {
            Sink::File(file) => self.tell(file.fill(lines)),
            Sink::Off | Sink::Pipe { .. } => self.write(lines),
        }
    }

    /// Tells of writes that fail, ever more seldom.
    fn tell(&self, written: io::Result<()>) {
        if let Err(error) = written
            && (self.0.lost.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two()
        {
            tracing::error!(%error, "the access log cannot be written");
        }
    }
}

impl Sink {
    fn pipe(target: impl Write + IsTerminal + Send + 'static) -> io::Result<Self> {
        let is_terminal = target.is_terminal();
        Ok(Self::Pipe { pipe: Pipe::open("access-log", target)?, is_terminal })
    }
}

/// One worker's way to the access log; lines are gathered and written together.
#[derive(Clone, Debug)]
pub struct LogWriter(Rc<Pending>);

#[derive(Debug)]
struct Pending {
    log: AccessLog,
    lines: RefCell<Vec<u8>>,
    some: tokio::sync::Notify,
}

impl LogWriter {
    /// Whether lines go anywhere.
    pub fn is_on(&self) -> bool {
        !matches!(self.0.log.0.sink, Sink::Off)
    }

    /// Adds what `line` writes.
    pub fn write(&self, line: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = self.0.lines.borrow_mut();
        if lines.is_empty() {
            self.0.some.notify_one();
        }
        line(&mut lines);
        if lines.len() > FLUSH_OVER {
            self.0.log.write_most(&mut lines);
        }
    }

    /// Writes lines that have waited long enough, for ever.
    pub async fn tend(self) {
        loop {
            self.0.some.notified().await;
            tokio::time::sleep(FLUSH_AFTER).await;
            self.0.flush();
        }
    }
}

impl Pending {
    fn flush(&self) {
        let mut lines = self.lines.borrow_mut();
        if !lines.is_empty() {
            self.log.write(&mut lines);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.flush();
        if let Sink::Pipe { pipe, .. } = &self.log.0.sink {
            pipe.settle();
        }
    }
}
