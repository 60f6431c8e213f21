//! `paths`: every place that the patch reaches is one of those allowed for its op.

use super::Report;
use crate::json::Value;
use crate::patch::{Op, OpName, Pointer};
use crate::policy::facts::Proposal;
use crate::policy::names::Names;
use crate::policy::pattern::Pattern;
use crate::policy::schema::Place;
use crate::violation::{Code, Violation, closest_places};

use std::collections::BTreeMap;

/// The places that ops may reach.
#[derive(Clone, Debug)]
pub struct Paths {
    allowed: Vec<AllowedPath>,
    /// How far each op may reach at those without a wildcard, by their text.
    plain: Names<[Option<Reach>; OpName::ALL.len()]>,
    /// The others.
    wild: Vec<usize>,
}

/// One place, or a pattern of them.
#[derive(Clone, Debug)]
pub struct AllowedPath {
    /// Where an op may point.
    pub pattern: Pattern,
    /// The ops that may point there.
    pub ops: Vec<OpName>,
    /// Whether an op may write, or take away, what stands there with all that is beneath it.
    pub subtree: bool,
}

/// How far an op may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// What stands at its place, as long as nothing is beneath.
    Place,
    /// All that is beneath as well.
    Subtree,
}

impl AllowedPath {
    /// How far `op` may reach where this is about, if it may reach it at all.
    fn reach(&self, op: OpName) -> Option<Reach> {
        self.ops.contains(&op).then(|| match self.subtree || self.pattern.is_deep() {
            true => Reach::Subtree,
            false => Reach::Place,
        })
    }

    /// Whether it admits, for the ops that it names, every place and value that `other` does.
    pub fn covers(&self, other: &Self) -> bool {
        let is_deep = |path: &Self| path.subtree || path.pattern.is_deep();
        self.pattern.covers(&other.pattern) && (is_deep(self) || !is_deep(other))
    }
}

impl Paths {
    /// Only the places `allowed` may be reached.
    pub fn new(allowed: Vec<AllowedPath>) -> Self {
        let (mut plain, mut wild) = (BTreeMap::<_, [_; OpName::ALL.len()]>::new(), Vec::new());
        for (at, path) in allowed.iter().enumerate() {
            let Some(pointer) = path.pattern.pointer() else {
                wild.push(at);
                continue;
            };
            let reaches = plain.entry(Box::from(pointer.text())).or_default();
            for (op, reach) in OpName::ALL.into_iter().zip(reaches) {
                *reach = path.reach(op).max(*reach);
            }
        }
        Self { allowed, plain: Names::new(plain), wild }
    }

    /// The places, in the order of the policy.
    pub fn allowed(&self) -> &[AllowedPath] {
        &self.allowed
    }

    pub(super) fn check(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        for (index, op, place) in proposal.ops() {
            if report.has(Code::OpForbidden, index) {
                continue;
            }
            if let Some(from) = op.from() {
                self.check_from(index, op.name(), from, report);
            }
            let path = op.path();
            if proposal.goes_through(index) {
                continue;
            }
            let reach = self.reach(op.name(), path);
            if reach.is_none() {
                report.push(self.forbidden(op.name(), path).op(index));
                continue;
            }
            if matches!(op, Op::Remove { .. } | Op::Replace { .. } | Op::Test { .. })
                && proposal.leads_behind_all(path, place)
            {
                let message = format!(
                    "`-` is the place after the last element; `{}` finds nothing there",
                    op.name()
                );
                report.push(
                    Violation::new(Code::PointerForbidden, message).op(index).at(path.text()),
                );
                continue;
            }
            self.check_subtree(index, op, place, reach, report);
        }
    }

    /// What is moved is taken away from where it stood; what is copied is read there.
    fn check_from(&self, index: usize, op: OpName, from: &Pointer<'_>, report: &mut Report) {
        match self.reach(op, from) {
            None => report.push(self.forbidden(op, from).op(index)),
            Some(Reach::Place) => report.push(self.needs_subtree(op, from).op(index)),
            Some(Reach::Subtree) => {}
        }
    }

    /// A write reaches everything beneath its place, named in the value or not.
    fn check_subtree(
        &self,
        index: usize,
        op: &Op<'_>,
        place: &Place<'_>,
        reach: Option<Reach>,
        report: &mut Report,
    ) {
        let value = match op {
            Op::Test { .. } => return,
            Op::Add { value, .. } | Op::Replace { value, .. } => Some(value),
            Op::Copy { .. }
            | Op::Move { .. }
            | Op::Open { .. }
            | Op::Remove { .. }
            | Op::Unset { .. } => None,
        };
        let reaches_beneath = place.may_be_container()
            || value.is_some_and(Value::is_container)
            || matches!(op, Op::Open { .. });
        if reaches_beneath && reach != Some(Reach::Subtree) {
            report.push(self.needs_subtree(op.name(), op.path()).op(index));
        }
    }

    /// How far `op` may reach at `pointer`, if it may reach it at all.
    fn reach(&self, op: OpName, pointer: &Pointer<'_>) -> Option<Reach> {
        let plain = self.plain.get(pointer.text()).and_then(|reaches| *reaches.get(op as usize)?);
        let wild = self.wild.iter().filter_map(|at| self.allowed.get(*at));
        let wild = wild.filter(|path| path.pattern.matches(pointer));
        wild.filter_map(|path| path.reach(op)).fold(plain, |all, reach| all.max(Some(reach)))
    }

    fn needs_subtree(&self, op: OpName, pointer: &Pointer<'_>) -> Violation {
        let message = format!(
            "`{op}` here reaches everything beneath, and the policy allows only parts of that (`subtree`)"
        );
        let beneath = self
            .allowed
            .iter()
            .filter(|allowed| allowed.ops.contains(&op) && allowed.pattern.overlaps(pointer));
        let accepted = beneath.map(|allowed| allowed.pattern.as_str()).take(5);
        Violation::new(Code::PointerForbidden, message).at(pointer.text()).accepted(accepted)
    }

    fn forbidden(&self, op: OpName, pointer: &Pointer<'_>) -> Violation {
        let for_op = self.allowed.iter().filter(|allowed| allowed.ops.contains(&op));
        let mut known: Vec<&str> = for_op.map(|allowed| allowed.pattern.as_str()).collect();
        if known.is_empty() {
            known = self.allowed.iter().map(|allowed| allowed.pattern.as_str()).collect();
        }
        let beneath = |text: &&&str| {
            text.strip_prefix(pointer.text()).is_some_and(|rest| rest.starts_with('/'))
        };
        let mut accepted: Vec<&str> = known.iter().filter(beneath).copied().take(6).collect();
        if accepted.is_empty() {
            accepted = closest_places(pointer.text(), known.iter().copied(), 3);
        }
        if accepted.is_empty() {
            accepted = known.into_iter().take(6).collect();
        }
        let message = match self.allowed.iter().any(|path| path.pattern.matches(pointer)) {
            true => format!("`{op}` is not among the ops that are allowed at this place"),
            false => format!("`{op}` may not reach this place"),
        };
        Violation::new(Code::PointerForbidden, message).at(pointer.text()).accepted(accepted)
    }
}
