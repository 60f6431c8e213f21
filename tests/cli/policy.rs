//! The commands for those who write policies.

use super::process::{Finished, patchgate};

use std::fs;

#[test]
fn schema_prints_what_is_shipped() {
    for (kind, file) in
        [("gateway", "gateway"), ("config", "gateway"), ("policy", "policy"), ("cases", "cases")]
    {
        let Finished { code, out, err } = patchgate(&["schema", kind]);
        let shipped = format!("{}/schemas/{file}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!((code, err.as_str()), (0, ""), "{kind}");
        assert_eq!(out, fs::read_to_string(shipped).expect("a schema"), "{kind}");
    }
    assert_eq!(patchgate(&["schema", "nothing"]).code, 2);
}
