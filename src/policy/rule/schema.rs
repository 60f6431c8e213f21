//! `schema`: each value fits the sub-schema of its place, and the result fits the whole schema.

use super::Report;
use crate::json::Value;
use crate::patch::{Op, Pointer};
use crate::policy::facts::{Outcome, Proposal};
use crate::policy::schema::{Place, Schema};
use crate::violation::{Code, Violation, closest};

use std::sync::Arc;

/// The schema, and what is done with what it does not describe.
#[derive(Clone, Debug)]
pub struct FitsSchema {
    /// The resource's schema.
    pub schema: Arc<Schema>,
    /// Whether a place that the schema does not describe may be written.
    pub undescribed: bool,
}

impl FitsSchema {
    pub(super) fn check(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        let before = report.violations.len();
        for (index, op, place) in proposal.ops() {
            self.check_op(index, op, place, report);
        }
        if report.violations.len() > before {
            return;
        }
        match &proposal.outcome {
            Outcome::Partial { .. } => {
                self.needs(proposal).for_each(|why| report.needs_current(why))
            }
            // What fitted, and is changed only where a value can be judged by itself, fits still.
            Outcome::Whole { current, .. }
                if self.needs(proposal).next().is_none() && current.fits(&self.schema) => {}
            Outcome::Whole { after, .. } => self.check_result(after, report),
        }
    }

    pub(super) fn check_document(&self, document: &Value<'_>, report: &mut Report) {
        if self.schema.fits(document) {
            return self.check_described(
                0,
                document,
                &self.schema.root(),
                &At::Top(&Pointer::ROOT),
                report,
            );
        }
        for misfit in self.schema.misfits(document) {
            report.push(
                Violation::new(Code::ValueInvalid, misfit.message)
                    .at(misfit.pointer)
                    .accepted(misfit.accepted)
                    .keyword(misfit.keyword),
            );
        }
    }

    fn check_op(&self, index: usize, op: &Op<'_>, place: &Place<'_>, report: &mut Report) {
        if let Some(from) = op.from()
            && !self.schema.place(from).is_described()
        {
            self.undescribed(index, from, report);
        }
        if !place.is_described() {
            return self.undescribed(index, op.path(), report);
        }
        if matches!(op, Op::Open { .. }) && !place.may_be_object() {
            let message = "an object cannot stand here; a merge patch gives an array as a whole";
            return report
                .push(Violation::new(Code::ValueInvalid, message).op(index).at(op.path().text()));
        }
        let (Op::Add { value, .. } | Op::Replace { value, .. } | Op::Test { value, .. }) = op
        else {
            return;
        };
        if place.takes(value) {
            return;
        }
        if place.fits(value) {
            if !matches!(op, Op::Test { .. }) {
                self.check_described(index, value, place, &At::Top(op.path()), report);
            }
            return;
        }
        for misfit in place.misfits(value) {
            report.push(
                Violation::new(Code::ValueInvalid, misfit.message)
                    .op(index)
                    .at(format!("{}{}", op.path(), misfit.pointer))
                    .accepted(misfit.accepted)
                    .keyword(misfit.keyword),
            );
        }
    }

    /// Every name inside `value` is one that the schema describes: an upstream may know others.
    fn check_described(
        &self,
        index: usize,
        value: &Value<'_>,
        place: &Place<'_>,
        at: &At<'_>,
        report: &mut Report,
    ) {
        match value {
            Value::Object(members) => {
                for (name, inner) in members.iter() {
                    let child = place.child(name);
                    let at = At::Beneath(at, name);
                    if !child.is_described() {
                        self.undescribed(index, &at.pointer(), report);
                    } else if inner.is_container() {
                        self.check_described(index, inner, &child, &at, report);
                    }
                }
            }
            Value::Array(elements) => {
                for (position, inner) in
                    elements.iter().enumerate().filter(|(_, inner)| inner.is_container())
                {
                    let token = position.to_string();
                    let child = place.child(&token);
                    self.check_described(index, inner, &child, &At::Beneath(at, &token), report);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn undescribed(&self, index: usize, pointer: &Pointer<'_>, report: &mut Report) {
        let Some((parent, last)) = pointer.split_last() else { return };
        let parent = self.schema.place(&parent);
        if let Some(known) = parent.case_variant(&last) {
            let message = "a name differs from the one in the schema only in case; the upstream may take the two for the same";
            return report.push(
                Violation::new(Code::NameCaseVariant, message)
                    .op(index)
                    .at(pointer.text())
                    .accepted([known]),
            );
        }
        // What may not be reached at all has been said.
        let forbidden = parent.child(&last).is_forbidden();
        if (forbidden || !self.undescribed) && !report.has(Code::PointerForbidden, index) {
            let names = parent.names();
            let near = closest(&last, names.iter().copied(), 3);
            let message = match forbidden {
                true => "the schema lets nothing stand here",
                false => "the schema does not describe this place",
            };
            report.push(
                Violation::new(Code::PointerUndescribed, message)
                    .op(index)
                    .at(pointer.text())
                    .accepted(near),
            );
        }
    }

    /// Why only the whole document can tell whether it will fit, for each op of which that is so.
    fn needs<'p>(
        &'p self,
        proposal: &'p Proposal<'_, '_>,
    ) -> impl Iterator<Item = &'static str> + 'p {
        proposal.ops().filter_map(|(_, op, place)| {
            let moved = op.from().map(|from| self.schema.place(from));
            let need = match op {
                Op::Add { .. } | Op::Replace { .. } => place.whole(false),
                Op::Open { path } if path.is_root() && place.is_object() => None,
                Op::Open { .. } => place.whole_if_made(),
                Op::Remove { .. } | Op::Unset { .. } => place.whole(true),
                Op::Copy { .. } | Op::Move { .. } => {
                    Some("the value comes from the stored document")
                }
                Op::Test { .. } => None,
            };
            need.or(moved.and_then(|place| place.whole(true)))
        })
    }

    fn check_result(&self, after: &Value<'_>, report: &mut Report) {
        if self.schema.fits(after) {
            return;
        }
        for misfit in self.schema.misfits(after) {
            let message = format!(
                "the document that would result does not fit the schema: {}",
                misfit.message
            );
            report.push(
                Violation::new(Code::ResultInvalid, message)
                    .at(misfit.pointer)
                    .accepted(misfit.accepted)
                    .keyword(misfit.keyword),
            );
        }
    }
}

/// A place inside a value; it is spelt out only for those who are told of it.
enum At<'p> {
    Beneath(&'p Self, &'p str),
    Top(&'p Pointer<'p>),
}

impl At<'_> {
    fn pointer(&self) -> Pointer<'static> {
        match self {
            Self::Beneath(above, token) => above.pointer().join(token),
            Self::Top(pointer) => (*pointer).clone().into_owned(),
        }
    }
}
