//! What patches a route takes, as a JSON Schema: for editors, client libraries and contract tests.
//!
//! Whatever the judge may permit fits it. Some of what the judge refuses fits it as well, and it says
//! for which codes that is so.

use super::pattern::Pattern;
use super::route::{BodyForm, Route};
use super::rule::{AllowedPath, FitsSchema, Name, Operations, Paths, Rule, Together};
use super::schema::Place;
use crate::patch::pointer::index;
use crate::patch::{OpName, Pointer, UnknownMembers};
use crate::violation::Code;

use serde_json::{Map, Value, json};

use std::collections::BTreeMap;

/// The member that says for which codes a schema takes more than the judge, and why.
pub const COARSER: &str = "x-patchgate-coarser";

/// What no such schema can tell.
const ALWAYS: [(Code, &str); 18] = [
    (
        Code::BodyDuplicateMember,
        "a schema sees what was read, and names that stand twice are read once",
    ),
    (Code::BodyNotJson, "as above"),
    (Code::BodyTooDeep, "the bounds of the reader"),
    (Code::BodyTooLarge, "the bounds of the reader"),
    (Code::FieldImmutable, "a field may be given the value that it has"),
    (Code::FieldsSeparated, "told only of ops that name such a field itself"),
    (Code::IfMatchFailed, "not of the body"),
    (Code::IfMatchMalformed, "not of the body"),
    (Code::IfMatchRequired, "not of the body"),
    (Code::IfMatchWeak, "not of the body"),
    (Code::NameCaseVariant, "names in values are held against the schema alone"),
    (Code::NumberImprecise, "a schema sees what was read"),
    (Code::PatchInapplicable, "the ops are looked at one by one"),
    (Code::PointerMalformed, "a pointer of more than 256 bytes"),
    (Code::PointerUndescribed, "names in values are held against the schema alone"),
    (Code::StateForbidden, "the ops are looked at one by one"),
    (Code::StateFrozen, "needs the current state"),
    (Code::TransitionForbidden, "needs the current state"),
];

/// One or more names or indices.
const TOKENS: &str = "(?:/(?:[^/~]|~[01])*)*";
/// Any name or index, but not `-`.
const TOKEN: &str = "(?:(?:[^/~-]|~[01]|-(?:[^/~]|~[01]))(?:[^/~]|~[01])*)?";

/// The schema of the patches that `route` takes; nothing for one that takes none.
///
/// The schema of its resource stands at `at`, a pointer like `#/$defs/order`.
pub fn patch_schema(route: &Route, at: &str) -> Option<Value> {
    (route.body == BodyForm::JsonPatch).then(|| Export::of(route, at).schema())
}

/// What is known of a route while its schema is written.
struct Export<'r> {
    route: &'r Route,
    at: &'r str,
    operations: Option<&'r Operations>,
    paths: Option<&'r Paths>,
    fits: Option<&'r FitsSchema>,
    together: Option<&'r Together>,
    folds: bool,
    coarser: BTreeMap<&'static str, &'static str>,
}

impl<'r> Export<'r> {
    fn of(route: &'r Route, at: &'r str) -> Self {
        let folds = route.resource.as_ref().is_some_and(|resource| resource.folds_case);
        let coarser = ALWAYS.iter().map(|(code, why)| (code.slug(), *why)).collect();
        let mut export = Self {
            route,
            at,
            operations: None,
            paths: None,
            fits: None,
            together: None,
            folds,
            coarser,
        };
        let enforced = |name: Name| !route.observe && !route.warn.contains(&name);
        for rule in route.rules.iter().filter(|rule| enforced(rule.name())) {
            match rule {
                Rule::Operations(rule) => export.operations = Some(rule),
                Rule::Paths(rule) => export.paths = Some(rule),
                Rule::Schema(rule) => export.fits = Some(rule),
                Rule::Together(rule) => export.together = Some(rule),
                Rule::Immutable(_) | Rule::Precondition(_) | Rule::Transition(_) => {}
            }
        }
        if folds {
            export.coarser(Code::PointerForbidden, "names are taken in every case");
        }
        export
    }

    fn coarser(&mut self, code: Code, why: &'static str) {
        self.coarser.entry(code.slug()).or_insert(why);
    }

    fn schema(mut self) -> Value {
        let mut ops = Vec::new();
        match self.paths {
            Some(paths) => {
                for path in paths.allowed() {
                    self.at_path(path, paths, &mut ops);
                }
            }
            None => self.anywhere(&mut ops),
        }
        let mut schema = Map::new();
        schema.insert("type".into(), json!("array"));
        if self.operations.is_some_and(|rule| !rule.empty) {
            schema.insert("minItems".into(), json!(1));
        }
        schema.insert("maxItems".into(), json!(self.route.bounds.items));
        schema.insert(
            "items".into(),
            if ops.is_empty() { json!(false) } else { json!({ "anyOf": ops }) },
        );
        let together = self.together();
        if !together.is_empty() {
            schema.insert("allOf".into(), Value::Array(together));
        }
        schema.insert(COARSER.into(), json!(self.coarser));
        Value::Object(schema)
    }

