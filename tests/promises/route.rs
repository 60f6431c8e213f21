//! A world as the judge knows it.

use super::world::{STATES, TAKERS, World};

use patchgate::json::Bounds;
use patchgate::patch::{OpName, Pointer, UnknownMembers};
use patchgate::policy::graph::{Draft, Edge, Graph, Step, Takers};
use patchgate::policy::pattern::Pattern;
use patchgate::policy::resource::Resource;
use patchgate::policy::route::BodyForm;
use patchgate::policy::rule::{
    AllowedPath, Edits, FitsSchema, Immutable, Operations, Paths, Precondition, Together,
    Transition,
};
use patchgate::policy::schema::Schema;
use patchgate::policy::{Audience, LostAnswer, Route, Rule, StateSource};

use serde_json::json;

use std::sync::{Arc, LazyLock};

pub fn route(world: &World) -> Route {
    let schema = Arc::new(Schema::new(&world.schema).expect("a schema"));
    let pointer = |text: &'static str| Pointer::parse(text).expect("a pointer");
    let pattern = |text: &str| Pattern::parse(text).expect("a pattern");
    let names = STATES.map(String::from);
    let takers = |at: usize| {
        let [partners, roles] = [TAKERS[at].0, TAKERS[at].1]
            .map(|names| names.iter().map(ToString::to_string).collect());
        Takers { partners, roles }
    };
    let steps: Vec<Step> = (world.steps.iter())
        .map(|(from, to, by)| Step {
            from: vec![names[*from].clone()],
            to: vec![names[*to].clone()],
            edge: Edge { allow: true, takers: takers(*by), reason: None },
        })
        .collect();
    let draft = Draft { names: &names, steps: &steps, ..Draft::default() };
    let fields = vec![pointer("/status"), pointer("/sub")];
    let graph = Arc::new(Graph::new(fields.clone(), draft).expect("a graph"));
    let allowed = world.paths.iter().map(|(path, subtree)| AllowedPath {
        pattern: pattern(path),
        ops: world.path_ops.clone(),
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
    let resource =
        Resource { name: "r".into(), schema, graph: Some(graph), folds_case: false, tag: None };
    Route { warn: world.warn.clone(), ..with(rules, resource) }
}

/// Routes that say nothing but that `pointer` is governed, in each of the ways there are. None of
/// their rules lets that place change.
pub fn governing(pointer: &str) -> Vec<Route> {
    let mut routes = vec![within(&[pointer], "A", Vec::new()), keeping(pointer, &OPEN)];
    if let Some((above, _)) = pointer.rsplit_once('/') {
        routes.extend(["*", "**"].map(|any| keeping(&format!("{above}/{any}"), &OPEN)));
    }
    routes
}

/// A route with one state, `name`; while the document is in one of `states`, nothing else changes.
pub fn frozen(fields: &[&str], name: &str, states: &str) -> Route {
    let edits = Edits { states: vec![states.into()], except: Vec::new(), reason: None };
    within(fields, name, vec![edits])
}

/// A route with one state, and no step.
fn within(fields: &[&str], name: &str, edits: Vec<Edits>) -> Route {
    let fields = fields.iter().map(|field| Pointer::parse(field.to_string()).expect("a pointer"));
    let draft = Draft { names: &[name.into()], ..Draft::default() };
    let graph = Arc::new(Graph::new(fields.collect(), draft).expect("a graph"));
    open(Rule::Transition(Transition { graph, edits }), &OPEN)
}

static OPEN: LazyLock<Arc<Schema>> =
    LazyLock::new(|| Arc::new(Schema::new(&json!({})).expect("a schema")));

/// A route that lets no place change that `field` stands for, nor what `schema` says is `readOnly`.
pub fn keeping(field: &str, schema: &Arc<Schema>) -> Route {
    let (fields, schema) = (vec![Pattern::parse(field).expect("a pattern")], Arc::clone(schema));
    open(Rule::Immutable(Immutable { fields, schema: Arc::clone(&schema) }), &schema)
}

/// A route in which every op may reach what `place` stands for.
pub fn reaching(place: &str, schema: &Arc<Schema>) -> Route {
    let pattern = Pattern::parse(place).expect("a pattern");
    let allowed = AllowedPath { pattern, ops: OpName::ALL.to_vec(), subtree: true };
    open(Rule::Paths(Paths::new(vec![allowed])), schema)
}

/// A route with one rule.
fn open(rule: Rule, schema: &Arc<Schema>) -> Route {
    let schema = Arc::clone(schema);
    let resource = Resource { name: "r".into(), schema, graph: None, folds_case: false, tag: None };
    with(vec![rule], resource)
}

fn with(rules: Vec<Rule>, resource: Resource) -> Route {
    Route {
        id: "r".into(),
        template: "/r".into(),
        methods: vec!["PATCH".into()],
        audience: Audience::default(),
        params: Vec::new(),
        body: BodyForm::JsonPatch,
        media_types: vec!["application/json".into()],
        gzip: false,
        max_body: 1 << 20,
        bounds: Bounds::default(),
        unknown_members: UnknownMembers::Refuse,
        query: false,
        trailing_slashes: 0,
        state: StateSource::Fetch { advisory: true },
        lost_answer: LostAnswer::Report,
        links: Vec::new(),
        resource: Some(Arc::new(resource)),
        rules,
        warn: Vec::new(),
        observe: false,
    }
}
