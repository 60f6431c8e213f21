//! What the judge promises, held against random schemas, graphs, documents and patches. Two other
//! crates say what is true: `json-patch` applies, and `jsonschema` validates its own trees.

use patchgate::json::Bounds;
use patchgate::patch::{OpName, Pointer, UnknownMembers};
use patchgate::policy::graph::{Edge, Graph, Step};
use patchgate::policy::pattern::Pattern;
use patchgate::policy::resource::Resource;
use patchgate::policy::route::BodyForm;
use patchgate::policy::rule::{
    AllowedPath, Edits, FitsSchema, Immutable, Operations, Paths, Precondition, Together,
    Transition,
};
use patchgate::policy::schema::Schema;
use patchgate::policy::{Current, Facts, IfMatch, Policy, Route, Rule, StateSource, Verdict};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use std::sync::Arc;

#[derive(Clone, Debug)]
struct World {
    schema: Value,
    ops: Vec<OpName>,
    paths: Vec<(&'static str, bool)>,
    immutable: Vec<&'static str>,
    steps: Vec<(usize, usize)>,
    frozen: bool,
    together: bool,
    undescribed: bool,
}

const STATES: [&str; 4] = ["A/x", "A/y", "B/x", "C/y"];

const PATHS: [&str; 14] = [
    "/**", "/status", "/sub", "/n", "/d", "/d/a", "/d/*", "/d/**", "/t", "/t/-", "/t/0", "/t/*/v",
    "/t/**", "/free",
];

fn schema() -> impl Strategy<Value = Value> {
    let keyword = |name: &'static str, value: Value| {
        prop::bool::weighted(0.12)
            .prop_map(move |on| if on { json!({ name: value }) } else { json!({}) })
    };
    let with = |base: Value, extra: Vec<Value>| {
        let mut merged = base;
        for part in extra {
            for (key, value) in part.as_object().expect("an object") {
                merged[key] = value.clone();
            }
        }
        merged
    };
    let d = (
        keyword("required", json!(["a"])),
        keyword("additionalProperties", json!(false)),
        keyword("maxProperties", json!(2)),
        keyword("dependentRequired", json!({"a": ["b"]})),
        keyword("anyOf", json!([{"properties": {"a": {"type": "integer"}}}, {"required": ["b"]}])),
        keyword("if", json!({"required": ["b"]})),
        keyword("then", json!({"properties": {"a": {"maximum": 2}}, "minProperties": 2})),
        keyword("propertyNames", json!({"maxLength": 1})),
    );
    let t = (
        keyword("maxItems", json!(2)),
        keyword("minItems", json!(1)),
        keyword("uniqueItems", json!(true)),
        keyword("contains", json!({"required": ["v"]})),
        keyword("prefixItems", json!([{"properties": {"v": {"const": 1}}}])),
    );
    let root = (
        keyword("required", json!(["status"])),
        keyword("additionalProperties", json!(false)),
        keyword(
            "oneOf",
            json!([{"properties": {"n": {"minimum": 2}}}, {"properties": {"n": {"maximum": 1}}}]),
        ),
        keyword("minProperties", json!(2)),
        keyword("allOf", json!([{"$ref": "#/$defs/more"}])),
        keyword("unevaluatedProperties", json!(false)),
    );
    let read_only = (
        keyword("readOnly", json!(true)),
        keyword("readOnly", json!(true)),
        keyword("readOnly", json!(true)),
    );
    (d, t, root, read_only).prop_map(move |(d, t, root, read_only)| {
        let d = with(
            json!({"type": "object", "properties": {
                "a": with(json!({"type": ["integer", "string"], "maximum": 3}), vec![read_only.0]),
                "b": {"type": ["string", "null"]}}}),
            vec![d.0, d.1, d.2, d.3, d.4, d.5, d.6, d.7],
        );
        let item = json!({"type": "object", "properties": {
            "id": with(json!({"type": "integer"}), vec![read_only.1]), "v": {"type": "integer"}}});
        let t = with(json!({"type": "array", "items": item}), vec![t.0, t.1, t.2, t.3, t.4]);
        with(
            json!({"type": "object", "$defs": {"more": {"properties": {"free": {"type": "string"}}}},
                "properties": {
                    "status": {"type": "string", "enum": ["A", "B", "C"]},
                    "sub": {"type": "string", "enum": ["x", "y", "z"]},
                    "n": with(json!({"type": "integer", "minimum": 0}), vec![read_only.2]),
                    "d": d, "t": t}}),
            vec![root.0, root.1, root.2, root.3, root.4, root.5],
        )
    })
}

