//! What is promised of any bytes. Each target is one function, which panics where a promise is
//! broken. Here each is put to its seeds and to mutations of them; `tests/fuzz/run` puts it to what
//! libFuzzer thinks of.

mod authority;
mod frames;
mod judge;
mod mutations;
mod patch;
mod path;
mod pointer;
mod policy_file;
pub mod reader;
mod requests;

use mutations::Mutations;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Panics where a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by their names.
pub const TARGETS: [(&str, Target); 9] = [
    ("authority", authority::run),
    ("frames", frames::run),
    ("judge", judge::run),
    ("patch", patch::run),
    ("path", path::run),
    ("pointer", pointer::run),
    ("policy_file", policy_file::run),
    ("reader", reader::run),
    ("requests", requests::run),
];

#[test]
fn authorities_keep_their_promises() {
    smoke("authority", 20_000);
}

#[test]
fn frames_keep_their_promises() {
    smoke("frames", 2_000);
}

#[test]
fn entries_of_hpack_are_as_large_as_their_names_and_values() {
    for index in 1..=61 {
        assert!(frames::sizes(&[0x40 | index, 0]));
    }
    // Every code of the Huffman code, between others, and strings that end in any way.
    let texts: Vec<_> = (0..=255_u8).map(|byte| vec![byte, 0x47, byte, !byte]).collect();
    let mutated = Mutations::of(&texts).take(20_000).filter(|bytes| bytes.len() < 100);
    let read = mutated.filter(|bytes| {
        let length = u8::try_from(bytes.len()).expect("short");
        frames::sizes(&[&[0x41, 0x80 | length], &bytes[..]].concat())
    });
    let read = read.count();
    assert!(read > 500, "{read} of them are of the code");
}

#[test]
fn requests_keep_their_promises() {
    smoke("requests", 20_000);
}

#[test]
fn the_judge_keeps_its_promises() {
    smoke("judge", 2_000);
}

#[test]
fn patches_keep_their_promises() {
    smoke("patch", 10_000);
}

#[test]
fn paths_keep_their_promises() {
    smoke("path", 20_000);
}

#[test]
fn pointers_keep_their_promises() {
    smoke("pointer", 20_000);
}

#[test]
fn policy_files_keep_their_promises() {
    smoke("policy_file", 100);
}

#[test]
fn the_reader_keeps_its_promises() {
    smoke("reader", 20_000);
}

/// Puts the target to its seeds, and to `usual` mutations of them unless `FUZZ` says how many.
fn smoke(name: &str, usual: usize) {
    let wanted = std::env::var("FUZZ").ok().and_then(|count| count.parse().ok());
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(name);
    let files = fs::read_dir(&folder).expect("a folder of seeds");
    let mut files: Vec<_> = files.map(|file| file.expect("a seed").path()).collect();
    files.sort();
    let seeds: Vec<_> = files.iter().map(|path| fs::read(path).expect("a seed")).collect();
    assert!(seeds.len() >= 5, "a target has seeds");
    let mutated = Mutations::of(&seeds).take(wanted.unwrap_or(usual));
    for input in seeds.iter().cloned().chain(mutated) {
        let run = catch_unwind(|| target(&input));
        assert!(run.is_ok(), "`{name}` breaks a promise on b\"{}\"", input.escape_ascii());
    }
}
