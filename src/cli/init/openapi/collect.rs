//! What is gathered from path to path: routes, the resources that they change, and their schemas.

use super::body::{Form, Sent, is_json};
use super::operation::{Held, Operation};
use super::{File, Path, called};
use crate::cli::init::left::{At, Left};
use crate::cli::init::names::{kebab, plural, unique};
use crate::cli::init::outline::{Body, Kind, Resource, Route};
use crate::cli::init::places::By;
use crate::cli::init::reference::{follow, target};
use crate::cli::init::translate::translate;
use crate::cli::init::view::{Branches, View};
use crate::cli::init::yaml::comment;
use crate::policy::NormalPath;
use crate::policy::schema::Schema;

use serde_json::Value;

use std::collections::BTreeMap;

/// Names of files in `schemas/` that are those of the file formats.
const RESERVED: [&str; 3] = ["cases", "gateway", "policy"];

#[derive(Debug)]
pub(super) struct Collected<'c, 'd> {
    file: File<'d>,
    left: &'c mut Left,
    pub(super) kinds: Vec<Kind>,
    pub(super) resources: Vec<Resource>,
    pub(super) routes: Vec<Route>,
    /// The kinds by the places of their schemas.
    known: Vec<(At, String)>,
    /// The parameters by what stands before them.
    params: BTreeMap<String, String>,
    templates: matchit::Router<()>,
}

/// A path template as a policy can have it.
#[derive(Clone, Debug)]
struct Template {
    text: String,
    trailing_slashes: usize,
    /// The parameters: as the file calls them, and as the policy does.
    params: Vec<(String, String)>,
}

impl<'c, 'd> Collected<'c, 'd> {
    pub(super) fn new(file: File<'d>, left: &'c mut Left) -> Self {
        Self {
            file,
            left,
            kinds: Vec::new(),
            resources: Vec::new(),
            routes: Vec::new(),
            known: Vec::new(),
            params: BTreeMap::new(),
            templates: matchit::Router::new(),
        }
    }

    /// A path with a `patch`.
    pub(super) fn patched(&mut self, path: &Path<'d>) {
        let Some(patch) = Operation::of(self.file, path, "patch") else { return };
        let content = patch.sent(self.left);
        let Some(sent) = Sent::of(self.file, content, &patch.at, self.left) else { return };
        let read = Operation::of(self.file, path, "get").and_then(|get| get.answered(self.left));
        let put = Operation::of(self.file, path, "put");
        let put =
            put.and_then(|put| put.sent(self.left).into_iter().find(|(name, _)| is_json(name))?.1);
        let shown = read.iter().flat_map(|held| held.shown.clone()).collect();
        let held = [read, put, sent.merge.clone()].into_iter().flatten();
        let hint = called(path.template);
        let found: Vec<Held<'d>> = held.collect();
        let Some(kind) = found.iter().find_map(|held| self.kind(held, &hint)) else {
            self.left.push(&patch.at, "no route is drafted: neither the answer to `get` nor the body of `put` says in JSON what is changed");
            return;
        };
        let Some(template) = self.template(path) else { return };
        if let Some(kind) = self.kinds.iter_mut().find(|known| known.name == kind) {
            kind.shown.extend::<Vec<Value>>(shown);
        }
        self.changes(&kind, &sent);
        self.reads(path, &template, &format!("read-{}", called(path.template)));
        let body = match sent.form {
            Form::JsonPatch => Body::JsonPatch(kind.clone()),
            Form::MergePatch => Body::MergePatch(kind.clone()),
        };
        self.route(path, &template, &patch, ("PATCH", "change"), body, sent.media_types);
        self.replaces(path, &template, &kind);
        self.creates(path, &template, &kind);
    }

    /// The collection above such a path.
    pub(super) fn above(&mut self, path: &Path<'d>) {
        let Some(template) = self.template(path) else { return };
        let name = called(path.template);
        self.reads(path, &template, &format!("list-{}", plural(&name)));
        self.creates(path, &template, &name);
    }

