//! `patchgate completions`: what a shell offers when Tab is pressed.

use super::Cli;
use super::print::print;

use clap::CommandFactory as _;
use clap_complete::Shell;

use std::process::ExitCode;

/// Print the script by which a shell completes the commands and options of this program
///
/// For bash, `source <(patchgate completions bash)` has it at once; the Debian package installs it.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The shell
    shell: Shell,
}

impl Command {
    /// Prints it.
    pub fn run(self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "patchgate", &mut script);
        print(String::from_utf8_lossy(&script));
        ExitCode::SUCCESS
    }
}
