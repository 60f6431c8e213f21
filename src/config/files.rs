//! The files that a load came from, and what was in them. A change is told by content: a symbolic
//! link that leads elsewhere, a file renamed over another and one that is written anew look alike.

use aws_lc_rs::digest::{SHA256, digest};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files, and a digest of what each held when it was first looked at; none where it could not be
/// read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Files {
    /// Counts the file at `path` among them. Whoever reads a file names it here first: what becomes
    /// of it in between is then seen as a change.
    pub fn push(&mut self, path: PathBuf) {
        self.0.entry(path).or_insert_with_key(|path| held(path));
    }

    /// The same files, with what is in them now.
    pub fn again(&self) -> Self {
        Self(self.0.keys().map(|path| (path.clone(), held(path))).collect())
    }

    /// The first file that holds something else in `other`.
    pub fn differs(&self, other: &Self) -> Option<&Path> {
        let mut changed = self.0.iter().filter(|(path, held)| other.0.get(*path) != Some(*held));
        changed.next().map(|(path, _)| path.as_path())
    }
}

impl Extend<PathBuf> for Files {
    fn extend<I: IntoIterator<Item = PathBuf>>(&mut self, paths: I) {
        paths.into_iter().for_each(|path| self.push(path));
    }
}

fn held(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    Some(digest(&SHA256, &bytes).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_of_content_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "1").unwrap();
        let mut files = Files::default();
        files.extend([one.clone(), two.clone()]);
        std::fs::write(folder.path().join("new"), "1").unwrap();
        std::fs::rename(folder.path().join("new"), &one).unwrap();
        assert_eq!(files.again(), files, "another file, and the same content");
        std::fs::write(&two, "").unwrap();
        assert_eq!(files.again().differs(&files), Some(&*two), "one that was not there");
        std::fs::remove_file(&two).unwrap();
        assert_eq!(files.again().differs(&files), None);
        std::fs::write(&one, "2").unwrap();
        files.push(one.clone());
        assert_eq!(files.again().differs(&files), Some(&*one), "the first look counts");
    }
}
