//! `patchgate audit`: reads audit logs.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::print::print;
use crate::audit::{Verified, verify};

use clap::Subcommand;
use serde_json::json;

use std::path::PathBuf;
use std::process::ExitCode;

/// Read an audit log
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Verify(Verify),
}

/// Find out whether an audit log is what was written
///
/// Exits with 0 if every record bears its seal and none is missing, with 1 at the first one that is
/// not so, and with 2 when a file cannot be read. That records are missing at the end is seen only
/// with --head: the gateway tells its seal and its number as metrics while it runs.
#[derive(clap::Args, Debug)]
struct Verify {
    /// The files, the oldest first, as `audit.log.* audit.log`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The seal that the last record has to bear, or its mark (`patchgate_audit_head`)
    #[arg(long, value_name = "SEAL")]
    head: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Reads and says what was found.
    pub fn run(self) -> ExitCode {
        let What::Verify(command) = self.what;
        ExitCode::from(command.run())
    }
}

impl Verify {
    fn run(&self) -> u8 {
        let found = match verify(&self.files) {
            Err(error) => {
                eprintln!("patchgate: {error}");
                return 2;
            }
            Ok(Err(broken)) => {
                eprintln!("{broken}");
                return 1;
            }
            Ok(Ok(found)) => found,
        };
        if self.json {
            print(format_args!("{}\n", as_json(&found)))
        } else {
            print(as_text(&found))
        }
        let head = found.head;
        match &self.head {
            Some(wanted) if *wanted != head.text() && *wanted != head.mark().to_string() => {
                eprintln!(
                    "the last record bears another seal than {wanted}: records are missing after it"
                );
                1
            }
            Some(_) | None => 0,
        }
    }
}

fn as_json(found: &Verified) -> serde_json::Value {
    json!({
        "records": found.records,
        "changes": found.changes,
        "lost": found.lost,
        "first": found.first,
        "last": found.head.sequence,
        "head": found.head.text(),
        "mark": found.head.mark(),
        "closed": found.is_closed,
        "unfinished": found.unfinished,
    })
}

fn as_text(found: &Verified) -> String {
    let Verified { records, changes, lost, first, head, is_closed, unfinished } = found;
    let end = match (is_closed, unfinished) {
        (true, _) => "closed".to_owned(),
        (false, 0) => "open: it is being written, or the gateway was killed".to_owned(),
        (false, bytes) => format!("cut off: {bytes} bytes of a record that was not finished"),
    };
    format!(
        "records  {records}, from {first} to {}\nchanges  {changes}, and {lost} lost\nend      {end}\nhead     {}\nmark     {}\n",
        head.sequence,
        head.text(),
        head.mark()
    )
}
