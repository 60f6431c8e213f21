//! Patches, read and applied, beside the crate `json-patch`.

use patchgate::json::{Bounds, Value, read};
use patchgate::patch::apply::Reason;
use patchgate::patch::{Patch, UnknownMembers, apply};

/// The first line of the input is a patch, the rest is a document.
pub fn run(text: &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let (patch, document) = text.split_at(end);
    let document = document.get(1..).unwrap_or_default();
    let strict = Patch::read(patch, Bounds::default(), UnknownMembers::Refuse);
    let Ok(ours) = Patch::read(patch, Bounds::default(), UnknownMembers::Permit) else {
        return assert!(strict.is_err(), "only the stricter one reads it");
    };
    assert!(strict.is_err() || strict.is_ok_and(|strict| strict.ops.len() == ours.ops.len()));
    let theirs: json_patch::Patch = serde_json::from_slice(patch).expect("only ours reads it");
    assert_eq!(ours.ops.len(), theirs.0.len());
    let Ok(before) = read(document, Bounds::default()) else { return };
    let mut after: serde_json::Value = serde_json::from_slice(document).expect("a document");
    let applied = apply(&ours, before.clone());
    if applied.as_ref().is_err_and(|failed| failed.reason == Reason::CopyBudget) {
        return;
    }
    let theirs = json_patch::patch_unsafe(&mut after, &theirs);
    // That crate takes an index with a sign, and compares numbers by how they are written.
    let tests = ours.ops.iter().any(|op| op.name().as_str() == "test");
    match (&applied, &theirs) {
        (Ok(ours), Ok(())) => assert_eq!(*ours, Value::from(&after)),
        (Ok(_), Err(error)) => assert!(tests, "only ours applies it: {error}"),
        (Err(failed), Ok(())) => {
            let signed = failed.pointer.split('/').any(|token| token.starts_with('+'));
            assert!(signed, "only theirs applies it: {failed:?}");
        }
        (Err(_), Err(_)) => {}
    }
}
