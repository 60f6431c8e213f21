//! What the documents say is so: keys, slugs, switches, files, links.

mod configuration;
mod standards;

use patchgate::cli::Cli;
use patchgate::config::{Source, check, load_policy, source};
use patchgate::limits::HeldBack;
use patchgate::outbound::{Distrust, Obstacle};
use patchgate::proxy::problem::{error_type, kind};
use patchgate::proxy::rejection::Rejection;
use patchgate::proxy::trail::Sent;
use patchgate::proxy::upstream::Fault;
use patchgate::violation::{Code, Violation, Violations};

use clap::CommandFactory;
use regex::Regex;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the tables under `heading` in a document, by what stands between backticks in
/// their first cell.
pub fn rows(document: &str, heading: &str) -> BTreeMap<String, Vec<String>> {
    let text = text(document);
    let start = text.find(heading).unwrap_or_else(|| panic!("{document}: {heading}"));
    let section = text[start + heading.len()..].split("\n## ").next().unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> =
            line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect();
        if let Some(name) = cells[0].split('`').nth(1).map(str::to_owned) {
            assert!(!rows.contains_key(&name), "{document}: `{name}` has two rows");
            rows.insert(name, cells);
        }
    }
    rows
}

/// Every file beneath `folder` whose name ends in `ending`.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has files");
    found.sort();
    found
}

/// Every document: those at the top, those in `docs`, and the pages of the codes.
fn documents() -> Vec<PathBuf> {
    let top = fs::read_dir(root()).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = top.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    found.extend(files("docs", ".md"));
    found.extend(files("src/violation/pages", ".md"));
    found
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let link = Regex::new(r"\]\(([^)\s#]+)[^)]*\)").expect("a pattern");
    let mut seen = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("UTF-8");
        for found in link.captures_iter(&text).filter(|found| !found[1].contains("://")) {
            let target = document.parent().expect("a folder").join(&found[1]);
            assert!(target.exists(), "{} links to {}", document.display(), &found[1]);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} links");
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let path = Regex::new(r"`((?:src|tests|docs|config|schemas)/[\w./-]+)`").expect("a pattern");
    for document in documents() {
        let text = fs::read_to_string(&document).expect("UTF-8");
        for found in path.captures_iter(&text) {
            let placeholder = ["NAME", "SLUG"].iter().any(|word| found[1].contains(word));
            // The code map names what is under `src`.
            let there = ["", "src"].iter().any(|at| root().join(at).join(&found[1]).exists());
            assert!(placeholder || there, "{} names {}", document.display(), &found[1]);
        }
    }
}

#[test]
fn the_code_map_has_every_file_and_no_other() {
    let listed: BTreeSet<String> = rows("ARCHITECTURE.md", "## Code map").into_keys().collect();
    let source = root().join("src");
    let there: BTreeSet<String> = files("src", ".rs")
        .iter()
        .map(|path| path.strip_prefix(&source).expect("under src").display().to_string())
        .collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(missing.is_empty() && gone.is_empty(), "missing {missing:?}, not there {gone:?}");
}

/// What may be the name of a test, between backticks.
fn test_name() -> Regex {
    Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`").expect("a pattern")
}

/// All that is written in Rust.
fn code() -> String {
    let files = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    files.map(|path| fs::read_to_string(path).expect("UTF-8")).collect()
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let (name, code, text) = (test_name(), code(), text("ARCHITECTURE.md"));
    let named: Vec<_> = name.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

#[test]
fn every_event_that_a_document_names_is_logged() {
    let code: String =
        files("src", ".rs").iter().map(|path| fs::read_to_string(path).expect("UTF-8")).collect();
    for cells in rows("docs/access-log.md", "## Events").into_values() {
        for message in cells[0].split('`').skip(1).step_by(2) {
            assert!(code.contains(&format!("\"{message}\"")), "nothing logs `{message}`");
        }
    }
}

#[test]
fn every_file_in_config_is_valid_and_without_a_warning() {
    for path in files("config", ".yaml") {
        let checked = check(Source::Disk, &path).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(checked.warnings.0.is_empty(), "{}", checked.warnings);
    }
}

