//! The way of lines out of the process: to standard output, to standard error, or into a file. Whoever takes them may be slow,
//! or stop, as a collector of logs that is stuck or a disk that is busy, and nobody who is served waits for that: a thread
//! writes, and what finds no room meanwhile is lost.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long anybody waits for lines to be written, at the end.
const PATIENCE: Duration = Duration::from_secs(1);
/// Room that is kept for the lines to come, once others were written.
const KEPT: usize = 1 << 20;

/// Where lines are left to be written.
#[derive(Debug)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// How many bytes may wait.
    room: usize,
    lost: AtomicU64,
    /// Hears of whatever is lost, and how often that has been so.
    tell: fn(&io::Error, u64),
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    is_writing: bool,
    /// Nothing more will come.
    is_over: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("room", &self.room).finish_non_exhaustive()
    }
}

impl Outlet {
    /// What is left here is written to `target` by a thread called `name`; as many bytes may wait as there is `room` for.
    ///
    /// # Errors
    ///
    /// When there can be no such thread.
    pub(super) fn open(
        name: &str,
        target: impl Write + Send + 'static,
        room: usize,
        tell: fn(&io::Error, u64),
    ) -> io::Result<Self> {
        let (waiting, changed, lost) = Default::default();
        let shared = Arc::new(Shared { waiting, changed, room, lost, tell });
        let own = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || own.write_all(target))?;
        Ok(Self(shared))
    }

    /// Leaves `lines` to be written, without waiting for it. They are whole, and taken out, also where there is no room for
    /// them.
    pub(super) fn leave(&self, lines: &mut Vec<u8>) {
        let mut waiting = self.0.lock();
        if waiting.lines.len() + lines.len() > self.0.room {
            drop(waiting);
            lines.clear();
            return self.0.lose(&io::Error::new(io::ErrorKind::WouldBlock, "nobody takes it"));
        }
        // Most often none wait, and nothing is copied.
        if waiting.lines.is_empty() {
            std::mem::swap(&mut waiting.lines, lines);
        } else {
            waiting.lines.append(lines);
        }
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// How often there was no room, or writing failed.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits for what was left here to be written, but not for long.
    pub(super) fn settle(&self) {
        let waits = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), PATIENCE, waits);
        drop(waited);
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, error: &io::Error) {
        (self.tell)(error, self.lost.fetch_add(1, Ordering::Relaxed) + 1);
    }

    /// Writes whatever comes, until nothing more will.
    fn write_all(&self, target: impl Write) {
        let mut whole = Whole { target, is_torn: false };
        let mut lines = Vec::new();
        loop {
            let waits = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.is_over;
            let waited = self.changed.wait_while(self.lock(), waits);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            if waiting.lines.is_empty() {
                return;
            }
            std::mem::swap(&mut waiting.lines, &mut lines);
            waiting.is_writing = true;
            drop(waiting);
            if let Err(error) = whole.write(&lines) {
                self.lose(&error);
            }
            lines.clear();
            lines.shrink_to(KEPT);
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }
}

/// What lines are written to, none of them behind half of another.
struct Whole<W> {
    target: W,
    /// Whether the last line stands there in part.
    is_torn: bool,
}

impl<W: Write> Whole<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.target.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut left = lines;
        while !left.is_empty() {
            match self.target.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.is_torn = left.get(written - 1) != Some(&b'\n');
                    left = left.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.target.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read;

    const ROOM: usize = 1 << 20;

    #[test]
    fn what_is_left_is_written_in_order_and_what_finds_no_room_is_refused_at_once() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let (mut reader, writer) = io::pipe().unwrap();
        let tell = |error: &io::Error, lost| {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            TOLD.store(lost, Ordering::Relaxed);
        };
        let outlet = Outlet::open("outlet", writer, ROOM, tell).unwrap();
        let line = [b'x'; 1023].into_iter().chain([b'\n']).collect::<Vec<_>>();
        let mut left = 0;
        while outlet.lost() == 0 {
            let mut lines = line.clone();
            outlet.leave(&mut lines);
            assert!(lines.is_empty());
            left += 1;
            assert!(left < 4 * ROOM / line.len(), "there is always room");
        }
        let taken = left - 1;
        assert_eq!(TOLD.load(Ordering::Relaxed), 1);
        assert!(taken >= ROOM / line.len(), "{taken}");
        let mut read = vec![0; taken * line.len()];
        reader.read_exact(&mut read).unwrap();
        assert!(read.chunks(line.len()).all(|one| one == line), "whole lines");
        outlet.settle();
        outlet.leave(&mut b"last\n".to_vec());
        outlet.settle();
        drop(outlet);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "last\n", "and the writer is closed");
    }

    #[test]
    fn what_cannot_be_written_is_told_each_time() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let tell = |error: &io::Error, lost| {
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            TOLD.store(lost, Ordering::Relaxed);
        };
        let outlet = Outlet::open("outlet", writer, ROOM, tell).unwrap();
        for count in 1..=2 {
            outlet.leave(&mut b"a\n".to_vec());
            outlet.settle();
            assert_eq!((outlet.lost(), TOLD.load(Ordering::Relaxed)), (count, count));
        }
    }

    /// A disk that has room for so many bytes.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room - self.written.len());
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_stands_behind_half_of_another_once_a_full_disk_has_room_again() {
        let lines = "one\ntwo\nthree\n";
        for room in 0..=lines.len() {
            let disk = Disk { written: Vec::new(), room };
            let mut whole = Whole { target: disk, is_torn: false };
            assert_eq!(whole.write(lines.as_bytes()).is_ok(), room == lines.len());
            assert!(whole.write(b"lost\n").is_err());
            whole.target.room += 100;
            whole.write(b"four\n").unwrap();
            whole.write(b"five\n").unwrap();
            let text = String::from_utf8(whole.target.written).unwrap();
            let (before, after) = text.split_at(room);
            assert_eq!(before, &lines[..room]);
            let is_cut = !before.is_empty() && !before.ends_with('\n');
            assert_eq!(after, if is_cut { "\nfour\nfive\n" } else { "four\nfive\n" }, "{room}");
        }
    }
}
