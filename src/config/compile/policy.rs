//! The policy file: schemas, paths, state graphs and routes.

use super::{POLICY_SCHEMA, Reading};
use crate::config::File;
use crate::config::policy::{self as file, Choice, PolicyFile};
use crate::json::Bounds;
use crate::patch::{OpName, Pointer, UnknownMembers};
use crate::policy::graph::{Draft, Edge, Graph, Part, Step, Takers};
use crate::policy::pattern::Pattern;
use crate::policy::resource::Resource;
use crate::policy::route::{BodyForm, Param};
use crate::policy::rule::{
    AllowedPath, Edits, FitsSchema, Immutable, Name, Operations, Paths, Precondition, Together,
    Transition,
};
use crate::policy::schema::{Formats, Schema};
use crate::policy::{
    Audience, ErrorForm, LostAnswer, NormalPath, Policy, Route, Routes, Rule, StateSource,
};

use http::HeaderName;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) type Policies = File<PolicyFile>;

/// A resource, and the rules that every route which changes it has.
struct Compiled {
    resource: Arc<Resource>,
    ops: Vec<OpName>,
    paths: Vec<Rule>,
    rest: Vec<Rule>,
}

impl Reading {
    pub(super) fn policy(&mut self, path: &Path) -> Option<(Policy, Policies)> {
        let file: Policies = self.read(path, POLICY_SCHEMA)?;
        let noted = self.note(path);
        self.keep(noted)?;
        let mut resources = BTreeMap::new();
        for (name, resource) in &file.value.resources {
            let at = format!("/resources/{name}");
            if let Some(compiled) = self.resource(&file, &at, name, resource) {
                resources.insert(name.as_str(), compiled);
            }
        }
        let mut routes = Vec::new();
        for (index, route) in file.value.routes.iter().enumerate() {
            let at = format!("/routes/{index}");
            if file.value.routes.iter().take(index).any(|other| other.id == route.id) {
                let message = format!("the route `{}` is named twice", route.id);
                self.errors.push(file.error(&format!("{at}/id"), message));
            }
            routes.extend(self.route(&file, &at, route, &resources).map(Arc::new));
        }
        self.lint_resources(&file);
        let errors = match file.value.errors {
            file::ErrorForm::PartnerCenter => ErrorForm::PartnerCenter,
            file::ErrorForm::Problem => ErrorForm::Problem,
        };
        let routes = self.keep(Routes::new(routes).map_err(|(route, message)| {
            let index = file.value.routes.iter().position(|other| *other.id == *route.id);
            file.error(&format!("/routes/{}/path", index.unwrap_or_default()), message)
        }))?;
        Some((Policy { name: file.value.name.clone(), routes, errors }, file))
    }

