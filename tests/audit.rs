//! The audit log, on real files.

use crate::harness::eventually;

use patchgate::audit::{Audit, Head, Settings, Verified, verify};

use serde_json::Value;
use tempfile::TempDir;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn settings(path: PathBuf) -> Settings {
    let hour = Duration::from_secs(3600);
    Settings { path, refuses: true, queue: 10_000, sync: Duration::ZERO, size: 1 << 30, age: hour }
}

fn log_in(folder: &TempDir) -> PathBuf {
    folder.path().join("audit.log")
}

fn tell(audit: &Audit, name: &str) {
    let room = audit.admit().expect("room");
    audit.record(room, format!("\"name\":\"{name}\"").into_bytes());
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What the records are, in their order: the event of one of the log's own, or the name of another.
fn names(path: &Path) -> Vec<String> {
    let name = |record: &Value| {
        let name = record.get("event").unwrap_or(&record["name"]);
        name.as_str().expect("a name").to_owned()
    };
    records(path).iter().map(name).collect()
}

fn whole(files: &[&Path]) -> Verified {
    let files: Vec<PathBuf> = files.iter().map(|path| path.to_path_buf()).collect();
    verify(&files).expect("files").unwrap_or_else(|broken| panic!("{broken}"))
}

fn broken(files: &[&Path]) -> String {
    let files: Vec<PathBuf> = files.iter().map(|path| path.to_path_buf()).collect();
    verify(&files).expect("files").expect_err("it is broken").to_string()
}

/// What lies beside the log, the oldest first, and then the log.
fn all_of(log: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(log.parent().expect("a folder")).expect("a folder");
    let mut found: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path != log);
    found.sort();
    found.push(log.to_owned());
    found
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    for name in ["a", "b"] {
        let audit = Audit::open(settings(log.clone())).expect("a log");
        tell(&audit, name);
        audit.close();
        let standing = audit.standing();
        assert_eq!((standing.written, standing.lost, standing.queued), (1, 0, 0));
        assert_eq!(standing.head, whole(&[&log]).head);
    }
    assert_eq!(names(&log), ["opened", "a", "closed", "opened", "b", "closed"]);
    let found = whole(&[&log]);
    assert_eq!((found.records, found.changes, found.first), (6, 2, 1));
    assert!(found.is_closed && found.unfinished == 0 && found.head.sequence == 6);
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&log).expect("a file"));
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_was_not_finished_is_cut_off_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    let audit = Audit::open(settings(log.clone())).expect("a log");
    tell(&audit, "a");
    audit.close();
    drop(audit);
    let mut file = OpenOptions::new().append(true).open(&log).expect("the log");
    file.write_all(b"{\"seq\":4,\"na").expect("a piece");
    let found = whole(&[&log]);
    assert_eq!((found.records, found.unfinished), (3, 12));
    let audit = Audit::open(settings(log.clone())).expect("a log");
    drop(audit);
    assert_eq!(names(&log), ["opened", "a", "closed", "opened", "closed"]);
    assert_eq!(records(&log)[3]["cut_off"], 12);
    whole(&[&log]);
}

#[test]
fn what_is_no_log_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in
        [("a", "something else\n"), ("b", "not even a line"), ("c", "{\"seq\":1}\n")]
    {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        let error = Audit::open(settings(path.clone())).expect_err(text).to_string();
        assert!(error.contains("give it another file"), "{error}");
        assert_eq!(fs::read_to_string(path).expect("a file"), text);
    }
    assert!(Audit::open(settings(folder.path().to_owned())).is_err());
}

#[test]
fn two_do_not_write_into_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    let first = Audit::open(settings(log.clone())).expect("a log");
    let error = Audit::open(settings(log.clone())).expect_err("it is taken").to_string();
    assert!(error.contains("in use by another gateway"), "{error}");
    drop(first);
    drop(Audit::open(settings(log.clone())).expect("it is free"));
    whole(&[&log]);
}

