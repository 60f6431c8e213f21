//! `transition`: the governed fields end in a state of the graph, by a step that the graph has.

use super::Report;
use crate::json::Value;
use crate::patch::{Effect, Known, Pointer, Touch};
use crate::policy::facts::{Caller, Outcome, Proposal};
use crate::policy::graph::Graph;
use crate::policy::pattern::Pattern;
use crate::policy::verdict::Step;
use crate::violation::{Code, Violation};

use std::sync::Arc;

/// The state graph, and what may be edited in which state.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The graph.
    pub graph: Arc<Graph>,
    /// States in which other fields may not be changed.
    pub edits: Vec<Edits>,
}

/// States in which only some fields may be changed.
#[derive(Clone, Debug)]
pub struct Edits {
    /// Patterns of states, as `Closed/*`.
    pub states: Vec<String>,
    /// The fields that may be changed all the same.
    pub except: Vec<Pattern>,
    /// Why not the others.
    pub reason: Option<String>,
}

impl Transition {
    pub(super) fn check(
        &self,
        caller: Caller<'_>,
        proposal: &Proposal<'_, '_>,
        report: &mut Report,
    ) {
        let fields = self.graph.fields();
        let touched = fields.iter().any(|field| proposal.may_change(field));
        if touched {
            self.check_step(caller, proposal, report);
        }
        self.check_edits(proposal, report);
    }

    pub(super) fn check_document(&self, document: &Value<'_>, report: &mut Report) {
        if self.graph.initial().is_empty() {
            return;
        }
        let values: Vec<_> = (self.graph.fields().iter())
            .map(|field| crate::patch::apply::find(document, field))
            .collect();
        if values.iter().all(Option::is_none) {
            return;
        }
        let initial = self.graph.initial();
        if !self.graph.compatible(&values).any(|state| initial.contains(&state)) {
            let message = "a new document may not begin in this state";
            let accepted = initial.iter().map(|state| self.graph.name(*state));
            report.push(
                self.at_fields(Violation::new(Code::StateForbidden, message)).accepted(accepted),
            );
        }
    }

    fn check_step(&self, caller: Caller<'_>, proposal: &Proposal<'_, '_>, report: &mut Report) {
        let fields = self.graph.fields();
        let after: Vec<Known<'_, '_>> =
            fields.iter().map(|field| proposal.outcome.after(field)).collect();
        let values: Vec<Option<&Value<'_>>> = after.iter().map(value_of).collect();
        let absent = after.contains(&Known::Absent);
        let mut possible = self.graph.compatible(&values);
        let to = match (possible.next(), possible.next()) {
            (Some(_), _) if absent => return report.push(self.no_state(&values, proposal)),
            (None, _) => return report.push(self.no_state(&values, proposal)),
            (Some(only), None) if values.iter().all(Option::is_some) => only,
            (Some(_), _) => return report.needs_current(FROM),
        };
        let before: Vec<Known<'_, '_>> =
            fields.iter().map(|field| proposal.outcome.before(field)).collect();
        let values: Vec<Option<&Value<'_>>> = before.iter().map(value_of).collect();
        let known: Vec<&Value<'_>> = values.iter().flatten().copied().collect();
        let is_known = known.len() == fields.len();
        let from = self.graph.find(&known).filter(|_| is_known);
        report.step = from.map(|from| Step { from, to });
        if !self.graph.leads_to(to, |edge| edge.is_open(caller)) {
            let name = self.graph.name(to);
            let message = if self.graph.leads_to(to, |edge| edge.allow) {
                format!("every step to `{name}` {OTHERS}")
            } else {
                format!("no state leads to `{name}`")
            };
            let accepted = self.graph.reachable(caller).map(|state| self.graph.name(state));
            let violation = Violation::new(Code::TransitionForbidden, message);
            return report.push(self.blame(violation, proposal).accepted(accepted));
        }
        match (from, &proposal.outcome) {
            (Some(from), _) => self.check_edge((from, to), caller, proposal, report),
            (None, Outcome::Partial { .. }) if !is_known => report.needs_current(FROM),
            (None, _) => {
                let message = "the current state is none of the state graph, so that no step from it is allowed";
                report
                    .push(self.blame(Violation::new(Code::TransitionForbidden, message), proposal));
            }
        }
    }

