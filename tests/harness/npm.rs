//! Programs of Node.js, with what they need from npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with the files of `tests/NAME`, and with the packages that its lock names.
pub fn installed(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let lock = fs::read(source.join("package-lock.json")).expect("a lock");
    let known = fs::read(folder.join("installed")).is_ok_and(|known| known == lock);
    for entry in fs::read_dir(&source).expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("copied");
    }
    if !known {
        let install = Command::new("npm").args(["ci", "--silent"]).current_dir(&folder).output();
        let install = install.expect("npm runs: Node.js and npm are needed");
        assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
        fs::write(folder.join("installed"), lock).expect("written");
    }
    folder
}
