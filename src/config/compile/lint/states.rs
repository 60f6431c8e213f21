//! State graphs in which something is wrong, or looks forgotten.

use super::Policies;
use crate::config::compile::Reading;
use crate::config::compile::policy::step;
use crate::config::policy::{self as file, Choice};
use crate::json::Value;
use crate::policy::graph::{Draft, Graph, Step};
use crate::policy::schema::Schema;

impl Reading {
    /// Faults of a graph that only the schema, or the graph as a whole, tells.
    pub(in crate::config::compile) fn check_states(
        &mut self,
        file: &Policies,
        at: &str,
        wanted: &file::Resource,
        (graph, schema): (&Graph, &Schema),
    ) {
        let Some(states) = &wanted.states else { return };
        let places: Vec<_> = graph.fields().iter().map(|field| schema.place(field)).collect();
        for ((index, field), place) in (0..).zip(&states.fields).zip(&places) {
            if !place.is_described() && wanted.undescribed == Choice::Refuse {
                let message = format!(
                    "the schema does not describe `{field}`, so that no patch of it passes"
                );
                self.errors.push(file.error(&format!("{at}/fields/{index}"), message));
            }
        }
        for (index, name) in states.names.iter().enumerate() {
            for ((field, place), value) in states.fields.iter().zip(&places).zip(name.split('/')) {
                if place.is_described() && !place.fits(&Value::String(value.into())) {
                    let message = format!("the schema does not allow `{value}` at `{field}`");
                    self.errors.push(file.error(&format!("{at}/names/{index}"), message));
                }
            }
        }
        for (index, edits) in states.edits.iter().enumerate() {
            for (position, pattern) in edits.states.iter().enumerate() {
                if !graph.states().iter().any(|state| state.is(pattern)) {
                    let message = format!("no state is called `{pattern}`");
                    let at = format!("{at}/edits/{index}/in/{position}");
                    self.errors.push(file.error(&at, message));
                }
            }
        }
    }

    /// States that cannot be reached or left, and lines about steps that change nothing.
    pub(in crate::config::compile) fn lint_states(
        &mut self,
        file: &Policies,
        at: &str,
        states: &file::States,
        graph: &Graph,
    ) {
        let reached = reached(graph);
        for index in 0..graph.states().len() {
            let name = graph.name(index);
            let at = format!("{at}/names/{index}");
            if !reached.contains(&index) {
                let message = if graph.initial().is_empty() {
                    format!(
                        "no other state leads to `{name}`; name it under `initial` if documents begin there"
                    )
                } else {
                    format!("`{name}` cannot be reached from the states under `initial`")
                };
                self.warn(file, &at, message);
            }
            let leaves = next(graph, index).any(|to| to != index);
            if !leaves && !graph.finals().contains(&index) {
                let message = format!(
                    "`{name}` leads to no other state; name it under `final` if documents end there"
                );
                self.warn(file, &at, message);
            }
        }
        for (index, pattern) in states.finals.iter().enumerate() {
            for &state in graph.finals() {
                let matches = graph.states().get(state).is_some_and(|state| state.is(pattern));
                if matches && let Some(to) = next(graph, state).find(|to| *to != state) {
                    let (name, to) = (graph.name(state), graph.name(to));
                    let message = format!("`{name}` is under `final`, and leads to `{to}`");
                    self.warn(file, &format!("{at}/final/{index}"), message);
                }
            }
        }
        self.lint_steps(file, at, states, graph);
    }

    /// Lines without which the graph would be the same; of two that say the same, the later one.
    fn lint_steps(&mut self, file: &Policies, at: &str, states: &file::States, graph: &Graph) {
        let with = |steps: &[Step]| {
            let draft = Draft { names: &states.names, steps, ..Draft::default() };
            Graph::new(graph.fields().to_vec(), draft).ok()
        };
        let mut kept: Vec<Step> = states.transitions.iter().map(step).collect();
        for index in (0..kept.len()).rev() {
            let (before, _) = kept.split_at(index);
            let (without, with_it) = (with(before), kept.get(..=index).and_then(with));
            let overridden = !is_same(without.as_ref(), with_it.as_ref());
            let line = kept.remove(index);
            if is_same(with(&kept).as_ref(), Some(graph)) {
                let message = if overridden {
                    "later lines override this one as a whole"
                } else {
                    "this line changes nothing: what it says holds without it"
                };
                self.warn(file, &format!("{at}/transitions/{index}"), message);
            } else {
                kept.insert(index, line);
            }
        }
    }
}

/// The states that documents can come to be in, whoever takes the steps.
fn reached(graph: &Graph) -> Vec<usize> {
    let all = 0..graph.states().len();
    if graph.initial().is_empty() {
        let led_to = |to: &usize| all.clone().any(|from| from != *to && leads(graph, from, *to));
        return all.clone().filter(led_to).collect();
    }
    let mut reached = graph.initial().to_vec();
    let mut at = 0;
    while let Some(&from) = reached.get(at) {
        for to in next(graph, from) {
            if !reached.contains(&to) {
                reached.push(to);
            }
        }
        at += 1;
    }
    reached
}

fn leads(graph: &Graph, from: usize, to: usize) -> bool {
    graph.edge(from, to).is_some_and(|edge| edge.allow)
}

fn next(graph: &Graph, from: usize) -> impl Iterator<Item = usize> {
    (0..graph.states().len()).filter(move |to| leads(graph, from, *to))
}

fn is_same(one: Option<&Graph>, other: Option<&Graph>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let all = 0..one.states().len();
    all.clone().all(|from| all.clone().all(|to| one.edge(from, to) == other.edge(from, to)))
}
