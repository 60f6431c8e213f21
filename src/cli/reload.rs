//! `patchgate reload`: has a gateway load its configuration anew.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::operator::Operator;
use super::print::print;

use http::{Method, StatusCode};

use std::process::ExitCode;

/// Have a gateway that runs load its configuration anew
///
/// Prints the digest that is in force then, or every fault; with a fault nothing changes. Exits with 0
/// if it took effect, with 1 if it did not, and with 2 when no gateway answers.
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(flatten)]
    operator: Operator,
}

impl Command {
    /// Asks for it, and prints what came of it.
    pub fn run(self) -> ExitCode {
        match self.operator.ask(Method::POST, "/reload") {
            Ok((StatusCode::OK, said)) => {
                print(format_args!("{}\n", said.trim_end()));
                ExitCode::SUCCESS
            }
            Ok((_, said)) => {
                eprintln!("{}", said.trim_end());
                ExitCode::FAILURE
            }
            Err(why) => {
                eprintln!("patchgate: {why}");
                ExitCode::from(2)
            }
        }
    }
}
