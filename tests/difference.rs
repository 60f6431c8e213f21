//! In what two policies differ.

use patchgate::config::{Source, load_policy_file};
use patchgate::json::{Bounds, read};
use patchgate::policy::Policy;
use patchgate::policy::difference::{Difference, Turn, between, between_schemas};
use patchgate::policy::rule::Name;
use patchgate::policy::schema::Schema;

use proptest::prelude::*;
use serde_json::{Value, json};

use std::path::Path;

const SCHEMA: &str = r#"{"type": "object", "properties": {
    "a": {"type": "string", "maxLength": 9}, "b": {"type": ["number", "null"]},
    "s": {"enum": ["x", "y", "z"]}}}"#;
const POLICY: &str = "apiVersion: patchgate/v1
kind: Policy
name: p
resources:
  r:
    schema: s.json
    ops: [add, replace]
    paths: [{ path: /a }, { path: /b, ops: [add] }, { path: /s }]
    immutable: [/id]
    undescribed: permit
    states:
      fields: [/s]
      names: [x, y, z]
      transitions:
        - { from: [x], to: [y] }
        - { from: [y], to: [z], roles: [boss] }
        - { from: ['*'], to: [same] }
routes:
  - id: change
    methods: [PATCH]
    path: '/r/{id}'
    resource: r
    media_types: [application/json]
    body: json-patch
";

fn reversed(turn: Turn) -> Turn {
    match turn {
        Turn::Widens => Turn::Narrows,
        Turn::Unclear => Turn::Unclear,
        Turn::Narrows => Turn::Widens,
    }
}

fn policy(text: &str, schema: &str) -> Policy {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.json"), schema).unwrap();
    let path = folder.path().join("p.yaml");
    std::fs::write(&path, text).unwrap();
    let loaded = load_policy_file(Source::Disk, Path::new(&path));
    loaded.unwrap_or_else(|errors| panic!("{errors}")).0
}

/// What `old` with each of the replacements made differs in, a line for each difference.
fn differences(edits: &[(&str, &str)]) -> Vec<String> {
    let (mut text, mut schema) = (POLICY.to_owned(), SCHEMA.to_owned());
    for (from, to) in edits {
        assert!(text.contains(from) || schema.contains(from), "{from}");
        text = text.replace(from, to);
        schema = schema.replace(from, to);
    }
    let (old, new) = (policy(POLICY, SCHEMA), policy(&text, &schema));
    let shown = |found: &Difference| {
        let rule = found.rule.map_or("route", Name::as_str);
        format!("{} {rule} {}: {}", found.turn.as_str(), found.at, found.message)
    };
    let forth: Vec<String> = between(&old, &new).iter().map(shown).collect();
    // Back, everything is turned around.
    let turns = |all: Vec<Difference>, back: bool| {
        let mut turns: Vec<Turn> =
            all.iter().map(|found| if back { reversed(found.turn) } else { found.turn }).collect();
        turns.sort();
        turns
    };
    assert_eq!(turns(between(&old, &new), false), turns(between(&new, &old), true));
    forth
}

