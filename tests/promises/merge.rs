//! The promises, for merge patches.

use super::document::{Json, leaf, node, state, value};
use super::judge::judge;
use super::route::route;
use super::tally::promise;
use super::world::world;
use super::{
    agree, documents, every_rule_decides, of, pairs, stands, the_state_is_asked_for_in_season,
};
use crate::oracle::Oracle;

use patchgate::policy::route::BodyForm;

use proptest::prelude::*;
use proptest::sample::select;
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
        let (mut route, oracle) = (route(world), Oracle::new(world));
        route.body = BodyForm::MergePatch;
        for (Json(patch), Json(document)) in pairs(patches, documents) {
            let (theirs, step) = oracle.judge_merge(patch, document);
            let ours = judge(&route, world.caller(), patch, Some(document));
            agree(&ours, &theirs, tally).map_err(|differs| of(patch, document, &differs))?;
            prop_assert_eq!(ours.step, step, "{} on {}", patch, document);
            if oracle.fits(document) {
                let alone = judge(&route, world.caller(), patch, None);
                stands(&alone, &theirs, tally).map_err(|differs| of(patch, document, &differs))?;
                let told = alone.step.is_none_or(|told| Some(told) == step);
                prop_assert!(told, "{} on {}: {:?}", patch, document, alone.step);
            }
        }
        Ok(())
    });
    every_rule_decides(&seen);
    the_state_is_asked_for_in_season(&seen);
}
