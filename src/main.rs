//! The program: parses the command line and exits with what it says.

use patchgate::cli::Cli;

use clap::Parser as _;
use mimalloc::MiMalloc;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
