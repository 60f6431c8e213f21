//! `docs/configuration.md` and `config/patchgate.yaml`, held against the types of the files.

use super::{rows, text};

use patchgate::config::cases::CasesFile;
use patchgate::config::gateway::GatewayFile;
use patchgate::config::policy::PolicyFile;

use serde::de::DeserializeOwned;
use serde_json::Value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// A policy with one of everything, so that every key has a place to stand.
const POLICY: &str = r"
apiVersion: patchgate/v1
kind: Policy
name: sample
resources:
  r:
    schema: s
    paths: [{ path: /a }]
    states:
      fields: [/a]
      names: [A]
      transitions: [{ from: [A], to: [A] }]
      edits: [{ in: [A] }]
routes:
  - { id: read, methods: [GET], path: /a, rules: {}, bounds: {} }
";

/// A case file with one of everything.
const CASES: &str = r"
apiVersion: patchgate/v1
kind: Cases
policy: p
cases:
  - { name: a, given: {}, each: [{ from: [A], to: [A] }], expect: permit }
";

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The sample, with what is only a comment in it because it would reach out to somebody: comments that
/// begin without a space.
fn sample() -> Value {
    let text = text("config/patchgate.yaml");
    let lines = text.lines().map(|line| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let is_off = rest.starts_with('#') && !rest.starts_with("# ") && rest.len() > 1;
        if is_off { format!("{indent}{}\n", &rest[1..]) } else { format!("{line}\n") }
    });
    yaml(&lines.collect::<String>())
}

/// A key of a file: the kind of section that it stands in, and its name.
type Key = (String, String);

/// Every key of a format, by its place as `a.b[].c`.
fn keys(schema: &Value) -> BTreeMap<String, Key> {
    fn walk(
        schema: &Value,
        part: &Value,
        owner: &str,
        at: &str,
        found: &mut BTreeMap<String, Key>,
    ) {
        let (owner, part) = match part["$ref"].as_str() {
            Some(target) => {
                (target, schema.pointer(target.trim_start_matches('#')).expect("a definition"))
            }
            None => (owner, part),
        };
        for (key, member) in part["properties"].as_object().into_iter().flatten() {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            found.insert(at.clone(), (owner.to_owned(), key.clone()));
            walk(schema, member, owner, &at, found);
        }
        if part["items"].is_object() {
            walk(schema, &part["items"], owner, &format!("{at}[]"), found);
        }
        if part["additionalProperties"].is_object() {
            walk(schema, &part["additionalProperties"], owner, &format!("{at}.*"), found);
        }
    }
    let mut found = BTreeMap::new();
    walk(schema, schema, "#", "", &mut found);
    found
}

/// Shows `change` every map in which the key at `place` may stand, and the key.
fn each(value: &mut Value, place: &str, change: &mut dyn FnMut(&mut Value, &str)) {
    let Some((first, rest)) = place.split_once('.') else { return change(value, place) };
    if first == "*" {
        for member in value.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
            each(member, rest, change);
        }
        return;
    }
    match first.strip_suffix("[]") {
        Some(list) => {
            for element in value[list].as_array_mut().into_iter().flatten() {
                each(element, rest, change);
            }
        }
        None => {
            if let Some(inner) = value.get_mut(first) {
                each(inner, rest, change);
            }
        }
    }
}

/// `file` without the key at `place`, and how often there was room for it.
fn without(file: &Value, place: &str) -> (Value, usize) {
    let (mut changed, mut places) = (file.clone(), 0);
    each(&mut changed, place, &mut |map, key| {
        map.as_object_mut().expect("a section").remove(key);
        places += 1;
    });
    (changed, places)
}

/// `file` with `value` for the key at `place`.
fn with(file: &Value, place: &str, value: &Value) -> Value {
    let mut changed = file.clone();
    each(&mut changed, place, &mut |map, key| map[key] = value.clone());
    changed
}

