//! The public RFC 6902 suite (json-patch/json-patch-tests), against our reader and application.

use patchgate::json::{Bounds, read};
use patchgate::patch::{Patch, UnknownMembers, apply};

use serde_json::Value;

fn run(suite: &str) -> usize {
    let entries: Vec<Value> = serde_json::from_str(suite).expect("JSON");
    let mut ran = 0;
    for entry in entries {
        let comment = entry["comment"].as_str().unwrap_or("without comment").to_owned();
        if entry["disabled"] == true || entry.get("patch").is_none() {
            continue;
        }
        ran += 1;
        let document = entry["doc"].to_string();
        let document = read(document.as_bytes(), Bounds::default()).expect("a document");
        let patch = entry["patch"].to_string();
        let result = Patch::read(patch.as_bytes(), Bounds::default(), UnknownMembers::Permit)
            .map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            .and_then(|patch| apply(&patch, document).map_err(|error| error.reason.to_string()));
        match (entry.get("expected"), result) {
            (Some(expected), Ok(found)) => {
                assert_eq!(found, patchgate::json::Value::from(expected), "{comment}: {patch}");
            }
            (Some(_), Err(error)) => panic!("{comment}: {patch}: {error}"),
            (None, Ok(found)) if entry.get("error").is_some() => {
                panic!("{comment}: {patch} made {found}")
            }
            (None, _) => {}
        }
    }
    ran
}

#[test]
fn the_public_suite_passes() {
    let ran = run(include_str!("data/json-patch-tests/tests.json"))
        + run(include_str!("data/json-patch-tests/spec_tests.json"));
    assert_eq!(ran, 108, "every enabled entry");
}
