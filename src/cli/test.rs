//! `patchgate test`: the cases of a policy, judged by the judge that the proxy asks.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

mod coverage;
mod judged;
mod junit;
mod report;

use super::print::{Format, print};
use crate::config::compile::{Case, Cases};
use crate::config::{ConfigErrors, Source, load_cases};

use coverage::Coverage;
use judged::Judged;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Where cases are looked for if nothing is named.
const USUAL: &str = "config/policies";

/// Judge the cases of policies, and tell what of a policy they never exercise
///
/// Cases stand in files whose names end in `.cases.yaml`, and in policy files under `cases`. Exits
/// with 0 when every case came out as expected, 1 when one did not or too little was covered, 2
/// when that cannot be said.
#[derive(clap::Args, Debug)]
pub struct Command {
    /// Case files, policy files, and folders to look for them in; `config/policies` if it is
    /// there, else the current folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The policy to judge by, instead of the one that each file names
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Only cases whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Tell which rules, paths and steps were never exercised
    #[arg(long)]
    coverage: bool,
    /// Fail where the lowest of the three coverages is below this; implies `--coverage`
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    fail_under: Option<u8>,
    /// How the results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The cases of one file, as they came out.
#[derive(Debug)]
struct Suite {
    file: PathBuf,
    results: Vec<Judged>,
    filtered: usize,
    took: Duration,
}

impl Command {
    /// Judges the cases and prints how they came out.
    pub fn run(self) -> ExitCode {
        match self.test() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(message) => {
                eprintln!("{message}");
                ExitCode::from(2)
            }
        }
    }

    fn test(&self) -> Result<bool, String> {
        let mut coverage = Coverage::default();
        let mut suites = Vec::new();
        for (file, cases) in self.load()? {
            let started = Instant::now();
            coverage.expect(&cases);
            let mut results = Vec::new();
            for case in &cases.cases {
                if case.name.contains(&self.filter) {
                    let judged = Judged::of(&cases.policy, case)
                        .map_err(|why| format!("{}: {}: {why}", file.display(), case.name))?;
                    coverage.note(&cases, case, &judged);
                    results.push(judged);
                }
            }
            let filtered = cases.cases.len() - results.len();
            suites.push(Suite { file, results, filtered, took: started.elapsed() });
        }
        let covered = (self.coverage || self.fail_under.is_some()).then_some(&coverage);
        match self.format {
            Format::Json => print(format_args!("{}\n", report::json(&suites, covered))),
            Format::Text => print(report::text(&suites, covered, self.fail_under)),
        }
        if let Some(path) = &self.junit {
            fs::write(path, junit::write(&suites))
                .map_err(|error| format!("patchgate: {}: {error}", path.display()))?;
        }
        let passed = suites.iter().flat_map(|suite| &suite.results).all(Judged::passed);
        let enough = self.fail_under.is_none_or(|least| coverage.lowest() >= f64::from(least));
        Ok(passed && enough)
    }

    /// Every file with cases, or every fault in any of them.
    fn load(&self) -> Result<Vec<(PathBuf, Cases)>, String> {
        let usual = [if Path::new(USUAL).is_dir() { USUAL } else { "." }].map(PathBuf::from);
        let paths = if self.paths.is_empty() { &usual[..] } else { &self.paths };
        let mut files = Vec::new();
        for path in paths {
            if path.is_dir() {
                find(path, &mut files).map_err(|error| format!("{}: {error}", path.display()))?;
            } else {
                files.push((path.clone(), true));
            }
        }
        let (mut loaded, mut errors) = (Vec::new(), Vec::new());
        for (file, named) in files {
            match load_cases(Source::Disk, &file, self.policy.as_deref()) {
                Ok(cases) if cases.cases.is_empty() && !named => {}
                Ok(cases) => loaded.push((file, cases)),
                Err(ConfigErrors(found)) => errors.extend(found),
            }
        }
        // Several files may be judged by one policy that is at fault.
        let mut told = Vec::new();
        for error in errors {
            if !told.contains(&error) {
                told.push(error);
            }
        }
        if !told.is_empty() {
            return Err(ConfigErrors(told).to_string());
        }
        if loaded.iter().all(|(_, cases)| cases.cases.is_empty()) {
            let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(format!("patchgate: there are no cases in {}", shown.join(", ")));
        }
        Ok(loaded)
    }
}

/// The names of the cases in the file at `path` that do not come out as expected.
pub(super) fn failing(path: &Path) -> Result<Vec<String>, String> {
    let cases = load_cases(Source::Disk, path, None).map_err(|errors| errors.to_string())?;
    let mut failing = Vec::new();
    for case in &cases.cases {
        if !Judged::of(&cases.policy, case)?.passed() {
            failing.push(case.name.clone());
        }
    }
    Ok(failing)
}

/// The case files beneath `folder`, and the policy files there, which may hold cases.
fn find(folder: &Path, found: &mut Vec<(PathBuf, bool)>) -> std::io::Result<()> {
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    let mut entries = entries?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find(&path, found)?;
        } else if name.ends_with(".cases.yaml") || holds_policy(&path, &name) {
            found.push((path, false));
        }
    }
    Ok(())
}

/// Whether a file that was come across is a policy, to judge by a glance at it.
fn holds_policy(path: &Path, name: &str) -> bool {
    name.ends_with(".yaml")
        && fs::read_to_string(path)
            .is_ok_and(|text| text.lines().any(|line| line.trim_end() == "kind: Policy"))
}