#[test]
fn every_file_in_config_tells_editors_of_its_schema() {
    for path in files("config", ".yaml") {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let said = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let said = said.unwrap_or_else(|| panic!("{} does not say", path.display()));
        let there = path.parent().expect("a folder").join(said).canonicalize().expect("a schema");
        let kind = text.lines().find_map(|line| line.strip_prefix("kind: ")).expect("a kind");
        let expected = root().join(format!("schemas/{}.schema.json", kind.to_lowercase()));
        assert_eq!(there, expected.canonicalize().expect("a schema"), "{}", path.display());
    }
}

/// One of each; a new variant does not compile until it is here.
fn every_rejection() -> Vec<Rejection> {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY));
    let policy = policy.expect("the shipped policy");
    let route = Arc::clone(policy.routes.iter().next().expect("a route"));
    let faults = [
        Fault::Broken,
        Fault::Paused(Duration::from_secs(1)),
        Fault::Proxy("it led to nobody"),
        Fault::Saturated,
        Fault::TooSlow,
        Fault::Unreachable(Obstacle::Other),
        Fault::Unreachable(Obstacle::Refused),
        Fault::Unreachable(Obstacle::Unroutable),
        Fault::Unreachable(Obstacle::Unresolved),
        Fault::Untrusted(Distrust::Alert),
        Fault::Untrusted(Distrust::Certificate),
        Fault::Untrusted(Distrust::Protocol),
        Fault::Unusable("it is of no use"),
    ];
    for fault in faults {
        match fault {
            Fault::Broken
            | Fault::Paused(_)
            | Fault::Proxy(_)
            | Fault::Saturated
            | Fault::TooSlow
            | Fault::Unreachable(
                Obstacle::Other | Obstacle::Refused | Obstacle::Unroutable | Obstacle::Unresolved,
            )
            | Fault::Untrusted(Distrust::Alert | Distrust::Certificate | Distrust::Protocol)
            | Fault::Unusable(_) => {}
        }
    }
    let held = |is_unavailable| HeldBack { wait: Duration::from_secs(1), is_unavailable };
    let violation = |code: &Code| Violations::from(Violation::new(*code, "it is at fault"));
    let mut every: Vec<_> = Code::ALL.iter().map(violation).map(Rejection::Refused).collect();
    every.extend(faults.map(Rejection::UpstreamFailed));
    every.extend(faults.map(Rejection::CurrentUnavailable));
    every.extend([
        Rejection::BodyTooLarge { max: 1 },
        Rejection::BodyTooSlow,
        Rejection::BodyUnreadable,
        Rejection::CodingMalformed,
        Rejection::CodingUnsupported { accepted: "identity" },
        Rejection::DeadlineExceeded,
        Rejection::ExpectationUnknown,
        Rejection::Failed,
        Rejection::HeadMalformed("it is malformed"),
        Rejection::HeadTooLarge,
        Rejection::HeadTooSlow,
        Rejection::HostUnknown,
        Rejection::CredentialUnavailable { wait: Duration::from_secs(1) },
        Rejection::AuditUnavailable,
        Rejection::KeysUnavailable,
        Rejection::LimitsUnavailable { wait: Duration::from_secs(1) },
        Rejection::LoopDetected,
        Rejection::MediaTypeUnsupported(route),
        Rejection::MethodNotAllowed { allow: "GET".into() },
        Rejection::MethodUnsupported,
        Rejection::NotAdmitted,
        Rejection::Overloaded,
        Rejection::RateLimited { wait: Duration::from_secs(1), violated: vec!["l".into()] },
        Rejection::TargetTooLong,
        Rejection::Unidentified { challenges: String::new() },
        Rejection::Unrouted,
        Rejection::UpstreamThrottled(held(false)),
        Rejection::UpstreamThrottled(held(true)),
    ]);
    for rejection in &every {
        match rejection {
            Rejection::BodyTooLarge { .. }
            | Rejection::BodyTooSlow
            | Rejection::BodyUnreadable
            | Rejection::CodingMalformed
            | Rejection::CodingUnsupported { .. }
            | Rejection::CurrentUnavailable(_)
            | Rejection::DeadlineExceeded
            | Rejection::ExpectationUnknown
            | Rejection::Failed
            | Rejection::HeadMalformed(_)
            | Rejection::HeadTooLarge
            | Rejection::HeadTooSlow
            | Rejection::HostUnknown
            | Rejection::CredentialUnavailable { .. }
            | Rejection::AuditUnavailable
            | Rejection::KeysUnavailable
            | Rejection::LimitsUnavailable { .. }
            | Rejection::LoopDetected
            | Rejection::MediaTypeUnsupported(_)
            | Rejection::MethodNotAllowed { .. }
            | Rejection::MethodUnsupported
            | Rejection::NotAdmitted
            | Rejection::Overloaded
            | Rejection::RateLimited { .. }
            | Rejection::Refused(_)
            | Rejection::TargetTooLong
            | Rejection::Unidentified { .. }
            | Rejection::Unrouted
            | Rejection::UpstreamFailed(_)
            | Rejection::UpstreamThrottled(_) => {}
        }
    }
    every
}