    /// The ops that may be used at all, of `wanted`.
    fn ops(&self, wanted: &[OpName]) -> Vec<OpName> {
        let allowed = self.operations.map_or(&OpName::ALL[..], |rule| &rule.allowed);
        wanted.iter().copied().filter(|op| allowed.contains(op)).collect()
    }

    /// What ops may do at the places of one line of the policy.
    fn at_path(&mut self, path: &AllowedPath, paths: &Paths, found: &mut Vec<Value>) {
        let reaches = path.subtree || path.pattern.is_deep();
        let places = self.fits.and_then(|fits| places(fits, &path.pattern));
        for op in self.ops(&path.ops) {
            let after_last = path.pattern.tokens().next_back() == Some(Some("-"));
            if after_last && matches!(op, OpName::Remove | OpName::Replace | OpName::Test) {
                continue;
            }
            let value = self.value(op, places.as_deref(), reaches);
            if value == Value::Bool(false) {
                continue;
            }
            let from = self.sources(op, paths);
            let pointer = self.pointer(&path.pattern);
            self.op(op, pointer, value, from, found);
        }
    }

    /// Where no rule says which places may be reached.
    fn anywhere(&mut self, found: &mut Vec<Value>) {
        if self.fits.is_some() {
            self.coarser(
                Code::ValueInvalid,
                "any place may be written, and each has its own schema",
            );
        }
        let pointer = json!({ "type": "string", "pattern": format!("^{TOKENS}$") });
        for op in self.ops(&OpName::ALL) {
            self.op(op, pointer.clone(), Value::Bool(true), pointer.clone(), found);
        }
    }

    /// What may be written at one of `places` by an op; `false` where it may do nothing there.
    fn value(&mut self, op: OpName, places: Option<&[Place<'_>]>, reaches: bool) -> Value {
        let (Some(fits), Some(places)) = (self.fits, places) else {
            if self.fits.is_some() {
                self.coarser(
                    Code::ValueInvalid,
                    "a pattern stands for places that cannot be listed",
                );
            }
            self.coarser(
                Code::PointerForbidden,
                "whether a value may hold others depends on the place",
            );
            return self.flat(op, Value::Bool(true), reaches);
        };
        let writes = !matches!(op, OpName::Test);
        let may = |place: &&Place<'_>| {
            (place.is_described() || fits.undescribed && !place.is_forbidden())
                && (reaches || !writes || !place.may_be_container())
        };
        let possible: Vec<_> = places.iter().filter(may).collect();
        if possible.len() < places.len() || places.len() > 1 {
            self.coarser(Code::PointerForbidden, "a pattern stands for places that differ");
            self.coarser(Code::ValueInvalid, "a pattern stands for places that differ");
        }
        let mut demands: Vec<Value> = possible
            .iter()
            .map(|place| match place.is_described() {
                true => place.demand(self.at),
                false => Value::Bool(true),
            })
            .collect();
        demands.dedup();
        let demand = match demands.len() {
            0 => return Value::Bool(false),
            1 => demands.remove(0),
            _ if demands.contains(&Value::Bool(true)) => Value::Bool(true),
            _ => json!({ "anyOf": demands }),
        };
        self.flat(op, demand, reaches)
    }

    /// The same without objects and arrays, where an op may not reach what is in them.
    fn flat(&self, op: OpName, demand: Value, reaches: bool) -> Value {
        if reaches || op == OpName::Test {
            return demand;
        }
        let flat = json!({ "type": ["string", "number", "boolean", "null"] });
        if demand == Value::Bool(true) { flat } else { json!({ "allOf": [demand, flat] }) }
    }

    /// Where an op may take its value from.
    fn sources(&mut self, op: OpName, paths: &Paths) -> Value {
        if !matches!(op, OpName::Copy | OpName::Move) {
            return Value::Bool(false);
        }
        if self.fits.is_some() {
            self.coarser(Code::PointerForbidden, "a pattern stands for places that differ");
        }
        let reaching = paths
            .allowed()
            .iter()
            .filter(|path| path.ops.contains(&op) && (path.subtree || path.pattern.is_deep()));
        let sources: Vec<_> = reaching.map(|path| self.pointer(&path.pattern)).collect();
        match sources.is_empty() {
            true => Value::Bool(false),
            false => json!({ "anyOf": sources }),
        }
    }

    /// The pointers that a pattern stands for.
    fn pointer(&self, pattern: &Pattern) -> Value {
        if let (Some(pointer), false) = (pattern.pointer(), self.folds) {
            return json!({ "enum": [pointer.text()] });
        }
        let mut text = "^".to_owned();
        for token in pattern.tokens() {
            text.push('/');
            match token {
                None => text.push_str(TOKEN),
                Some(name) => self.name(name, &mut text),
            }
        }
        if pattern.is_deep() {
            text.push_str(TOKENS);
        }
        text.push('$');
        json!({ "type": "string", "pattern": text })
    }

