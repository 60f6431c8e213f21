//! Programs in other languages, with the packages that their locks name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// A folder with the files of `tests/NAME`, and with the packages of npm that its lock names.
pub fn npm(name: &str) -> PathBuf {
    installed(name, "package-lock.json", |folder| {
        run(Command::new("npm").args(["ci", "--silent"]).current_dir(folder));
    })
}

/// The programs of the Python packages that `tests/NAME/requirements.txt` names.
pub fn python(name: &str) -> PathBuf {
    let folder = installed(name, "requirements.txt", |folder| {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder));
        let options = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
        let pip = folder.join("venv/bin/pip");
        run(Command::new(pip).args(options).args(["-r", "requirements.txt"]).current_dir(folder));
    });
    folder.join("venv/bin")
}

/// A folder with the files of `tests/NAME`, in which `install` has been once since its lock was
/// another one.
fn installed(name: &str, lock: &str, install: impl Fn(&Path)) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let lock = fs::read(source.join(lock)).expect("a lock");
    let known = fs::read(folder.join("installed")).is_ok_and(|known| known == lock);
    for entry in fs::read_dir(&source).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
    if !known {
        install(&folder);
        fs::write(folder.join("installed"), lock).expect("written");
    }
    folder
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
