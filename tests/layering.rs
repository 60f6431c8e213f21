//! The shape of the code: who may import whom, what the core must not name, one judge, and no
//! file that nobody can read in one sitting.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules at the top, and the other ones each may name. `cli` may name any.
const MAY_IMPORT: [(&str, &[&str]); 24] = [
    ("violation", &["json"]),
    ("json", &["violation"]),
    ("patch", &["json", "violation"]),
    ("policy", &["patch", "json", "violation"]),
    ("limits", &["policy", "patch", "json", "violation"]),
    ("outbound", &["socket", "tls"]),
    ("otlp", &["outbound"]),
    ("credential", &["json", "outbound", "tls", "violation"]),
    ("partner", &["credential", "outbound", "limits", "policy", "patch", "json", "violation"]),
    ("snapshot", &["credential", "limits", "partner", "policy", "patch", "json", "violation"]),
    ("live", &["snapshot"]),
    (
        "config",
        &[
            "audit",
            "credential",
            "snapshot",
            "policy",
            "patch",
            "partner",
            "limits",
            "json",
            "otlp",
            "outbound",
            "violation",
            "tls",
        ],
    ),
    ("telemetry", &[]),
    ("tls", &[]),
    (
        "proxy",
        &[
            "audit",
            "credential",
            "snapshot",
            "policy",
            "partner",
            "limits",
            "live",
            "otlp",
            "outbound",
            "violation",
            "telemetry",
            "tls",
            "waiter",
        ],
    ),
    (
        "server",
        &["proxy", "config", "limits", "live", "snapshot", "socket", "telemetry", "tls", "waiter"],
    ),
    ("socket", &["waiter"]),
    ("waiter", &[]),
    ("reload", &["proxy", "config", "live", "snapshot", "telemetry", "tls"]),
    (
        "admin",
        &[
            "audit",
            "server",
            "proxy",
            "config",
            "limits",
            "live",
            "otlp",
            "partner",
            "policy",
            "snapshot",
            "telemetry",
            "tls",
            "violation",
        ],
    ),
    ("audit", &["limits", "telemetry"]),
    ("sandbox", &["patch", "json"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// What would let the core do I/O or see the world.
const IMPURE: [&str; 8] =
    ["tokio", "hyper", "tracing", "std::fs", "std::net", "std::env", "std::time", "std::process"];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path.clone(), fs::read_to_string(&path).expect("UTF-8"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 40, "the sources are where they should be");
    found
}

/// The code of a file: without comments, and without its tests, which stand at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn module(path: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let relative = path.strip_prefix(source).expect("under src");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The top modules that `code` names, as `crate::policy` or in `use crate::{policy, …}`.
fn imports(code: &str) -> Vec<String> {
    code.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &code[at + found.len()..];
            let names = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default(),
                None => rest
                    .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .next()
                    .unwrap_or_default(),
            };
            names
                .split(',')
                .map(|name| name.trim().split("::").next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|name| name.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = module(&path);
        if own == "cli" {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == own) else {
            wrong.push(format!("{}: `{own}` has no place in the table", path.display()));
            continue;
        };
        for import in imports(&code(&text)) {
            if import != own && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: `{own}` may not import `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_does_no_io() {
    for (path, text) in sources() {
        if ["violation", "json", "patch", "policy"].contains(&module(&path).as_str()) {
            let code = code(&text);
            for name in IMPURE {
                assert!(!code.contains(name), "{} names `{name}`", path.display());
            }
        }
    }
}

/// Rows 134 and 185 of the catalogue of threats: a clock that is set lets nobody through, and cuts nobody off.
#[test]
fn limits_and_timeouts_know_no_clock_that_can_be_set() {
    // What a token says of its time, what an answer says of when to come back, and what is only told.
    let known = [
        "date.rs",
        "id.rs",
        "identity.rs",
        "retry_after.rs",
        "spans.rs",
        "throttle.rs",
        "trail.rs",
    ];
    for (path, text) in sources() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let decides = ["limits", "outbound", "proxy", "server"].contains(&module(&path).as_str());
        if decides && !known.contains(&&*name) {
            let code = code(&text);
            for clock in ["SystemTime", "UNIX_EPOCH"] {
                assert!(!code.contains(clock), "{} names `{clock}`", path.display());
            }
        }
    }
}

#[test]
fn there_is_one_judge_with_two_callers() {
    let callers: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(_, text)| code(text).contains(".judge("))
        .map(|(path, _)| path)
        .collect();
    // The gate decides; the shadow is asked beside it, and decides nothing.
    let in_proxy = callers.iter().filter(|path| module(path) == "proxy");
    let in_proxy: Vec<_> = in_proxy.filter_map(|path| path.file_name()?.to_str()).collect();
    let known = ["enforce.rs", "shadow.rs"];
    assert!(in_proxy.iter().all(|name| known.contains(name)), "{in_proxy:?}");
    let others = callers.iter().filter(|path| !["proxy", "cli"].contains(&module(path).as_str()));
    assert_eq!(others.count(), 0, "{callers:?}");
}

#[test]
fn no_file_is_longer_than_400_lines_and_each_says_what_it_is() {
    for (path, text) in sources() {
        assert!(
            text.lines().count() <= 400,
            "{} has {} lines",
            path.display(),
            text.lines().count()
        );
        assert!(text.starts_with("//! "), "{} does not say what it is", path.display());
        assert!(!path.ends_with("mod.rs"), "{}", path.display());
    }
}

#[test]
fn the_import_scanner_sees_what_it_should() {
    let code = code(
        "use crate::policy::Route; // crate::comment\nuse crate::{json, patch::apply};\nlet x = crate::limits::f();",
    );
    assert_eq!(imports(&code), ["policy", "json", "patch", "limits"]);
}