    /// The resource of the kind `kind` that patches change.
    fn changes(&mut self, kind: &str, sent: &Sent<'d>) {
        let settable = sent.merge.as_ref().and_then(|held| self.settable(held, kind));
        let index = self.resource(kind);
        let Some(resource) = self.resources.get_mut(index) else { return };
        match sent.form {
            Form::JsonPatch => {
                resource.by.json_patch = true;
                resource.by.adds |= sent.ops.is_empty() || sent.ops.iter().any(|op| op == "add");
            }
            Form::MergePatch => resource.by.merge_patch = true,
        }
        for op in &sent.ops {
            if !resource.ops.contains(op) {
                resource.ops.push(op.clone());
            }
        }
        if resource.settable.is_none() {
            resource.settable = settable;
        }
    }

    /// The index of the resource of this kind that is not replaced as a whole.
    fn resource(&mut self, kind: &str) -> usize {
        let is = |resource: &Resource| resource.kind == kind && !resource.whole;
        self.resources.iter().position(is).unwrap_or_else(|| {
            let (name, kind) = (kind.to_owned(), kind.to_owned());
            let (by, whole, ops, settable) = (By::default(), false, Vec::new(), None);
            self.resources.push(Resource { name, kind, by, whole, ops, settable });
            self.resources.len() - 1
        })
    }

    /// The schema of a merge patch, where it is another one than that of the document.
    fn settable(&mut self, held: &Held<'d>, kind: &str) -> Option<(Value, Schema)> {
        let (_, at) = follow(self.file.root, held.schema, &held.at).ok()?;
        if self.known.iter().any(|(known, name)| *known == at && name == kind) {
            return None;
        }
        // What it leaves untranslated is mostly what the document does.
        let mut unheard = Left::default();
        let written =
            translate(self.file.root, self.file.dialect, held.schema, &held.at, &mut unheard);
        let schema = Schema::new(&written).ok()?;
        let lists = !View::of(&written, Branches::All).names().is_empty();
        lists.then_some((written, schema))
    }

    fn reads(&mut self, path: &Path<'d>, template: &Template, id: &str) {
        if let Some(get) = Operation::of(self.file, path, "get") {
            self.named_route(path, template, &get, ("GET", id), Body::None, Vec::new());
        }
    }

    fn replaces(&mut self, path: &Path<'d>, template: &Template, hint: &str) {
        let Some(put) = Operation::of(self.file, path, "put") else { return };
        let Some((kind, media_types)) = self.document(&put, hint) else { return };
        let is = |resource: &Resource| resource.kind == kind && resource.whole;
        if !self.resources.iter().any(is) {
            let name = unique(&format!("whole-{kind}"), |name| self.is_taken(name));
            let (by, whole, ops, settable) = (By::default(), true, Vec::new(), None);
            self.resources.push(Resource { name, kind: kind.clone(), by, whole, ops, settable });
        }
        let name =
            self.resources.iter().find(|resource| is(resource)).map(|found| found.name.clone());
        let body = Body::Document(name.unwrap_or_default());
        self.route(path, template, &put, ("PUT", "replace"), body, media_types);
    }

    fn creates(&mut self, path: &Path<'d>, template: &Template, hint: &str) {
        let Some(post) = Operation::of(self.file, path, "post") else { return };
        let Some((kind, media_types)) = self.document(&post, &format!("new-{hint}")) else {
            return;
        };
        self.resource(&kind);
        self.route(path, template, &post, ("POST", "create"), Body::Document(kind), media_types);
    }

    /// The kind of document that an operation takes, and in which media types.
    fn document(&mut self, operation: &Operation<'d>, hint: &str) -> Option<(String, Vec<String>)> {
        let at = operation.at.key("requestBody");
        let (json, others): (Vec<_>, Vec<_>) =
            operation.sent(self.left).into_iter().partition(|(name, _)| is_json(name));
        for (name, _) in others {
            self.left.push(
                &at,
                format!(
                    "`{}` is no JSON, which is all that is judged; it is refused with 415",
                    comment(&name)
                ),
            );
        }
        let held: Vec<Held<'d>> = json.iter().filter_map(|(_, held)| held.clone()).collect();
        let kind = held.iter().find_map(|held| self.kind(held, hint));
        if kind.is_none() {
            self.left.push(&at, "no route is drafted: no JSON document with a schema is sent");
        }
        Some((kind?, json.into_iter().map(|(name, _)| name).collect()))
    }

