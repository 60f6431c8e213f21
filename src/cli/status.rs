//! `patchgate status`: how a gateway stands.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::operator::Operator;
use super::paint::Paint;
use super::print::{Format, print};
use crate::admin::Status;

use std::fmt::Write as _;
use std::process::ExitCode;

/// Tell how a gateway stands that runs
///
/// Exits with 0 if it is ready, with 1 if it is not, and with 2 when no gateway answers.
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(flatten)]
    operator: Operator,
    /// How it is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Command {
    /// Asks, and prints what it is told.
    pub fn run(self) -> ExitCode {
        let status = match self.operator.status() {
            Ok(status) => status,
            Err(why) => {
                eprintln!("patchgate: {why}");
                return ExitCode::from(2);
            }
        };
        match self.format {
            Format::Json => {
                print(format_args!("{}\n", serde_json::to_string(&status).unwrap_or_default()))
            }
            Format::Text => print(text(&status, Paint::of_stdout())),
        }
        ExitCode::from(u8::from(!status.ready))
    }
}

fn text(status: &Status, paint: Paint) -> String {
    let Status { reloads, upstream, .. } = status;
    let ready = match (status.ready, status.draining) {
        (true, _) => paint.good("yes"),
        (false, true) => paint.bad("no, it is draining"),
        (false, false) => paint.bad("no, something has not come yet: see /readyz"),
    };
    let store = match status.store {
        Some(true) => "up".to_owned(),
        Some(false) => paint.bad("away"),
        None => "none".to_owned(),
    };
    let api = match upstream.paused {
        true => paint.bad("given a pause, because it fails"),
        false => format!("{} connections", upstream.connections),
    };
    let requests: u64 = status.routes.iter().map(|route| route.requests).sum();
    let refused: u64 = status.routes.iter().filter_map(|route| route.decisions.get("refuse")).sum();
    let mut text = String::new();
    let mut row = |name: &str, said: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:<10}{said}");
    };
    row("ready", &ready);
    row("version", &status.version);
    row("policy", &format!("{}, digest {}", status.policy, status.digest));
    row("reloads", &format!("{} taken, {} refused", reloads.taken, reloads.refused));
    let (connections, under_way) = (status.connections, status.in_flight);
    row("callers", &format!("{connections} connections, {under_way} requests under way"));
    row("requests", &format!("{requests}, {refused} refused by the policy"));
    row("upstream", &api);
    row("store", &store);
    for fault in &reloads.faults {
        row("fault", &paint.bad(fault));
    }
    text
}