/// What the program makes of a file, to be compared; or why it makes nothing of it.
fn read<T: DeserializeOwned + Debug>(file: &Value) -> Result<String, String> {
    let read: Result<T, _> = serde_json::from_value(file.clone());
    read.map(|file| format!("{file:?}")).map_err(|error| error.to_string())
}

/// Holds the rows under `heading` against `schema`, and their defaults against the type `T`.
fn check_rows<T: DeserializeOwned + Debug>(heading: &str, schema: &str, sample: &Value) {
    let mut rows = rows("docs/configuration.md", heading);
    read::<T>(sample).expect("a sample that is right");
    for place in keys(&yaml(&text(schema))).into_keys() {
        // What a policy file has there is that of a case file.
        if heading == "## The policy file" && place.starts_with("cases[]") {
            continue;
        }
        let cells = rows.remove(&place).unwrap_or_else(|| panic!("{heading}: no row for {place}"));
        let (left_out, places) = without(sample, &place);
        assert!(places > 0, "the sample has no place for {place}");
        let left_out = read::<T>(&left_out);
        match cells[2].as_str() {
            "required" => assert!(left_out.is_err(), "{place} is not required"),
            "—" => assert!(left_out.is_ok(), "{place}: {left_out:?}"),
            default => {
                let default = yaml(default.trim_matches('`'));
                let given = read::<T>(&with(sample, &place, &default));
                assert_eq!(left_out, given, "{place} has another default");
            }
        }
    }
    assert!(rows.is_empty(), "{heading}: there are no such keys: {:?}", rows.keys());
}

#[test]
fn every_key_of_the_gateway_file_has_its_row_with_its_default() {
    let sample = sample();
    check_rows::<GatewayFile>("## The gateway file", "schemas/gateway.schema.json", &sample);
}

#[test]
fn every_key_of_the_policy_file_has_its_row_with_its_default() {
    check_rows::<PolicyFile>("## The policy file", "schemas/policy.schema.json", &yaml(POLICY));
}

#[test]
fn every_key_of_the_case_file_has_its_row_with_its_default() {
    check_rows::<CasesFile>("## The case file", "schemas/cases.schema.json", &yaml(CASES));
}

#[test]
fn the_sample_configuration_shows_every_key_of_the_gateway_file() {
    let keys = keys(&yaml(&text("schemas/gateway.schema.json")));
    let mut sample = sample();
    let mut shown: BTreeSet<Key> = BTreeSet::new();
    for (place, key) in &keys {
        each(&mut sample, place, &mut |map, name| {
            if map.get(name).is_some() {
                shown.insert(key.clone());
            }
        });
    }
    let missing: Vec<_> = keys.values().filter(|key| !shown.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_sample_configuration_is_at_its_defaults_unless_a_comment_says_otherwise() {
    let text = text("config/patchgate.yaml");
    let sample = yaml(&text);
    let whole = read::<GatewayFile>(&sample);
    let is_default = |place: &str| read::<GatewayFile>(&without(&sample, place).0) == whole;
    let mut others = Vec::new();
    for place in keys(&yaml(&super::text("schemas/gateway.schema.json"))).into_keys() {
        let parts: Vec<_> = place.split('.').collect();
        let mut above = (1..=parts.len()).map(|count| parts[..count].join("."));
        let pointer = format!("/{}", parts.join("/"));
        let is_section = sample.pointer(&pointer).is_some_and(Value::is_object);
        if place.contains("[]") || is_section || above.any(|place| is_default(&place)) {
            continue;
        }
        others.push(parts[parts.len() - 1].to_owned());
    }
    assert_eq!(others, ["apiVersion", "identity", "kind", "partners", "policy", "url"]);
    for key in others.iter().filter(|key| !["apiVersion", "kind"].contains(&key.as_str())) {
        let before: Vec<&str> = text
            .lines()
            .take_while(|line| !line.trim_start().starts_with(&format!("{key}:")))
            .collect();
        let mut comment = before.iter().rev().take_while(|line| line.trim_start().starts_with('#'));
        assert!(comment.any(|line| line.contains("default")), "{key}: no word about its default");
    }
}
