//! The promises, for merge patches.

use super::claims::Claims;
use super::document::{Json, leaf, node, state, value};
use super::tally::promise;
use super::world::world;
use super::{documents, every_rule_decides, pairs, the_state_is_asked_for_in_season};

use patchgate::policy::route::BodyForm;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use serde_json::Value;

pub fn merge_patch() -> impl Strategy<Value = Json> {
    let inner = || prop_oneof![3 => leaf(), 1 => value()];
    let d = prop::collection::btree_map(select(vec!["a", "b", "A", "x_1", "z"]), inner(), 0..3);
    let t = prop::collection::btree_map(select(vec!["0", "1", "-"]), inner(), 0..2);
    let object = |members: std::collections::BTreeMap<&str, Value>| -> Value {
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let pair =
        state().prop_map(|(status, sub)| vec![("status", status.into()), ("sub", sub.into())]);
    let names = vec!["status", "sub", "n", "free", "t", "other", "Status", "a/b"];
    let number = (0..4i64).prop_map(Value::from);
    let other = prop_oneof![
        3 => d.prop_map(move |members| vec![("d", object(members))]),
        1 => t.prop_map(move |members| vec![("t", object(members))]),
        1 => node().prop_map(|node| vec![("r", node)]),
        2 => (select(vec!["n", "a/b"]), number).prop_map(|(name, value)| vec![(name, value)]),
        2 => (select(names), inner()).prop_map(|(name, value)| vec![(name, value)]),
        2 => pair,
        1 => state().prop_map(|(status, _)| vec![("status", status.into())]),
    ];
    prop::collection::vec(other, 0..3).prop_map(|parts| {
        let members = parts.into_iter().flatten();
        Json(members.map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

#[test]
fn a_merge_patch_is_judged_as_the_naive_judge_does() {
    let input = (world(), documents(), prop::collection::vec(merge_patch(), 10));
    let seen = promise(450, input, |(world, documents, patches), tally| {
        let claims = Claims::of(world, BodyForm::MergePatch);
        for (Json(patch), Json(document)) in pairs(patches, documents) {
            let theirs = claims.theirs(patch, document);
            claims.with_state(patch, document, &theirs, tally).map_err(TestCaseError::fail)?;
            if claims.fits(document) {
                claims
                    .without_state(patch, document, &theirs, tally)
                    .map_err(TestCaseError::fail)?;
            }
        }
        Ok(())
    });
    every_rule_decides(&seen);
    the_state_is_asked_for_in_season(&seen);
}
