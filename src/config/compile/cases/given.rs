//! What a case is given, and the tables of steps.

use super::{Draft, Stored};
use crate::config::cases::{self as file, Given};
use crate::patch::Pointer;
use crate::policy::Route;
use crate::policy::graph::Graph;

use bytes::Bytes;
use serde_json::{Value, json};

use std::borrow::Cow;

impl<T> Draft<'_, T> {
    /// What a row asks for: its label, what is given, and the body.
    pub(super) fn requests(
        &mut self,
        at: &str,
        case: &file::TestCase,
        row: &file::Row,
        steps: Vec<(String, String)>,
        route: &Route,
    ) -> Vec<(String, Given, Bytes)> {
        if let Some(patch) = &row.patch {
            if !(row.from.is_empty() && row.to.is_empty()) {
                self.fail(&format!("{at}/patch"), "a row is a step, or has a `patch`");
            }
            let op = |op: &Value| {
                let text =
                    |key: &str| op.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
                format!("{} {}", text("op"), text("path"))
            };
            let label = patch.iter().map(op).collect::<Vec<_>>().join(", ");
            return vec![(label, case.given.clone(), json!(patch).to_string().into())];
        }
        let fields = graph(route).map_or(&[][..], Graph::fields);
        let request = |(from, to): (String, String)| {
            let set = |(field, value): (&Pointer<'_>, &str)| json!({ "op": "replace", "path": field.text(), "value": value });
            let patch: Vec<Value> = fields.iter().zip(to.split('/')).map(set).collect();
            let label = format!("{from} → {to}");
            (label, Given { state: from, ..case.given.clone() }, json!(patch).to_string().into())
        };
        steps.into_iter().map(request).collect()
    }

    /// The steps of a row that has no patch.
    pub(super) fn steps(
        &mut self,
        at: &str,
        row: &file::Row,
        route: &Route,
    ) -> Vec<(String, String)> {
        if row.patch.is_some() {
            return Vec::new();
        }
        let Some(graph) = graph(route) else {
            self.fail(at, "the route has no states; give the row a `patch`");
            return Vec::new();
        };
        if self.sound && (row.from.is_empty() || row.to.is_empty()) {
            self.fail(at, "a row has `from` and `to`, or a `patch`");
        }
        let mut steps = Vec::new();
        for from in self.states(&format!("{at}/from"), graph, &row.from) {
            for (index, pattern) in row.to.iter().enumerate() {
                let to = match pattern.as_str() {
                    "same" => vec![from.clone()],
                    _ => self.matching(&format!("{at}/to/{index}"), graph, pattern),
                };
                steps.extend(to.into_iter().map(|to| (from.clone(), to)));
            }
        }
        steps
    }

    fn states(&mut self, at: &str, graph: &Graph, patterns: &[String]) -> Vec<String> {
        let each = patterns.iter().enumerate();
        each.flat_map(|(index, pattern)| self.matching(&format!("{at}/{index}"), graph, pattern))
            .collect()
    }

    fn matching(&mut self, at: &str, graph: &Graph, pattern: &str) -> Vec<String> {
        let states = graph.states().iter().filter(|state| state.is(pattern));
        let found: Vec<String> = states.map(|state| state.name.to_string()).collect();
        if found.is_empty() {
            let error = self.file.error(at, format!("no state is called `{pattern}`"));
            if !self.reading.errors.contains(&error) {
                self.reading.errors.push(error);
            }
        }
        found
    }

    /// What is stored; `None` where the case is at fault.
    pub(super) fn stored(
        &mut self,
        at: &str,
        given: &Given,
        route: &Route,
    ) -> Option<Option<Stored>> {
        let own = self.reading.document(self.file, &format!("{at}/current"), &given.current);
        if own.is_none() && !given.current.is_null() {
            return None;
        }
        let mut document = match (own, given.state.as_str()) {
            (None, "") => return Some(None),
            (own, _) => own.or_else(|| self.base.clone()).unwrap_or_else(|| json!({})),
        };
        if !given.state.is_empty() {
            let at = format!("{at}/state");
            let Some(graph) = graph(route) else {
                self.fail(&at, "the route has no states; give `current`");
                return None;
            };
            if !graph.states().iter().any(|state| *state.name == *given.state) {
                let known = graph.states().iter().map(|state| &*state.name);
                let known = known.collect::<Vec<_>>().join("`, `");
                self.fail(&at, format!("`state` is one of `{known}`"));
                return None;
            }
            for (field, value) in graph.fields().iter().zip(given.state.split('/')) {
                let tokens: Vec<_> = field.tokens().collect();
                put(&mut document, &tokens, value);
            }
        }
        let held = route.resource.as_ref().and_then(|resource| resource.tag.as_ref());
        let held = held.is_some_and(|tag| document.pointer(tag.text()).is_some());
        let tag = match &given.tag {
            Some(tag) => Some(tag.clone()),
            None if held => None,
            None => Some("\"1\"".to_owned()),
        };
        Some(Some(Stored { document: document.to_string().into(), tag }))
    }
}

fn graph(route: &Route) -> Option<&Graph> {
    route.resource.as_ref()?.graph.as_deref()
}

/// Sets the member that `tokens` lead to, with the objects on the way to it.
fn put(document: &mut Value, tokens: &[Cow<'_, str>], value: &str) {
    let Some((first, rest)) = tokens.split_first() else {
        *document = value.into();
        return;
    };
    if !document.is_object() {
        *document = json!({});
    }
    if let Value::Object(members) = document {
        put(members.entry(first.to_string()).or_insert(Value::Null), rest, value);
    }
}
