//! Two state graphs, step by step.

use super::route::compare_takers;
use super::{Found, Turn};
use crate::policy::graph::Graph;
use crate::policy::pattern::Pattern;
use crate::policy::rule::{Edits, Transition};

pub(super) fn compare(old: &Transition, new: &Transition, found: &mut Found<'_>) {
    let fields = |graph: &Graph| {
        let fields: Vec<_> = graph.fields().iter().map(|field| field.text()).collect();
        fields.join(", ")
    };
    let (was, is) = (fields(&old.graph), fields(&new.graph));
    if was != is {
        // Of other fields no state and no step is the same.
        return found.push(Turn::Unclear, "fields", format!("{is} instead of {was}"));
    }
    compare_graphs(&old.graph, &new.graph, found);
    compare_edits(old, new, found);
}

fn compare_graphs(old: &Graph, new: &Graph, found: &mut Found<'_>) {
    for state in new.states().iter().filter(|state| place(old, &state.name).is_none()) {
        found.push(Turn::Widens, &*state.name, "is a state");
    }
    for state in old.states().iter().filter(|state| place(new, &state.name).is_none()) {
        found.push(Turn::Narrows, &*state.name, "is no state any more");
    }
    let both: Vec<(usize, usize, &str)> = (new.states().iter().enumerate())
        .filter_map(|(at, state)| Some((place(old, &state.name)?, at, &*state.name)))
        .collect();
    for (old_from, from, from_name) in &both {
        for (old_to, to, to_name) in &both {
            let (Some(was), Some(is)) = (old.edge(*old_from, *old_to), new.edge(*from, *to)) else {
                continue;
            };
            let at = format!("{from_name} -> {to_name}");
            match (was.allow, is.allow) {
                (false, true) => found.push(Turn::Widens, at, "is allowed"),
                (true, false) => found.push(Turn::Narrows, at, "is no longer allowed"),
                (true, true) => {
                    let all = ("everybody may take it", "only some may take it");
                    compare_takers(&at, (&was.takers, &is.takers), all, "may take it", found);
                }
                (false, false) => {}
            }
        }
    }
    let begin = |graph: &Graph| -> Vec<String> {
        let all = (0..graph.states().len()).collect::<Vec<_>>();
        let initial = if graph.initial().is_empty() { &all } else { graph.initial() };
        initial.iter().map(|state| graph.name(*state).to_owned()).collect()
    };
    let common = |graph: &Graph| -> Vec<String> {
        let mut names = begin(graph);
        names.retain(|name| both.iter().any(|(_, _, other)| other == name));
        names
    };
    found.members("initial", &common(old), &common(new));
}

fn place(graph: &Graph, name: &str) -> Option<usize> {
    graph.states().iter().position(|state| &*state.name == name)
}

/// What may be edited in each state that both have.
fn compare_edits(old: &Transition, new: &Transition, found: &mut Found<'_>) {
    let frozen = |rule: &Transition, name: &str| -> Vec<Vec<String>> {
        let state = rule.graph.states().iter().find(|state| &*state.name == name);
        let holds = |edits: &&Edits| {
            state.is_some_and(|state| edits.states.iter().any(|pattern| state.is(pattern)))
        };
        let except = |edits: &Edits| {
            let mut except: Vec<String> =
                edits.except.iter().map(Pattern::as_str).map(str::to_owned).collect();
            except.sort();
            except
        };
        let mut all: Vec<_> = rule.edits.iter().filter(holds).map(except).collect();
        all.sort();
        all
    };
    for state in new.graph.states() {
        if place(&old.graph, &state.name).is_none() {
            continue;
        }
        let (was, is) = (frozen(old, &state.name), frozen(new, &state.name));
        match (was.is_empty(), is.is_empty()) {
            _ if was == is => {}
            (true, _) => found.push(Turn::Narrows, &*state.name, "other fields are frozen"),
            (_, true) => found.push(Turn::Widens, &*state.name, "no field is frozen"),
            _ => found.push(Turn::Unclear, &*state.name, "other fields than before are frozen"),
        }
    }
}
