//! The state graph: which values the governed fields may have together, and the steps between.

use super::facts::Caller;
use crate::json::Value;
use crate::patch::Pointer;

use std::sync::Arc;

/// States, and which of them may follow which.
#[derive(Debug)]
pub struct Graph {
    fields: Vec<Pointer<'static>>,
    states: Vec<State>,
    initial: Vec<usize>,
    finals: Vec<usize>,
    edges: Vec<Edge>,
    /// For each edge the step that decided it.
    deciding: Vec<Option<usize>>,
}

/// One state: a value for each governed field.
#[derive(Debug)]
pub struct State {
    /// The values, joined by `/`, as `Active/Accepted`.
    pub name: Arc<str>,
    values: Vec<Value<'static>>,
}

/// Whether one state may follow another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Whether it may.
    pub allow: bool,
    /// Who may take the step, if it is allowed.
    pub takers: Takers,
    /// Why not, where the policy gives a reason.
    pub reason: Option<String>,
}

/// Who may take a step, or use a route: these partners, and whoever has one of these roles;
/// everybody, if none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takers {
    /// Partners by their ids.
    pub partners: Vec<String>,
    /// Roles that partners have.
    pub roles: Vec<String>,
}

/// One line of the policy about steps: from any of these states to any of those.
#[derive(Clone, Debug)]
pub struct Step {
    /// Patterns of states, as `New/*`.
    pub from: Vec<String>,
    /// Patterns of states, or `same`.
    pub to: Vec<String>,
    /// What is said of them.
    pub edge: Edge,
}

/// What a policy says of states, as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draft<'d> {
    /// The names of the states.
    pub names: &'d [String],
    /// Patterns of the states that a new document may begin in.
    pub initial: &'d [String],
    /// Patterns of the states that documents end in.
    pub finals: &'d [String],
    /// The steps, in order; a later one overrides an earlier one.
    pub steps: &'d [Step],
}

/// The part of a draft that is at fault, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A pattern of states that documents end in.
    Final(usize),
    /// A pattern of states that they begin in.
    Initial(usize),
    /// The name of a state.
    Name(usize),
    /// A step.
    Step(usize),
}

impl Graph {
    /// The graph over `fields` that `draft` describes. What no step speaks of is not allowed.
    ///
    /// # Errors
    ///
    /// Every name with another number of values than there are fields, and every pattern that no
    /// state matches.
    pub fn new(
        fields: Vec<Pointer<'static>>,
        draft: Draft<'_>,
    ) -> Result<Self, Vec<(Part, String)>> {
        let Draft { names, initial, finals, steps } = draft;
        let mut errors = Vec::new();
        let mut states: Vec<State> = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let values: Vec<_> =
                name.split('/').map(|value| Value::String(value.to_owned().into())).collect();
            if values.len() != fields.len() {
                let message = format!(
                    "the state `{name}` has {} values for {} fields",
                    values.len(),
                    fields.len()
                );
                errors.push((Part::Name(at), message));
            }
            if states.iter().any(|state| *state.name == **name) {
                errors.push((Part::Name(at), format!("the state `{name}` is named twice")));
            }
            states.push(State { name: name.as_str().into(), values });
        }
        let mut matching = |pattern: &str, part: Part| {
            let found: Vec<usize> = (0..)
                .zip(&states)
                .filter(|(_, state)| state.is(pattern))
                .map(|(at, _)| at)
                .collect();
            if found.is_empty() {
                errors.push((part, format!("no state is called `{pattern}`")));
            }
            found
        };
        let mut all = |patterns: &[String], part: fn(usize) -> Part| -> Vec<usize> {
            let each = patterns.iter().enumerate();
            each.flat_map(|(at, pattern)| matching(pattern, part(at))).collect()
        };
        let initial = all(initial, Part::Initial);
        let finals = all(finals, Part::Final);
        let mut edges = vec![Edge::default(); names.len() * names.len()];
        let mut deciding = vec![None; edges.len()];
        for (at, step) in steps.iter().enumerate() {
            let part = Part::Step(at);
            let from: Vec<usize> =
                step.from.iter().flat_map(|pattern| matching(pattern, part)).collect();
            for pattern in &step.to {
                let to = if pattern == "same" { None } else { Some(matching(pattern, part)) };
                for from in &from {
                    for to in to.as_deref().unwrap_or(std::slice::from_ref(from)) {
                        let index = from * names.len() + to;
                        if let (Some(edge), Some(slot)) =
                            (edges.get_mut(index), deciding.get_mut(index))
                        {
                            (*edge, *slot) = (step.edge.clone(), Some(at));
                        }
                    }
                }
            }
        }
        if errors.is_empty() {
            Ok(Self { fields, states, initial, finals, edges, deciding })
        } else {
            Err(errors)
        }
    }

    /// The governed fields.
    pub fn fields(&self) -> &[Pointer<'static>] {
        &self.fields
    }

    /// The states, in the order of the policy.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The state in which the fields have `values`.
    pub fn find(&self, values: &[&Value<'_>]) -> Option<usize> {
        self.states.iter().position(|state| {
            state.values.len() == values.len()
                && state.values.iter().zip(values).all(|(own, value)| *own == **value)
        })
    }

    /// The states in which every field whose value is given has that value.
    pub fn compatible<'g>(
        &'g self,
        values: &'g [Option<&'g Value<'g>>],
    ) -> impl Iterator<Item = usize> + 'g {
        (0..).zip(&self.states).filter_map(move |(at, state)| {
            let fits = |(own, value): (&Value<'_>, &Option<&Value<'_>>)| {
                value.is_none_or(|value| own == value)
            };
            state.values.iter().zip(values).all(fits).then_some(at)
        })
    }

    /// The name of the state `at`.
    pub fn name(&self, at: usize) -> &str {
        self.state(at).map_or("?", |state| &state.name)
    }

    /// The state `at`.
    pub fn state(&self, at: usize) -> Option<&State> {
        self.states.get(at)
    }

    /// What the policy says of the step between two states.
    pub fn edge(&self, from: usize, to: usize) -> Option<&Edge> {
        self.edges.get(from * self.states.len() + to)
    }

    /// The index of the step of the policy that decided the edge, if any speaks of it.
    pub fn deciding(&self, from: usize, to: usize) -> Option<usize> {
        self.deciding.get(from * self.states.len() + to).copied().flatten()
    }

    /// The states that `caller` may have follow `from`.
    pub fn next(&self, from: usize, caller: Caller<'_>) -> impl Iterator<Item = &str> {
        let open = move |to: &usize| self.edge(from, *to).is_some_and(|edge| edge.is_open(caller));
        (0..self.states.len()).filter(open).map(|to| self.name(to))
    }

    /// The states that `caller` may have follow some state.
    pub fn reachable(&self, caller: Caller<'_>) -> impl Iterator<Item = usize> {
        (0..self.states.len()).filter(move |to| self.leads_to(*to, |edge| edge.is_open(caller)))
    }

    /// Whether an edge that is as `wanted` leads to `to`.
    pub fn leads_to(&self, to: usize, wanted: impl Fn(&Edge) -> bool) -> bool {
        (0..self.states.len()).any(|from| self.edge(from, to).is_some_and(&wanted))
    }

    /// The states a new document may have; none when the policy does not say.
    pub fn initial(&self) -> &[usize] {
        &self.initial
    }

    /// The states that documents end in.
    pub fn finals(&self) -> &[usize] {
        &self.finals
    }
}

