//! How the cases came out, for people and for programs.

use super::Suite;
use super::coverage::Coverage;
use super::judged::{Got, Judged};
use crate::cli::explain::told;
use crate::cli::paint::Paint;
use crate::config::compile::{Expect, Wanted};

use serde_json::{Value, json};

use std::fmt::Write as _;

/// The results as text.
pub(super) fn text(suites: &[Suite], coverage: Option<&Coverage>, least: Option<u8>) -> String {
    let paint = Paint::of_stdout();
    let mut text = String::new();
    for suite in suites {
        let _ = writeln!(text, "running {} cases of {}", suite.results.len(), suite.file.display());
        for judged in &suite.results {
            let said = if judged.passed() { paint.good("ok") } else { paint.bad("FAILED") };
            let _ = writeln!(text, "test {} ... {said}", judged.name);
        }
        text.push('\n');
    }
    let failed: Vec<(&Suite, &Judged)> = (suites.iter())
        .flat_map(|suite| suite.results.iter().map(move |judged| (suite, judged)))
        .filter(|(_, judged)| !judged.passed())
        .collect();
    if !failed.is_empty() {
        text.push_str("failures:\n\n");
    }
    for (suite, judged) in &failed {
        let _ = writeln!(text, "---- {} ({})", judged.name, place(suite, judged));
        let _ = writeln!(text, "  expected {}", expected(&judged.expected));
        let _ = writeln!(text, "  got      {}\n", got(&judged.got));
    }
    if let Some(coverage) = coverage {
        text.push_str(&covered(coverage));
    }
    let count: usize = suites.iter().map(|suite| suite.results.len()).sum();
    let filtered: usize = suites.iter().map(|suite| suite.filtered).sum();
    let lowest = coverage.map_or(100.0, Coverage::lowest);
    let short = least.filter(|least| lowest < f64::from(*least));
    let said = match (failed.is_empty(), short) {
        (true, None) => paint.good("ok"),
        (_, _) => paint.bad("FAILED"),
    };
    let (passed, failed) = (count - failed.len(), failed.len());
    let _ = writeln!(
        text,
        "test result: {said}. {passed} passed; {failed} failed; {filtered} filtered out"
    );
    if let Some(least) = short {
        let _ =
            writeln!(text, "the lowest coverage is {lowest:.1} %, below the {least} % asked for");
    }
    text
}

/// The results as JSON.
pub(super) fn json(suites: &[Suite], coverage: Option<&Coverage>) -> Value {
    let cases = suites.iter().flat_map(|suite| {
        suite.results.iter().map(|judged| {
            json!({
                "name": judged.name,
                "at": place(suite, judged),
                "passed": judged.passed(),
                "expected": expected(&judged.expected),
                "got": got(&judged.got),
                "seconds": judged.took.as_secs_f64(),
            })
        })
    });
    let cases: Vec<Value> = cases.collect();
    let passed = cases.iter().filter(|case| case["passed"] == true).count();
    let filtered: usize = suites.iter().map(|suite| suite.filtered).sum();
    let mut report = json!({
        "passed": passed,
        "failed": cases.len() - passed,
        "filtered": filtered,
        "cases": cases,
    });
    if let (Some(coverage), Some(members)) = (coverage, report.as_object_mut()) {
        let mut policies = serde_json::Map::new();
        for (policy, covered) in &coverage.0 {
            let mut tallies = serde_json::Map::new();
            for (name, tally) in covered.tallies() {
                let (reached, all) = tally.counts();
                let missed: Vec<&str> = tally.missed().collect();
                let percent = tally.percent();
                let told =
                    json!({ "reached": reached, "all": all, "percent": percent, "missed": missed });
                tallies.insert(name.to_owned(), told);
            }
            policies.insert(policy.display().to_string(), tallies.into());
        }
        members.insert("coverage".to_owned(), policies.into());
    }
    report
}

fn covered(coverage: &Coverage) -> String {
    let mut text = String::new();
    for (policy, covered) in &coverage.0 {
        let _ = writeln!(text, "coverage of {}", policy.display());
        for (name, tally) in covered.tallies() {
            let (reached, all) = tally.counts();
            let _ = writeln!(text, "  {name}  {:>5.1} %  ({reached} of {all})", tally.percent());
            for missed in tally.missed() {
                let _ = writeln!(text, "    {missed}");
            }
        }
        text.push('\n');
    }
    text
}

/// Where a case stands.
pub(super) fn place(suite: &Suite, judged: &Judged) -> String {
    match judged.place {
        Some(place) => format!("{}:{}:{}", suite.file.display(), place.line, place.column),
        None => suite.file.display().to_string(),
    }
}

/// What was expected, in words.
pub(super) fn expected(expect: &Expect) -> String {
    match expect {
        Expect::Permit => "permit".to_owned(),
        Expect::NeedsCurrent => "needs-current".to_owned(),
        Expect::Violations(wanted) => {
            let wanted = wanted.iter().map(|Wanted { code, op, pointer }| {
                let op = op.map(|op| format!(" op {op}")).unwrap_or_default();
                let at = pointer.as_ref().map(|at| format!(" at `{at}`")).unwrap_or_default();
                format!("{code}{op}{at}")
            });
            format!("refuse: {}", wanted.collect::<Vec<_>>().join(", "))
        }
    }
}

/// What the policy said, in words.
pub(super) fn got(got: &Got) -> String {
    match got {
        Got::Permit => "permit".to_owned(),
        Got::NeedsCurrent => "needs-current".to_owned(),
        Got::Refuse(violations) => {
            let mut text = "refuse".to_owned();
            for violation in violations {
                let told = told(violation).replace('\n', "\n         ");
                let _ = write!(text, "\n         {told}");
            }
            if violations.more() > 0 {
                let _ = write!(text, "\n           … and {} more", violations.more());
            }
            text
        }
    }
}
