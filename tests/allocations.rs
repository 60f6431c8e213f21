//! How often the judge asks for memory. More of it is more time for every request; a change that
//! makes the figures grow says so here, and why.

use patchgate::config::{Source, load_policy, source};
use patchgate::policy::{Caller, Facts, IfMatch, NormalPath, Resolution, Verdict};

use allocation_counter::measure;
use bytes::Bytes;

use std::path::Path;

/// A patch, how often memory may be asked for to read and to judge it, and how much of it.
const MOST: [(&str, &str, u64, u64); 4] = [
    ("sample 1", SAMPLE, 4, 400),
    ("a pair", PAIR, 11, 1160),
    ("a member", MEMBER, 5, 580),
    // A violation has its rule and its keyword: 40 bytes, and the list begins with room for four.
    ("a refusal", REFUSED, 10, 1040),
];

const SAMPLE: &str = r#"[{"op":"replace","path":"/details/dealValue","value":"10000"},{"op":"replace","path":"/details/notes","value":"Lorem ipsum dolor sit amet."}]"#;
const PAIR: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;
const MEMBER: &str = r#"[{"op":"add","path":"/team/-","value":{"email":"jane.doe@contoso.com","firstName":"Jane","lastName":"Doe","phoneNumber":"0000000001"}}]"#;
const REFUSED: &str = r#"[{"op":"remove","path":"/details/notes"}]"#;

#[test]
fn judging_asks_for_no_more_memory_than_it_did() {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY));
    let policy = policy.expect("the shipped policy");
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else { panic!("a route") };
    let mut told = String::new();
    let mut grown = false;
    for (name, body, most, bytes) in MOST {
        let body = Bytes::from_static(body.as_bytes());
        let judge = || {
            let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, &body);
            policy.judge(&facts, None).verdict
        };
        // What is made once is made now.
        let verdict = judge();
        let used = measure(|| drop(judge()));
        told.push_str(&format!("{name}: {} times, {} bytes\n", used.count_total, used.bytes_total));
        grown |= used.count_total > most || used.bytes_total > bytes;
        assert_eq!(matches!(verdict, Verdict::Refuse(_)), name == "a refusal", "{name}");
    }
    assert!(!grown, "{told}");
}

#[test]
fn memory_grows_with_the_ops_and_no_faster() {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY));
    let policy = policy.expect("the shipped policy");
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = policy.routes.resolve("PATCH", &path) else { panic!("a route") };
    let used = |ops: usize| {
        let op = r#"{"op":"replace","path":"/details/notes","value":"n"}"#;
        let body = Bytes::from(format!("[{}]", vec![op; ops].join(",")));
        let judge = || {
            policy
                .judge(&Facts::read(route, Caller::default(), &IfMatch::Absent, &body), None)
                .verdict
        };
        assert!(matches!(judge(), Verdict::Permit(_)));
        measure(|| drop(judge())).bytes_total
    };
    let (few, many) = (used(10), used(100));
    assert!(many <= few * 11, "{few} bytes for 10 ops, {many} for 100");
}
