//! Two routes for the same requests: what each says by itself, and rule by rule.

use super::{Found, Turn, schema, states};
use crate::patch::{OpName, UnknownMembers};
use crate::policy::Audience;
use crate::policy::graph::Takers;
use crate::policy::pattern::Pattern;
use crate::policy::route::{BodyForm, Route, StateSource};
use crate::policy::rule::{AllowedPath, Name, Rule};

pub(super) fn compare(old: &Route, new: &Route, found: &mut Found<'_>) {
    compare_settings(old, new, found);
    for name in Name::ALL {
        found.rule = Some(name);
        let of = |route: &'_ Route| route.rules.iter().filter(|rule| rule.name() == name).count();
        let (was, is) = (of(old), of(new));
        if was == 0 && is > 0 {
            found.push(Turn::Narrows, "", "is demanded now");
        } else if was > 0 && is == 0 {
            found.push(Turn::Widens, "", "is no longer demanded");
        } else {
            compare_rules(name, old, new, found);
        }
        match (old.warn.contains(&name), new.warn.contains(&name)) {
            (false, true) => found.push(Turn::Widens, "", "only warns"),
            (true, false) => found.push(Turn::Narrows, "", "refuses, and no longer only warns"),
            (true, true) | (false, false) => {}
        }
    }
    found.rule = None;
}

fn compare_settings(old: &Route, new: &Route, found: &mut Found<'_>) {
    compare_audiences(&old.audience, &new.audience, found);
    if old.params != new.params {
        found.push(Turn::Unclear, "params", "other parameters fit");
    }
    if old.body != new.body {
        found.push(Turn::Unclear, "body", "has another form");
    } else if old.body != BodyForm::Nothing {
        found.members("media_types", &old.media_types, &new.media_types);
    }
    permitted(found, "gzip", (old.gzip, new.gzip), ("is decoded", "is refused"));
    permitted(found, "query", (old.query, new.query), ("is passed on", "is refused"));
    let mode = ("nothing is refused any more", "violations are refused");
    permitted(found, "mode", (old.observe, new.observe), mode);
    let takes_any = |route: &Route| route.unknown_members == UnknownMembers::Permit;
    let members = ("are let through", "are refused");
    permitted(found, "unknown_members", (takes_any(old), takes_any(new)), members);
    found.amount("bounds.body", old.max_body, new.max_body);
    found.amount("bounds.depth", old.bounds.depth, new.bounds.depth);
    found.amount("bounds.ops", old.bounds.items, new.bounds.items);
    found.amount("bounds.values", old.bounds.values, new.bounds.values);
    found.amount("bounds.string", old.bounds.string, new.bounds.string);
    found.amount("trailing_slashes", old.trailing_slashes, new.trailing_slashes);
    let (was, is) = (rank(old.state), rank(new.state));
    if was != is {
        let turn = if is.0 > was.0 { Turn::Widens } else { Turn::Narrows };
        found.push(turn, "state", is.1);
    }
    let (was, is) = (old.resource.as_ref(), new.resource.as_ref());
    let folds = |route: Option<&std::sync::Arc<crate::policy::Resource>>| {
        route.is_some_and(|resource| resource.folds_case)
    };
    if folds(was) != folds(is) {
        found.push(Turn::Unclear, "case", "names are compared in another way");
    }
    let tag = |route: &Route| route.resource.as_ref().and_then(|resource| resource.tag.clone());
    if tag(old) != tag(new) {
        found.push(Turn::Unclear, "tag", "the entity tag is looked for at another place");
    }
}

/// How much is let through where a rule needs the current state, and what is said of it.
fn rank(state: StateSource) -> (u8, &'static str) {
    match state {
        StateSource::Never { permit: false } => (0, "what cannot be decided is refused"),
        StateSource::Fetch { advisory: false } => (1, "is read where a rule needs it"),
        StateSource::Fetch { advisory: true } => {
            (2, "what has no strong entity tag is judged, and not pinned")
        }
        StateSource::Never { permit: true } => (3, "what cannot be decided is permitted"),
    }
}

fn permitted(found: &mut Found<'_>, at: &str, (was, is): (bool, bool), (more, less): (&str, &str)) {
    match (was, is) {
        (false, true) => found.push(Turn::Widens, at, more),
        (true, false) => found.push(Turn::Narrows, at, less),
        (true, true) | (false, false) => {}
    }
}

fn compare_audiences(old: &Audience, new: &Audience, found: &mut Found<'_>) {
    let known = ("unknown callers may come in", "unknown callers may not come in");
    permitted(found, "audience", (!old.known, !new.known), known);
    let all = ("everybody may come in", "only some may come in");
    compare_takers("audience", (&old.takers, &new.takers), all, "may come in", found);
}