impl Edge {
    /// Whether the step is allowed, and `caller` is one of those who may take it.
    pub fn is_open(&self, caller: Caller<'_>) -> bool {
        self.allow && self.takers.include(caller)
    }
}

impl Takers {
    /// Whether it is everybody.
    pub fn are_all(&self) -> bool {
        self.partners.is_empty() && self.roles.is_empty()
    }

    /// Whether `caller` is one of them.
    pub fn include(&self, caller: Caller<'_>) -> bool {
        self.are_all()
            || self.partners.iter().any(|partner| partner == caller.partner)
            || self.roles.iter().any(|role| caller.roles.contains(role))
    }
}

impl State {
    /// Whether `pattern` stands for it: `*` in the place of a value stands for any.
    pub fn is(&self, pattern: &str) -> bool {
        let own = self.name.split('/');
        let wanted = pattern.split('/');
        own.clone().count() == wanted.clone().count()
            && own.zip(wanted).all(|(own, wanted)| wanted == "*" || own == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: &str, to: &[&str], allow: bool) -> Step {
        let to = to.iter().map(ToString::to_string).collect();
        Step { from: vec![from.to_owned()], to, edge: Edge { allow, ..Edge::default() } }
    }

    #[test]
    fn later_steps_override_earlier_ones() {
        let field = |text: &'static str| Pointer::parse(text).expect("well-formed");
        let names = ["New/P", "Closed/W", "Closed/L"].map(String::from);
        let steps = [
            step("*/*", &["Closed/*"], true),
            step("Closed/*", &["Closed/*"], false),
            step("Closed/*", &["same"], true),
        ];
        let draft = Draft { names: &names, steps: &steps, ..Draft::default() };
        let graph = Graph::new(vec![field("/s"), field("/t")], draft).expect("a graph");
        let anybody = Caller::default();
        assert_eq!(graph.next(0, anybody).collect::<Vec<_>>(), ["Closed/W", "Closed/L"]);
        assert_eq!(graph.next(1, anybody).collect::<Vec<_>>(), ["Closed/W"]);
        assert_eq!(graph.reachable(anybody).collect::<Vec<_>>(), [1, 2]);
        let closed = Value::String("Closed".into());
        assert_eq!(graph.compatible(&[Some(&closed), None]).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn names_and_patterns_that_lead_nowhere_are_errors() {
        let field = Pointer::parse("/s").expect("well-formed");
        let draft = Draft {
            names: &["A".into(), "B/C".into()],
            initial: &["A".into(), "D".into()],
            finals: &["D".into()],
            steps: &[step("E", &["A"], true)],
        };
        let errors = Graph::new(vec![field], draft).expect_err("four errors");
        let parts: Vec<_> = errors.into_iter().map(|(part, _)| part).collect();
        assert_eq!(parts, [Part::Name(1), Part::Initial(1), Part::Final(0), Part::Step(0)]);
    }

    #[test]
    fn a_restricted_step_is_open_to_the_partners_and_the_roles_that_it_names() {
        let takers = Takers { partners: vec!["p".into()], roles: vec!["r".into(), "s".into()] };
        let roles = ["s".to_owned()];
        for (partner, roles, open) in
            [("p", &[][..], true), ("q", &roles, true), ("q", &[], false), ("r", &[], false)]
        {
            assert_eq!(takers.include(Caller { partner, roles }), open, "{partner} {roles:?}");
        }
        let everybody = Takers::default();
        assert!(everybody.include(Caller::default()));
    }
}
