//! `patchgate check`: everything that is wrong in a file, before it is run.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::print::print;
use crate::config::{Checked, Source, check};

use std::path::PathBuf;
use std::process::ExitCode;

/// Check gateway, policy and case files, and every file they refer to
///
/// Prints one line for each fault, as `file:line:column: what is wrong`, and one for each line of a
/// valid policy that is odd, as `warning: file:line:column: what is odd`. Exits with 0 when every
/// file is valid, 1 when one is not, 2 when one cannot be read.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// Exit with 1 when there are warnings as well
    #[arg(long)]
    deny_warnings: bool,
    /// Print gateway files with everything that they leave out, as JSON. References to files and
    /// variables stay as they are written, and no secret is shown
    #[arg(long)]
    print_config: bool,
    /// Gateway, policy or case files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Command {
    /// Checks each file and prints what was found.
    pub fn run(self) -> ExitCode {
        let mut worst = 0;
        for file in &self.files {
            match check(Source::Disk, file) {
                Ok(Checked { found, warnings, effective }) => {
                    for warning in warnings.sorted() {
                        eprintln!("warning: {warning}");
                    }
                    match effective.filter(|_| self.print_config) {
                        Some(effective) => print(format_args!("{effective}\n")),
                        None => print(format_args!("{} is valid: {found}\n", file.display())),
                    }
                    worst = worst.max(u8::from(self.deny_warnings && !warnings.0.is_empty()));
                }
                Err(errors) => {
                    eprintln!("{errors}");
                    worst = worst.max(if Source::Disk.read(file).is_ok() { 1 } else { 2 });
                }
            }
        }
        ExitCode::from(worst)
    }
}