#[test]
fn the_chain_leads_from_file_to_file_whatever_ends_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    let audit = Audit::open(Settings { size: 2000, ..settings(log.clone()) }).expect("a log");
    for at in 0..60 {
        tell(&audit, &format!("{at}"));
        eventually("it is written", || audit.standing().queued == 0);
    }
    audit.close();
    drop(audit);
    let files = all_of(&log);
    assert!(files.len() > 3, "{files:?}");
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let found = whole(&paths);
    assert_eq!((found.changes, found.first), (60, 1));
    for pair in files.windows(2) {
        let (before, first) = (&pair[0], &records(&pair[1])[0]);
        let last = records(before).pop().expect("a record");
        assert_eq!((&first["event"], &first["before_seal"]), (&"continued".into(), &last["seal"]));
        let name = before.file_name().expect("a name").to_string_lossy();
        assert_eq!(first["before"], &*name);
        let seq = format!("-{:012}", last["seq"].as_u64().expect("a number"));
        assert!(name.ends_with(&seq), "{name}");
    }
    // Each is whole by itself, and from any one on.
    assert_eq!(whole(&paths[1..2]).first, records(paths[0]).len() as u64 + 1);
    assert_eq!(whole(&paths[2..]).head, found.head);
    // One that is missing, or in another place, is missed.
    assert!(broken(&[paths[0], paths[2]]).contains(":1: comes too early"));
    assert!(broken(&[paths[1], paths[0]]).contains(":1: has a number that was there before"));
    // The end came just after the last one was put away.
    let away = folder.path().join(format!("audit.log.99999999999-{:012}", found.head.sequence));
    fs::rename(&log, &away).expect("a file");
    fs::write(folder.path().join("audit.log.99999999999-x"), "another's").expect("a file");
    drop(Audit::open(settings(log.clone())).expect("a log"));
    assert_eq!(names(&log), ["continued", "opened", "closed"]);
    assert_eq!(whole(&[&away, &log]).head.sequence, found.head.sequence + 3);
}

#[test]
fn a_file_ends_when_it_is_old_and_never_empty_handed() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    let age = Duration::from_millis(300);
    let audit = Audit::open(Settings { age, ..settings(log.clone()) }).expect("a log");
    tell(&audit, "a");
    eventually("another is begun", || all_of(&log).len() > 1);
    audit.close();
    let files = all_of(&log);
    assert_eq!(names(&files[0]), ["opened", "a"]);
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    assert_eq!(whole(&paths).changes, 1);
}

#[test]
fn a_file_that_was_moved_is_written_until_another_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    let audit = Audit::open(settings(log.clone())).expect("a log");
    // Nothing has changed.
    audit.reopen();
    tell(&audit, "0");
    eventually("it is written", || audit.standing().queued == 0);
    let away = folder.path().join("moved");
    fs::rename(&log, &away).expect("a file");
    tell(&audit, "a");
    audit.reopen();
    tell(&audit, "b");
    audit.close();
    assert_eq!(names(&away), ["opened", "0", "a"]);
    assert_eq!(names(&log), ["continued", "b", "closed"]);
    assert_eq!(whole(&[&away, &log]).changes, 3);
}

#[test]
fn where_the_file_is_another_log_the_old_one_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    drop(Audit::open(settings(folder.path().join("other"))).expect("a log"));
    let audit = Audit::open(settings(log.clone())).expect("a log");
    let away = folder.path().join("moved");
    fs::rename(&log, &away).expect("a file");
    fs::rename(folder.path().join("other"), &log).expect("a file");
    audit.reopen();
    tell(&audit, "a");
    audit.close();
    assert_eq!(names(&away), ["opened", "a", "closed"]);
    assert_eq!(names(&log), ["opened", "closed"]);
}

/// A log of which nothing can be written any more once it is open: the disk is full.
fn full(refuses: bool, queue: usize, folder: &TempDir) -> (Audit, PathBuf) {
    let log = log_in(folder);
    let audit = Audit::open(Settings { refuses, queue, ..settings(log.clone()) }).expect("a log");
    fs::rename(&log, folder.path().join("first")).expect("a file");
    std::os::unix::fs::symlink("/dev/full", &log).expect("a link");
    audit.reopen();
    eventually("it is full", || audit.standing().fails);
    (audit, log)
}

