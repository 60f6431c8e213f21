//! `patchgate drain`: has callers of a gateway go elsewhere.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::operator::Operator;
use super::print::print;

use http::{Method, StatusCode};

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often it is looked whether requests are under way.
const EVERY: Duration = Duration::from_millis(200);

/// Have the callers of a gateway go elsewhere
///
/// From then on /readyz says no, and answers ask callers to connect anew; everybody is served as
/// before. There is no way back but a new start. Exits with 0 once nothing is under way, with 1 if
/// something still is after `--wait`, and with 2 when no gateway answers.
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(flatten)]
    operator: Operator,
    /// How many seconds to wait until nothing is under way
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

impl Command {
    /// Asks for it, and waits.
    pub fn run(self) -> ExitCode {
        match self.drain() {
            Ok(0) => {
                print("drained: nothing is under way\n");
                ExitCode::SUCCESS
            }
            Ok(left) => {
                print(format_args!("draining: {left} requests are under way\n"));
                ExitCode::FAILURE
            }
            Err(why) => {
                eprintln!("patchgate: {why}");
                ExitCode::from(2)
            }
        }
    }

    /// How many requests are under way in the end.
    fn drain(&self) -> Result<usize, String> {
        let (status, said) = self.operator.ask(Method::POST, "/drain")?;
        if status != StatusCode::OK {
            return Err(format!("it answers {status}: {}", said.trim()));
        }
        let until = Instant::now() + Duration::from_secs(self.wait);
        loop {
            let left = self.operator.status()?.in_flight;
            if left == 0 || Instant::now() >= until {
                return Ok(left);
            }
            std::thread::sleep(EVERY);
        }
    }
}
