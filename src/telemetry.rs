//! What the process tells about itself: events for its operator, and the access log.

mod human;
mod latency;
pub mod line;
pub mod metrics;
mod outlet;
mod refusals;

pub use latency::Latency;
pub use metrics::Metrics;
pub use refusals::{Refusal, Refusals};

use outlet::Outlet;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{EnvFilter, reload};

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a line of the access log may wait to be written.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// How much may wait at a worker. A write that ends within a block of the file system takes longer, so there are to be few.
const FLUSH_OVER: usize = 256 << 10;
/// How much may wait for whoever reads standard output or standard error, and for a disk.
const PIPE_ROOM: usize = 1 << 20;
const FILE_ROOM: usize = 8 << 20;

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
    // Where events cannot be told, no event can tell it.
    let outlet = Outlet::open("events", io::stderr(), PIPE_ROOM, |_, _| {});
    let outlet = Arc::new(outlet.map_err(|error| InitError(error.to_string()))?);
    let own = Arc::clone(&outlet);
    let writer = move || Said(Arc::clone(&own));
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let taken = |error: TryInitError| InitError(error.to_string());
    let events = if io::stderr().is_terminal() {
        let events = events.with_filter_reloading();
        let handle = Events::by(events.reload_handle(), &outlet);
        events.finish().try_init().map_err(taken)?;
        handle
    } else {
        let events = events.json().flatten_event(true).with_ansi(false).with_filter_reloading();
        let handle = Events::by(events.reload_handle(), &outlet);
        events.finish().try_init().map_err(taken)?;
        handle
    };
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "panicked");
        outlet.settle();
    }));
    Ok(events)
}

fn parse(filter: &str) -> Result<EnvFilter, InitError> {
    EnvFilter::try_new(filter).map_err(|error| InitError(error.to_string()))
}

/// One event on its way to standard error. One that finds no room is lost, and counted.
struct Said(Arc<Outlet>);

impl Write for Said {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.leave(&mut event.to_vec());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Which events are told, while the process runs.
#[derive(Clone)]
pub struct Events {
    outlet: Arc<Outlet>,
    get: Arc<dyn Fn() -> String + Send + Sync>,
    set: Arc<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.filter()).finish()
    }
}

impl Events {
    fn by<S: 'static>(handle: reload::Handle<EnvFilter, S>, outlet: &Arc<Outlet>) -> Self {
        let reading = handle.clone();
        Self {
            outlet: Arc::clone(outlet),
            get: Arc::new(move || reading.with_current(ToString::to_string).unwrap_or_default()),
            set: Arc::new(move |filter| handle.reload(filter)),
        }
    }

    /// How often there was no room for one, or some could not be written.
    pub fn lost(&self) -> u64 {
        self.outlet.lost()
    }

    /// Waits until what was said is written, but not for long.
    pub fn settle(&self) {
        self.outlet.settle();
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
pub struct AccessLog(Arc<Sink>);

#[derive(Debug)]
enum Sink {
    Off,
    On { outlet: Outlet, is_terminal: bool },
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        let sink = match destination {
            Destination::File(path) => {
                let file = File::options().create(true).append(true).open(path)?;
                Sink::on(file, false, FILE_ROOM)?
            }
            Destination::Off => Sink::Off,
            Destination::Stderr => Sink::on(io::stderr(), io::stderr().is_terminal(), PIPE_ROOM)?,
            Destination::Stdout => Sink::on(io::stdout(), io::stdout().is_terminal(), PIPE_ROOM)?,
        };
        Ok(Self(Arc::new(sink)))
    }

    /// How many writes have failed, or found no room.
    pub fn lost(&self) -> u64 {
        match &*self.0 {
            Sink::Off => 0,
            Sink::On { outlet, .. } => outlet.lost(),
        }
    }

    /// A writer for one worker.
    pub fn writer(&self) -> LogWriter {
        LogWriter(Rc::new(Pending {
            log: self.clone(),
            lines: RefCell::default(),
            some: tokio::sync::Notify::new(),
        }))
    }

    /// Has whole lines written in one go, so that those of several workers do not mix. They are taken out.
    fn write(&self, lines: &mut Vec<u8>) {
        let Sink::On { outlet, is_terminal } = &*self.0 else { return lines.clear() };
        if *is_terminal {
            *lines = human::lines(lines).into_bytes();
        }
        outlet.leave(lines);
    }
}

impl Sink {
    fn on(target: impl Write + Send + 'static, is_terminal: bool, room: usize) -> io::Result<Self> {
        // Ever more seldom.
        let tell = |error: &io::Error, lost: u64| {
            if lost.is_power_of_two() {
                tracing::error!(%error, "the access log cannot be written");
            }
        };
        Ok(Self::On { outlet: Outlet::open("access-log", target, room, tell)?, is_terminal })
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
        !matches!(*self.0.log.0, Sink::Off)
    }

    /// Adds what `line` writes.
    pub fn write(&self, line: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = self.0.lines.borrow_mut();
        if lines.is_empty() {
            self.0.some.notify_one();
        }
        line(&mut lines);
        if lines.len() > FLUSH_OVER {
            self.0.log.write(&mut lines);
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
        if let Sink::On { outlet, .. } = &*self.log.0 {
            outlet.settle();
        }
    }
}
