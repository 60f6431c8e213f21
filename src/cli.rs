//! The command line: one file for each command.

pub mod audit;
mod bounds;
mod caller;
pub mod check;
mod chosen;
pub mod completions;
pub mod demo;
pub mod diff;
pub mod drain;
pub mod explain;
pub mod export;
pub mod graph;
pub mod healthcheck;
pub mod init;
pub mod key;
mod launch;
pub mod man;
mod operator;
mod page;
mod paint;
mod print;
pub mod reload;
pub mod replay;
pub mod run;
pub mod sandbox;
pub mod schema;
pub mod status;
mod supervisor;
pub mod test;
pub mod top;
pub mod whoami;

use clap::{Parser, Subcommand};

use std::process::ExitCode;

/// A validating gateway for HTTP APIs that are changed by JSON Patch
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(audit::Command),
    Check(check::Command),
    Completions(completions::Command),
    Demo(demo::Command),
    Diff(diff::Command),
    Drain(drain::Command),
    Explain(explain::Command),
    Export(export::Command),
    Graph(graph::Command),
    Healthcheck(healthcheck::Command),
    Init(init::Command),
    Key(key::Command),
    Man(man::Command),
    Reload(reload::Command),
    Replay(replay::Command),
    Run(run::Command),
    Sandbox(sandbox::Command),
    Schema(schema::Command),
    Status(status::Command),
    Test(test::Command),
    Top(top::Command),
    Whoami(whoami::Command),
}

impl Cli {
    /// Does what was asked; the exit code says how it went.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Audit(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Diff(command) => command.run(),
            Command::Drain(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Graph(command) => command.run(),
            Command::Healthcheck(command) => command.run(),
            Command::Init(command) => command.run(),
            Command::Key(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Reload(command) => command.run(),
            Command::Replay(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Sandbox(command) => command.run(),
            Command::Schema(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Top(command) => command.run(),
            Command::Whoami(command) => command.run(),
        }
    }
}
