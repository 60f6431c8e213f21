//! The state graph: which values the governed fields may have together, and the steps between.

use crate::json::Value;
use crate::patch::Pointer;

/// States, and which of them may follow which.
#[derive(Debug)]
pub struct Graph {
    fields: Vec<Pointer<'static>>,
    states: Vec<State>,
    initial: Vec<usize>,
    edges: Vec<Edge>,
}

/// One state: a value for each governed field.
#[derive(Debug)]
pub struct State {
    /// The values, joined by `/`, as `Active/Accepted`.
    pub name: String,
    values: Vec<Value<'static>>,
}

/// Whether one state may follow another.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Whether it may.
    pub allow: bool,
    /// Why not, where the policy gives a reason.
    pub reason: Option<String>,
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

impl Graph {
    /// The graph of the states `names` over `fields`.
    ///
    /// Steps are read in order, and a later one overrides an earlier one. What no step speaks of
    /// is not allowed.
    ///
    /// # Errors
    ///
    /// Every name with another number of values than there are fields, and every pattern that no
    /// state matches; with the index of the step, where it is one's fault.
    pub fn new(
        fields: Vec<Pointer<'static>>,
        names: &[String],
        initial: &[String],
        steps: &[Step],
    ) -> Result<Self, Vec<(Option<usize>, String)>> {
        let mut errors = Vec::new();
        let mut states: Vec<State> = Vec::new();
        for name in names {
            let values: Vec<_> =
                name.split('/').map(|value| Value::String(value.to_owned().into())).collect();
            if values.len() != fields.len() {
                let message = format!(
                    "the state `{name}` has {} values for {} fields",
                    values.len(),
                    fields.len()
                );
                errors.push((None, message));
            }
            if states.iter().any(|state| state.name == *name) {
                errors.push((None, format!("the state `{name}` is named twice")));
            }
            states.push(State { name: name.clone(), values });
        }
        let mut matching = |pattern: &str, step: Option<usize>| {
            let found: Vec<usize> = (0..)
                .zip(&states)
                .filter(|(_, state)| state.is(pattern))
                .map(|(at, _)| at)
                .collect();
            if found.is_empty() {
                errors.push((step, format!("no state is called `{pattern}`")));
            }
            found
        };
        let initial: Vec<usize> =
            initial.iter().flat_map(|pattern| matching(pattern, None)).collect();
        let mut edges = vec![Edge::default(); names.len() * names.len()];
        for (at, step) in steps.iter().enumerate() {
            let from: Vec<usize> =
                step.from.iter().flat_map(|pattern| matching(pattern, Some(at))).collect();
            for pattern in &step.to {
                let to = if pattern == "same" { None } else { Some(matching(pattern, Some(at))) };
                for from in &from {
                    for to in to.as_deref().unwrap_or(std::slice::from_ref(from)) {
                        if let Some(edge) = edges.get_mut(from * names.len() + to) {
                            *edge = step.edge.clone();
                        }
                    }
                }
            }
        }
        if errors.is_empty() { Ok(Self { fields, states, initial, edges }) } else { Err(errors) }
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
        self.states.get(at).map_or("?", |state| &state.name)
    }

    /// What the policy says of the step between two states.
    pub fn edge(&self, from: usize, to: usize) -> Option<&Edge> {
        self.edges.get(from * self.states.len() + to)
    }

    /// The states that may follow `from`.
    pub fn next(&self, from: usize) -> impl Iterator<Item = &str> {
        let allowed = move |to: &usize| self.edge(from, *to).is_some_and(|edge| edge.allow);
        (0..self.states.len()).filter(allowed).map(|to| self.name(to))
    }

    /// Whether some state may be followed by `to`.
    pub fn is_reachable(&self, to: usize) -> bool {
        (0..self.states.len()).any(|from| self.edge(from, to).is_some_and(|edge| edge.allow))
    }

    /// The states a new document may have; none when the policy does not say.
    pub fn initial(&self) -> &[usize] {
        &self.initial
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
        Step { from: vec![from.to_owned()], to, edge: Edge { allow, reason: None } }
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
        let graph =
            Graph::new(vec![field("/s"), field("/t")], &names, &[], &steps).expect("a graph");
        assert_eq!(graph.next(0).collect::<Vec<_>>(), ["Closed/W", "Closed/L"]);
        assert_eq!(graph.next(1).collect::<Vec<_>>(), ["Closed/W"]);
        assert!(!graph.is_reachable(0));
        let closed = Value::String("Closed".into());
        assert_eq!(graph.compatible(&[Some(&closed), None]).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn names_and_patterns_that_lead_nowhere_are_errors() {
        let field = Pointer::parse("/s").expect("well-formed");
        let errors = Graph::new(
            vec![field],
            &["A".into(), "B/C".into()],
            &["D".into()],
            &[step("E", &["A"], true)],
        );
        assert_eq!(errors.expect_err("three errors").len(), 3);
    }
}
