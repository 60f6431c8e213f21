//! The program as people use it: what it prints, and the code that it exits with.

mod audit;
mod callers;
mod credentials;
mod documents;
mod egress;
mod export;
mod graph;
mod init;
mod keys;
mod killed;
mod lifecycle;
mod lint;
mod load;
mod logging;
mod names;
mod oauth;
mod operating;
mod policy;
pub mod process;
mod reloading;
mod replay;
mod secrets;
mod serving;
mod shadow;
mod soak;
mod store;
mod terminal;
mod testing;
mod tokens;
mod tracing;
mod whoami;

use process::{Finished, PROGRAM, gateway_file, patchgate};

use patchgate::violation::Code;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

const WON: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;

/// A file in `folder`, and its path as an argument.
pub fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// The sample referral in `state`.
pub fn referral(state: &str) -> String {
    let seeds = include_str!("../src/sandbox/seeds.json");
    let seeds: Vec<serde_json::Value> = serde_json::from_str(seeds).expect("JSON");
    seeds.iter().find(|seed| seed["substatus"] == state).expect("a seed").to_string()
}

#[test]
fn the_demo_sends_the_three_samples_and_exits_with_0() {
    let Finished { code, out, err } = patchgate(&["demo", "--once"]);
    assert_eq!(code, 0, "{out}{err}");
    for (sample, answer) in [
        ("sample 1", "→ permitted, and applied by the API: 204"),
        ("sample 2", "→ permitted, and applied by the API: 204"),
        ("sample 3", "→ permitted, and applied by the API: 200"),
        ("a referral that was lost", "→ refused by the gateway: 409"),
    ] {
        let shown = out.split("\n── ").find(|shown| shown.starts_with(sample));
        assert!(shown.is_some_and(|shown| shown.contains(answer)), "{sample}: {out}");
    }
    assert!(out.ends_with("13 requests, 0 not answered as expected\n"), "{out}");
}

const BROKEN: &str = "apiVersion: patchgate/v1
kind: Gateway
listen: nowhere
polcy: x.yaml
policy: missing.yaml
upstream:
  url: ftp://x
  connect_timeout: soon
log:
  level: a=b=c
via: a b
forwarded:
  trusted: [127.0.0.1, 10.0.0.1/8]
";

/// Where the faults of [`BROKEN`] are, and what is said of each.
const FAULTS: [(&str, &str); 8] = [
    ("broken.yaml:3:1: ", "`listen` is not an address"),
    ("broken.yaml:4:1: ", "did you mean `policy`?"),
    ("broken.yaml:7:3: ", "`url` is neither"),
    ("broken.yaml:8:3: ", "`connect_timeout` is not written right"),
    ("broken.yaml:10:3: ", "`level` is no filter"),
    ("broken.yaml:11:1: ", "`via` is `off`, or a name"),
    ("broken.yaml:13:24: ", "this is no network"),
    ("missing.yaml: ", "cannot be read"),
];

fn assert_every_fault_is_told(err: &str) {
    for (place, message) in FAULTS {
        let told = err.lines().any(|line| line.contains(place) && line.contains(message));
        assert!(told, "{place}{message}\n{err}");
    }
    assert_eq!(err.lines().count(), FAULTS.len(), "{err}");
}

#[test]
fn check_prints_every_fault_with_its_place_and_exits_with_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = file(&folder, "broken.yaml", BROKEN);
    let valid = "config/patchgate.yaml";
    let Finished { code, out, err } = patchgate(&["check", &broken, valid]);
    assert_eq!(code, 1, "{err}");
    assert_every_fault_is_told(&err);
    assert!(out.starts_with("config/patchgate.yaml is valid: gateway, policy"), "{out}");
}

