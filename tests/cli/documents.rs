//! The commands that the documents show do what the documents say.

use super::process::{Finished, PROGRAM, finish, patchgate};

use patchgate::cli::Cli;

use clap::Parser;

use std::fs;
use std::path::Path;
use std::process::Command;

/// The fenced blocks of a document that are of one of the `kinds`.
pub(super) fn blocks(document: &str, kinds: &[&str]) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(path).expect("a document");
    let mut blocks = Vec::new();
    // What stands between fences is every second part.
    for block in text.split("\n```").skip(1).step_by(2) {
        let (kind, block) = block.split_once('\n').expect("a line");
        if kinds.contains(&kind) {
            blocks.push(block.to_owned());
        }
    }
    blocks
}

const DOCUMENTS: [&str; 9] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/configuration.md",
    "docs/export.md",
    "docs/first-policy.md",
    "docs/quick-start.md",
    "docs/recipes.md",
    "docs/sandbox.md",
    "docs/testing-policies.md",
];

/// The command as it is run here: the program that was built, by its name.
fn ours(command: &str) -> String {
    let command = command.replace("cargo run --release -- ", "patchgate ");
    command.replace("cargo run -- ", "patchgate ")
}

/// Runs a line of shell in which `patchgate` is the program that was built.
fn shell(line: &str) -> Finished {
    let folder = Path::new(PROGRAM).parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    finish(Command::new("bash").args(["-c", line]).env("PATH", format!("{folder}:{path}")))
}

#[test]
fn what_a_console_shows_is_what_is_printed() {
    let mut shown_lines = 0;
    for block in DOCUMENTS.iter().flat_map(|document| blocks(document, &["console"])) {
        for session in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, shown) = session.split_once('\n').expect("a line");
            let Finished { code, out, err } = shell(&ours(command));
            assert!(code < 2, "{command}: {code} {err}");
            let mut printed = out.lines();
            for line in shown.lines().filter(|line| *line != "…") {
                // What changes from run to run is left out.
                let mut parts = line.split('…');
                let first = parts.next().unwrap_or_default();
                let is = |printed: &str| {
                    let rest = printed.strip_prefix(first);
                    let rest =
                        parts.clone().fold(rest, |rest, part| Some(rest?.split_once(part)?.1));
                    rest.is_some_and(|rest| rest.is_empty() || line.ends_with('…'))
                };
                assert!(printed.any(is), "{command} does not print, or not here:\n{line}\n{out}");
                shown_lines += 1;
            }
        }
    }
    assert!(shown_lines > 15, "{shown_lines} lines");
}

#[test]
fn every_command_of_the_documents_is_one_of_the_program() {
    let mut seen = 0;
    for block in DOCUMENTS.iter().flat_map(|document| blocks(document, &["sh"])) {
        for line in block.lines().map(ours).filter(|line| line.starts_with("patchgate ")) {
            let words: Vec<&str> =
                line.split(" #").next().unwrap_or_default().split_whitespace().collect();
            seen += 1;
            match words.get(1..) {
                Some(["demo", ..]) => {
                    assert_eq!(patchgate(&["demo", "--once"]).code, 0, "{line}");
                }
                // These serve until they are stopped, on ports that others may use.
                Some(["run", "--config", file]) => {
                    assert_eq!(patchgate(&["check", file]).code, 0, "{line}");
                }
                Some(["sandbox", ..]) => {}
                _ => assert!(shell(&line).code < 2, "{line}"),
            }
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{line}: {error}");
            }
        }
    }
    assert!(seen >= 3, "{seen} commands");
}

#[test]
fn the_steps_of_the_test_command_are_those_that_the_readme_shows() {
    let script = include_str!("../run");
    let steps: Vec<_> = script.lines().filter_map(|line| line.strip_prefix("step ")).collect();
    let block = blocks("README.md", &["text"]).into_iter().find(|block| block.starts_with("== "));
    let block = block.expect("an excerpt");
    let shown: Vec<_> = block
        .lines()
        .filter_map(|line| line.strip_prefix("== ")?.split_once(" ("))
        .map(|(step, _)| step)
        .collect();
    assert_eq!(shown, steps);
}
