//! The public RFC 6902 suite (json-patch/json-patch-tests), against our reader and application.

use patchgate::json::{Bounds, read};
use patchgate::patch::{Patch, UnknownMembers, apply};

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

/// The patches of a suite as they are written. Read into values, those that name a member twice
/// would lose one of the two.
fn patches(suite: &str) -> impl Iterator<Item = &str> {
    suite.split("\"patch\":").skip(1).map(|rest| {
        let mut values = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        assert!(values.next().is_some_and(|value| value.is_ok()), "a patch");
        &rest[..values.byte_offset()]
    })
}

fn run(suite: &str) -> usize {
    let entries: Vec<Value> = serde_json::from_str(suite).expect("JSON");
    assert_eq!(patches(suite).count(), entries.len(), "each entry has its patch");
    // What the suite disables, it disables for the sake of others; it runs here as well.
    for (entry, patch) in entries.iter().zip(patches(suite)) {
        let comment = entry["comment"].as_str().unwrap_or("without comment");
        let document = entry["doc"].to_string();
        let document = read(document.as_bytes(), Bounds::default()).expect("a document");
        let read = Patch::read(patch.as_bytes(), Bounds::default(), UnknownMembers::Permit)
            .map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        let result = read
            .as_ref()
            .map_err(String::clone)
            .and_then(|patch| apply(patch, document).map_err(|error| error.reason.to_string()));
        match (entry.get("error"), result) {
            (None, Ok(found)) => {
                let Some(expected) = entry.get("expected") else { continue };
                assert_eq!(found, patchgate::json::Value::from(expected), "{comment}: {patch}");
            }
            (None, Err(error)) => panic!("{comment}: {patch}: {error}"),
            (Some(_), Ok(found)) => panic!("{comment}: {patch} made {found}"),
            (Some(_), Err(_)) => {}
        }
    }
    entries.len()
}

#[test]
fn the_public_suite_passes() {
    let ran = run(include_str!("data/json-patch-tests/tests.json"))
        + run(include_str!("data/json-patch-tests/spec_tests.json"));
    assert_eq!(ran, 112, "every entry");
}
