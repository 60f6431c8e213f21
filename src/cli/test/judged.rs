//! One case: judged as the proxy does it, and held against what was expected.

use crate::config::compile::{Case, Expect, Wanted};
use crate::config::error::Place;
use crate::patch::{OpName, Pointer};
use crate::policy::rule::Name;
use crate::policy::{Answer, Caller, Current, Facts, Judgement, Policy, Step, Verdict};
use crate::violation::{Violation, Violations};

use std::time::{Duration, Instant};

/// How a case came out.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) place: Option<Place>,
    pub(super) expected: Expect,
    pub(super) got: Got,
    /// The ops of its patch, where each points, and where it takes its value from.
    pub(super) ops: Vec<(OpName, Vec<Pointer<'static>>)>,
    /// What each rule said, in each judgement.
    pub(super) answers: Vec<(Name, Answer)>,
    /// The step between states that it asked for.
    pub(super) step: Option<Step>,
    pub(super) took: Duration,
}

/// What the policy said.
#[derive(Debug)]
pub(super) enum Got {
    NeedsCurrent,
    Permit,
    Refuse(Violations),
}

impl Judged {
    /// Judges `case`: without what is stored, and with it if, and only if, the judge asks for it.
    pub(super) fn of(policy: &Policy, case: &Case) -> Result<Self, String> {
        let started = Instant::now();
        let caller = Caller { partner: &case.partner, roles: &case.roles };
        let facts = Facts::read(&case.route, caller, &case.if_match, &case.body);
        let current = match &case.stored {
            None => None,
            Some(stored) => Some(
                Current::read(&case.route, stored.tag.as_deref(), &stored.document)
                    .map_err(|why| format!("the stored document: {why}"))?,
            ),
        };
        let first = policy.judge(&facts, None);
        let mut answers = said(&first);
        let (judgement, is_first) = match (&first.verdict, &current) {
            (Verdict::NeedsCurrent(_), Some(_)) => (policy.judge(&facts, current.as_ref()), false),
            _ => (first, true),
        };
        if !is_first {
            answers.extend(said(&judgement));
        }
        let took = started.elapsed();
        // Where the patch alone was enough to refuse, the step is known only to whoever looks.
        let step = match &current {
            Some(_) if judgement.step.is_none() => policy.judge(&facts, current.as_ref()).step,
            _ => judgement.step,
        };
        let got = match judgement.verdict {
            Verdict::NeedsCurrent(_) => Got::NeedsCurrent,
            Verdict::Permit(_) => Got::Permit,
            Verdict::Refuse(violations) => Got::Refuse(violations),
        };
        let places = |op: &crate::patch::Op<'_>| {
            let places = std::iter::once(op.path()).chain(op.from());
            (op.name(), places.map(|place| place.clone().into_owned()).collect())
        };
        Ok(Self {
            name: case.name.clone(),
            place: case.place,
            expected: case.expect.clone(),
            got,
            ops: facts.ops().iter().map(places).collect(),
            answers,
            step,
            took,
        })
    }

    /// Whether it came out as expected.
    pub(super) fn passed(&self) -> bool {
        match (&self.expected, &self.got) {
            (Expect::Permit, Got::Permit) | (Expect::NeedsCurrent, Got::NeedsCurrent) => true,
            (Expect::Violations(wanted), Got::Refuse(found)) => {
                wanted.len() == found.len() && matches_all(wanted, found)
            }
            (Expect::Permit | Expect::NeedsCurrent | Expect::Violations(_), _) => false,
        }
    }
}

/// What each rule said that was asked.
fn said(judgement: &Judgement) -> Vec<(Name, Answer)> {
    Name::ALL.map(|name| (name, judgement.answers.of(name))).into()
}

/// Whether each of `wanted` can be given one of `found` for its own.
fn matches_all(wanted: &[Wanted], found: &Violations) -> bool {
    let found: Vec<&Violation> = found.iter().collect();
    let mut owners: Vec<Option<usize>> = vec![None; found.len()];
    (0..wanted.len()).all(|at| give(at, wanted, &found, &mut owners, &mut Vec::new()))
}

/// Finds a violation for the wanted one `at`; whoever had it looks for another one.
fn give(
    at: usize,
    wanted: &[Wanted],
    found: &[&Violation],
    owners: &mut [Option<usize>],
    tried: &mut Vec<usize>,
) -> bool {
    for (index, violation) in found.iter().enumerate() {
        if tried.contains(&index) || !wanted.get(at).is_some_and(|wanted| is(wanted, violation)) {
            continue;
        }
        tried.push(index);
        let owner = owners.get(index).copied().flatten();
        if owner.is_none_or(|owner| give(owner, wanted, found, owners, tried)) {
            if let Some(slot) = owners.get_mut(index) {
                *slot = Some(at);
            }
            return true;
        }
    }
    false
}

fn is(wanted: &Wanted, violation: &Violation) -> bool {
    wanted.code == violation.code
        && wanted.op.is_none_or(|op| violation.op == Some(op))
        && wanted.pointer.as_ref().is_none_or(|at| violation.pointer.as_ref() == Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::Code;

    #[test]
    fn each_expected_violation_is_given_one_of_its_own_whatever_the_order() {
        let wanted = |op: Option<usize>, at: Option<&str>| Wanted {
            code: Code::OpForbidden,
            op,
            pointer: at.map(str::to_owned),
        };
        let mut found = Violations::default();
        found.push(Violation::new(Code::OpForbidden, "m").op(0).at("/x"));
        found.push(Violation::new(Code::OpForbidden, "m").op(0).at("/y"));
        let both = [wanted(Some(0), None), wanted(None, Some("/x"))];
        assert!(matches_all(&both, &found), "the first one gives way");
        assert!(!matches_all(&[wanted(Some(1), None), wanted(None, None)], &found));
        assert!(!matches_all(&[wanted(None, Some("/x")), wanted(None, Some("/x"))], &found));
    }
}