    /// The kind whose schema `held` is, translated if it was not seen before.
    fn kind(&mut self, held: &Held<'d>, hint: &str) -> Option<String> {
        let (_, at) = match follow(self.file.root, held.schema, &held.at) {
            Ok(found) => found,
            Err(why) => {
                self.left.push(&held.at, why);
                return None;
            }
        };
        if let Some((_, name)) = self.known.iter().find(|(known, _)| *known == at) {
            return Some(name.clone());
        }
        let mut left = Left::default();
        let written =
            translate(self.file.root, self.file.dialect, held.schema, &held.at, &mut left);
        let schema = Schema::new(&written).map_err(|why| comment(&why));
        let schema = schema.and_then(|schema| {
            match schema.root().may_be_object()
                && View::of(&written, Branches::All).says_something()
            {
                true => Ok(schema),
                false => Err("no object is described".to_owned()),
            }
        });
        let schema = schema
            .map_err(|why| self.left.push(&at, format!("the schema cannot be used: {why}")))
            .ok()?;
        self.left.append(left);
        let referred = held.schema.get("$ref").and_then(Value::as_str);
        let referred = referred.and_then(|text| target(self.file.root, text).ok());
        let referred = referred.and_then(|pointer| Some(kebab(pointer.rsplit('/').next()?)));
        let name = referred.filter(|name| !name.is_empty()).unwrap_or_else(|| hint.to_owned());
        let name = unique(&name, |name| self.is_taken(name));
        self.kinds.push(Kind {
            name: name.clone(),
            written,
            schema,
            text: None,
            shown: Vec::new(),
        });
        self.known.push((at, name.clone()));
        Some(name)
    }

    fn is_taken(&self, name: &str) -> bool {
        RESERVED.contains(&name)
            || self.kinds.iter().any(|kind| kind.name == name)
            || self.resources.iter().any(|resource| resource.name == name)
    }

    fn route(
        &mut self,
        path: &Path<'d>,
        template: &Template,
        operation: &Operation<'d>,
        (method, verb): (&'static str, &str),
        body: Body,
        media_types: Vec<String>,
    ) {
        let name = format!("{verb}-{}", called(path.template));
        self.named_route(path, template, operation, (method, &name), body, media_types);
    }

    fn named_route(
        &mut self,
        path: &Path<'d>,
        template: &Template,
        operation: &Operation<'d>,
        (method, name): (&'static str, &str),
        body: Body,
        media_types: Vec<String>,
    ) {
        let parameters = operation.parameters(self.left);
        let own = operation.value.get("operationId").and_then(Value::as_str).map(kebab);
        let id = own.filter(|id| !id.is_empty()).unwrap_or_else(|| name.to_owned());
        let id = unique(&id, |id| self.routes.iter().any(|route| route.id == id));
        let form = |name: &str| {
            parameters
                .path
                .iter()
                .find(|(known, _)| known == name)
                .map_or("token", |(_, form)| form)
        };
        let params =
            template.params.iter().map(|(theirs, ours)| (ours.clone(), form(theirs))).collect();
        self.routes.push(Route {
            id,
            method,
            path: template.text.clone(),
            params,
            trailing_slashes: template.trailing_slashes,
            body,
            media_types,
            query: parameters.query,
            if_match: parameters.if_match && method != "GET",
            reads: path.item.get("get").is_some(),
        });
    }

    /// The template of `path`. Where two paths call the same parameter by two names, one is taken.
    fn template(&mut self, path: &Path<'d>) -> Option<Template> {
        let text = path.template.trim_end_matches('/');
        let trailing_slashes = path.template.len() - text.len();
        if NormalPath::of(&text.replace(['{', '}'], "")).is_none() {
            self.left.push(
                &path.at,
                "no route can have this path: no empty, `.` or `..` segments, and no escapes",
            );
            return None;
        }
        let (mut named, mut params) = (String::new(), Vec::new());
        for segment in text.split('/').skip(1) {
            named.push('/');
            match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => {
                    let known = self.params.entry(named.clone()).or_insert_with(|| name.to_owned());
                    params.push((name.to_owned(), known.clone()));
                    named.push_str(&format!("{{{known}}}"));
                }
                None => named.push_str(segment),
            }
        }
        if let Err(error) = self.templates.insert(&named, ()) {
            self.left
                .push(&path.at, format!("no route can have this path beside the others: {error}"));
            return None;
        }
        if trailing_slashes > 0 {
            self.left.push(&path.at, "the slash at the end is taken, and not sent on");
        }
        Some(Template { text: named, trailing_slashes, params })
    }
}
