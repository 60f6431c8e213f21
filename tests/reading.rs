//! The strict reader beside `serde_json`: it never accepts what that refuses, and what both accept
//! they understand alike.

use patchgate::json::{Bounds, Fault, read};

use proptest::prelude::*;
use serde_json::Value;

/// Reads `text` both ways.
fn agree(text: &[u8]) -> Result<(), TestCaseError> {
    let bounds = Bounds { items: 10_000, ..Bounds::default() };
    let theirs: Result<Value, _> = serde_json::from_slice(text);
    match (read(text, bounds), theirs) {
        (Ok(ours), Ok(theirs)) => {
            prop_assert_eq!(&ours, &patchgate::json::Value::from(&theirs));
            let written: Value = serde_json::from_str(&ours.to_string()).expect("JSON");
            prop_assert_eq!(written, theirs);
        }
        (Ok(_), Err(error)) => prop_assert!(false, "only ours reads it: {error}"),
        (Err(error), Ok(_)) => prop_assert!(
            !matches!(error.fault, Fault::Syntax(_)) || text.starts_with(b"\xef\xbb\xbf"),
            "only theirs reads it: {error}"
        ),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?",
        "\"([a-z\u{e9}\u{1f600} /]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,6}\"",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = "\"([a-c]|\\\\u006[1-3]){1,2}\"";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" ,"))),
            prop::collection::vec((name, inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(k, v)| format!("{k} :\t{v}")).collect();
                format!("{{{}}}", members.join("\n,"))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_texts_are_understood_alike(text in json()) {
        agree(text.as_bytes())?;
    }

    #[test]
    fn damaged_texts_are_refused_alike(
        text in json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3,
    ) {
        let mut bytes = text.into_bytes();
        let place = at.index(bytes.len());
        match how {
            0 => bytes[place] = byte,
            1 => drop(bytes.remove(place)),
            _ => bytes.insert(place, byte),
        }
        agree(&bytes)?;
    }
}
