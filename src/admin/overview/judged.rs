//! What was judged, as it was counted: by what rules found, and by steps between states.

use crate::policy::graph::Graph;
use crate::policy::rule::Name;
use crate::policy::{self, Policy};
use crate::proxy::trail::READING;
use crate::telemetry::metrics::{self, Metrics, Stepped};
use crate::violation::Code;

use serde::{Deserialize, Serialize};

use std::sync::Arc;

/// How often a rule found something.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Counted {
    /// The code.
    pub code: String,
    /// The code in words.
    pub title: String,
    /// The rule.
    pub rule: String,
    /// Requests that were refused for it.
    pub enforced: u64,
    /// Those that were only warned.
    pub warned: u64,
}

/// A kind of document that has states.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Resource {
    /// Its name.
    pub resource: String,
    /// Its steps that are allowed or were asked for.
    pub steps: Vec<Step>,
}

/// A step from one state to another.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Step {
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Whether the graph has it, for somebody.
    pub allowed: bool,
    /// How often it was let through.
    pub permitted: u64,
    /// How often it was not.
    pub refused: u64,
}

impl Counted {
    /// Of all codes and rules those that there were some of.
    pub(super) fn all(metrics: &Metrics) -> Vec<Self> {
        let rules = || Name::ALL.into_iter().map(Name::as_str).chain([READING]);
        let pairs = Code::ALL.iter().flat_map(|code| rules().map(move |rule| (*code, rule)));
        let counted = pairs.map(|(code, rule)| {
            let count = |mode| {
                let found = metrics::Found { rule, code: code.slug(), mode };
                metrics.violations.get(&found).map_or(0, |counter| counter.get())
            };
            Self {
                code: code.slug().to_owned(),
                title: code.title().to_owned(),
                rule: rule.to_owned(),
                enforced: count("enforce"),
                warned: count("warn") + count("observe"),
            }
        });
        counted.filter(|counted| counted.enforced + counted.warned > 0).collect()
    }
}

impl Resource {
    /// Those of `policy`.
    pub(super) fn all(policy: &Policy, metrics: &Metrics) -> Vec<Self> {
        let told = policy.graphs().into_iter().map(|(resource, graph)| Self {
            resource: resource.name.to_string(),
            steps: Step::all(resource, graph, metrics),
        });
        told.collect()
    }
}

impl Step {
    fn all(resource: &policy::Resource, graph: &Graph, metrics: &Metrics) -> Vec<Self> {
        let states = || graph.states().iter().enumerate();
        let pairs = states().flat_map(|from| states().map(move |to| (from, to)));
        let steps = pairs.map(|((from_at, from), (to_at, to))| {
            let count = |decision| {
                let stepped = Stepped {
                    resource: Arc::clone(&resource.name),
                    from: Arc::clone(&from.name),
                    to: Arc::clone(&to.name),
                    decision,
                };
                metrics.steps.get(&stepped).map_or(0, |counter| counter.get())
            };
            Self {
                from: from.name.to_string(),
                to: to.name.to_string(),
                allowed: graph.edge(from_at, to_at).is_some_and(|edge| edge.allow),
                permitted: count("permit") + count("advisory"),
                refused: count("refuse") + count("reject"),
            }
        });
        // That a state stays is no step, unless somebody took it for one.
        let is_told =
            |step: &Self| step.allowed && step.from != step.to || step.permitted + step.refused > 0;
        steps.filter(is_told).collect()
    }
}