#[test]
fn check_of_a_file_that_cannot_be_read_exits_with_2_whatever_the_others_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = file(&folder, "broken.yaml", BROKEN);
    let none = folder.path().join("none.yaml").display().to_string();
    for unreadable in [none.as_str(), &folder.path().display().to_string()] {
        let Finished { code, err, .. } = patchgate(&["check", &broken, unreadable]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(&format!("{unreadable}: cannot be read")), "{err}");
    }
    assert_eq!(patchgate(&["check"]).code, 2);
}

#[test]
fn run_with_a_faulty_configuration_prints_every_fault_and_exits_with_78() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = file(&folder, "broken.yaml", BROKEN);
    let Finished { code, err, .. } = patchgate(&["run", "--config", &broken]);
    assert_eq!(code, 78, "{err}");
    assert_every_fault_is_told(&err);
    let none = folder.path().join("none.yaml").display().to_string();
    assert_eq!(patchgate(&["run", "--config", &none]).code, 78);
}

#[test]
fn what_cannot_listen_names_the_address_and_exits_with_71() {
    let folder = tempfile::tempdir().expect("a folder");
    let holder = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    let callers = format!("listen: {taken}");
    let admin = format!("listen: 127.0.0.1:0\nadmin: {{ listen: \"{taken}\" }}");
    for listen in [callers, admin] {
        let config = gateway_file(&folder, &format!("{listen}\nupstream: {{ url: sandbox }}"));
        let Finished { code, err, .. } = patchgate(&["run", "--config", &config]);
        assert_eq!(code, 71, "{err}");
        assert_eq!(err.matches(&taken).count(), 1, "{err}");
    }
    let Finished { code, err, .. } = patchgate(&["sandbox", "--listen", &taken]);
    assert_eq!((code, err.matches(&taken).count()), (71, 1), "{err}");
}

#[test]
fn explain_exits_with_what_the_judge_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let won = file(&folder, "won.json", WON);
    let note = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
    let note = file(&folder, "note.json", note);
    let active = file(&folder, "active.json", &referral("Accepted"));
    let lost = file(&folder, "lost.json", &referral("Lost"));
    for (arguments, expected, said) in [
        (vec![&*note], 0, "\npermit\n"),
        (vec!["--current", &active, &won], 0, "\npermit, pinned to the version \""),
        (vec!["--current", &lost, &won], 1, "accepted: Closed/Lost"),
        (vec!["--current", &active, "--if-match", "\"x\"", &won], 1, "if-match-failed"),
        (vec![&*won], 2, "needs the current state"),
    ] {
        let Finished { code, out, err } = patchgate(&[&["explain"], &*arguments].concat());
        assert_eq!(code, expected, "{arguments:?}: {out}{err}");
        assert!(out.contains(said), "{arguments:?}: {out}");
    }
    for arguments in [
        ["explain", "--path", "/nowhere", &*note],
        ["explain", "--method", "PUT", &note],
        ["explain", "--policy", "none.yaml", &note],
        ["explain", "--current", "none.json", &won],
    ] {
        let Finished { code, err, .. } = patchgate(&arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.starts_with("patchgate: "), "{err}");
    }
}

#[test]
fn explain_of_a_code_prints_its_page_and_a_misspelt_one_is_recognised() {
    let Finished { code, out, .. } = patchgate(&["explain", "transition-forbidden"]);
    assert_eq!((code, out.as_str()), (0, Code::TransitionForbidden.page()));
    let Finished { code, err, .. } = patchgate(&["explain", "transition-forbiden"]);
    assert_eq!(code, 2);
    assert!(err.contains("did you mean the code `transition-forbidden`?"), "{err}");
    assert!(!Path::new("transition-forbiden").exists());
}

#[test]
fn a_reader_that_has_seen_enough_changes_no_exit_code() {
    for (arguments, code) in
        [(&["demo", "--once"][..], 0), (&["schema", "policy"], 0), (&["explain", "op-unknown"], 0)]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let finished = Command::new(PROGRAM)
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("a process");
        let err = String::from_utf8_lossy(&finished.stderr);
        assert_eq!((finished.status.code(), &*err), (Some(code), ""), "{arguments:?}");
    }
}
