//! The thread that writes the audit log.

use super::chain::Chain;
use super::file::{LogFile, RECORD_MAX, put_away_last};
use super::{Settings, Shared};
use crate::limits::Slot;
use crate::telemetry::line::{Line, name};

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The most bytes that are written at once.
const BATCH: usize = 256 << 10;
/// How long it is gathered before that: whoever records then seldom has to wake this thread.
const GATHER: Duration = Duration::from_millis(5);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How long the log may take to be closed where it cannot be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the writer is told.
pub(super) enum Message {
    /// Nothing more comes.
    Close,
    /// A change; its place in the queue is free once it is written.
    Record { members: Vec<u8>, slot: Slot },
    /// The file may be another one now.
    Reopen,
}

pub(super) struct Writer {
    settings: Settings,
    shared: Arc<Shared>,
    receiver: Receiver<Message>,
    file: LogFile,
    chain: Chain,
    /// Lines that are sealed and not written.
    lines: Vec<u8>,
    slots: Vec<Slot>,
    /// The bytes of the records in them.
    waiting: usize,
    /// Since when something is written and not synced.
    unsynced: Option<Instant>,
}

impl Writer {
    pub(super) fn open(
        settings: Settings,
        shared: Arc<Shared>,
        receiver: Receiver<Message>,
    ) -> io::Result<Self> {
        let (file, tail) = LogFile::open(&settings.path)?;
        // One that ended between putting a file away and beginning another goes on, too.
        let before = match tail.head {
            None if file.is_regular() => put_away_last(&settings.path)?,
            Some(_) | None => None,
        };
        let head = tail.head.or(before.as_ref().map(|(_, head)| *head));
        let chain = head.map(Chain::from).unwrap_or_default();
        let (lines, slots) = (Vec::new(), Vec::new());
        let (waiting, unsynced) = (0, None);
        let mut writer =
            Self { settings, shared, receiver, file, chain, lines, slots, waiting, unsynced };
        if let Some((before, _)) = before {
            writer.say_continued(&before);
        }
        writer.say("opened", |line| {
            line.text(name!("version"), env!("CARGO_PKG_VERSION"));
            if tail.unfinished > 0 {
                line.number(name!("cut_off"), tail.unfinished);
            }
        });
        if tail.unfinished > 0 {
            let bytes = tail.unfinished;
            tracing::warn!(
                bytes,
                "the last record of the audit log was not finished, and is cut off"
            );
        }
        writer.write()?;
        Ok(writer)
    }