#[test]
fn every_rejection_has_its_row_with_its_statuses() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rejection in every_rejection() {
        let kind = kind(&rejection);
        known.entry(kind.slug.into()).or_default().insert(kind.status.as_str().into());
    }
    let rows = rows("docs/problems.md", "## Rejections");
    let documented: BTreeMap<String, BTreeSet<String>> = rows
        .into_iter()
        .map(|(slug, cells)| (slug, cells[1].split(", ").map(str::to_owned).collect()))
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn every_rejection_has_its_error_types_of_rfc_9209() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rejection in every_rejection() {
        for sent in [Sent::Nothing, Sent::Begun, Sent::Answered(http::StatusCode::OK)] {
            let types = known.entry(kind(&rejection).slug.into()).or_default();
            types.insert(error_type(&rejection, sent).to_owned());
        }
    }
    // One row may be about several slugs.
    let text = text("docs/problems.md");
    let section = text.split("\n## Proxy-Status\n").nth(1).expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    let names = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').collect();
        for slug in names(cells[0]) {
            let types = names(cells[1]).into_iter().collect();
            assert!(documented.insert(slug.clone(), types).is_none(), "`{slug}` has two rows");
        }
    }
    assert_eq!(documented, known);
}

#[test]
fn every_violation_has_its_row_with_its_status_and_its_page() {
    let mut rows = rows("docs/problems.md", "## Violations");
    for code in Code::ALL {
        let cells = rows.remove(code.slug()).unwrap_or_else(|| panic!("{code} has no row"));
        assert!(cells[0].contains(&format!("(../src/violation/pages/{code}.md)")), "{code}");
        let refused = Rejection::Refused(Violation::new(*code, "it is at fault").into());
        assert_eq!(cells[1], kind(&refused).status.as_str(), "{code}");
    }
    assert!(rows.is_empty(), "there are no such codes: {:?}", rows.keys());
}

#[test]
fn every_switch_of_the_sandbox_has_its_row_with_its_values_and_default() {
    let mut rows = rows("docs/sandbox.md", "## Switches");
    let cli = Cli::command();
    let sandbox = cli.find_subcommand("sandbox").expect("a command");
    for switch in sandbox.get_arguments() {
        let flag = format!("--{}", switch.get_long().expect("a long name"));
        let cells = rows.remove(&flag).unwrap_or_else(|| panic!("{flag} has no row"));
        for value in switch.get_possible_values() {
            assert!(cells[1].contains(&format!("`{}`", value.get_name())), "{flag}: {}", cells[1]);
        }
        let default = match switch.get_default_values() {
            [default] => format!("`{}`", default.to_string_lossy()),
            _ => "—".to_owned(),
        };
        assert_eq!(cells[2], default, "{flag}");
    }
    assert!(rows.is_empty(), "there are no such switches: {:?}", rows.keys());
}

#[test]
fn the_bench_measures_what_the_document_says() {
    let help = std::process::Command::new("python3")
        .args(["tests/bench/compare.py", "--help"])
        .current_dir(root())
        .env("COLUMNS", "300")
        .output()
        .expect("python runs");
    assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
    let help = String::from_utf8_lossy(&help.stdout);
    let (_, kinds) = help.split_once("what is measured: ").expect("the kinds");
    let (kinds, _) = kinds.split_once(';').expect("their end");
    let kinds: BTreeSet<String> = kinds.split(", ").map(str::to_owned).collect();
    let told: BTreeSet<String> =
        rows("docs/performance.md", "## How it is measured").into_keys().collect();
    assert_eq!(told, kinds);
}
