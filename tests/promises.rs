//! What the judge promises, held against random schemas, graphs, documents and patches. A second,
//! naive judge says what is true.

pub mod claims;
pub mod document;
pub mod exported;
pub mod judge;
pub mod merge;
pub mod patch;
pub mod route;
pub mod schema;
pub mod tally;
pub mod world;

use crate::oracle::{Oracle, pointers_of};
use claims::Claims;
use document::{Json, document};
use exported::Exported;
use judge::judge;
use patch::patch;
use route::{frozen, governing, keeping, reaching};
use tally::{Tally, promise};
use world::world;

use patchgate::json::Bounds;
use patchgate::patch::{Patch, Pointer, UnknownMembers, apply};
use patchgate::policy::Caller;
use patchgate::policy::route::BodyForm;
use patchgate::policy::schema::Schema;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use std::sync::Arc;

#[test]
fn with_the_state_the_verdict_is_that_of_the_naive_judge() {
    let input = (world(), documents(), patches());
    let seen = promise(500, input, |(world, documents, patches), tally| {
        let claims = Claims::of(world, BodyForm::JsonPatch);
        for (Json(patch), Json(document)) in pairs(patches, documents) {
            let theirs = claims.theirs(patch, document);
            claims.with_state(patch, document, &theirs, tally).map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    every_rule_decides(&seen);
    seen.at_least(10_000, &["only its patch"]);
}

#[test]
fn without_the_state_nothing_is_refused_or_permitted_that_the_state_would_turn() {
    let input = (world(), documents(), patches());
    let seen = promise(900, input, |(world, documents, patches), tally| {
        let claims = Claims::of(world, BodyForm::JsonPatch);
        let fitting: Vec<Json> =
            documents.iter().filter(|document| claims.fits(&document.0)).cloned().collect();
        for (Json(patch), Json(document)) in pairs(patches, &fitting) {
            let theirs = claims.theirs(patch, document);
            claims.without_state(patch, document, &theirs, tally).map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    the_state_is_asked_for_in_season(&seen);
    seen.at_least(100, &["tells the step"]);
}

#[test]
fn what_may_be_permitted_fits_the_exported_schema_and_what_is_refused_does_not() {
    let input = (world(), any::<bool>(), patches());
    let seen = promise(700, input, |(world, folds, patches), tally| {
        let mut route = route::route(world);
        let resource = Arc::get_mut(route.resource.as_mut().expect("a resource"));
        resource.expect("nobody else's").folds_case = *folds;
        let exported = Exported::of(&route);
        for Json(patch) in patches {
            let told = exported.tells(&route, world.caller(), patch, tally);
            told.map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    seen.at_least(1_000, &["may be permitted", "does not fit", "fits all the same"]);
}

#[test]
fn patches_apply_as_two_others_apply_them() {
    let seen = promise(1_000, (documents(), patches()), |(documents, patches), tally| {
        for Json(patch) in patches {
            let text = patch.to_string();
            let ours = Patch::read(text.as_bytes(), Bounds::default(), UnknownMembers::Refuse);
            let ours = ours.expect("a patch");
            let crates: json_patch::Patch = serde_json::from_value(patch.clone()).expect("a patch");
            for Json(document) in documents {
                let applied = apply(&ours, document.into()).ok();
                let naive = Oracle::apply(patch, document);
                tally.note(if naive.is_some() { "applies" } else { "does not" });
                let known = naive.as_ref().map(Into::into);
                prop_assert_eq!(&applied, &known, "{} on {}", patch, document);
                let mut after = document.clone();
                let after = json_patch::patch_unsafe(&mut after, &crates).is_ok().then_some(after);
                prop_assert_eq!(&naive, &after, "{} on {}", patch, document);
            }
        }
        Ok(())
    });
    seen.at_least(10_000, &["applies", "does not"]);
}

#[test]
fn nothing_governed_changes_without_its_rule_being_asked() {
    let input = (documents(), patches(), any::<prop::sample::Index>());
    let seen = promise(700, input, |(documents, patches, which), tally| {
        for (Json(patch), Json(before)) in pairs(patches, documents) {
            let text = patch.to_string();
            let read = Patch::read(text.as_bytes(), Bounds::default(), UnknownMembers::Refuse);
            let read = read.expect("a patch");
            let changed = Oracle::apply(patch, before).map(|after| changed(before, &after));
            let changed = changed.filter(|changed| !changed.is_empty());
            let Some(changed) = changed else { continue };
            tally.note("something changes");
            let pointer = which.get(&changed);
            let governed = Pointer::parse(pointer.as_str()).expect("a pointer");
            prop_assert!(
                read.effects().any(|effect| effect.may_change(&governed)),
                "{patch} changes `{pointer}` of {before} unseen"
            );
            for route in governing(pointer) {
                for current in [None, Some(before)] {
                    let ours = judge(&route, Caller::default(), patch, current);
                    let past = format!("`{pointer}` is changed past {:?}", route.rules[0]);
                    prop_assert_ne!(ours.permits, Some(true), "{} on {}: {}", patch, before, past);
                    tally.note(match ours.permits {
                        None => "the rule asks for the state",
                        Some(_) => "the rule refuses",
                    });
                }
            }
        }
        Ok(())
    });
    seen.at_least(10_000, &["something changes", "the rule refuses"]);
    seen.at_least(5_000, &["the rule asks for the state"]);
}

/// Found by these promises: an element that is put in moves those behind it to places of which
/// the schema, or a pattern, says something else.
#[test]
fn what_is_moved_up_or_down_is_not_changed_unasked() {
    let first = json!([{"properties": {"v": {}}}]);
    let item = json!({"properties": {"id": {"readOnly": true}}});
    let things = json!({"type": "array", "prefixItems": first, "items": item});
    let schema = Schema::new(&json!({"properties": {"t": things}})).expect("a schema");
    let read_only = keeping("/other", &Arc::new(schema));
    let open = Arc::new(Schema::new(&json!({})).expect("a schema"));
    let routes = [read_only, keeping("/t/1/*", &open), keeping("/t/1/**", &open)];
    let document = json!({"t": [{"id": 0}, {"id": 1}]});
    for route in &routes {
        for op in [
            json!({"op": "add", "path": "/t/0", "value": {}}),
            json!({"op": "remove", "path": "/t/0"}),
            json!({"op": "move", "from": "/t/0", "path": "/x"}),
            json!({"op": "copy", "from": "/y", "path": "/t/0"}),
        ] {
            let alone = judge(route, Caller::default(), &json!([op]), None);
            assert_eq!(alone.permits, None, "{op}: {:?}", route.rules);
        }
        let added = json!([{"op": "add", "path": "/t/0", "value": {}}]);
        let whole = judge(route, Caller::default(), &added, Some(&document));
        assert_eq!(whole.permits, Some(false), "{:?}", route.rules);
    }
}

/// Found by fuzzing: what is taken away may be of an element that the patch itself has put in.
#[test]
fn what_a_patch_puts_in_it_may_take_out_again() {
    let item = json!({"properties": {"id": {}, "v": {"readOnly": true}}});
    let schema = json!({"properties": {"t": {"items": item}}});
    let route = keeping("/other", &Arc::new(Schema::new(&schema).expect("a schema")));
    let put = |at| json!({"op": "add", "path": at, "value": {"id": 1, "v": 0}});
    let take = |at| json!({"op": "remove", "path": at});
    for (ops, permits) in [
        (json!([take("/t/0/v")]), Some(false)),
        (json!([put("/t/-"), take("/t/0/v")]), None),
        (json!([put("/t/0"), take("/t/1/v")]), None),
        // What stands before is not moved.
        (json!([take("/t/0/v"), put("/t/1")]), Some(false)),
    ] {
        let alone = judge(&route, Caller::default(), &ops, None);
        assert_eq!(alone.permits, permits, "{ops}: {}", alone.why);
    }
    let ops = json!([put("/t/-"), take("/t/0/v")]);
    for (document, permits) in [(json!({"t": []}), true), (json!({"t": [{"v": 0}]}), false)] {
        let whole = judge(&route, Caller::default(), &ops, Some(&document));
        assert_eq!(whole.permits, Some(permits), "{document}: {}", whole.why);
    }
}

/// Found by fuzzing: in an object `-` is a name, wherever one may stand.
#[test]
fn a_member_may_be_called_as_the_place_behind_the_last_element_is() {
    let schema = json!({"properties": {"l": {"type": "array"}, "m": {"type": "object"}, "x": {}}});
    let route = reaching("/**", &Arc::new(Schema::new(&schema).expect("a schema")));
    let document = json!({"l": [], "m": {"-": 1}, "x": {"-": 1}});
    for op in ["remove", "replace", "test"] {
        for (place, alone) in [("/l/-", Some(false)), ("/m/-", Some(true)), ("/x/-", Some(true))] {
            let ops = json!([{"op": op, "path": place, "value": 1}]);
            let ops = if op == "remove" { json!([{"op": op, "path": place}]) } else { ops };
            let judged = judge(&route, Caller::default(), &ops, None);
            assert_eq!(judged.permits, alone, "{ops}: {}", judged.why);
            let whole = judge(&route, Caller::default(), &ops, Some(&document));
            assert_eq!(whole.permits, alone, "{ops}: {}", whole.why);
        }
    }
}

/// Found by these promises: what a patch tells of one governed field does not tell the state.
#[test]
fn half_a_state_freezes_nothing() {
    let frozen = frozen(&["/status", "/sub"], "C/y", "C/*");
    let test = |field, value| json!({"op": "test", "path": field, "value": value});
    let edit = json!({"op": "add", "path": "/n", "value": 1});
    for (ops, permits) in [
        (json!([test("/status", "C"), edit]), None),
        (json!([test("/status", "C"), test("/sub", "y"), edit]), Some(false)),
    ] {
        assert_eq!(judge(&frozen, Caller::default(), &ops, None).permits, permits, "{ops}");
    }
    let other = json!({"status": "C", "sub": "x"});
    let ops = json!([test("/status", "C"), edit]);
    assert_eq!(judge(&frozen, Caller::default(), &ops, Some(&other)).permits, Some(true));
}

/// Of the rules, each is often the only one to refuse: at most half as often as was seen at least in many runs, and a
/// quarter where it is seldom.
fn every_rule_decides(seen: &Tally) {
    seen.at_least(10_000, &["applies"]);
    seen.at_least(1_000, &["permitted"]);
    seen.at_least(250, &["only its path", "only its result"]);
    seen.at_least(50, &["only its place", "only its value", "only what is kept"]);
    seen.at_least(100, &["only the state", "only the step"]);
    seen.at_least(10, &["only its op", "only one field of the state", "only who takes it"]);
    seen.at_least(15, &["only what is frozen"]);
}

fn the_state_is_asked_for_in_season(seen: &Tally) {
    seen.at_least(10_000, &["applies to what fits"]);
    seen.at_least(4_000, &["refused alone"]);
    seen.at_least(400, &["permitted alone", "asks, and is permitted", "asks, and is refused"]);
}

fn documents() -> impl Strategy<Value = Vec<Json>> {
    prop::collection::vec(document(), 5)
}

fn patches() -> impl Strategy<Value = Vec<Json>> {
    prop::collection::vec(patch(), 10)
}

/// Each patch with each document.
fn pairs<'p>(
    patches: &'p [Json],
    documents: &'p [Json],
) -> impl Iterator<Item = (&'p Json, &'p Json)> {
    patches.iter().flat_map(move |patch| documents.iter().map(move |document| (patch, document)))
}

/// The places where two documents differ.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    pointers_of("", before, &mut pointers);
    pointers_of("", after, &mut pointers);
    pointers.retain(|pointer| before.pointer(pointer) != after.pointer(pointer));
    pointers
}