    fn check_edge(
        &self,
        (from, to): (usize, usize),
        caller: Caller<'_>,
        proposal: &Proposal<'_, '_>,
        report: &mut Report,
    ) {
        let closed = self.graph.edge(from, to).filter(|edge| !edge.is_open(caller));
        let Some(edge) = closed else { return };
        let (from_name, to_name) = (self.graph.name(from), self.graph.name(to));
        let mut message = if edge.allow {
            format!("the step from `{from_name}` to `{to_name}` {OTHERS}")
        } else {
            format!("`{from_name}` does not lead to `{to_name}`")
        };
        if let Some(reason) = &edge.reason {
            message.push_str(": ");
            message.push_str(reason);
        }
        let violation = Violation::new(Code::TransitionForbidden, message);
        report.push(self.blame(violation, proposal).accepted(self.graph.next(from, caller)));
    }

    /// What may be edited depends on the state the document is in.
    fn check_edits(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        let fields = self.graph.fields();
        for edits in &self.edits {
            let bound = proposal.effects.iter().find(|effect| {
                effect.touch != Touch::Read
                    && !is_open_already(effect, proposal)
                    && !edits.except.iter().any(|pattern| pattern.matches(effect.pointer))
                    && !fields.iter().any(|field| field == effect.pointer)
            });
            let Some(effect) = bound else { continue };
            let before: Vec<_> =
                fields.iter().map(|field| proposal.outcome.before(field)).collect();
            if before.contains(&Known::Absent) {
                // A document that lacks one of the fields is in no state, and so in none of these.
                continue;
            }
            let values: Vec<_> = before.iter().map(value_of).collect();
            let frozen = |state: usize| {
                edits.states.iter().any(|pattern| {
                    self.graph.states().get(state).is_some_and(|state| state.is(pattern))
                })
            };
            let mut possible = self.graph.compatible(&values).map(frozen).collect::<Vec<_>>();
            possible.dedup();
            // With a field unknown, the document may as well be in no state at all.
            let is_known = values.iter().all(Option::is_some);
            match possible.as_slice() {
                [] | [false] => {}
                [true] if is_known => {
                    let reason = edits.reason.as_deref().unwrap_or("the policy says so");
                    let message =
                        format!("in the current state this field cannot be changed: {reason}");
                    let accepted = edits.except.iter().map(Pattern::as_str);
                    report.push(
                        Violation::new(Code::StateFrozen, message)
                            .op(effect.op)
                            .at(effect.pointer.text())
                            .accepted(accepted),
                    );
                }
                _ => report.needs_current("what may be changed depends on the current state"),
            }
        }
    }

    fn no_state(&self, values: &[Option<&Value<'_>>], proposal: &Proposal<'_, '_>) -> Violation {
        let fields: Vec<_> = self.graph.fields().iter().map(|field| format!("`{field}`")).collect();
        let message =
            format!("{} would have values that no state of the policy has", fields.join(", "));
        // The states that share the first value are the likelier ones.
        let first: Vec<_> =
            (0..).zip(values).map(|(at, value)| value.filter(|_| at == 0)).collect();
        let near: Vec<usize> = self.graph.compatible(&first).collect();
        let accepted =
            if near.is_empty() { (0..self.graph.states().len()).collect() } else { near };
        let accepted = accepted.into_iter().map(|state| self.graph.name(state));
        self.blame(Violation::new(Code::StateForbidden, message), proposal).accepted(accepted)
    }

    fn at_fields(&self, violation: Violation) -> Violation {
        match self.graph.fields().first() {
            Some(field) => violation.at(field.text()),
            None => violation,
        }
    }

    /// Blames the last op that bears on the governed fields.
    fn blame(&self, violation: Violation, proposal: &Proposal<'_, '_>) -> Violation {
        let bears = |field: &&Pointer<'_>, op: usize| {
            proposal.effects.iter().any(|effect| effect.op == op && effect.may_change(field))
        };
        let last = (0..proposal.patch.ops.len()).rev().find_map(|op| {
            let field = self.graph.fields().iter().find(|field| bears(field, op))?;
            Some((op, field))
        });
        match last {
            Some((op, field)) => violation.op(op).at(field.text()),
            None => self.at_fields(violation),
        }
    }
}

/// Whether the object that a merge patch goes through is there, so that it stays what it is.
fn is_open_already(effect: &Effect<'_, '_>, proposal: &Proposal<'_, '_>) -> bool {
    effect.touch == Touch::Open
        && (effect.pointer.is_root()
            || matches!(proposal.outcome.before(effect.pointer), Known::Value(Value::Object(_))))
}

const OTHERS: &str = "is for other partners or roles";
const FROM: &str = "whether a step is allowed depends on the current state";

fn value_of<'v, 'a>(known: &Known<'v, 'a>) -> Option<&'v Value<'a>> {
    match known {
        Known::Value(value) => Some(value),
        Known::Absent | Known::Unknown => None,
    }
}
