//! `patchgate healthcheck`: one word for whoever starts gateways.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::operator::Operator;

use http::{Method, StatusCode};

use std::process::ExitCode;

/// Tell whoever starts gateways whether one is ready
///
/// For probes that run a command, where there is no other program to ask with. It prints nothing while
/// the gateway is ready, and exits with 0. Otherwise it says why, and exits with 1.
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(flatten)]
    operator: Operator,
}

impl Command {
    /// Asks, and says why where it is not ready.
    pub fn run(self) -> ExitCode {
        match self.operator.ask(Method::GET, "/readyz") {
            Ok((StatusCode::OK, _)) => return ExitCode::SUCCESS,
            Ok((_, said)) => eprintln!("patchgate: it is not ready: {}", said.trim_end()),
            Err(why) => eprintln!("patchgate: {why}"),
        }
        ExitCode::FAILURE
    }
}
