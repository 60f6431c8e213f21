//! The file of the audit log: opened at its end, moved away when it has grown, and never cut but where
//! a record was not finished.

use super::chain::{Head, head};

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// The most bytes of a record.
pub(super) const RECORD_MAX: usize = 1 << 20;

/// The digits in the name of a file that was put away: of the time, and of the number of its last
/// record. So they sort by age.
const SECONDS: usize = 11;
const NUMBER: usize = 12;

/// The file while it is written.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// How much of it is whole records.
    pub(super) length: u64,
    pub(super) opened: Instant,
    /// Whether it can be cut and moved, which a device cannot.
    is_regular: bool,
    /// Whether there is more in it than that.
    is_torn: bool,
}

/// What a file ended in when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// Its last record, if it had one.
    pub(super) head: Option<Head>,
    /// The bytes of one that was not finished, which are cut off.
    pub(super) unfinished: u64,
}

impl LogFile {
    /// Opens the file at `path`, which is then this process's alone.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Tail)> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).read(true).mode(0o600).open(path)?;
        let is_regular = file.metadata()?.is_file();
        if is_regular {
            file.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => io::Error::other("is in use by another gateway"),
                TryLockError::Error(error) => error,
            })?;
        }
        let (found, mut tail) = (file.metadata()?, Tail::default());
        if is_regular {
            tail = read_tail(&mut file, found.len())?;
            if tail.unfinished > 0 {
                file.set_len(found.len() - tail.unfinished)?;
            }
        }
        let length = if is_regular { found.len() - tail.unfinished } else { 0 };
        Ok((Self { file, length, opened: Instant::now(), is_regular, is_torn: false }, tail))
    }

    /// Adds whole `lines`, all of them or none.
    pub(super) fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        self.mend()?;
        if let Err(error) = self.file.write_all(lines) {
            self.is_torn = self.is_regular;
            // If not now, then before anything else is written.
            let _ = self.mend();
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Cuts off what was written of lines that were not.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.length)?;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Returns when what was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.is_regular { self.file.sync_data() } else { Ok(()) }
    }

    /// Whether it is still the file at `path`.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let own = self.file.metadata().map(|found| (found.dev(), found.ino()));
        let there = fs::metadata(path).map(|found| (found.dev(), found.ino()));
        matches!((own, there), (Ok(own), Ok(there)) if own == there)
    }

    /// Moves it away, and says where to.
    pub(super) fn put_away(&self, path: &Path, last: u64, now: SystemTime) -> io::Result<PathBuf> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{:0SECONDS$}-{last:0NUMBER$}", since.as_secs()));
        let away = PathBuf::from(name);
        if away.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken"));
        }
        self.sync()?;
        fs::rename(path, &away)?;
        Ok(away)
    }

    /// Whether it can be moved away.
    pub(super) fn is_regular(&self) -> bool {
        self.is_regular
    }
}

/// The file that was put away last from `path`, if one is there, and its last record.
pub(super) fn put_away_last(path: &Path) -> io::Result<Option<(PathBuf, Head)>> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut newest = None;
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let number = number_in(name, entry.file_name().as_encoded_bytes());
        newest = newest.max(number.map(|number| (number, entry.path())));
    }
    let Some((_, path)) = newest else { return Ok(None) };
    let mut file = File::open(&path)?;
    let length = file.metadata()?.len();
    Ok(read_tail(&mut file, length)?.head.map(|head| (path, head)))
}

/// The number of the last record that the name of a file tells which was put away from `name`.
fn number_in(name: &[u8], away: &[u8]) -> Option<u64> {
    let rest = std::str::from_utf8(away.strip_prefix(name)?.strip_prefix(b".")?).ok()?;
    let (seconds, number) = rest.split_once('-')?;
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_ours = seconds.len() >= SECONDS && number.len() >= NUMBER;
    (is_ours && are_digits(seconds) && are_digits(number)).then(|| number.parse().ok())?
}

fn read_tail(file: &mut File, length: u64) -> io::Result<Tail> {
    // The last record and, before it, the end of the one before, or of one that was not finished.
    let span = length.min(2 * RECORD_MAX as u64 + 2);
    file.seek(SeekFrom::Start(length - span))?;
    let mut bytes = Vec::with_capacity(usize::try_from(span).unwrap_or_default());
    file.take(span).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let unfinished = (bytes.len() - whole) as u64;
    let lines = bytes.get(..whole).unwrap_or_default();
    let last = lines.strip_suffix(b"\n").map(|lines| {
        let begin = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        lines.get(begin..).unwrap_or_default()
    });
    let no_record = || {
        let why = "does not end in a record of an audit log; give it another file, and see what this one is";
        io::Error::new(io::ErrorKind::InvalidData, why)
    };
    let head = match last {
        Some(line) => Some(head(line).ok_or_else(no_record)?.0),
        None if unfinished > 0 && !bytes.starts_with(b"{\"seq\":") => return Err(no_record()),
        None => None,
    };
    Ok(Tail { head, unfinished })
}