#[test]
fn what_is_the_same_differs_in_nothing() {
    assert_eq!(differences(&[]), Vec::<String>::new());
    // Nor what only looks otherwise.
    let same = differences(&[
        ("'/r/{id}'", "'/r/{other}'"),
        ("id: change", "id: renamed"),
        ("name: p\n", "name: q\n"),
        ("{ path: /a }", "{ path: /a, source: here }, { path: /a, ops: [add] }"),
        (
            "{ from: [x], to: [y] }",
            "{ from: [x], to: [z] }\n        - { from: [x], to: [z], allow: false }\n        - { from: [x], to: [y] }",
        ),
        (r#""maxLength": 9"#, r#""maxLength": 9, "title": "t", "x-data-class": "public""#),
    ]);
    assert_eq!(same, Vec::<String>::new());
}

#[test]
fn formats_that_demand_nothing_any_more_widen() {
    let dated = r#""a": {"type": "string", "format": "date", "maxLength": 9}"#;
    let plain = r#""a": {"type": "string", "maxLength": 9}"#;
    let found = |schema: &str| {
        let noted = POLICY.replace("s.json", "s.json\n    formats: annotate");
        between(&policy(POLICY, schema), &policy(&noted, schema))
    };
    let turns = |schema: &str| found(schema).iter().map(|one| one.turn).collect::<Vec<_>>();
    assert_eq!(turns(SCHEMA), [], "there are none");
    let schema = SCHEMA.replace(plain, dated);
    assert_eq!(turns(&schema), [Turn::Widens]);
    assert_eq!(found(&schema)[0].message, "formats no longer demand anything");
    // Where not to fit may be what is asked.
    let schema = schema.replace(r#""type": "object""#, r#""type": "object", "not": {"const": 1}"#);
    assert_eq!(turns(&schema), [Turn::Unclear]);
    // Also where only the newer one asks it.
    let noted = POLICY.replace("s.json", "s.json\n    formats: annotate");
    let dated = SCHEMA.replace(plain, dated);
    let all = between(&policy(POLICY, &dated), &policy(&noted, &schema));
    let formats = all.iter().find(|one| one.message.starts_with("formats"));
    assert_eq!(formats.map(|one| one.turn), Some(Turn::Unclear));
}

#[test]
fn each_change_is_called_what_it_is() {
    for (from, to, wanted) in [
        ("ops: [add, replace]", "ops: [add]", "narrows operations ops: `replace` is gone"),
        (
            "ops: [add] }",
            "ops: [add], subtree: true }",
            "widens paths /b: all that is beneath may be reached",
        ),
        ("{ path: /a }, ", "{ path: '/*' }, ", "widens paths /*: may be reached by add, replace"),
        ("{ path: /a }, ", "", "narrows paths /a: may no longer be reached by add, replace"),
        ("{ path: /b, ops: [add] }", "{ path: /b }", "widens paths /b: may be reached by replace"),
        (
            "immutable: [/id]",
            "immutable: [/id, /b]",
            "narrows immutable /b: cannot be changed any more",
        ),
        (
            "undescribed: permit",
            "undescribed: refuse",
            "narrows schema : places that the schema does not describe are refused",
        ),
        ("roles: [boss]", "roles: [boss, aide]", "widens transition y -> z: `aide` may take it"),
        ("roles: [boss] }", "partners: [p] }", "widens transition y -> z: `p` may take it"),
        (", roles: [boss] }", " }", "widens transition y -> z: everybody may take it"),
        (
            "{ from: [x], to: [y] }",
            "{ from: [x], to: [y, z] }",
            "widens transition x -> z: is allowed",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    if_match: required",
            "narrows precondition : `If-Match` is demanded",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    mode: observe",
            "widens route mode: nothing is refused any more",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    rules: { schema: warn }",
            "widens schema : only warns",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    rules: { paths: 'off' }",
            "widens paths : is no longer demanded",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    state: never\n    undecided: permit",
            "widens route state: what cannot be decided is permitted",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    roles: [r]",
            "narrows route audience: only some may come in",
        ),
        (
            "body: json-patch",
            "body: json-patch\n    query: permit",
            "widens route query: is passed on",
        ),
        ("methods: [PATCH]", "methods: [PATCH, PUT]", "widens route : the route is new"),
        (
            r#""maxLength": 9"#,
            r#""maxLength": 8"#,
            "narrows schema #/properties/a/maxLength: 8 instead of 9",
        ),
        (
            r#""maxLength": 9"#,
            r#""minLength": 1, "maxLength": 9"#,
            "narrows schema #/properties/a/minLength: 1 is new",
        ),
        (
            r#"["number", "null"]"#,
            r#"["integer", "null"]"#,
            "narrows schema #/properties/b/type: `number` is gone",
        ),
        (
            r#"["number", "null"]"#,
            r#"["number", "null", "string"]"#,
            "widens schema #/properties/b/type: `string` is new",
        ),
        (
            r#""type": "object","#,
            r#""type": "object", "required": ["a"],"#,
            "narrows schema #/required: `a` is new",
        ),
        (
            r#"{"type": "string", "maxLength": 9}"#,
            r#"{"type": "string", "maxLength": 9, "pattern": "^a"}"#,
            "narrows schema #/properties/a/pattern: is new",
        ),
        (
            r#""a": {"type": "string", "maxLength": 9}, "#,
            r#""a": {"type": "string", "maxLength": 9}, "c": {}, "#,
            "unclear schema #/properties/c: is described",
        ),
        (
            r#""maxLength": 9}"#,
            r#""maxLength": 9, "not": {"const": "q"}}"#,
            "narrows schema #/properties/a/not: is new",
        ),
    ] {
        let found = differences(&[(from, to)]);
        assert!(found.iter().any(|line| line == wanted), "{wanted}\n{found:#?}");
    }
}

#[test]
fn states_come_and_go() {
    let found = differences(&[
        ("names: [x, y, z]", "names: [x, y]"),
        ("        - { from: [y], to: [z], roles: [boss] }\n", ""),
    ]);
    assert_eq!(found, ["narrows transition z: is no state any more"]);
    let found = differences(&[("fields: [/s]", "fields: [/a]")]);
    assert!(found.contains(&"unclear transition fields: /a instead of /s".to_owned()), "{found:?}");
}

fn turns(old: &Value, new: &Value) -> Vec<Turn> {
    between_schemas(old, new).into_iter().map(|found| found.turn).collect()
}

#[test]
fn a_definition_that_is_used_where_more_is_less_is_unclear() {
    let schema = |used: Value, most: u32| json!({"$defs": {"d": {"maximum": most}}, "properties": {"a": used}});
    let plain = json!({"$ref": "#/$defs/d"});
    assert_eq!(turns(&schema(plain.clone(), 5), &schema(plain.clone(), 6)), [Turn::Widens]);
    let by_place = |most: u32| json!({"properties": {"a": {"maximum": most}, "b": {"not": {"$ref": "#/properties/a"}}}});
    assert_eq!(turns(&by_place(5), &by_place(6)), [Turn::Unclear]);
    let turned = json!({"not": plain});
    assert_eq!(turns(&schema(turned.clone(), 5), &schema(turned, 6)), [Turn::Unclear]);
}

fn small() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        (0..4).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,3}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    small().prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[abc]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn keyword(inner: BoxedStrategy<Value>) -> impl Strategy<Value = (&'static str, Value)> {
    let types = ["array", "integer", "null", "number", "object", "string"];
    let some = |names: &'static [&'static str]| prop::sample::subsequence(names, 1..=names.len());
    let named = |name| move |value: Value| (name, value);
    let list = prop::collection::vec(inner.clone(), 1..3);
    prop_oneof![
        prop::sample::subsequence(types.to_vec(), 1..5).prop_map(|all| ("type", json!(all))),
        prop::collection::vec(small(), 1..4).prop_map(|all| ("enum", json!(all))),
        small().prop_map(named("const")),
        (
            prop::sample::select(&["minimum", "maximum", "minLength", "maxLength", "minItems"][..]),
            0..4
        )
            .prop_map(|(name, number)| (name, json!(number))),
        some(&["a", "b"]).prop_map(|all| ("required", json!(all))),
        Just(("uniqueItems", json!(true))),
        prop::sample::select(&["^a", "b$"][..]).prop_map(|text| ("pattern", json!(text))),
        prop::collection::hash_map("[ab]", inner.clone(), 1..3)
            .prop_map(|all| ("properties", Value::Object(all.into_iter().collect()))),
        prop_oneof![Just(json!(false)), inner.clone()].prop_map(named("additionalProperties")),
        inner.clone().prop_map(named("items")),
        inner.clone().prop_map(named("not")),
        inner.prop_map(named("propertyNames")),
        list.clone().prop_map(|all| ("anyOf", json!(all))),
        list.clone().prop_map(|all| ("allOf", json!(all))),
        list.clone().prop_map(|all| ("prefixItems", json!(all))),
        list.prop_map(|all| ("oneOf", json!(all))),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = Just(json!({})).boxed();
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop::collection::vec(keyword(inner), 0..3).prop_map(|all| {
            Value::Object(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        })
    })
}