    fn resource(
        &mut self,
        file: &Policies,
        at: &str,
        name: &str,
        wanted: &file::Resource,
    ) -> Option<Compiled> {
        let schema = Arc::new(self.schema(file, at, wanted)?);
        let ops: Vec<OpName> = wanted.ops.iter().copied().map(op).collect();
        let mut allowed = Vec::new();
        for (index, path) in wanted.paths.iter().enumerate() {
            let at = format!("{at}/paths/{index}");
            let Some(pattern) = self.pattern(file, &format!("{at}/path"), &path.path) else {
                continue;
            };
            if !schema.describes(&pattern) && wanted.undescribed == Choice::Refuse {
                let message = format!(
                    "the schema does not describe `{pattern}`, so that no patch of it passes"
                );
                self.errors.push(file.error(&format!("{at}/path"), message));
            }
            let own: Vec<OpName> = path.ops.iter().copied().map(op).collect();
            for extra in own.iter().filter(|name| !ops.contains(name)) {
                let message = format!("`{extra}` is not among the `ops` of the resource");
                self.errors.push(file.error(&format!("{at}/ops"), message));
            }
            let ops = if own.is_empty() { ops.clone() } else { own };
            allowed.push((index, AllowedPath { pattern, ops, subtree: path.subtree }));
        }
        self.lint_paths(file, at, &ops, &allowed);
        self.lint_fields(file, at, wanted, &schema);
        self.lint_formats(file, at, &schema);
        let allowed = allowed.into_iter().map(|(_, path)| path).collect();
        let mut fields = Vec::new();
        for (index, pattern) in wanted.immutable.iter().enumerate() {
            fields.extend(self.pattern(file, &format!("{at}/immutable/{index}"), pattern));
        }
        let tag = match wanted.tag.as_str() {
            "" => None,
            text => self.pointer(file, &format!("{at}/tag"), text),
        };
        let undescribed = wanted.undescribed == Choice::Permit;
        let mut rest = vec![
            Rule::Schema(FitsSchema { schema: Arc::clone(&schema), undescribed }),
            Rule::Immutable(Immutable { fields, schema: Arc::clone(&schema) }),
        ];
        let mut graph = None;
        if let Some(states) = &wanted.states {
            let at = format!("{at}/states");
            let compiled = Arc::new(self.graph(file, &at, states)?);
            self.check_states(file, &at, wanted, (&compiled, &schema));
            self.lint_states(file, &at, states, &compiled);
            self.lint_takers(file, &at, states);
            if states.together {
                rest.push(Rule::Together(Together { fields: compiled.fields().to_vec() }));
            }
            let edits = self.edits(file, &at, states);
            rest.push(Rule::Transition(Transition { graph: Arc::clone(&compiled), edits }));
            graph = Some(compiled);
        }
        let folds_case = wanted.case == file::Case::Fold;
        let resource = Resource { name: name.into(), schema, graph, folds_case, tag };
        let resource = Arc::new(resource);
        Some(Compiled { resource, ops, paths: vec![Rule::Paths(Paths::new(allowed))], rest })
    }

    fn schema(&mut self, file: &Policies, at: &str, wanted: &file::Resource) -> Option<Schema> {
        let path = file.beside(&wanted.schema);
        let key = format!("{at}/schema");
        let noted = self.note(&path);
        let text =
            self.keep(noted.map_err(|error| {
                file.error(&key, format!("`{}` {}", wanted.schema, error.message))
            }))?;
        let value = serde_json::from_str(&text)
            .map_err(|error| file.error(&key, format!("`{}` is not JSON: {error}", wanted.schema)));
        let formats = match wanted.formats {
            file::Formats::Assert => Formats::Assert,
            file::Formats::Annotate => Formats::Annotate,
        };
        let schema = Schema::with_formats(&self.keep(value)?, formats);
        self.keep(schema.map_err(|error| file.error(&key, format!("`{}`: {error}", wanted.schema))))
    }

    fn graph(&mut self, file: &Policies, at: &str, states: &file::States) -> Option<Graph> {
        let mut fields = Vec::new();
        for (index, field) in states.fields.iter().enumerate() {
            fields.push(self.pointer(file, &format!("{at}/fields/{index}"), field)?);
        }
        for (index, step) in states.transitions.iter().enumerate().filter(|(_, step)| !step.allow) {
            for (key, named) in [("partners", &step.partners), ("roles", &step.roles)] {
                if !named.is_empty() {
                    let message = format!(
                        "`{key}` says who may take a step, and `allow: false` that nobody may; give one of them"
                    );
                    self.errors
                        .push(file.error(&format!("{at}/transitions/{index}/{key}"), message));
                }
            }
        }
        let steps: Vec<Step> = states.transitions.iter().map(step).collect();
        let (names, initial, finals) = (&states.names, &states.initial, &states.finals);
        match Graph::new(fields, Draft { names, initial, finals, steps: &steps }) {
            Ok(graph) => Some(graph),
            Err(errors) => {
                self.errors.extend(errors.into_iter().map(|(part, message)| {
                    let key = match part {
                        Part::Final(index) => format!("final/{index}"),
                        Part::Initial(index) => format!("initial/{index}"),
                        Part::Name(index) => format!("names/{index}"),
                        Part::Step(index) => format!("transitions/{index}"),
                    };
                    file.error(&format!("{at}/{key}"), message)
                }));
                None
            }
        }
    }

