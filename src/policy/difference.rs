//! In what two policies differ: what the new one lets through that the old one did not, and what it
//! refuses that the old one let through.
//!
//! Where that cannot be said for certain, it is said so; nobody should take it for a narrowing.

mod route;
mod schema;
mod states;

use super::Policy;
use super::route::Route;
use super::rule::Name;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// What a difference does to what is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Turn {
    /// More is let through.
    Widens,
    /// More, less, or both: it takes somebody to look.
    Unclear,
    /// Less is let through.
    Narrows,
}

impl Turn {
    /// The name as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Widens => "widens",
            Self::Unclear => "unclear",
            Self::Narrows => "narrows",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The method and the path, as `PATCH /v1.0/things/{}`.
    pub route: String,
    /// The rule; nothing for what the route says beside its rules.
    pub rule: Option<Name>,
    /// What it does.
    pub turn: Turn,
    /// Where in the rule: a place, a step, a keyword of the schema.
    pub at: String,
    /// What is so now that was not.
    pub message: String,
}

impl Difference {
    /// What the route for `method` at `template` is called. The names of its parameters are left out.
    pub fn key(method: &str, template: &str) -> String {
        let token = |token| if str::starts_with(token, '{') { "{}" } else { token };
        let path: Vec<&str> = template.split('/').map(token).collect();
        format!("{method} {}", path.join("/"))
    }
}

/// The differences that are found, of one route.
#[derive(Debug)]
struct Found<'a> {
    route: &'a str,
    rule: Option<Name>,
    all: &'a mut Vec<Difference>,
}

impl Found<'_> {
    fn push(&mut self, turn: Turn, at: impl Into<String>, message: impl Into<String>) {
        let route = self.route.to_owned();
        let (at, message) = (at.into(), message.into());
        self.all.push(Difference { route, rule: self.rule, turn, at, message });
    }

    /// Of two values of which the larger lets more through.
    fn amount<T: PartialOrd + Display>(&mut self, at: &str, old: T, new: T) {
        if old != new {
            let turn = if new > old { Turn::Widens } else { Turn::Narrows };
            self.push(turn, at, format!("{new} instead of {old}"));
        }
    }

    /// Of two sets of which each member lets more through.
    fn members<T: PartialEq + Display>(&mut self, at: &str, old: &[T], new: &[T]) {
        for one in new.iter().filter(|one| !old.contains(one)) {
            self.push(Turn::Widens, at, format!("`{one}` is new"));
        }
        for one in old.iter().filter(|one| !new.contains(one)) {
            self.push(Turn::Narrows, at, format!("`{one}` is gone"));
        }
    }
}

/// In what `new` differs from `old`, route by route.
pub fn between(old: &Policy, new: &Policy) -> Vec<Difference> {
    let mut all = Vec::new();
    let (old, new) = (by_request(old), by_request(new));
    for (key, route) in &new {
        let mut found = Found { route: key, rule: None, all: &mut all };
        match old.get(key) {
            Some(old) => route::compare(old, route, &mut found),
            None => found.push(Turn::Widens, "", "the route is new"),
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        let mut found = Found { route: key, rule: None, all: &mut all };
        found.push(Turn::Narrows, "", "the route is gone");
    }
    all
}

/// In what the schema `new` differs from `old`.
pub fn between_schemas(old: &serde_json::Value, new: &serde_json::Value) -> Vec<Difference> {
    let mut all = Vec::new();
    schema::compare(old, new, &mut Found { route: "", rule: Some(Name::Schema), all: &mut all });
    all
}

/// The routes by method and path. What a parameter is called makes no difference.
fn by_request(policy: &Policy) -> BTreeMap<String, &Arc<Route>> {
    let mut found = BTreeMap::new();
    for route in policy.routes.iter() {
        for method in &route.methods {
            found.insert(Difference::key(method, &route.template), route);
        }
    }
    found
}