/// Compares who may do something; `all` is said where everybody may, or no longer everybody.
pub(super) fn compare_takers(
    at: &str,
    (old, new): (&Takers, &Takers),
    all: (&str, &str),
    may: &str,
    found: &mut Found<'_>,
) {
    let is_all = |takers: &Takers| takers.partners.is_empty() && takers.roles.is_empty();
    if is_all(old) || is_all(new) {
        return permitted(found, at, (is_all(old), is_all(new)), all);
    }
    for (old, new) in [(&old.partners, &new.partners), (&old.roles, &new.roles)] {
        for one in new.iter().filter(|one| !old.contains(one)) {
            found.push(Turn::Widens, at, format!("`{one}` {may}"));
        }
        for one in old.iter().filter(|one| !new.contains(one)) {
            found.push(Turn::Narrows, at, format!("`{one}` no longer {may}"));
        }
    }
}

fn compare_rules(name: Name, old: &Route, new: &Route, found: &mut Found<'_>) {
    if name == Name::Together {
        return compare_together(old, new, found);
    }
    let of = |route: &'_ Route| route.rules.iter().position(|rule| rule.name() == name);
    let (Some(was), Some(is)) = (of(old), of(new)) else { return };
    match (old.rules.get(was), new.rules.get(is)) {
        (Some(Rule::Immutable(was)), Some(Rule::Immutable(is))) => {
            compare_fields(&was.fields, &is.fields, found);
        }
        (Some(Rule::Operations(was)), Some(Rule::Operations(is))) => {
            let names = |ops: &[OpName]| ops.iter().map(|op| op.as_str()).collect::<Vec<_>>();
            found.members("ops", &names(&was.allowed), &names(&is.allowed));
            let empty = ("passes", "is refused");
            permitted(found, "empty_patch", (was.empty, is.empty), empty);
        }
        (Some(Rule::Paths(was)), Some(Rule::Paths(is))) => {
            compare_paths(was.allowed(), is.allowed(), found);
        }
        (Some(Rule::Precondition(was)), Some(Rule::Precondition(is))) => {
            let demanded = ("`If-Match` is no longer demanded", "`If-Match` is demanded");
            permitted(found, "", (!was.required, !is.required), demanded);
        }
        (Some(Rule::Schema(was)), Some(Rule::Schema(is))) => {
            let undescribed = (
                "places that the schema does not describe are let through",
                "places that the schema does not describe are refused",
            );
            permitted(found, "", (was.undescribed, is.undescribed), undescribed);
            schema::compare(was.schema.source(), is.schema.source(), found);
            schema::compare_formats(&was.schema, &is.schema, found);
        }
        (Some(Rule::Transition(was)), Some(Rule::Transition(is))) => {
            states::compare(was, is, found);
        }
        _ => {}
    }
}

fn compare_together(old: &Route, new: &Route, found: &mut Found<'_>) {
    let sets = |route: &Route| -> Vec<String> {
        let fields = |rule: &Rule| {
            let Rule::Together(rule) = rule else { return None };
            let fields: Vec<_> = rule.fields.iter().map(|field| field.text()).collect();
            Some(fields.join(", "))
        };
        route.rules.iter().filter_map(fields).collect()
    };
    let (was, is) = (sets(old), sets(new));
    for fields in is.iter().filter(|fields| !was.contains(fields)) {
        found.push(Turn::Narrows, &**fields, "change only together");
    }
    for fields in was.iter().filter(|fields| !is.contains(fields)) {
        found.push(Turn::Widens, &**fields, "may change apart");
    }
}

fn compare_fields(old: &[Pattern], new: &[Pattern], found: &mut Found<'_>) {
    let holds = |all: &[Pattern], one: &Pattern| all.iter().any(|other| other.covers(one));
    for field in new.iter().filter(|field| !holds(old, field)) {
        found.push(Turn::Narrows, field.as_str(), "cannot be changed any more");
    }
    for field in old.iter().filter(|field| !holds(new, field)) {
        found.push(Turn::Widens, field.as_str(), "may be changed");
    }
}

fn compare_paths(old: &[AllowedPath], new: &[AllowedPath], found: &mut Found<'_>) {
    let mut beyond = |from: &[AllowedPath], to: &[AllowedPath], turn: Turn| {
        for path in to {
            let about: Vec<&AllowedPath> =
                from.iter().filter(|other| other.pattern.covers(&path.pattern)).collect();
            let missing = |wanted: &dyn Fn(&AllowedPath) -> bool| -> Vec<&str> {
                let has =
                    |op: &OpName| about.iter().any(|other| wanted(other) && other.ops.contains(op));
                path.ops.iter().filter(|op| !has(op)).map(|op| op.as_str()).collect()
            };
            let may = if turn == Turn::Widens { "may" } else { "may no longer" };
            let ops = missing(&|_| true);
            if !ops.is_empty() {
                let message = format!("{may} be reached by {}", ops.join(", "));
                found.push(turn, path.pattern.as_str(), message);
            } else if !missing(&|other| other.covers(path)).is_empty() {
                let message = format!("all that is beneath {may} be reached");
                found.push(turn, path.pattern.as_str(), message);
            }
        }
    };
    beyond(old, new, Turn::Widens);
    beyond(new, old, Turn::Narrows);
}
