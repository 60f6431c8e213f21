//! `patchgate replay`: the changes of an audit log, judged under another policy.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

mod judged;
mod progress;
mod record;
mod report;
mod tally;

use super::paint::Paint;
use super::print::print;
use crate::config::{Source, load_policy};
use crate::policy::Policy;
use crate::policy::difference::between;

use judged::{Said, Same, judge};
use progress::Progress;
use record::Line;
use tally::{Outcome, Tally, said_then};

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How much is read at once, and the most that a line may have.
const BLOCK: usize = 4 << 20;

/// Judge the changes of an audit log under another policy
///
/// Tells which changes would be refused that were permitted, and permitted that were refused. Where a
/// fact is missing, as a value that is not told, nothing is said: such a change never counts as
/// permitted. Exits with 0, with 1 if something is found that `--fail-on` names, and with 2 when a file
/// cannot be read.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The files of the log
    #[arg(required = true, value_name = "AUDIT")]
    files: Vec<PathBuf>,
    /// The policy to judge by
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The policy that was in force; what is the same in both needs no fact that is missing
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// What makes the command fail; may be given more than once
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
    /// How the results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// A change that was permitted would be refused
    NewRefusals,
    /// A change that was refused would be permitted
    NewPermits,
    /// A change of which it cannot be said
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Html,
    Json,
    Text,
}

/// What every thread that judges goes by.
struct Judges {
    policy: Policy,
    /// The policy that was in force, and what is the same.
    against: Option<(Policy, Same)>,
}

impl Command {
    /// Judges, and prints what came of it.
    pub fn run(self) -> ExitCode {
        match self.replay() {
            Ok(code) => ExitCode::from(code),
            Err(message) => {
                eprintln!("patchgate: {message}");
                ExitCode::from(2)
            }
        }
    }

    fn replay(&self) -> Result<u8, String> {
        let load =
            |path: &Path| load_policy(Source::Disk, path).map_err(|errors| errors.to_string());
        let policy = load(&self.policy)?;
        let against = self.against.as_deref().map(load).transpose()?;
        let against = against.map(|old| {
            let same = Same::but(&between(&old, &policy));
            (old, same)
        });
        let judges = Judges { policy, against };
        let began = Instant::now();
        let tally = self.judge_all(&judges)?;
        match self.format {
            Format::Html => print(report::html(&tally, &self.described())),
            Format::Json => print(format_args!("{}\n", report::json(&tally))),
            Format::Text => print(report::text(&tally, began.elapsed(), Paint::of_stdout())),
        }
        let is_found = |what: &FailOn| match what {
            FailOn::NewRefusals => tally.of(Outcome::NewlyRefused) > 0,
            FailOn::NewPermits => tally.of(Outcome::NewlyPermitted) > 0,
            FailOn::Unknown => tally.of(Outcome::Unknown) + tally.unreadable > 0,
        };
        Ok(self.fail_on.iter().any(is_found).into())
    }

    fn described(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let against = match &self.against {
            Some(old) => format!("in place of {}", old.display()),
            None => "in place of what was decided".to_owned(),
        };
        format!("{} under {}, {against}", files.join(", "), self.policy.display())
    }

    /// One thread reads, all others judge.
    fn judge_all(&self, judges: &Judges) -> Result<Tally, String> {
        let progress = Progress::over(&self.files);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (sender, receiver) = sync_channel(threads * 2);
        let receiver = Mutex::new(receiver);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| judge_blocks(judges, &receiver, &progress)))
                .collect();
            let shown = scope.spawn(|| progress.show());
            let read = self.files.iter().try_for_each(|path| {
                read_blocks(path, &sender)
                    .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
            });
            drop(sender);
            let mut tally = Tally::default();
            for worker in workers {
                tally.add(worker.join().map_err(|_| "a thread panicked".to_owned())?);
            }
            progress.end();
            drop(shown.join());
            read.map(|()| tally)
        })
    }
}

/// Reads a file in blocks of whole lines.
fn read_blocks(path: &Path, sender: &SyncSender<Vec<u8>>) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut rest = Vec::new();
    loop {
        let mut block = std::mem::take(&mut rest);
        let had = block.len();
        file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        let is_end = block.len() == had;
        let whole = block.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // At the end a line that was not finished goes with the rest: it counts as unreadable.
        if !is_end {
            rest = block.split_off(whole);
        }
        if !block.is_empty() && sender.send(block).is_err() || is_end {
            return Ok(());
        }
    }
}

fn judge_blocks(
    judges: &Judges,
    receiver: &Mutex<Receiver<Vec<u8>>>,
    progress: &Progress,
) -> Tally {
    let mut tally = Tally::default();
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = next else { return tally };
        let mut records = 0;
        for line in block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            records += 1;
            judges.judge(line, &mut tally);
        }
        tally.records += records;
        progress.add(block.len() as u64, records);
    }
}

impl Judges {
    fn judge(&self, line: &[u8], tally: &mut Tally) {
        let record = match Line::read(line) {
            Some(Line::Change(record)) => record,
            Some(Line::Event) => return,
            None => {
                tally.unreadable += 1;
                return;
            }
        };
        let then = said_then(&record.decided);
        let (old, same) = match &self.against {
            Some((policy, same)) => {
                let said = judge(policy, &record, None);
                match (&said, &then) {
                    // What it lacks, whoever decided then may have known.
                    (Said::Unknown { .. }, Some(_)) => (then, Some(same)),
                    // It was not this policy that decided so.
                    (Said::Refuse(_), Some(Said::Permit))
                    | (Said::Permit, Some(Said::Refuse(_))) => (Some(said), None),
                    _ => (Some(said), Some(same)),
                }
            }
            None => (then, None),
        };
        match old {
            Some(old) => tally.count(&record, &old, &judge(&self.policy, &record, same)),
            None => tally.undecided += 1,
        }
    }
}
