//! What of a policy the cases exercise: its rules, its allowed paths, the edges of its graphs.

use super::judged::{Got, Judged};
use super::{Case, Cases};
use crate::policy::{Answer, Route, Rule, Step};
use crate::violation::Code;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the cases exercise of each policy, by its file.
#[derive(Debug, Default)]
pub(super) struct Coverage(pub(super) BTreeMap<PathBuf, Covered>);

/// What the cases exercise of one policy.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Each rule of each route: that it found something, and that it let something pass.
    pub(super) rules: Tally,
    /// Each entry of `paths`: that an op was permitted by it.
    pub(super) paths: Tally,
    /// Each pair of states: that the step was permitted, or refused, as the graph says.
    pub(super) edges: Tally,
}

/// Goals, and which of them were reached.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<(String, bool)>);

impl Coverage {
    /// Adds the goals that the policy of `cases` sets.
    pub(super) fn expect(&mut self, cases: &Cases) {
        let covered = self.0.entry(cases.written.clone()).or_default();
        for route in cases.policy.routes.iter() {
            for rule in &route.rules {
                for found in [true, false] {
                    covered.rules.expect(rule_goal(route, rule, found));
                }
                if let Rule::Paths(paths) = rule {
                    for index in 0..paths.allowed().len() {
                        covered.paths.expect(path_goal(route, rule, index));
                    }
                }
            }
            let Some(graph) = route.resource.as_ref().and_then(|resource| resource.graph.as_ref())
            else {
                continue;
            };
            let states = 0..graph.states().len();
            for (from, to) in
                states.clone().flat_map(|from| states.clone().map(move |to| (from, to)))
            {
                covered.edges.expect(edge_goal(route, Step { from, to }));
            }
        }
    }

    /// Reaches the goals that `judged` has shown.
    pub(super) fn note(&mut self, cases: &Cases, case: &Case, judged: &Judged) {
        let covered = self.0.entry(cases.written.clone()).or_default();
        let route = &case.route;
        for rule in &route.rules {
            for (_, answer) in judged.answers.iter().filter(|(name, _)| *name == rule.name()) {
                let found = match answer {
                    Answer::Pass => false,
                    Answer::Violated(_) | Answer::Warned(_) => true,
                    Answer::NeedsCurrent(_) | Answer::Unasked => continue,
                };
                covered.rules.reach(&rule_goal(route, rule, found));
            }
            if let (Rule::Paths(paths), Got::Permit) = (rule, &judged.got) {
                for (index, allowed) in paths.allowed().iter().enumerate() {
                    let reached = judged.ops.iter().any(|(op, places)| {
                        allowed.ops.contains(op)
                            && places.iter().any(|place| allowed.pattern.matches(place))
                    });
                    if reached {
                        covered.paths.reach(&path_goal(route, rule, index));
                    }
                }
            }
        }
        let graph = route.resource.as_ref().and_then(|resource| resource.graph.as_ref());
        let (Some(graph), Some(step)) = (graph, judged.step) else { return };
        let allowed = graph.edge(step.from, step.to).is_some_and(|edge| edge.allow);
        let shown = match &judged.got {
            Got::Permit => allowed,
            Got::Refuse(found) => {
                !allowed && found.iter().any(|found| found.code == Code::TransitionForbidden)
            }
            Got::NeedsCurrent => false,
        };
        if shown {
            covered.edges.reach(&edge_goal(route, step));
        }
    }

    /// The lowest of all percentages.
    pub(super) fn lowest(&self) -> f64 {
        let tallies = self.0.values().flat_map(|covered| covered.tallies());
        tallies.map(|(_, tally)| tally.percent()).fold(100.0, f64::min)
    }
}

impl Covered {
    /// The three, by name.
    pub(super) fn tallies(&self) -> [(&'static str, &Tally); 3] {
        [("rules", &self.rules), ("paths", &self.paths), ("edges", &self.edges)]
    }
}

impl Tally {
    fn expect(&mut self, goal: String) {
        if !self.0.iter().any(|(known, _)| *known == goal) {
            self.0.push((goal, false));
        }
    }

    fn reach(&mut self, goal: &str) {
        if let Some((_, reached)) = self.0.iter_mut().find(|(known, _)| known == goal) {
            *reached = true;
        }
    }

    /// How many were reached, and of how many.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.0.iter().filter(|(_, reached)| *reached).count(), self.0.len())
    }

    /// How many of a hundred were reached; all, where there are none.
    #[allow(clippy::cast_precision_loss, reason = "they are few")]
    pub(super) fn percent(&self) -> f64 {
        let (reached, all) = self.counts();
        if all == 0 { 100.0 } else { 100.0 * reached as f64 / all as f64 }
    }

    /// Those that were not reached.
    pub(super) fn missed(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, reached)| !reached).map(|(goal, _)| goal.as_str())
    }
}

fn rule_goal(route: &Route, rule: &Rule, found: bool) -> String {
    let what = if found { "finds nothing in any case" } else { "lets nothing pass in any case" };
    format!("{}: `{}` {what}", route.id, rule.name().as_str())
}

fn path_goal(route: &Route, rule: &Rule, index: usize) -> String {
    let allowed = if let Rule::Paths(paths) = rule { paths.allowed().get(index) } else { None };
    let pattern = allowed.map_or("", |allowed| allowed.pattern.as_str());
    format!("{}: nothing is permitted by `paths[{index}]`, `{pattern}`", resource(route))
}

fn edge_goal(route: &Route, step: Step) -> String {
    let graph = route.resource.as_ref().and_then(|resource| resource.graph.as_ref());
    let Some(graph) = graph else { return String::new() };
    let allowed = graph.edge(step.from, step.to).is_some_and(|edge| edge.allow);
    let what = if allowed { "permitted" } else { "refused" };
    let (from, to) = (graph.name(step.from), graph.name(step.to));
    format!("{}: `{from}` → `{to}` is never {what}", resource(route))
}

fn resource(route: &Route) -> &str {
    route.resource.as_ref().map_or("", |resource| &resource.name)
}