    /// A name as a pattern, in every case where the API takes it so.
    fn name(&self, name: &str, text: &mut String) {
        for letter in name.chars() {
            match letter {
                '~' => text.push_str("~0"),
                '/' => text.push_str("~1"),
                // The sign for kelvin is a `K` as well.
                'k' | 'K' if self.folds => text.push_str("[kK\u{212A}]"),
                _ if self.folds && letter.is_ascii_alphabetic() => {
                    text.extend([
                        '[',
                        letter.to_ascii_lowercase(),
                        letter.to_ascii_uppercase(),
                        ']',
                    ]);
                }
                _ if self.folds && !letter.is_ascii() => text.push_str("[^/~]{1,3}"),
                _ if letter.is_ascii_punctuation() && letter != '-' && letter != '_' => {
                    text.extend(['\\', letter])
                }
                _ => text.push(letter),
            }
        }
    }

    fn op(&self, op: OpName, path: Value, value: Value, from: Value, found: &mut Vec<Value>) {
        let mut members = Map::from_iter([
            ("op".to_owned(), json!({ "enum": [op.as_str()] })),
            ("path".to_owned(), path),
        ]);
        let mut required = vec!["op", "path"];
        match op {
            OpName::Add | OpName::Replace | OpName::Test => {
                members.insert("value".to_owned(), value);
                required.push("value");
            }
            OpName::Copy | OpName::Move => {
                members.insert("from".to_owned(), from);
                required.push("from");
            }
            OpName::Remove => {}
        }
        let mut schema = Map::from_iter([
            ("type".to_owned(), json!("object")),
            ("properties".to_owned(), Value::Object(members)),
            ("required".to_owned(), json!(required)),
        ]);
        if self.route.unknown_members == UnknownMembers::Refuse {
            schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        self.merge(op, schema, found);
    }

    /// Adds what an op may do; two that may do the same at the same place are told of together.
    fn merge(&self, op: OpName, schema: Map<String, Value>, found: &mut Vec<Value>) {
        let alike = |known: &&mut Value| {
            known.get("required") == schema.get("required")
                && ["path", "value", "from"].iter().all(|member| {
                    known.pointer(&format!("/properties/{member}"))
                        == schema.get("properties").and_then(|members| members.get(member))
                })
        };
        let known = found.iter_mut().find(alike);
        match known.and_then(|known| known.pointer_mut("/properties/op/enum")?.as_array_mut()) {
            Some(ops) => ops.push(json!(op.as_str())),
            None => found.push(Value::Object(schema)),
        }
    }

    /// Whoever changes one of some fields changes the others as well.
    fn together(&self) -> Vec<Value> {
        let Some(rule) = self.together else { return Vec::new() };
        // What is inserted before an element changes it as well.
        let moves = |field: &Pointer<'_>| field.tokens().any(|token| index(&token).is_some());
        if self.folds || rule.fields.iter().any(moves) {
            return Vec::new();
        }
        let writes = json!({ "not": { "properties": { "op": { "enum": ["test"] } } } });
        let mut clauses = Vec::new();
        for one in &rule.fields {
            for other in rule.fields.iter().filter(|other| *other != one) {
                let names = json!({ "allOf": [writes, { "required": ["path"], "properties": { "path": { "enum": [one.text()] } } }] });
                let at: Vec<String> = above(other);
                let reaches = json!({ "anyOf": [
                    { "required": ["path"], "properties": { "path": { "enum": at } } },
                    { "required": ["from"], "properties": { "from": { "enum": at } } }] });
                clauses.push(json!({ "anyOf": [{ "not": { "contains": names } }, { "contains": { "allOf": [writes, reaches] } }] }));
            }
        }
        clauses
    }
}

/// A place, and all that it stands in.
fn above(pointer: &Pointer<'_>) -> Vec<String> {
    let mut found = vec![pointer.text().to_owned()];
    let mut at = pointer.clone().into_owned();
    while let Some(parent) = at.split_last().map(|(parent, _)| parent.into_owned()) {
        found.push(parent.text().to_owned());
        at = parent;
    }
    found
}

/// The places that a pattern stands for; nothing where they cannot be listed.
fn places<'r>(fits: &'r FitsSchema, pattern: &Pattern) -> Option<Vec<Place<'r>>> {
    if pattern.is_deep() {
        return None;
    }
    let mut places = vec![fits.schema.root()];
    for token in pattern.tokens() {
        places = match token {
            Some(token) => places.iter().map(|place| place.child(token)).collect(),
            None => {
                let beneath: Option<Vec<_>> = places.iter().map(Place::beneath).collect();
                beneath?.into_iter().flatten().collect()
            }
        };
    }
    Some(places)
}
