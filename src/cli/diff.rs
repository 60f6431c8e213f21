//! `patchgate diff`: in what two policies differ.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::paint::Paint;
use super::print::{Format, print};
use crate::config::{Source, load_policy};
use crate::policy::difference::{Difference, Turn, between};
use crate::policy::rule::Name;

use serde_json::{Value, json};

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Tell what a policy lets through that another one does not, and what it no longer does
///
/// Compares what policies mean, not how they are written: ops, paths, steps between states, and
/// schemas keyword by keyword. Where it cannot be said which of the two lets more through, that is
/// `unclear`, and counts as a widening. Exits with 0, with 1 if something is found that `--fail-on`
/// names, and with 2 when a file cannot be read.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The policy that is in force
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy that is to be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// What makes the command fail; may be given more than once
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
    /// How the differences are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Something is let through that was not, or it is unclear
    Widening,
    /// Something is no longer let through
    Narrowing,
}

impl Command {
    /// Compares, and prints what differs.
    pub fn run(self) -> ExitCode {
        let load = |path: &Path| load_policy(Source::Disk, path);
        let (old, new) = match (load(&self.old), load(&self.new)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => {
                eprintln!("{errors}");
                return ExitCode::from(2);
            }
            (Err(errors), Err(more)) => {
                eprintln!("{errors}\n{more}");
                return ExitCode::from(2);
            }
        };
        let all = between(&old, &new);
        match self.format {
            Format::Json => print(format_args!("{}\n", as_json(&all))),
            Format::Text => print(as_text(&all, Paint::of_stdout())),
        }
        let is_found = |what: &FailOn| {
            all.iter().any(|found| match what {
                FailOn::Widening => found.turn != Turn::Narrows,
                FailOn::Narrowing => found.turn == Turn::Narrows,
            })
        };
        ExitCode::from(u8::from(self.fail_on.iter().any(is_found)))
    }
}

fn of(all: &[Difference], turn: Turn) -> usize {
    all.iter().filter(|found| found.turn == turn).count()
}

fn as_text(all: &[Difference], paint: Paint) -> String {
    let mut text = String::new();
    let mut shown = "";
    for found in all {
        if shown != found.route {
            let _ = writeln!(text, "{}", found.route);
            shown = &found.route;
        }
        let sign = match found.turn {
            Turn::Widens => paint.bad("+"),
            Turn::Unclear => paint.bad("?"),
            Turn::Narrows => paint.good("-"),
        };
        let rule = found.rule.map_or("", Name::as_str);
        let colon = if found.at.is_empty() { "" } else { ": " };
        let _ = writeln!(text, "  {sign} {rule:<12} {}{colon}{}", found.at, found.message);
    }
    let count = |turn| of(all, turn);
    let (more, unclear, less) = (count(Turn::Widens), count(Turn::Unclear), count(Turn::Narrows));
    let _ = writeln!(text, "{more} widen (+), {unclear} unclear (?), {less} narrow (-)");
    text
}

fn as_json(all: &[Difference]) -> Value {
    let differences: Vec<Value> = all
        .iter()
        .map(|found| {
            json!({
                "route": found.route,
                "rule": found.rule.map(Name::as_str),
                "turn": found.turn.as_str(),
                "at": found.at,
                "message": found.message,
            })
        })
        .collect();
    json!({
        "widens": of(all, Turn::Widens),
        "unclear": of(all, Turn::Unclear),
        "narrows": of(all, Turn::Narrows),
        "differences": differences,
    })
}
