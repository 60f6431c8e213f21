//! The way to standard output and to standard error. Whoever reads there may stop, as a collector of logs
//! that is stuck, and nobody who is served waits for that: a thread writes, and what finds no room
//! meanwhile is lost.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes may wait.
const ROOM: usize = 1 << 20;
/// How long anybody waits for them to be written, at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where lines are left to be written.
#[derive(Debug)]
pub(super) struct Pipe(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    is_writing: bool,
    /// Why something could not be written, if nobody was told yet.
    failed: Option<io::Error>,
    /// Nothing more will come.
    is_over: bool,
}

impl Pipe {
    /// What is left here is written to `target`, by a thread called `name`.
    ///
    /// # Errors
    ///
    /// When there can be no such thread.
    pub(super) fn open(name: &str, target: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || own.write_all(target))?;
        Ok(Self(shared))
    }

    /// Leaves `lines` to be written, without waiting for it.
    ///
    /// # Errors
    ///
    /// When there is no room for them, or others could not be written.
    pub(super) fn leave(&self, lines: &[u8]) -> io::Result<()> {
        let mut waiting = self.0.lock();
        if waiting.bytes.len() + lines.len() > ROOM {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "nobody reads it"));
        }
        waiting.bytes.extend_from_slice(lines);
        let failed = waiting.failed.take();
        drop(waiting);
        self.0.changed.notify_all();
        failed.map_or(Ok(()), Err)
    }

    /// How often there was no room, or writing failed.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits for what was left here to be written, but not for long.
    pub(super) fn settle(&self) {
        let waits = |waiting: &mut Waiting| waiting.is_writing || !waiting.bytes.is_empty();
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), PATIENCE, waits);
        drop(waited);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes whatever comes, until nothing more will.
    fn write_all(&self, mut target: impl Write) {
        loop {
            let waits = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.is_over;
            let waited = self.changed.wait_while(self.lock(), waits);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            if waiting.bytes.is_empty() {
                return;
            }
            let bytes = std::mem::take(&mut waiting.bytes);
            waiting.is_writing = true;
            drop(waiting);
            let written = target.write_all(&bytes).and_then(|()| target.flush());
            let mut waiting = self.lock();
            waiting.is_writing = false;
            self.lost.fetch_add(written.is_err().into(), Ordering::Relaxed);
            waiting.failed = written.err().or(waiting.failed.take());
            drop(waiting);
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read;

    #[test]
    fn what_is_left_is_written_in_order_and_what_finds_no_room_is_refused_at_once() {
        let (mut reader, writer) = io::pipe().unwrap();
        let pipe = Pipe::open("pipe", writer).unwrap();
        let line = [b'x'; 1023].into_iter().chain([b'\n']).collect::<Vec<_>>();
        let mut taken = 0;
        let refused = loop {
            match pipe.leave(&line) {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
            assert!(taken < 4 * ROOM / line.len(), "there is always room");
        };
        assert_eq!((refused.kind(), pipe.lost()), (io::ErrorKind::WouldBlock, 1));
        assert!(taken >= ROOM / line.len(), "{taken}");
        let mut read = vec![0; taken * line.len()];
        reader.read_exact(&mut read).unwrap();
        assert!(read.chunks(line.len()).all(|one| one == line), "whole lines");
        pipe.settle();
        pipe.leave(b"last\n").unwrap();
        pipe.settle();
        drop(pipe);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "last\n", "and the writer is closed");
    }

    #[test]
    fn what_cannot_be_written_is_told_once() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let pipe = Pipe::open("pipe", writer).unwrap();
        pipe.leave(b"a\n").unwrap();
        pipe.settle();
        assert_eq!(pipe.leave(b"").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(pipe.leave(b"").is_ok());
        assert_eq!(pipe.lost(), 1);
    }
}
