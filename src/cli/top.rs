//! `patchgate top`: partners and routes of a gateway, live.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::operator::Operator;
use super::print::print;
use crate::admin::{Partner, Quota, Status};

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

/// Show partners and routes of a gateway that runs, live
///
/// Ends with Ctrl-C, or after `--frames`. Exits with 0, and with 2 when no gateway answers.
#[derive(clap::Args, Debug)]
pub struct Command {
    #[command(flatten)]
    operator: Operator,
    /// How many seconds lie between one frame and the next
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    every: f64,
    /// How many frames are shown; 0 never ends
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    frames: u64,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "it has to be a number from 0.1 to 3600".to_owned())
}

impl Command {
    /// Looks again and again.
    pub fn run(self) -> ExitCode {
        match self.watch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("patchgate: {why}");
                ExitCode::from(2)
            }
        }
    }

    fn watch(&self) -> Result<(), String> {
        let clear = if stdout().is_terminal() { "\u{1b}[H\u{1b}[J" } else { "" };
        let mut before = self.operator.status()?;
        let mut shown = 0;
        while self.frames == 0 || shown < self.frames {
            std::thread::sleep(Duration::from_secs_f64(self.every));
            let now = self.operator.status()?;
            print(format_args!("{clear}{}", frame(&before, &now)));
            before = now;
            shown += 1;
        }
        Ok(())
    }
}

/// What has happened between two looks.
fn frame(before: &Status, now: &Status) -> String {
    let passed = (now.now - before.now).max(0.001);
    // After a restart it begins at 0 again.
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / passed;
    let mut text = format!(
        "{}  digest {}  {} connections, {} under way{}\n\n",
        now.policy,
        now.digest,
        now.connections,
        now.in_flight,
        if now.ready { "" } else { "  NOT READY" },
    );
    let _ = writeln!(
        text,
        "{:<28}{:>10}{:>11}{:>10}{:>10}",
        "ROUTE", "REQ/S", "REFUSED/S", "REJECT/S", "5XX/S"
    );
    for route in &now.routes {
        let same = before.routes.iter().find(|other| other.route == route.route);
        let earlier = same.cloned().unwrap_or_default();
        let of = |counts: &BTreeMap<String, u64>, name| counts.get(name).copied().unwrap_or(0);
        let decided = |name| rate(of(&earlier.decisions, name), of(&route.decisions, name));
        let _ = writeln!(
            text,
            "{:<28}{:>10.1}{:>11.1}{:>10.1}{:>10.1}",
            cut(&route.route),
            rate(earlier.requests, route.requests),
            decided("refuse"),
            decided("reject"),
            rate(of(&earlier.statuses, "5xx"), of(&route.statuses, "5xx")),
        );
    }
    let _ = writeln!(
        text,
        "\n{:<28}{:>10}{:>11}{:>10}  TIGHTEST QUOTA",
        "PARTNER", "REQ/S", "HELD/S", "UNDER WAY"
    );
    for partner in &now.partners {
        let same = before.partners.iter().find(|other| other.partner == partner.partner);
        let earlier = same.cloned().unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<28}{:>10.1}{:>11.1}{:>10}  {}",
            cut(&partner.partner),
            rate(earlier.admitted, partner.admitted),
            rate(earlier.held_back, partner.held_back),
            partner.under_way,
            tightest(partner),
        );
    }
    text
}

fn cut(name: &str) -> String {
    name.chars().take(27).collect()
}

/// The quota of which the smallest share is left.
fn tightest(partner: &Partner) -> String {
    let share = |quota: &Quota| quota.left.map(|left| f64::from(left) / f64::from(quota.burst));
    let known = partner.quotas.iter().filter_map(|quota| Some((share(quota)?, quota)));
    let tightest = known.min_by(|(one, _), (other, _)| one.total_cmp(other));
    tightest.map_or_else(String::new, |(_, quota)| {
        format!("{} {}/{}", quota.quota, quota.left.unwrap_or_default(), quota.burst)
    })
}
