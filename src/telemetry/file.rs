//! The file of the access log. Under load it is written by blocks: a write that ends within one has the file system take
//! it up twice, and takes half as long again. Every write is of whole lines, so that no line is cut by another who adds
//! to the file, or who empties it.

use memchr::memrchr;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::iter;
use std::path::Path;

/// How long a block is.
pub(super) const BLOCK: usize = 32 << 10;
/// So much of one is left blank at most.
const BLANK: usize = 1 << 10;

/// A file to whose end lines are added.
#[derive(Debug)]
pub(super) struct LogFile(File);

impl LogFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Adds `lines`.
    ///
    /// # Errors
    ///
    /// When not all of them can be written.
    pub(super) fn add(&self, lines: &[u8]) -> io::Result<()> {
        (&self.0).write_all(lines)
    }

    /// Adds those of `lines`, which are more than a block, that fill the one that the file ends in; all of them where
    /// none ends in it, or too much of it would be left blank. They are taken out of `lines`.
    ///
    /// # Errors
    ///
    /// When not all of these can be written.
    pub(super) fn fill(&self, lines: &mut Vec<u8>) -> io::Result<()> {
        let length = self.fit(lines).unwrap_or(lines.len());
        let added = lines.get(..length).map_or(Ok(()), |lines| self.add(lines));
        lines.drain(..length);
        added
    }

    /// Puts blanks into the last of the lines that end in the block that the file does, so that it ends where the
    /// block does; says where that is.
    fn fit(&self, lines: &mut Vec<u8>) -> Option<usize> {
        // Others may add to the file, or cut it off, and so its end is asked for each time.
        let file = self.0.metadata().ok().filter(Metadata::is_file)?;
        let room = BLOCK - usize::try_from(file.len() % BLOCK as u64).ok()?;
        let last = memrchr(b'\n', lines.get(..room)?)?;
        let blanks = room - last - 1;
        if blanks > BLANK {
            return None;
        }
        // JSON lets them stand behind its last bracket.
        drop(lines.splice(last..last, iter::repeat_n(b' ', blanks)));
        Some(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::thread;

    /// Line `number` of a writer.
    fn line(writer: usize, number: usize, most: usize) -> String {
        let filled = "x".repeat((writer * 31 + number * 7919) % most);
        format!("{{\"{writer}/{number}\":\"{filled}\"}}\n")
    }

    /// Adds such lines as a worker does; now and then all that it has.
    fn write(file: &LogFile, writer: usize, count: usize, most: usize) {
        let mut lines = Vec::new();
        for number in 1..=count {
            lines.extend_from_slice(line(writer, number, most).as_bytes());
            if lines.len() > BLOCK {
                file.fill(&mut lines).unwrap();
            } else if number % 150 == 0 {
                file.add(&lines).unwrap();
                lines.clear();
            }
        }
        file.add(&lines).unwrap();
    }

    /// Which lines of `writer` are in `text`, all of whose lines are whole.
    fn found(text: &str, writer: usize) -> Vec<usize> {
        assert!(text.is_empty() || text.ends_with('\n'));
        let objects = text.lines().map(|line| {
            let filled = line.trim_end_matches(' ');
            assert!(line.len() - filled.len() <= BLANK);
            let object = filled.strip_prefix("{\"");
            let object =
                object.and_then(|object| object.strip_suffix("\"}")).expect("a whole line");
            let (by, filled) = object.split_once("\":\"").expect("one member");
            assert!(filled.bytes().all(|byte| byte == b'x'), "a line in a line");
            by.split_once('/').map(|(by, number)| (by.parse(), number.parse())).expect("a name")
        });
        objects.filter(|(by, _)| *by == Ok(writer)).map(|(_, number)| number.unwrap()).collect()
    }

    fn scratch() -> (tempfile::TempDir, std::path::PathBuf, LogFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let file = LogFile::open(&path).unwrap();
        (folder, path, file)
    }

    #[test]
    fn blocks_are_filled_and_what_fills_none_is_kept() {
        let (_folder, path, file) = scratch();
        let mut lines = Vec::new();
        let mut number = 0;
        for round in 1..100_usize {
            while lines.len() <= BLOCK {
                number += 1;
                lines.extend_from_slice(line(0, number, 700).as_bytes());
            }
            file.fill(&mut lines).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len() % BLOCK as u64, 0, "a whole block");
            if round % 10 == 0 {
                file.add(&lines).unwrap();
                lines.clear();
            }
        }
        file.add(&lines).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(found(&text, 0).into_iter().eq(1..=number), "each once, in order");
        let blank = text.bytes().filter(|byte| *byte == b' ').count();
        assert!(blank * 50 < text.len(), "{blank} of {}", text.len());
    }

    #[test]
    fn many_write_at_once_lines_of_any_length_and_none_is_lost_or_cut() {
        let (_folder, path, file) = scratch();
        thread::scope(|scope| {
            for (writer, most) in [700, 100, 5000, 40_000].into_iter().enumerate() {
                let file = &file;
                scope.spawn(move || write(file, writer, 1000, most));
            }
            // Somebody who knows nothing of blocks.
            for number in 1..=300 {
                let mut other = fs::OpenOptions::new().append(true).open(&path).unwrap();
                other.write_all(line(4, number, 300).as_bytes()).unwrap();
                thread::yield_now();
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        for (writer, count) in [1000, 1000, 1000, 1000, 300].into_iter().enumerate() {
            assert!(found(&text, writer).into_iter().eq(1..=count), "all of {writer}, in order");
        }
    }

    #[test]
    fn a_file_that_is_copied_and_emptied_while_it_is_written_begins_with_a_whole_line() {
        let (folder, path, file) = scratch();
        let copy = folder.path().join("copy");
        thread::scope(|scope| {
            let writing = scope.spawn(|| write(&file, 0, 60_000, 700));
            let mut copies = 0;
            while !writing.is_finished() {
                fs::copy(&path, &copy).unwrap();
                fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
                // A line that is being written may be there in part, and is lost with what follows.
                let text = fs::read_to_string(&copy).unwrap();
                let whole = text.rfind('\n').map_or(0, |last| last + 1);
                assert!(found(&text[..whole], 0).is_sorted_by(|one, next| one < next));
                copies += usize::from(whole > 0);
                thread::sleep(std::time::Duration::from_millis(1));
            }
            assert!(copies > 0, "none of some lines");
        });
        found(&fs::read_to_string(&path).unwrap(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_taken_out_all_the_same() {
        let mut lines = line(0, 1, 700).repeat(1000).into_bytes();
        let file = LogFile::open(Path::new("/dev/full")).unwrap();
        assert!(file.fill(&mut lines).is_err());
        assert!(lines.is_empty(), "what has no blocks takes all");
        assert!(file.add(b"{}\n").is_err());
    }
}
