//! The strict reader beside `serde_json`: it never takes what that refuses, and what both take they
//! understand alike.

use patchgate::json::{Bounds, Fault, Value, read};

/// The input is a text.
pub fn run(text: &[u8]) {
    let bounds = Bounds { items: 10_000, ..Bounds::default() };
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    match (read(text, bounds), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, Value::from(&theirs), "read otherwise");
            let written = ours.to_string();
            let again = read(written.as_bytes(), bounds).expect("what was written is read");
            assert_eq!(again, ours, "written otherwise");
            let again: serde_json::Value = serde_json::from_str(&written).expect("JSON");
            assert_eq!(again, theirs, "written otherwise");
        }
        (Ok(_), Err(error)) => panic!("only ours reads it: {error}"),
        (Err(error), Ok(_)) => {
            let mark = text.starts_with(b"\xef\xbb\xbf");
            let syntax = matches!(error.fault, Fault::Syntax(_));
            assert!(mark || !syntax, "only theirs reads it: {error}");
        }
        (Err(error), Err(_)) => assert!(error.offset <= text.len(), "beyond the end: {error}"),
    }
}