    fn edits(&mut self, file: &Policies, at: &str, states: &file::States) -> Vec<Edits> {
        let mut compiled = Vec::new();
        for (index, edits) in states.edits.iter().enumerate().filter(|(_, edits)| !edits.allow) {
            let mut except = Vec::new();
            for (position, pattern) in edits.except.iter().enumerate() {
                let at = format!("{at}/edits/{index}/except/{position}");
                except.extend(self.pattern(file, &at, pattern));
            }
            let states = edits.states.clone();
            compiled.push(Edits { states, except, reason: some(&edits.reason) });
        }
        compiled
    }

    fn route(
        &mut self,
        file: &Policies,
        at: &str,
        wanted: &file::Route,
        resources: &BTreeMap<&str, Compiled>,
    ) -> Option<Route> {
        if NormalPath::of(&wanted.path.replace(['{', '}'], "")).is_none() {
            let message = "`path` has no normal form: no empty, `.` or `..` segments, no escapes, no slash at the end";
            self.errors.push(file.error(&format!("{at}/path"), message));
        }
        for name in wanted.params.keys() {
            if !wanted.path.contains(&format!("{{{name}}}")) {
                let message = format!("`path` has no parameter `{{{name}}}`");
                self.errors.push(file.error(&format!("{at}/params/{name}"), message));
            }
        }
        let compiled = match (wanted.body, wanted.resource.as_str()) {
            (file::Body::None, "") => None,
            (_, name) => match resources.get(name) {
                Some(compiled) => Some(compiled),
                None => {
                    if !file.value.resources.contains_key(name) {
                        let known: Vec<_> =
                            file.value.resources.keys().map(String::as_str).collect();
                        let message = format!("`resource` is one of `{}`", known.join("`, `"));
                        self.errors.push(file.error(&format!("{at}/resource"), message));
                    }
                    return None;
                }
            },
        };
        let needs_type = wanted.body != file::Body::None && wanted.media_types.is_empty();
        if needs_type {
            let message =
                "`media_types` is needed where there is a body, as `[application/json-patch+json]`";
            self.errors.push(file.error(at, message));
        }
        for (index, name) in wanted.media_types.iter().enumerate() {
            if !is_media_type(name) {
                let message = "a media type is written without parameters, as `application/json`; of those that callers send, only a charset of UTF-8 is accepted";
                self.errors.push(file.error(&format!("{at}/media_types/{index}"), message));
            }
        }
        let required = wanted.if_match == file::IfMatch::Required;
        let mut rules = vec![Rule::Precondition(Precondition { required })];
        let body = match wanted.body {
            file::Body::None => BodyForm::Nothing,
            file::Body::Document => {
                let makes = |method: &&String| *method == "POST";
                match wanted.methods.iter().filter(makes).count() {
                    0 => BodyForm::Replacement,
                    made if made == wanted.methods.len() => BodyForm::Document,
                    _ => {
                        let message = "POST makes a document and other methods replace one; write a route for each";
                        self.errors.push(file.error(&format!("{at}/methods"), message));
                        BodyForm::Replacement
                    }
                }
            }
            file::Body::JsonPatch => BodyForm::JsonPatch,
            file::Body::MergePatch => BodyForm::MergePatch,
        };
        if let Some(compiled) = compiled.filter(|_| body != BodyForm::Nothing) {
            let empty = wanted.empty_patch == Choice::Permit;
            rules.push(Rule::Operations(Operations { allowed: compiled.ops.clone(), empty }));
            rules.extend(compiled.paths.iter().chain(&compiled.rest).cloned());
        }
        rules.retain(|rule| rule.looks_at(body));
        self.lint_named(file, at, &wanted.partners, &wanted.roles);
        self.lint_modes(file, at, wanted, &rules);
        let mode = |name| rule_mode(&wanted.rules, name);
        rules.retain(|rule| mode(rule.name()) != file::RuleMode::Off);
        let warn = Name::ALL.into_iter().filter(|name| mode(*name) == file::RuleMode::Warn);
        let bounds = &wanted.bounds;
        Some(Route {
            id: wanted.id.as_str().into(),
            template: wanted.path.as_str().into(),
            methods: wanted.methods.clone(),
            audience: Audience {
                takers: Takers { partners: wanted.partners.clone(), roles: wanted.roles.clone() },
                known: wanted.identity == file::Identity::Required,
            },
            params: wanted.params.iter().filter_map(param).collect(),
            body,
            media_types: wanted.media_types.iter().map(|name| name.to_lowercase()).collect(),
            gzip: wanted.gzip == Choice::Permit,
            max_body: bounds.body.bytes(),
            bounds: Bounds {
                depth: bounds.depth,
                items: bounds.ops,
                values: bounds.values,
                string: bounds.string.bytes(),
            },
            unknown_members: match wanted.unknown_members {
                Choice::Permit => UnknownMembers::Permit,
                Choice::Refuse => UnknownMembers::Refuse,
            },
            query: wanted.query == Choice::Permit,
            trailing_slashes: wanted.trailing_slashes,
            state: match wanted.state {
                file::State::Fetch => {
                    StateSource::Fetch { advisory: wanted.untagged == Choice::Permit }
                }
                file::State::Never => {
                    StateSource::Never { permit: wanted.undecided == Choice::Permit }
                }
            },
            lost_answer: match wanted.lost_answer {
                file::LostAnswer::Report => LostAnswer::Report,
                file::LostAnswer::Resolve => LostAnswer::Resolve,
            },
            links: self.links(file, at, &wanted.links),
            resource: compiled.map(|compiled| Arc::clone(&compiled.resource)),
            warn: warn.collect(),
            observe: wanted.mode == file::Mode::Observe,
            rules,
        })
    }