    /// Adds a record of the log's own.
    fn say(&mut self, event: &str, more: impl FnOnce(&mut Line<'_>)) {
        let mut members = Vec::new();
        let mut line = Line::members(&mut members, SystemTime::now());
        line.text(name!("event"), event);
        more(&mut line);
        self.chain.add(&members, &mut self.lines);
    }

    pub(super) fn run(mut self) {
        let mut closes = false;
        while !closes {
            let mut next = match self.due() {
                Some(wait) => self.receiver.recv_timeout(wait),
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            if matches!(next, Ok(Message::Record { .. })) {
                std::thread::sleep(GATHER);
            }
            loop {
                match next {
                    Ok(Message::Record { members, slot }) => self.take(&members, slot),
                    Ok(Message::Reopen) => self.reopen(),
                    Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => closes = true,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                // Where nothing can be written, what may help comes last.
                let fails = self.shared.fails.load(Ordering::Relaxed);
                if closes || self.lines.len() >= BATCH && !fails {
                    break;
                }
                match self.receiver.try_recv() {
                    Ok(message) => next = Ok(message),
                    Err(_) => break,
                }
            }
            self.tell_of_losses();
            self.flush();
            self.rotate();
        }
        self.close();
    }

    /// How long until something has to be done; nothing, if only a message can change that.
    fn due(&self) -> Option<Duration> {
        if !self.lines.is_empty() {
            return Some(RETRY);
        }
        let sync = self.unsynced.map(|since| self.settings.sync.saturating_sub(since.elapsed()));
        let age = self.settings.age.saturating_sub(self.file.opened.elapsed());
        Some(sync.map_or(age, |sync| sync.min(age)).max(Duration::from_millis(1)))
    }

    fn take(&mut self, members: &[u8], slot: Slot) {
        self.tell_of_losses();
        debug_assert!(members.len() < RECORD_MAX);
        self.chain.add(members, &mut self.lines);
        self.slots.push(slot);
        self.waiting += members.len();
    }

    /// What is missing is told of where it is missing.
    fn tell_of_losses(&mut self) {
        let count = self.shared.untold.swap(0, Ordering::Relaxed);
        if count > 0 {
            self.say("lost", |line| {
                line.number(name!("count"), count);
            });
        }
    }

    /// Writes what waits, as far as that is possible.
    fn flush(&mut self) {
        let was_failing = self.shared.fails.load(Ordering::Relaxed);
        match self.write() {
            Ok(()) if was_failing => {
                self.shared.fails.store(false, Ordering::Relaxed);
                tracing::info!("the audit log is written again");
            }
            Ok(()) => {}
            Err(error) => {
                if !self.shared.fails.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, refuses = self.settings.refuses, "the audit log cannot be written");
                }
                std::thread::sleep(RETRY);
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if !self.lines.is_empty() {
            self.file.add(&self.lines)?;
            self.lines.clear();
            self.shared.written.fetch_add(self.slots.len() as u64, Ordering::Relaxed);
            self.slots.clear();
            self.shared.waiting.fetch_sub(std::mem::take(&mut self.waiting), Ordering::Relaxed);
            *self.shared.head.lock().unwrap_or_else(PoisonError::into_inner) = self.chain.head();
            self.unsynced.get_or_insert_with(Instant::now);
        }
        if self.unsynced.is_some_and(|since| since.elapsed() >= self.settings.sync) {
            self.file.sync()?;
            self.unsynced = None;
        }
        Ok(())
    }

    /// Begins another file where this one is too large or too old.
    fn rotate(&mut self) {
        let Settings { size, age, path, .. } = &self.settings;
        let is_due = self.file.length >= *size || self.file.opened.elapsed() >= *age;
        if !is_due || !self.lines.is_empty() || !self.file.is_regular() {
            return;
        }
        let last = self.chain.head().sequence;
        let moved = self.file.put_away(path, last, SystemTime::now());
        let opened = moved.and_then(|away| Ok((away, LogFile::open(&self.settings.path)?)));
        match opened {
            Ok((away, (file, _))) => self.go_on_in(file, &away),
            Err(error) => {
                tracing::error!(%error, "the audit log goes on in the same file");
                self.file.opened = Instant::now();
            }
        }
    }

    fn go_on_in(&mut self, file: LogFile, before: &Path) {
        self.file = file;
        self.say_continued(before);
        self.flush();
    }

    /// The first record of a file that follows another.
    fn say_continued(&mut self, before: &Path) {
        let before = before.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let head = self.chain.head();
        self.say("continued", |line| {
            line.text(name!("before"), &before).text(name!("before_seal"), &head.text());
        });
    }

    /// Opens the file anew, if it is another one by now.
    fn reopen(&mut self) {
        // What waits belongs into the old one, as far as it takes it.
        self.flush();
        if self.file.is_at(&self.settings.path) {
            return;
        }
        match LogFile::open(&self.settings.path) {
            Ok((file, tail)) if tail.head.is_none() => {
                let _ = self.file.sync();
                let path = self.settings.path.clone();
                self.go_on_in(file, &path);
                tracing::info!("the audit log goes on in a new file");
            }
            Ok(_) => {
                tracing::error!("the audit log goes on where it was: the new file has records")
            }
            Err(error) => tracing::error!(%error, "the audit log goes on where it was"),
        }
    }

    fn close(mut self) {
        self.say("closed", |_| {});
        let began = Instant::now();
        loop {
            self.flush();
            if self.lines.is_empty() {
                break;
            }
            if began.elapsed() > PATIENCE {
                let records = self.slots.len();
                tracing::error!(records, "the audit log was closed before all was written");
                break;
            }
        }
        if let Err(error) = self.file.sync() {
            tracing::error!(%error, "the audit log is not on the disk for certain");
        }
    }
}
