//! The file of the access log, which is written block by block: where a write ends within a block, the file system
//! takes up that block twice, and that costs half as much again as all the rest.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a block is.
pub(super) const BLOCK: usize = 32 << 10;

/// A file to whose end lines are added.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// What comes next in the file, and fills no block yet.
    rest: Mutex<Vec<u8>>,
}

impl LogFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, rest: Mutex::default() })
    }

    /// Adds whole lines. What fills no block waits for others, or for [`Self::settle`].
    ///
    /// # Errors
    ///
    /// When they, and those that waited, cannot all be written; these are lost.
    pub(super) fn add(&self, lines: &[u8]) -> io::Result<()> {
        let mut rest = self.lock();
        // Others may add to the file, or cut it off, and so its end is asked for each time.
        let end = usize::try_from(self.file.metadata()?.len() % BLOCK as u64).unwrap_or_default();
        let whole = (end + rest.len() + lines.len()) / BLOCK * BLOCK;
        // Less than a block waits, and so a part of `lines` is needed to fill one, or none is full.
        let filling = whole.saturating_sub(end + rest.len());
        let Some((now, later)) = lines.split_at_checked(filling) else { return Ok(()) };
        if filling > 0 {
            let written = write_both(&self.file, &rest, now);
            rest.clear();
            written?;
        }
        rest.extend_from_slice(later);
        Ok(())
    }

    /// Writes what waits.
    ///
    /// # Errors
    ///
    /// When it cannot be written; it is lost.
    pub(super) fn settle(&self) -> io::Result<()> {
        let mut rest = self.lock();
        let written = (&self.file).write_all(&rest);
        rest.clear();
        written
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes both, one behind the other, in one piece wherever the system takes it so.
fn write_both(mut file: &File, first: &[u8], second: &[u8]) -> io::Result<()> {
    let mut slices = [IoSlice::new(first), IoSlice::new(second)];
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut left, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;

    fn lines(number: usize) -> Vec<u8> {
        format!("{number:0>width$}\n", width = 1 + number * 7919 % 5000).into_bytes()
    }

    #[test]
    fn blocks_are_filled_and_nothing_is_lost_or_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        fs::write(&path, "before\n").unwrap();
        let file = LogFile::open(&path).unwrap();
        let length = || usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        let mut expected = b"before\n".to_vec();
        for number in 0..400 {
            let added = lines(number);
            let many = added.repeat(1 + 30 * usize::from(number % 50 == 0));
            file.add(&many).unwrap();
            expected.extend_from_slice(&many);
            if number % 90 == 89 {
                file.settle().unwrap();
                assert_eq!(length(), expected.len(), "all of it is written");
            } else if number % 90 > 30 {
                assert_eq!(length(), expected.len() / BLOCK * BLOCK, "only whole blocks are");
            }
        }
        file.settle().unwrap();
        assert_eq!(fs::read(&path).unwrap(), expected);
    }

    #[test]
    fn whoever_else_adds_to_it_or_cuts_it_off_changes_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let file = LogFile::open(&path).unwrap();
        let own = [&[b'x'; 999][..], b"\n"].concat();
        for round in 0..200_usize {
            file.add(&own.repeat(40)).unwrap();
            match round % 10 {
                3 => file.settle().unwrap(),
                5 => fs::write(&path, "").unwrap(),
                _ => {}
            }
            assert!(file.lock().len() < 2 * BLOCK, "what waits is bounded");
        }
        let fresh = fs::metadata(&path).unwrap().len() % BLOCK as u64;
        assert_eq!(fresh, 0);
        // Behind this line of another's the file ends within a block again.
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other\n").unwrap();
        file.add(&own.repeat(80)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len() % BLOCK as u64, 0);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_does_not_wait_for_ever() {
        let file = LogFile::open(Path::new("/dev/full")).unwrap();
        assert!(file.add(&vec![b'x'; BLOCK]).is_err());
        assert!(file.lock().is_empty());
        file.add(b"one\n").unwrap();
        assert!(file.settle().is_err());
        file.settle().unwrap();
    }
}
