//! Policy files: whatever the bytes, there are faults in their places, or a policy that judges.

use patchgate::config::{Source, check, load_policy};
use patchgate::policy::{Caller, Facts, IfMatch};

use bytes::Bytes;
use tempfile::TempDir;

use std::fs;

thread_local! {
    /// Where the file stands, beside the schemas that the seeds refer to.
    static FOLDER: TempDir = {
        let folder = TempDir::new().expect("a folder");
        let schemas = folder.path().join("schemas");
        fs::create_dir(&schemas).expect("a folder");
        let shipped = include_str!("../../schemas/referral.schema.json");
        fs::write(schemas.join("referral.schema.json"), shipped).expect("written");
        fs::write(schemas.join("small.json"), r#"{"type":"object"}"#).expect("written");
        folder
    };
}

const PATCH: &[u8] = br#"[{"op":"replace","path":"/status","value":"Active"},
    {"op":"add","path":"/team/-","value":{"email":"a"}},{"op":"remove","path":"/id"}]"#;

/// The input is the file.
pub fn run(text: &[u8]) {
    let file = FOLDER.with(|folder| folder.path().join("policy.yaml"));
    fs::write(&file, text).expect("written");
    match load_policy(Source::Disk, &file) {
        Ok(policy) => {
            let checked = check(Source::Disk, &file);
            assert!(checked.is_ok(), "checked otherwise than loaded: {checked:?}");
            let body = Bytes::from_static(PATCH);
            for route in policy.routes.iter() {
                let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, &body);
                let _ = policy.judge(&facts, None);
            }
        }
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a reason");
            for error in &errors.0 {
                assert!(!error.message.is_empty());
                let Some(place) = &error.place else { continue };
                // To YAML a carriage return ends a line as well.
                let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
                assert!(place.line <= lines + 1, "{error}: {lines} lines");
            }
        }
    }
}
