//! `patchgate whoami`: which partner a request comes from, and what it may send.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::caller::{Caller, Nobody, Shown, loaded};
use super::print::{Format, print};
use crate::snapshot::Snapshot;

use std::path::PathBuf;
use std::process::ExitCode;

/// Tell which partner a request comes from, and the limits that hold for it
///
/// It asks the gateway file and no gateway, so it tells what is allowed and not what is spent. Exits
/// with 0 when the request comes from a partner, known or not, 1 when the gateway would refuse it, and
/// 2 when that cannot be said.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The gateway file
    #[arg(long, short, value_name = "FILE", env = "PATCHGATE_CONFIG")]
    config: PathBuf,
    #[command(flatten)]
    shown: Shown,
    /// The method of the request
    #[arg(long, default_value = "PATCH")]
    method: String,
    /// How it is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Command {
    /// Finds out, and prints it.
    pub fn run(self) -> ExitCode {
        let found = loaded(&self.config).map_err(Nobody::Unsaid).and_then(|loaded| {
            let Snapshot { policy, partners, limits, .. } = loaded.snapshot;
            Caller::find(&policy, &partners, limits, &self.method, &self.shown)
        });
        match (found, self.format) {
            (Ok(caller), Format::Json) => print(format_args!("{}\n", caller.json())),
            (Ok(caller), Format::Text) => print(caller.text("")),
            (Err(Nobody::Refused(why)), _) => {
                eprintln!("patchgate: the gateway would refuse this request: {why}");
                return ExitCode::FAILURE;
            }
            (Err(Nobody::Unsaid(why)), _) => {
                eprintln!("patchgate: {why}");
                return ExitCode::from(2);
            }
        }
        ExitCode::SUCCESS
    }
}
