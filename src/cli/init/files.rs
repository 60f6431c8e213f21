//! The files: put where they belong, all or none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Files that are tried in a folder of their own before they are put where they belong.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// Whether the folder was made for them.
    made: bool,
    stage: PathBuf,
    texts: Vec<(PathBuf, String)>,
    placed: bool,
}

impl Files {
    /// For files that belong into `folder`.
    pub(super) fn within(folder: &Path) -> io::Result<Self> {
        let made = !folder.exists();
        fs::create_dir_all(folder)?;
        let stage = folder.join(format!(".patchgate-init-{}", std::process::id()));
        let files =
            Self { folder: folder.to_owned(), made, stage, texts: Vec::new(), placed: false };
        fs::create_dir(&files.stage)?;
        Ok(files)
    }

    /// Adds one, by its path within the folder; gives the path at which it can be tried.
    pub(super) fn add(&mut self, path: &str, text: String) -> io::Result<PathBuf> {
        let tried = self.stage.join(path);
        if let Some(parent) = tried.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&tried, &text)?;
        self.texts.push((PathBuf::from(path), text));
        Ok(tried)
    }

    /// The files, by their paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.texts.iter().map(|(path, _)| shown(&self.folder, path))
    }

    /// Puts them where they belong. Of those that are there already, each is replaced if it `may` be.
    ///
    /// # Errors
    ///
    /// The file that could not be written, and why; everything is then as it was.
    pub(super) fn place(mut self, may: bool) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        let mut done: Vec<(PathBuf, Option<PathBuf>)> = Vec::new();
        let parents = self.texts.iter().filter_map(|(path, _)| path.parent());
        let mut missing: Vec<PathBuf> = parents.map(|parent| self.folder.join(parent)).collect();
        missing.retain(|folder| !folder.exists());
        for (index, (path, text)) in self.texts.iter().enumerate() {
            let put = self.put(path, text, may, &self.stage.join(format!("before-{index}")));
            match put {
                Ok(before) => done.push((self.folder.join(path), before)),
                Err(error) => {
                    // What cannot be undone either is told by what is left there.
                    for (path, before) in done.into_iter().rev() {
                        let _ = fs::remove_file(&path);
                        let _ = before.map(|before| fs::rename(before, &path));
                    }
                    missing.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                    return Err((shown(&self.folder, path), error));
                }
            }
        }
        self.placed = true;
        Ok(self.paths().collect())
    }

    /// Puts one there; gives the place where what it replaces is kept.
    fn put(&self, path: &Path, text: &str, may: bool, keep: &Path) -> io::Result<Option<PathBuf>> {
        let path = self.folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let before = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) if may => {
                fs::rename(&path, keep)?;
                Some(keep.to_owned())
            }
            Ok(_) | Err(_) => None,
        };
        let written =
            OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| {
                // It is ours now, and goes again if it cannot be written as a whole.
                file.write_all(text.as_bytes()).inspect_err(|_| drop(fs::remove_file(&path)))
            });
        if let (Err(_), Some(before)) = (&written, &before) {
            let _ = fs::rename(before, &path);
        }
        written.map(|()| before)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.stage);
        if self.made && !self.placed {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// `path` within `folder`, as people write it.
pub(super) fn shown(folder: &Path, path: &Path) -> PathBuf {
    if folder == Path::new(".") { path.to_owned() } else { folder.join(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        let mut files = Files::within(folder).expect("a folder");
        for name in ["a.yaml", "policies/b.yaml", "schemas/c.json"] {
            let tried = files.add(name, format!("new {name}")).expect("a file");
            assert_eq!(fs::read_to_string(tried).expect("a file"), format!("new {name}"));
        }
        files
    }

    fn entries(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn one_file_that_cannot_be_written_leaves_everything_as_it_was() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("new");
        drop(files(&folder));
        assert!(!folder.exists(), "nothing was placed");
        // A folder is in the way.
        fs::create_dir_all(folder.join("schemas/c.json/d")).expect("a folder");
        for (old, may) in [(None, false), (None, true), (Some("old"), true)] {
            let _ = old.map(|text| fs::write(folder.join("a.yaml"), text).expect("a file"));
            let failed = files(&folder).place(may).expect_err("a folder is in the way");
            assert_eq!(failed.0, folder.join("schemas/c.json"));
            let expected: &[&str] =
                if old.is_some() { &["a.yaml", "schemas"] } else { &["schemas"] };
            assert_eq!(entries(&folder), expected);
            assert!(old.is_none_or(|old| {
                fs::read_to_string(folder.join("a.yaml")).is_ok_and(|text| text == old)
            }));
            assert!(folder.join("schemas/c.json/d").is_dir());
        }
        fs::remove_dir_all(folder.join("schemas")).expect("removed");
        assert_eq!(
            files(&folder).place(false).expect_err("a file is there").0,
            folder.join("a.yaml")
        );
        assert_eq!(entries(&folder), ["a.yaml"]);
        assert_eq!(files(&folder).place(true).expect("placed").len(), 3);
        assert_eq!(fs::read_to_string(folder.join("a.yaml")).expect("a file"), "new a.yaml");
        assert_eq!(entries(&folder), ["a.yaml", "policies", "schemas"]);
    }
}
