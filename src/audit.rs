//! The audit log: one record for each change that was judged, in a file that only grows, each record
//! sealed with those before it.
//!
//! Whoever serves a request never waits for it: a record is put into a queue, and one thread writes.

mod chain;
mod file;
mod verify;
mod writer;

pub use chain::{Chain, Head, hex};
pub use verify::{Broken, Verified, verify};

use crate::limits::{Capacity, Slot};

use writer::{Message, Writer};

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most bytes of records that wait to be written.
const WAITING_MAX: usize = 64 << 20;

/// Where records go, and what becomes of changes where they cannot.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Whether a change is refused that could not be recorded; else it is let through, and counted.
    pub refuses: bool,
    /// The most records that wait to be written.
    pub queue: usize,
    /// How long what was written may wait until it is on the disk for good.
    pub sync: Duration,
    /// How large the file becomes before another is begun.
    pub size: u64,
    /// How old it becomes.
    pub age: Duration,
}

/// The audit log. All workers share it; the last that lets go closes it.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    refuses: bool,
    sender: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread that writes and those who look at it share.
#[derive(Debug)]
struct Shared {
    /// The room in the queue.
    queue: Capacity,
    /// The bytes of the records that wait.
    waiting: AtomicUsize,
    /// Records that were written.
    written: AtomicU64,
    /// Records that were not, and of which the file does not tell yet.
    untold: AtomicU64,
    /// Records that were not, since the start.
    lost: AtomicU64,
    /// Whether the last write failed.
    fails: AtomicBool,
    head: Mutex<Head>,
}

/// Room for one record; nothing where it is going to be lost.
#[derive(Debug)]
pub struct Room(Option<Slot>);

/// No record can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// How the log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Records that were written since the start.
    pub written: u64,
    /// Records that were lost since the start.
    pub lost: u64,
    /// Records that wait.
    pub queued: usize,
    /// Whether the last write failed.
    pub fails: bool,
    /// The seal of the last record.
    pub head: Head,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").field(&self.standing()).finish()
    }
}

impl Audit {
    /// Opens the log, and goes on from the last record in it.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, belongs to another gateway, or ends in something that is no
    /// record.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Capacity::new(settings.queue),
            waiting: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            head: Mutex::default(),
        });
        let refuses = settings.refuses;
        let (sender, receiver) = channel();
        let writer = Writer::open(settings, Arc::clone(&shared), receiver)?;
        let thread = std::thread::Builder::new().name("audit".into()).spawn(|| writer.run())?;
        let thread = Mutex::new(Some(thread));
        Ok(Self(Arc::new(Inner { shared, refuses, sender, thread })))
    }

    /// Room for the record of a change that is about to be judged.
    ///
    /// # Errors
    ///
    /// When there is none, and nothing is to happen that is not recorded.
    pub fn admit(&self) -> Result<Room, Unavailable> {
        let Inner { shared, refuses, .. } = &*self.0;
        if *refuses && shared.fails.load(Ordering::Relaxed) {
            return Err(Unavailable);
        }
        let has_room = shared.waiting.load(Ordering::Relaxed) < WAITING_MAX;
        match has_room.then(|| shared.queue.take()).flatten() {
            None if *refuses => Err(Unavailable),
            slot => Ok(Room(slot)),
        }
    }

    /// Records a change: `members` are those of its JSON object, from the first name to the last value.
    pub fn record(&self, room: Room, members: Vec<u8>) {
        let Inner { shared, sender, .. } = &*self.0;
        let sent = room.0.map(|slot| {
            shared.waiting.fetch_add(members.len(), Ordering::Relaxed);
            sender.send(Message::Record { members, slot })
        });
        if !matches!(sent, Some(Ok(()))) {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            shared.untold.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file anew, where somebody has moved it away.
    pub fn reopen(&self) {
        // Whoever has ended has nothing open.
        let _ = self.0.sender.send(Message::Reopen);
    }

    /// Writes what waits, closes the log, and returns when that is done.
    pub fn close(&self) {
        let _ = self.0.sender.send(Message::Close);
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit log had panicked");
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let shared = &self.0.shared;
        Standing {
            written: shared.written.load(Ordering::Relaxed),
            lost: shared.lost.load(Ordering::Relaxed),
            queued: shared.queue.used(),
            fails: shared.fails.load(Ordering::Relaxed),
            head: *shared.head.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.sender.send(Message::Close);
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        drop(thread.map(JoinHandle::join));
    }
}
