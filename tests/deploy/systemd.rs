//! The units, `deploy/systemd`: held against systemd itself, which runs the installed package with
//! every restriction in force.

use super::debian::in_a_debian;
use super::observing::{word, yaml};
use crate::docs::{rows, text};

use patchgate::cli::Cli;

use clap::CommandFactory;

use std::collections::BTreeSet;

const SERVICE: &str = "deploy/systemd/patchgate.service";

/// The settings of a unit, in their order.
fn settings(unit: &str) -> Vec<(String, String)> {
    let text = text(unit);
    let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
    let parted = lines.filter_map(|line| line.split_once('='));
    parted.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The one value that `key` has in a unit.
fn value(unit: &str, key: &str) -> String {
    let mut found = settings(unit).into_iter().filter(|(other, _)| other == key);
    let value = found.next().unwrap_or_else(|| panic!("{unit}: no {key}")).1;
    assert!(found.next().is_none(), "{unit}: {key} stands there twice");
    value
}

#[test]
fn systemd_starts_watches_reloads_and_stops_it_with_every_restriction_in_force() {
    in_a_debian("booted", "service.steps");
}

#[test]
fn the_units_start_what_the_program_knows_and_listen_where_it_would() {
    let command = value(SERVICE, "ExecStart");
    let parsed = Cli::command().try_get_matches_from(command.split(' '));
    assert!(parsed.is_ok(), "{command}: {}", parsed.expect_err("a fault"));
    let seconds = |key: &str| -> u64 {
        let value = value(SERVICE, key);
        value.strip_suffix('s').and_then(|number| number.parse().ok()).expect("seconds")
    };
    let drain = yaml("config/egress.yaml")["timeouts"]["drain"].clone();
    let drain: u64 = word(&drain).trim_end_matches('s').parse().expect("seconds");
    assert!(seconds("TimeoutStopSec") >= 2 * drain, "no drain of the examples is cut short");
    assert_eq!(value(SERVICE, "RestartPreventExitStatus"), "78", "`run` ends so with a fault");
    let shown = yaml("config/patchgate.yaml");
    for (unit, name, listen) in [
        ("deploy/systemd/patchgate.socket", "callers", &shown["listen"]),
        ("deploy/systemd/patchgate-admin.socket", "admin", &shown["admin"]["listen"]),
    ] {
        assert_eq!(value(unit, "FileDescriptorName"), name);
        assert_eq!(value(unit, "ListenStream"), word(listen), "{unit}");
    }
}

#[test]
fn the_document_tells_of_every_restriction_and_of_none_that_is_not_there() {
    let text = text(SERVICE);
    let start = text.find("# What it may do.").expect("the restrictions");
    let kept = text[start..].split("\n[").next().expect("a section");
    let lines = kept.lines().filter(|line| !line.starts_with('#'));
    let kept: BTreeSet<_> =
        lines.filter_map(|line| line.split_once('=')).map(|(key, _)| key.to_owned()).collect();
    assert!(kept.len() > 25, "{kept:?}");
    let told = rows("docs/packages.md", "## What each restriction costs");
    assert_eq!(told.into_keys().collect::<BTreeSet<_>>(), kept);
}
