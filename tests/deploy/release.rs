//! What is made for a release: the bill of materials, the licences, and who calls whom.

use super::observing::yaml;
use crate::docs::{root, text};
use crate::harness::packages;

use serde_json::Value;

use std::fs;
use std::process::Command;

/// Licences under which a crate may be built in: they ask for no more than to be named.
const LICENCES: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn the_bill_of_materials_is_valid_and_every_licence_in_it_may_be_shipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let [bill, licences] = ["bill.json", "licences.md"].map(|name| folder.path().join(name));
    let made = Command::new("python3")
        .arg(root().join("deploy/materials"))
        .args([&bill, &licences])
        .output()
        .expect("python runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let validate = "from cyclonedx.validation.json import JsonStrictValidator as V\n\
        from cyclonedx.schema import SchemaVersion\nimport sys\n\
        fault = V(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
        sys.exit(str(fault) if fault else 0)";
    let python = packages::python("deploy").join("python");
    let valid = Command::new(python).args(["-c", validate]).arg(&bill).output().expect("it runs");
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stderr));
    let text = fs::read_to_string(&bill).expect("a file");
    let bill: Value = serde_json::from_str(&text).expect("JSON");
    let components = bill["components"].as_array().expect("a list");
    assert!(components.len() > 100, "{}", components.len());
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(has("hyper") && has("aws-lc-sys"), "what it is made of");
    assert!(!has("proptest") && !has("criterion"), "what it is only tested with");
    for component in components {
        let licence = component["licenses"][0]["expression"].as_str().unwrap_or_default();
        let bare = licence.replace(['(', ')'], "");
        let may = |part: &str| part.split(" OR ").any(|one| LICENCES.contains(&one.trim()));
        assert!(
            bare.split(" AND ").all(may),
            "{}: is `{licence}` one that may be shipped?",
            component["name"]
        );
        assert!(component["hashes"][0]["content"].is_string(), "{}", component["name"]);
    }
    let listed = fs::read_to_string(licences).expect("a file");
    assert_eq!(listed.lines().filter(|line| line.starts_with("| ")).count(), components.len() + 1);
}

#[test]
fn the_workflow_calls_the_scripts_that_everybody_can_call() {
    let workflow = yaml(".github/workflows/ci.yml");
    let steps = |job: &str| -> Vec<String> {
        let steps = workflow["jobs"][job]["steps"].as_array().expect("steps");
        steps.iter().filter_map(|step| Some(step["run"].as_str()?.to_owned())).collect()
    };
    assert_eq!(steps("test").last().map(String::as_str), Some("bash .ci/run"));
    assert_eq!(
        steps("release").last().map(String::as_str),
        Some("bash deploy/release target/release-files")
    );
    assert!(text(".ci/run").ends_with("exec bash tests/run\n"));
    let release = text("deploy/release");
    for called in ["deploy/build", "deploy/debian/build", "deploy/materials"] {
        let mut lines = release.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.any(|line| line.contains(called)), "{called}");
    }
    assert!(text("deploy/build").contains("cargo build --locked --profile dist"));
    for script in ["deploy/build", "deploy/release"] {
        let read = Command::new("bash").arg("-n").arg(root().join(script)).status();
        assert!(read.expect("bash").success(), "{script}");
    }
}

#[test]
fn what_is_packaged_has_everything_that_it_is_built_from() {
    let packaged = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(packaged.status.success(), "{}", String::from_utf8_lossy(&packaged.stderr));
    let listed = String::from_utf8_lossy(&packaged.stdout);
    let has = |path: &str| listed.lines().any(|line| line == path);
    for path in [
        "Cargo.lock",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "schemas/referral.schema.json",
        "config/policies/partner-center-referrals.yaml",
        "src/violation/pages/op-forbidden.md",
    ] {
        assert!(has(path), "{path}");
    }
    assert!(!listed.lines().any(|line| line.starts_with("target/")), "{listed}");
}
