//! What the judge promises, held against random schemas, graphs, documents and patches. Two other
//! crates say what is true: `json-patch` applies, and `jsonschema` validates its own trees.

mod document;
mod patch;
mod route;
mod schema;
pub mod world;

use crate::oracle::wrong;
use document::document;
use patch::patch;
use route::route;
use world::world;

use patchgate::policy::{Current, Facts, IfMatch, Policy, Verdict};

use bytes::Bytes;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROMISES").ok().and_then(|n| n.parse().ok()).unwrap_or(3000),
        failure_persistence: None,
        max_global_rejects: 10_000_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_false_refusal_and_no_false_permit(
        world in world(), documents in prop::collection::vec(document(), 6), patch in patch(),
    ) {
        let route = route(&world);
        let policy = Policy::default();
        let validator = jsonschema::validator_for(&world.schema).expect("a schema");
        let body = Bytes::from(patch.to_string());
        let facts = Facts::read(&route, &IfMatch::Absent, &body);
        let alone = policy.judge(&facts, None).verdict;
        let ops: json_patch::Patch = serde_json::from_value(patch.clone()).expect("a patch");
        for document in documents.iter().filter(|document| validator.is_valid(document)) {
            let text = document.to_string();
            let current = Current::read(&route, Some("\"tag\""), text.as_bytes()).expect("JSON");
            let judged = policy.judge(&facts, Some(&current)).verdict;
            let mut after = document.clone();
            let applied = json_patch::patch_unsafe(&mut after, &ops).is_ok();
            match (&alone, &judged) {
                (Verdict::Refuse(found), Verdict::Permit(_)) => prop_assert!(
                    false, "false refusal: {found:?} of {patch} on {document}"
                ),
                (Verdict::Permit(_), Verdict::Refuse(found)) => prop_assert!(
                    !applied, "false permit without the state: {found:?} of {patch} on {document}"
                ),
                (_, Verdict::NeedsCurrent(_)) => prop_assert!(false, "the state does not decide: {patch}"),
                _ => {}
            }
            if let Verdict::Permit(permit) = &judged {
                prop_assert!(applied, "permitted, but does not apply: {patch} on {document}");
                prop_assert_eq!(permit.pin().map(|tag| tag.as_str()), Some("\"tag\""));
                let wrong = wrong(&world, document, &after);
                prop_assert_eq!(wrong, None, "{} on {} made {}", patch, document, after);
            }
            if let Verdict::Permit(_) = &alone
                && applied
            {
                let wrong = wrong(&world, document, &after);
                prop_assert_eq!(wrong, None, "without the state: {} on {} made {}", patch, document, after);
            }
        }
    }
}
