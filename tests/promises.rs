//! What the judge promises, held against random schemas, graphs, documents and patches. A second,
//! naive judge says what is true.

mod document;
mod merge;
mod patch;
mod route;
mod schema;
pub mod world;

use crate::oracle::{Oracle, pointers_of};
use document::{Json, document};
use patch::patch;
use route::{governing, route};
use world::world;

use patchgate::json::Bounds;
use patchgate::patch::{Patch, Pointer, UnknownMembers, apply};
use patchgate::policy::{Caller, Current, Facts, IfMatch, Policy, Route, Verdict};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

/// What the judge says, and why.
fn judge(
    route: &Route,
    caller: Caller<'_>,
    patch: &Value,
    current: Option<&Value>,
) -> (Option<bool>, String) {
    let body = Bytes::from(patch.to_string());
    let facts = Facts::read(route, caller, &IfMatch::Absent, &body);
    let text = current.map(Value::to_string);
    let current = (text.as_deref())
        .map(|text| Current::read(route, Some("\"tag\""), text.as_bytes()).expect("a document"));
    match Policy::default().judge(&facts, current.as_ref()).verdict {
        Verdict::NeedsCurrent(_) => (None, "the current state decides".into()),
        Verdict::Permit(permit) => {
            let pin = permit.pin().map(|tag| tag.as_str());
            assert_eq!(pin, current.map(|_| "\"tag\""), "what is pinned is what was judged");
            assert_eq!(permit.body(), &body, "judged bytes are sent bytes");
            (Some(true), "permitted".into())
        }
        Verdict::Refuse(found) => {
            let told: Vec<_> = found.iter().map(ToString::to_string).collect();
            (Some(false), told.join("; "))
        }
    }
}

/// How many random worlds each promise is held against.
fn cases() -> u32 {
    std::env::var("PROMISES").ok().and_then(|count| count.parse().ok()).unwrap_or(2500)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_global_rejects: 10_000_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn with_the_state_the_verdict_is_that_of_the_naive_judge(
        world in world(),
        documents in prop::collection::vec(document(), 4),
        patches in prop::collection::vec(patch(), 4),
    ) {
        let (route, oracle) = (route(&world), Oracle::new(&world));
        for Json(patch) in &patches {
            for Json(document) in &documents {
                let (ours, why) = judge(&route, world.caller(), patch, Some(document));
                let theirs = oracle.judge(patch, document);
                prop_assert_eq!(
                    ours, Some(theirs.is_ok()), "{} on {}: {}; {:?}", patch, document, why, theirs
                );
            }
        }
    }

    #[test]
    fn no_false_refusal_and_no_false_permit(
        world in world(),
        documents in prop::collection::vec(document(), 4),
        patches in prop::collection::vec(patch(), 4),
    ) {
        let (route, oracle) = (route(&world), Oracle::new(&world));
        for Json(patch) in &patches {
            let (alone, why) = judge(&route, world.caller(), patch, None);
            for Json(document) in documents.iter().filter(|document| oracle.fits(&document.0)) {
                let theirs = oracle.judge(patch, document);
                match (alone, theirs) {
                    (Some(false), Ok(after)) => {
                        prop_assert!(false, "false refusal: {patch} on {document} makes {after}: {why}")
                    }
                    (Some(true), Err(wrong)) if Oracle::apply(patch, document).is_some() => {
                        prop_assert!(false, "false permit: {patch} on {document}: {wrong}")
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn patches_apply_as_two_others_apply_them(
        documents in prop::collection::vec(document(), 4),
        patches in prop::collection::vec(patch(), 4),
    ) {
        for Json(patch) in &patches {
            let text = patch.to_string();
            let ours = Patch::read(text.as_bytes(), Bounds::default(), UnknownMembers::Refuse);
            let ours = ours.expect("a patch");
            let crates: json_patch::Patch = serde_json::from_value(patch.clone()).expect("a patch");
            for Json(document) in &documents {
                let applied = apply(&ours, document.into()).ok();
                let naive = Oracle::apply(patch, document);
                prop_assert_eq!(&applied, &naive.as_ref().map(Into::into), "{} on {}", patch, document);
                let mut after = document.clone();
                let after = json_patch::patch_unsafe(&mut after, &crates).is_ok().then_some(after);
                prop_assert_eq!(&naive, &after, "{} on {}", patch, document);
            }
        }
    }

    #[test]
    fn nothing_governed_changes_without_its_rule_being_asked(
        documents in prop::collection::vec(document(), 4),
        patches in prop::collection::vec(patch(), 4),
        which in any::<prop::sample::Index>(),
    ) {
        for Json(patch) in &patches {
            let text = patch.to_string();
            let read = Patch::read(text.as_bytes(), Bounds::default(), UnknownMembers::Refuse);
            let read = read.expect("a patch");
            for Json(before) in &documents {
                let changed = Oracle::apply(patch, before).map(|after| changed(before, &after));
                let changed = changed.filter(|changed| !changed.is_empty());
                let Some(changed) = changed else { continue };
                let pointer = which.get(&changed);
                let governed = Pointer::parse(pointer.as_str()).expect("a pointer");
                prop_assert!(
                    read.effects().any(|effect| effect.may_change(&governed)),
                    "{patch} changes `{pointer}` of {before} unseen"
                );
                for route in governing(pointer) {
                    for current in [None, Some(before)] {
                        let (verdict, _) = judge(&route, Caller::default(), patch, current);
                        let rule = &route.rules[0];
                        prop_assert_ne!(
                            verdict, Some(true), "{} changes `{}` of {} past {:?}", patch, pointer, before, rule
                        );
                    }
                }
            }
        }
    }
}

/// The places where two documents differ.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    pointers_of("", before, &mut pointers);
    pointers_of("", after, &mut pointers);
    pointers.retain(|pointer| before.pointer(pointer) != after.pointer(pointer));
    pointers
}