fn world() -> impl Strategy<Value = World> {
    (
        schema(),
        subsequence(OpName::ALL.to_vec(), 4..=6),
        prop_oneof![
            Just(vec![("/**", true)]),
            prop::collection::vec((select(PATHS.to_vec()), any::<bool>()), 1..12),
        ],
        subsequence(vec!["/n", "/d/a", "/t/*/id", "/d", "/t/0"], 0..3),
        prop::collection::vec((0..4usize, 0..4usize), 2..14),
        any::<(bool, bool, bool)>(),
    )
        .prop_map(|(schema, ops, paths, immutable, steps, (frozen, together, undescribed))| {
            World { schema, ops, paths, immutable, steps, frozen, together, undescribed }
        })
}

fn leaf() -> impl Strategy<Value = Value> {
    select(vec![
        json!("A"),
        json!("B"),
        json!("C"),
        json!("x"),
        json!("y"),
        json!(0),
        json!(1),
        json!(2),
        json!(null),
        json!("w"),
    ])
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(2, 6, 3, |inner| {
        let name = select(vec!["a", "b", "id", "v", "status", "sub", "n", "d", "t", "free", "A"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..3).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

fn document() -> impl Strategy<Value = Value> {
    let item = (prop::option::of(0..3i64), prop::option::of(0..3i64)).prop_map(|(id, v)| {
        let mut item = json!({});
        if let Some(id) = id {
            item["id"] = json!(id)
        }
        if let Some(v) = v {
            item["v"] = json!(v)
        }
        item
    });
    (
        select(vec!["A", "A", "B", "C", "C", "-"]),
        select(vec!["x", "x", "y", "y", "z", "-"]),
        prop::option::of(0..4i64),
        prop::option::of((prop::option::of(leaf()), prop::option::of(leaf()))),
        prop::option::of(prop::collection::vec(item, 0..4)),
        any::<bool>(),
    )
        .prop_map(|(status, sub, n, d, t, free)| {
            let mut document = json!({});
            if status != "-" {
                document["status"] = json!(status)
            }
            if sub != "-" {
                document["sub"] = json!(sub)
            }
            if let Some(n) = n {
                document["n"] = json!(n)
            }
            if let Some((a, b)) = d {
                document["d"] = json!({});
                if let Some(a) = a {
                    document["d"]["a"] = a
                }
                if let Some(b) = b {
                    document["d"]["b"] = b
                }
            }
            if let Some(t) = t {
                document["t"] = Value::Array(t)
            }
            if free {
                document["free"] = json!("f")
            }
            document
        })
}

fn patch() -> impl Strategy<Value = Value> {
    let pointer = || {
        select(vec![
            "/status", "/sub", "/n", "/d", "/d/a", "/d/b", "/d/A", "/t", "/t/-", "/t/0", "/t/1",
            "/t/0/v", "/t/0/id", "/t/1/id", "/free", "/other", "", "/d/a/b", "/Status",
        ])
    };
    let valued = (select(vec!["add", "replace", "test", "add", "replace"]), pointer(), value())
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}));
    let pair = (select(vec!["A", "B", "C"]), select(vec!["x", "y"])).prop_map(|(status, sub)| {
        json!([{"op": "replace", "path": "/status", "value": status},
               {"op": "replace", "path": "/sub", "value": sub}])
    });
    let moved = (select(vec!["move", "copy"]), pointer(), pointer())
        .prop_map(|(op, from, path)| json!({"op": op, "from": from, "path": path}));
    let removed = pointer().prop_map(|path| json!({"op": "remove", "path": path}));
    let one = prop_oneof![
        4 => valued.prop_map(|op| json!([op])),
        2 => pair,
        1 => moved.prop_map(|op| json!([op])),
        1 => removed.prop_map(|op| json!([op])),
    ];
    prop::collection::vec(one, 1..3).prop_map(|parts| {
        parts.into_iter().flat_map(|part| part.as_array().cloned().unwrap_or_default()).collect()
    })
}

fn route(world: &World) -> Route {
    let schema = Arc::new(Schema::new(&world.schema).expect("a schema"));
    let pointer = |text: &'static str| Pointer::parse(text).expect("a pointer");
    let pattern = |text: &str| Pattern::parse(text).expect("a pattern");
    let names = STATES.map(String::from);
    let steps: Vec<Step> = (world.steps.iter())
        .map(|(from, to)| Step {
            from: vec![names[*from].clone()],
            to: vec![names[*to].clone()],
            edge: Edge { allow: true, reason: None },
        })
        .collect();
    let fields = vec![pointer("/status"), pointer("/sub")];
    let graph = Arc::new(Graph::new(fields.clone(), &names, &[], &steps).expect("a graph"));
    let allowed = world.paths.iter().map(|(path, subtree)| AllowedPath {
        pattern: pattern(path),
        ops: world.ops.clone(),
        subtree: *subtree,
    });
    let edits = world.frozen.then(|| Edits {
        states: vec!["C/*".into()],
        except: vec![pattern("/free")],
        reason: None,
    });
    let mut rules = vec![
        Rule::Precondition(Precondition { required: false }),
        Rule::Operations(Operations { allowed: world.ops.clone(), empty: false }),
        Rule::Paths(Paths::new(allowed.collect())),
        Rule::Schema(FitsSchema { schema: Arc::clone(&schema), undescribed: world.undescribed }),
        Rule::Immutable(Immutable {
            fields: world.immutable.iter().map(|field| pattern(field)).collect(),
            schema: Arc::clone(&schema),
        }),
        Rule::Transition(Transition {
            graph: Arc::clone(&graph),
            edits: edits.into_iter().collect(),
        }),
    ];
    if world.together {
        rules.push(Rule::Together(Together { fields }));
    }
    Route {
        id: "r".into(),
        template: "/r".into(),
        methods: vec!["PATCH".into()],
        body: BodyForm::JsonPatch,
        media_types: vec!["application/json".into()],
        max_body: 1 << 20,
        bounds: Bounds::default(),
        unknown_members: UnknownMembers::Refuse,
        query: false,
        trailing_slashes: 0,
        state: StateSource::Fetch { advisory: true },
        resource: Some(Arc::new(Resource {
            name: "r".into(),
            schema,
            graph: Some(graph),
            folds_case: false,
            tag: None,
        })),
        rules,
        warn: Vec::new(),
        observe: false,
    }
}

/// Why `after` may not follow `before`, by other means than the judge's.
fn wrong(world: &World, before: &Value, after: &Value) -> Option<String> {
    let validator = jsonschema::validator_for(&world.schema).expect("a schema");
    if !validator.is_valid(after) {
        return Some("the result does not fit the schema".into());
    }
    let state = |document: &Value| {
        let text = |key: &str| document[key].as_str().unwrap_or("?").to_owned();
        format!("{}/{}", text("status"), text("sub"))
    };
    let at = |state: &str| STATES.iter().position(|known| *known == state);
    let (from, to) = (state(before), state(after));
    if from != to {
        let edge = at(&from).zip(at(&to));
        if !edge.is_some_and(|edge| world.steps.contains(&edge)) {
            return Some(format!("no edge from {from} to {to}"));
        }
    }
    if world.frozen && from.starts_with("C/") && at(&from).is_some() {
        let rest = |document: &Value| {
            let mut document = document.clone();
            for key in ["status", "sub", "free"] {
                document.as_object_mut().map(|members| members.remove(key));
            }
            document
        };
        if rest(before) != rest(after) {
            return Some("a frozen document was changed".into());
        }
    }
    let mut kept = vec!["/n".to_owned(), "/d/a".into(), "/d".into(), "/t/0".into()];
    kept.retain(|field| world.immutable.contains(&field.as_str()));
    let read_only = |pointer: &str| world.schema.pointer(pointer).is_some();
    if read_only("/properties/n/readOnly") {
        kept.push("/n".into())
    }
    if read_only("/properties/d/properties/a/readOnly") {
        kept.push("/d/a".into())
    }
    if read_only("/properties/t/items/properties/id/readOnly")
        || world.immutable.contains(&"/t/*/id")
    {
        // `items` speaks of what comes after `prefixItems`.
        let prefixed =
            read_only("/properties/t/prefixItems") && !world.immutable.contains(&"/t/*/id");
        kept.extend((usize::from(prefixed)..5).map(|index| format!("/t/{index}/id")));
    }
    kept.into_iter()
        .find(|field| before.pointer(field) != after.pointer(field))
        .map(|field| format!("{field} was changed"))
}

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
