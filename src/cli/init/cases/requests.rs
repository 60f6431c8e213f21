//! Requests that ought to be permitted, and some that ought not, the most telling first.

use crate::cli::init::draft::Draft;
use crate::cli::init::outline::{Body, Route};
use crate::cli::init::places::Line;
use crate::cli::init::sample::Samples;
use crate::cli::init::states::States;
use crate::cli::init::view::{Branches, View};
use crate::cli::init::yaml::comment;
use crate::patch::{OpName, Pointer};

use serde_json::{Map, Value, json};

/// A request, and what is claimed of it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) name: String,
    /// Its body; null for none.
    pub(super) body: Value,
    /// Whether that is a list of ops.
    pub(super) is_patch: bool,
}

impl<'o> Draft<'o> {
    /// What makes up documents of this kind.
    pub(super) fn samples(&self) -> Samples<'o> {
        Samples { written: &self.kind.written, schema: &self.kind.schema }
    }
}

/// Requests that ought to be permitted where `document` is stored.
pub(super) fn permitted(
    route: &Route,
    draft: Option<&Draft<'_>>,
    document: Option<&Value>,
) -> Vec<Request> {
    let request = |name: String, body: Value, is_patch: bool| Request { name, body, is_patch };
    let Some(draft) = draft else { return vec![request("a read".to_owned(), Value::Null, false)] };
    match &route.body {
        Body::None => vec![request("a read".to_owned(), Value::Null, false)],
        Body::Document(_) if draft.resource.whole => {
            let what = "a document that is sent back as it is stored".to_owned();
            document.map(|document| request(what, document.clone(), false)).into_iter().collect()
        }
        Body::Document(_) => {
            let mut new = draft.samples().document(false, &[]);
            begin(&mut new, draft.states.as_ref());
            new.map(|new| request("a new document".to_owned(), new, false)).into_iter().collect()
        }
        Body::JsonPatch(_) => spread(draft)
            .into_iter()
            .flat_map(|line| {
                let made = draft.samples().at(&line.path).into_iter();
                made.map(|value| {
                    request(changed(&line.path), json!([op(draft, line, &value)]), true)
                })
                .collect::<Vec<_>>()
            })
            .collect(),
        Body::MergePatch(_) => spread(draft)
            .into_iter()
            .flat_map(|line| {
                let made = draft.samples().at(&line.path).into_iter();
                made.map(|value| request(changed(&line.path), merge(&line.path, value), false))
                    .collect::<Vec<_>>()
            })
            .collect(),
    }
}

/// Requests that ought to be refused, each with the code that ought to be told.
pub(super) fn refused(
    route: &Route,
    draft: Option<&Draft<'_>>,
    document: Option<&Value>,
) -> Vec<(Request, &'static str)> {
    let mut all = Vec::new();
    let mut add = |name: String, body: Value, is_patch: bool, code: &'static str| {
        all.push((Request { name, body, is_patch }, code));
    };
    let Some(draft) = draft else {
        add("a read with a body".to_owned(), json!("x"), false, "body-unexpected");
        return all;
    };
    let wrong = |line: &Line| draft.samples().not_at(&line.path);
    let does_not_fit = |path: &str| format!("a value that does not fit `{}`", comment(path));
    let keeps = |path: &str| format!("`{}` is not for callers to change", comment(path));
    let beneath = |path: &String| draft.samples().at(path).into_iter().next();
    match &route.body {
        Body::None => add("a read with a body".to_owned(), json!("x"), false, "body-unexpected"),
        Body::Document(_) => {
            if let (true, Some(document)) = (draft.resource.whole, document) {
                let without = |path: &String| {
                    let mut other = document.clone();
                    take(&mut other, path).then_some(other)
                };
                let kept = draft.kept();
                let found = kept.iter().find_map(|path| Some((path, without(path)?)));
                if let Some((path, other)) = found {
                    add(keeps(path), other, false, "field-immutable");
                }
            }
            add("a list where a document is wanted".to_owned(), json!([]), false, "value-invalid");
        }
        Body::JsonPatch(_) => {
            if let Some((line, value)) =
                spread(draft).into_iter().find_map(|line| Some((line, wrong(line)?)))
            {
                add(
                    does_not_fit(&line.path),
                    json!([op(draft, line, &value)]),
                    true,
                    "value-invalid",
                );
            }
            if let Some((path, value)) =
                draft.read_only.iter().find_map(|path| Some((path, beneath(path)?)))
            {
                let patch = json!([{ "op": "replace", "path": path, "value": value }]);
                add(keeps(path), patch.clone(), true, "pointer-forbidden");
                add(keeps(path), patch, true, "op-forbidden");
            }
            if let Some(line) = draft.lines.first() {
                let patch = json!([{ "op": "remove", "path": concrete(&line.path) }]);
                add(
                    format!("`{}` is not taken away", comment(&line.path)),
                    patch,
                    true,
                    "op-forbidden",
                );
            }
            for op in ["replace", "add"] {
                let patch = json!([{ "op": op, "path": "/no-such-place", "value": 1 }]);
                add(
                    "a place that is not allowed is not reached".to_owned(),
                    patch,
                    true,
                    "pointer-forbidden",
                );
            }
        }
        Body::MergePatch(_) => {
            if let Some((line, value)) =
                spread(draft).into_iter().find_map(|line| Some((line, wrong(line)?)))
            {
                add(does_not_fit(&line.path), merge(&line.path, value), false, "value-invalid");
            }
            if let Some((path, value)) =
                draft.read_only.iter().find_map(|path| Some((path, beneath(path)?)))
            {
                add(keeps(path), merge(path, value), false, "pointer-forbidden");
            }
            if let Some(line) = draft.lines.first() {
                let patch = merge(&line.path, Value::Null);
                add(
                    format!("`{}` is not taken away", comment(&line.path)),
                    patch,
                    false,
                    "op-forbidden",
                );
            }
            let patch = json!({ "no-such-place": 1 });
            add(
                "a place that is not allowed is not reached".to_owned(),
                patch,
                false,
                "pointer-forbidden",
            );
        }
    }
    if route.body != Body::None {
        add("a body that is no JSON".to_owned(), json!("{"), false, "body-not-json");
    }
    all
}

