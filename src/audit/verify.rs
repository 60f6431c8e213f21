//! Reads an audit log, and says up to where it is what was written.

use super::chain::{Chain, Head, head};
use super::file::RECORD_MAX;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// What an audit log came to that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records there are, with those of the log's own.
    pub records: u64,
    /// How many of them are about a change.
    pub changes: u64,
    /// How many changes the log says it has lost.
    pub lost: u64,
    /// The number of the first record.
    pub first: u64,
    /// Where it ends.
    pub head: Head,
    /// Whether the last record says that the log was closed.
    pub is_closed: bool,
    /// The bytes of a last record that was not finished.
    pub unfinished: u64,
}

/// Where an audit log is not what was written.
#[derive(Debug)]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub why: String,
    /// How far it is whole.
    pub until: Head,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, why, until } = self;
        write!(f, "{}:{line}: {why}; whole up to record {}", file.display(), until.sequence)
    }
}

/// Follows the chain through `files`, the oldest first.
///
/// # Errors
///
/// The first record that is not what it was, and the file that cannot be read.
pub fn verify(files: &[PathBuf]) -> io::Result<Result<Verified, Broken>> {
    let mut chain: Option<Chain> = None;
    let mut found = Verified {
        records: 0,
        changes: 0,
        lost: 0,
        first: 0,
        head: Head::default(),
        is_closed: false,
        unfinished: 0,
    };
    for (at, path) in files.iter().enumerate() {
        let is_last = at + 1 == files.len();
        if let Err(broken) = follow(path, is_last, &mut chain, &mut found)? {
            return Ok(Err(broken));
        }
    }
    found.head = chain.map(|chain| chain.head()).unwrap_or_default();
    Ok(Ok(found))
}

fn follow(
    path: &Path,
    is_last: bool,
    chain: &mut Option<Chain>,
    found: &mut Verified,
) -> io::Result<Result<(), Broken>> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("`{}` cannot be read: {error}", path.display()))
    };
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(named)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let most = RECORD_MAX as u64 + 2;
        let count = reader.by_ref().take(most).read_until(b'\n', &mut line).map_err(named)?;
        let until = chain.map(|chain| chain.head()).unwrap_or_default();
        let broken = |why: &str| {
            let (file, why) = (path.to_owned(), why.to_owned());
            Ok(Err(Broken { file, line: number, why, until }))
        };
        if count == 0 {
            break;
        }
        let Some(whole) = line.strip_suffix(b"\n") else {
            if is_last && line.len() < RECORD_MAX {
                found.unfinished = line.len() as u64;
                break;
            }
            return broken("is not finished, and another one follows");
        };
        let chain = match chain {
            Some(chain) => chain,
            // What was before the first file that was given is not ours to know.
            None => match begin(whole) {
                Some(begun) => chain.insert(begun),
                None => return broken("does not begin a file of an audit log"),
            },
        };
        if let Err(why) = chain.follow(whole) {
            return broken(why);
        }
        if found.records == 0 {
            found.first = chain.head().sequence;
        }
        found.records += 1;
        let own: Own = serde_json::from_slice(whole).unwrap_or_default();
        found.is_closed = own.event == "closed";
        found.lost += if own.event == "lost" { own.count } else { 0 };
        found.changes += u64::from(own.event.is_empty());
    }
    Ok(Ok(()))
}

/// What the records of the log's own say.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Own {
    event: String,
    count: u64,
    before_seal: String,
}

/// The chain before the first record of a file: nothing before number 1, else what the record itself
/// says.
fn begin(line: &[u8]) -> Option<Chain> {
    let (first, _) = head(line)?;
    if first.sequence == 1 {
        return Some(Chain::default());
    }
    let own: Own = serde_json::from_slice(line).ok()?;
    let seal = super::chain::unhex(own.before_seal.as_bytes())?;
    Some(Chain::from(Head { sequence: first.sequence - 1, seal }))
}