/// Gives it room.
fn make_room(audit: &Audit, log: &Path) {
    fs::remove_file(log).expect("the link");
    audit.reopen();
    eventually("it is written again", || !audit.standing().fails && audit.standing().queued == 0);
}

#[test]
fn nothing_is_admitted_that_could_not_be_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, log) = full(true, 10, &folder);
    assert!(audit.admit().is_err());
    make_room(&audit, &log);
    tell(&audit, "a");
    audit.close();
    // What the full one did not take is here.
    assert_eq!(names(&log), ["continued", "continued", "a", "closed"]);
    let found = whole(&[&folder.path().join("first"), &log]);
    assert_eq!((found.changes, found.lost, audit.standing().lost), (1, 0, 0));
}

#[test]
fn or_it_is_dropped_and_the_log_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, log) = full(false, 3, &folder);
    for name in ["a", "b", "c", "d", "e"] {
        tell(&audit, name);
    }
    assert_eq!((audit.standing().lost, audit.standing().queued), (2, 3));
    make_room(&audit, &log);
    tell(&audit, "f");
    audit.close();
    let names = names(&log);
    let kept: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.len() == 1).collect();
    assert_eq!(kept, ["a", "b", "c", "f"], "{names:?}");
    let found = whole(&[&folder.path().join("first"), &log]);
    assert_eq!((found.changes, found.lost), (4, 2));
}

#[test]
fn room_that_is_full_is_waited_for_by_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let audit = Audit::open(Settings { queue: 2, ..settings(log_in(&folder)) }).expect("a log");
    // These are being judged.
    let rooms = [audit.admit(), audit.admit()];
    assert!(audit.admit().is_err());
    assert_eq!(audit.standing().queued, 2);
    drop(rooms);
    tell(&audit, "a");
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, log) = full(false, 10_000, &folder);
    let large = format!("\"name\":\"{}\"", "a".repeat(900 << 10)).into_bytes();
    for _ in 0..200 {
        audit.record(audit.admit().expect("room"), large.clone());
    }
    let kept = audit.standing().queued;
    assert!((60..90).contains(&kept), "{kept}");
    assert_eq!(audit.standing().lost, 200 - kept as u64);
    make_room(&audit, &log);
    assert_eq!(audit.standing().written, kept as u64);
    assert!(audit.admit().is_ok());
}

#[test]
fn what_was_changed_is_found_and_the_place_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(&folder);
    let audit = Audit::open(settings(log.clone())).expect("a log");
    for name in ["a", "b", "c"] {
        tell(&audit, name);
    }
    audit.close();
    let text = fs::read_to_string(&log).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    let edited = text.replace("\"b\"", "\"x\"");
    let without = text.replace(&format!("{}\n", lines[2]), "");
    let first_gone = text.replace(&format!("{}\n", lines[0]), "");
    let joined = text.replace("}\n{\"seq\":3", "}{\"seq\":3");
    let cut = text.trim_end_matches('\n').to_owned() + "\n{\"seq\":6\n";
    for (text, place) in [
        (&edited, ":3: does not bear its seal"),
        (&without, ":3: comes too early: records are missing before it; whole up to record 2"),
        (&first_gone, ":1: does not begin a file of an audit log"),
        (&joined, ":2: does not bear its seal"),
        (&cut, ":6: is no record"),
        (&text.replace('\n', "\r\n"), ":1: does not begin"),
    ] {
        fs::write(&log, text).expect("a file");
        let why = broken(&[&log]);
        assert!(why.contains(place), "{place}: {why}");
    }
    // An end that is missing is not seen, but by who knows the head.
    fs::write(&log, format!("{}\n{}\n", lines[0], lines[1])).expect("a file");
    let head = whole(&[&log]).head;
    assert_eq!(head.sequence, 2);
    assert_ne!(head, audit.standing().head);
    fs::write(&log, "").expect("a file");
    assert_eq!((whole(&[&log]).records, whole(&[&log]).head), (0, Head::default()));
    assert!(verify(&[folder.path().join("none")]).is_err());
}
