//! `patchgate schema`: the JSON Schema of a file format, for editors and for other tools.

use super::print::print;
use crate::config::Kind;

use std::process::ExitCode;

/// Print the JSON Schema of a file format
///
/// It is made from the types that the program reads such files into. An editor finds it by the
/// first line of a file: `# yaml-language-server: $schema=FILE`.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The kind of file
    #[arg(value_name = "KIND")]
    kind: Kind,
}

impl Command {
    /// Prints it.
    pub fn run(self) -> ExitCode {
        print(self.kind.schema());
        ExitCode::SUCCESS
    }
}