/// `old`, with some of it as in `other`.
fn mixed(old: &Value, other: &Value, picks: &mut impl Iterator<Item = u8>) -> Value {
    match (old, other, picks.next().unwrap_or_default() % 4) {
        (_, _, 0) => other.clone(),
        (Value::Object(one), Value::Object(two), _) => {
            let mut members = one.clone();
            for (name, value) in two {
                match members.get(name).cloned() {
                    Some(old) => drop(members.insert(name.clone(), mixed(&old, value, picks))),
                    None if picks.next().is_some_and(|pick| pick % 4 == 0) => {
                        members.insert(name.clone(), value.clone());
                    }
                    None => {}
                }
            }
            members.retain(|_, _| picks.next().is_none_or(|pick| pick % 5 != 0));
            Value::Object(members)
        }
        _ => old.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]
    #[test]
    fn what_narrows_lets_nothing_more_through_and_what_widens_nothing_less(
        old in schema(), other in schema(), picks in prop::collection::vec(any::<u8>(), 12),
        values in prop::collection::vec(value(), 24),
    ) {
        let new = mixed(&old, &other, &mut picks.into_iter());
        let (Ok(was), Ok(is)) = (Schema::new(&old), Schema::new(&new)) else {
            return Err(TestCaseError::reject("no schema"));
        };
        let turns = turns(&old, &new);
        prop_assume!(old != new);
        let is_only = |turn: Turn| turns.iter().all(|found| *found == turn);
        for value in values {
            let text = value.to_string();
            let value = read(text.as_bytes(), Bounds::default()).unwrap();
            let (fitted, fits) = (was.fits(&value), is.fits(&value));
            prop_assert!(fitted || !fits || !is_only(Turn::Narrows), "{old} {new} {text} {turns:?}");
            prop_assert!(!fitted || fits || !is_only(Turn::Widens), "{old} {new} {text} {turns:?}");
        }
    }
}