    pub(super) fn pattern(&mut self, file: &Policies, at: &str, text: &str) -> Option<Pattern> {
        let pattern = Pattern::parse(text);
        self.keep(
            pattern.map_err(|error| file.error(at, format!("`{text}` is no pattern: {error}"))),
        )
    }

    fn pointer(&mut self, file: &Policies, at: &str, text: &str) -> Option<Pointer<'static>> {
        let pointer = Pointer::parse(text.to_owned());
        self.keep(
            pointer
                .map_err(|error| file.error(at, format!("`{text}` is no JSON Pointer: {error}"))),
        )
    }
}

fn param((name, wanted): (&String, &file::Param)) -> Option<(String, Param)> {
    let param = match wanted {
        file::Param::Any => return None,
        file::Param::Guid => Param::Guid,
        file::Param::Token => Param::Token,
    };
    Some((name.clone(), param))
}

/// A line about steps, as the graph reads it.
pub(super) fn step(line: &file::Transition) -> Step {
    let takers = Takers { partners: line.partners.clone(), roles: line.roles.clone() };
    Step {
        from: line.from.clone(),
        to: line.to.clone(),
        edge: Edge { allow: line.allow, takers, reason: some(&line.reason) },
    }
}

/// What `modes` says of the rule called `name`.
pub(super) fn rule_mode(modes: &file::RuleModes, name: Name) -> file::RuleMode {
    match name {
        Name::Immutable => modes.immutable,
        Name::Operations => modes.operations,
        Name::Paths => modes.paths,
        Name::Precondition => modes.precondition,
        Name::Schema => modes.schema,
        Name::Together => modes.together,
        Name::Transition => modes.transition,
    }
}

fn op(op: file::Op) -> OpName {
    match op {
        file::Op::Add => OpName::Add,
        file::Op::Copy => OpName::Copy,
        file::Op::Move => OpName::Move,
        file::Op::Remove => OpName::Remove,
        file::Op::Replace => OpName::Replace,
        file::Op::Test => OpName::Test,
    }
}

fn some(text: &str) -> Option<String> {
    Some(text).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether `name` is the name of a media type (RFC 9110 §8.3.1), and has no parameters.
fn is_media_type(name: &str) -> bool {
    // Names of fields are tokens as well.
    let is_token = |part: &str| HeaderName::from_bytes(part.as_bytes()).is_ok();
    name.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}
