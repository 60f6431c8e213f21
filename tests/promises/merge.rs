//! The promises, for merge patches.

use super::document::{Json, document, leaf, value};
use super::route::route;
use super::world::world;
use super::{cases, judge};
use crate::oracle::Oracle;

use patchgate::policy::route::BodyForm;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

fn merge_patch() -> impl Strategy<Value = Json> {
    let inner = || prop_oneof![3 => leaf(), 1 => value()];
    let d = prop::collection::btree_map(select(vec!["a", "b", "A", "z"]), inner(), 0..3);
    let t = prop::collection::btree_map(select(vec!["0", "1", "-"]), inner(), 0..2);
    let object = |members: std::collections::BTreeMap<&str, Value>| -> Value {
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let pair = (select(vec!["A", "B", "C"]), select(vec!["x", "y"]));
    let pair = pair.prop_map(|(status, sub)| vec![("status", status.into()), ("sub", sub.into())]);
    let other = prop_oneof![
        3 => d.prop_map(move |members| vec![("d", object(members))]),
        1 => t.prop_map(move |members| vec![("t", object(members))]),
        3 => (select(vec!["status", "sub", "n", "free", "t", "other", "Status"]), inner())
            .prop_map(|(name, value)| vec![(name, value)]),
        2 => pair,
    ];
    prop::collection::vec(other, 0..3).prop_map(|parts| {
        let members = parts.into_iter().flatten();
        Json(members.map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_global_rejects: 10_000_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_merge_patch_is_judged_as_the_naive_judge_does(
        world in world(),
        documents in prop::collection::vec(document(), 4),
        patches in prop::collection::vec(merge_patch(), 4),
    ) {
        let (mut route, oracle) = (route(&world), Oracle::new(&world));
        route.body = BodyForm::MergePatch;
        for Json(patch) in &patches {
            let (alone, why) = judge(&route, world.caller(), patch, None);
            for Json(document) in &documents {
                let theirs = oracle.judge_merge(patch, document);
                let (ours, told) = judge(&route, world.caller(), patch, Some(document));
                prop_assert_eq!(
                    ours, Some(theirs.is_ok()), "{} on {}: {}; {:?}", patch, document, told, theirs
                );
                if oracle.fits(document) {
                    let sound = alone.is_none_or(|alone| alone == theirs.is_ok());
                    prop_assert!(sound, "{patch} on {document}: {alone:?} {why}; {theirs:?}");
                }
            }
        }
    }
}