/// Every step between two of `states`: `document` in the state before, and the patch.
pub(super) fn steps(states: &States, document: &Value) -> Vec<(Value, Value)> {
    let within = |name: &String| {
        let mut document = document.clone();
        put(&mut document, &states.field, Value::String(name.clone()));
        document
    };
    let patch = |to: &String| json!([{ "op": "replace", "path": states.field, "value": to }]);
    let each = states.names.iter().flat_map(|from| states.names.iter().map(move |to| (from, to)));
    each.map(|(from, to)| (within(from), patch(to))).collect()
}

impl Draft<'_> {
    /// The members of a document that keep their value.
    fn kept(&self) -> Vec<String> {
        let names = View::of(&self.kind.written, Branches::All).names();
        let mut places: Vec<_> = names.into_iter().map(|name| Pointer::ROOT.join(name)).collect();
        places.retain(|at| self.kind.schema.place(at).is_read_only());
        places.into_iter().map(|at| at.text().to_owned()).collect()
    }
}

/// The lines of a draft: a field first, then an array, then the others, so that the first ones differ.
fn spread<'d>(draft: &'d Draft<'_>) -> Vec<&'d Line> {
    let is_state =
        |line: &&Line| draft.states.as_ref().is_some_and(|states| states.field == line.path);
    let (states, others): (Vec<&Line>, Vec<&Line>) = draft.lines.iter().partition(is_state);
    let fields = (0..).zip(&others).filter(|(_, line)| !line.subtree && !line.path.contains('*'));
    let field = fields.min_by_key(|(_, line)| line.path.matches('/').count()).map(|(at, _)| at);
    let array = others.iter().position(|line| !line.ops.is_empty());
    let first = [field, array].into_iter().flatten();
    let firsts: Vec<usize> = first.collect();
    let chosen = firsts.iter().filter_map(|at| others.get(*at).copied());
    let rest = (0..).zip(&others).filter(|(at, _)| !firsts.contains(at)).map(|(_, line)| *line);
    chosen.chain(rest).chain(states).collect()
}

fn changed(path: &str) -> String {
    match path.strip_suffix("/-") {
        Some(list) => format!("something is added to `{}`", comment(list)),
        None => format!("`{}` is changed", comment(path)),
    }
}

/// A place that the pattern `path` stands for.
fn concrete(path: &str) -> String {
    path.split('/')
        .map(|token| if token == "*" { "name" } else { token })
        .collect::<Vec<_>>()
        .join("/")
}

fn op(draft: &Draft<'_>, line: &Line, value: &Value) -> Value {
    let adds = line.ops.contains(&OpName::Add) || line.path.contains('*');
    let name = if adds || !draft.ops.contains(&"replace") { "add" } else { "replace" };
    json!({ "op": name, "path": concrete(&line.path), "value": value })
}

/// The merge patch that sets `value` at `path`.
fn merge(path: &str, value: Value) -> Value {
    let tokens = path.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"));
    let tokens: Vec<String> = tokens.collect();
    tokens
        .into_iter()
        .rev()
        .fold(value, |value, name| Value::Object(Map::from_iter([(name, value)])))
}

/// Has a new document begin where new documents begin.
fn begin(document: &mut Option<Value>, states: Option<&States>) {
    if let (Some(document), Some(states)) = (document, states)
        && let Some(initial) = &states.initial
        && document.pointer(&states.field).is_some()
    {
        put(document, &states.field, Value::String(initial.clone()));
    }
}

fn put(document: &mut Value, field: &str, value: Value) {
    if let (Some(members), Some(name)) = (document.as_object_mut(), field.strip_prefix('/')) {
        members.insert(name.replace("~1", "/").replace("~0", "~"), value);
    }
}

/// Takes the member at `field` away, and says whether it was there.
fn take(document: &mut Value, field: &str) -> bool {
    let name = field.strip_prefix('/').unwrap_or_default().replace("~1", "/").replace("~0", "~");
    document.as_object_mut().is_some_and(|members| members.remove(&name).is_some())
}
