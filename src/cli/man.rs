//! `patchgate man`: the manual pages, one for each command.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::Cli;
use super::print::print;

use clap::CommandFactory as _;
use clap_mangen::Man;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print the manual page of this program, or write the pages of all its commands into a folder
///
/// `patchgate man | man -l -` shows it; the Debian package installs all of them.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// Where the pages are written to, as `patchgate.1`, `patchgate-check.1` and so on
    folder: Option<PathBuf>,
}

impl Command {
    /// Prints one, or writes all.
    pub fn run(self) -> ExitCode {
        let done = match &self.folder {
            Some(folder) => write(folder).map_err(|error| (folder.as_path(), error)),
            None => page(Cli::command().disable_help_subcommand(true))
                .map(print)
                .map_err(|error| (Path::new("-"), error)),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err((folder, error)) => {
                eprintln!("patchgate: {}: {error}", folder.display());
                ExitCode::from(2)
            }
        }
    }
}

fn page(command: clap::Command) -> io::Result<String> {
    let mut text = Vec::new();
    Man::new(command).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
