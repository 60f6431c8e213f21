//! The file in which a refresh token is kept from one start to the next. It has one owner.

use super::answer::is_token;

use zeroize::Zeroizing;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where a refresh token is kept: a file with the token in one line.
#[derive(Debug)]
pub struct StateFile(PathBuf);

/// A state file that belongs to this process alone.
pub(super) struct Owned {
    path: PathBuf,
    _lock: File,
    /// What could not be written down yet.
    unwritten: Option<Zeroizing<String>>,
}

impl StateFile {
    /// The one at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads the token in the file at `path`.
    ///
    /// # Errors
    ///
    /// When there is no such file, or nothing in it that can be a token.
    pub fn read(path: &Path) -> Result<Zeroizing<String>, String> {
        let text = fs::read_to_string(path);
        let text = Zeroizing::new(text.map_err(|error| format!("cannot be read: {error}"))?);
        let token = text.trim();
        match is_token(token) {
            true => Ok(Zeroizing::new(token.to_owned())),
            false => Err("has to hold a refresh token in one line, and nothing else".to_owned()),
        }
    }

    /// Takes possession of it.
    ///
    /// # Errors
    ///
    /// When somebody else has it, or it cannot be written beside it.
    pub(super) fn own(&self) -> Result<Owned, String> {
        // The file itself is replaced, and a lock on it would go with the old one.
        let beside = sibling(&self.0, "lock");
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(&beside);
        let lock = lock.map_err(|error| format!("`{}`: {error}", beside.display()))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                format!("`{}` is in use by another gateway", self.0.display())
            }
            TryLockError::Error(error) => format!("`{}`: {error}", beside.display()),
        })?;
        Ok(Owned { path: self.0.clone(), _lock: lock, unwritten: None })
    }
}

impl Owned {
    /// The token to show next. What could not be written down is written before.
    pub(super) fn token(&mut self) -> Result<Zeroizing<String>, String> {
        if let Some(token) = self.unwritten.take() {
            self.keep(token)?;
        }
        let path = self.path.display();
        StateFile::read(&self.path).map_err(|what| format!("`{path}` {what}"))
    }

    /// Writes `token` down. Where that fails it is kept in memory, and shown to nobody before it is
    /// written.
    pub(super) fn keep(&mut self, token: Zeroizing<String>) -> Result<(), String> {
        let written = replace(&self.path, token.as_bytes());
        written.map_err(|error| {
            self.unwritten = Some(token);
            format!("`{}` cannot be written: {error}", self.path.display())
        })
    }
}

/// Puts `text` into the place of what the file at `path` holds, whole and for good, or not at all.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let found = fs::metadata(path)?;
    let new = sibling(path, "new");
    // One that a crash has left.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
    // Who may read it stays as it was.
    file.set_permissions(PermissionsExt::from_mode(found.mode() & 0o640 | 0o600))?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_token_is_replaced_whole_and_keeps_who_may_read_it() {
        let (_folder, path) = file("first\n");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(sibling(&path, "new"), "left by a crash").unwrap();
        let mut owned = StateFile::new(path.clone()).own().unwrap();
        assert_eq!(*owned.token().unwrap(), "first");
        owned.keep(Zeroizing::new("second".to_owned())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
        assert_eq!(*owned.token().unwrap(), "second");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert!(!sibling(&path, "new").exists());
    }

    #[test]
    fn it_has_one_owner() {
        let (_folder, path) = file("first");
        let file = StateFile::new(path);
        let owned = file.own().unwrap();
        assert!(file.own().err().unwrap().ends_with("is in use by another gateway"));
        drop(owned);
        file.own().unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_not_lost_and_not_shown() {
        let (folder, path) = file("first");
        let mut owned = StateFile::new(path.clone()).own().unwrap();
        // A folder where the new file would be.
        fs::create_dir(sibling(&path, "new")).unwrap();
        assert!(owned.keep(Zeroizing::new("second".to_owned())).is_err());
        assert!(owned.token().is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        fs::remove_dir(sibling(&path, "new")).unwrap();
        assert_eq!(*owned.token().unwrap(), "second");
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
        drop(folder);
    }

    #[test]
    fn what_is_no_token_is_not_shown_to_anybody() {
        for text in ["", "\n", "a b", "a\nb", "é"] {
            let (_folder, path) = file(text);
            assert!(StateFile::read(&path).is_err(), "{text:?}");
        }
    }
}
