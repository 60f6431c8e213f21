//! `immutable`: fields that keep their value, by policy or because the schema says `readOnly`.

use super::Report;
use crate::json::Value;
use crate::patch::pointer::index;
use crate::patch::{Effect, Known, Op, Pointer, Touch};
use crate::policy::facts::{Outcome, Proposal};
use crate::policy::pattern::Pattern;
use crate::policy::schema::{Place, Schema};
use crate::violation::{Code, Violation};

use std::borrow::Cow;
use std::sync::Arc;

const NO_OP: &str = "a field that cannot be changed may be given the value that it has";

/// Fields that keep their value.
#[derive(Clone, Debug)]
pub struct Immutable {
    /// Those that the policy names.
    pub fields: Vec<Pattern>,
    /// The resource's schema, for those that are `readOnly`.
    pub schema: Arc<Schema>,
}

impl Immutable {
    pub(super) fn has_fields(&self) -> bool {
        let root = self.schema.root();
        !self.fields.is_empty() || root.is_read_only() || root.holds_read_only()
    }

    pub(super) fn check(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        match &proposal.outcome {
            Outcome::Partial { .. } => self.check_effects(proposal, report),
            Outcome::Whole { current, after } => {
                let (before, root) = (&current.document, self.schema.root());
                if before != after {
                    self.compare(Some(before), Some(after), &root, &Pointer::ROOT, report);
                }
            }
        }
    }

    /// An effect on such a field is at fault, unless it may come to nothing.
    fn check_effects(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        for effect in proposal.effects.iter().filter(|effect| effect.touch != Touch::Read) {
            let own = proposal.patch.ops.get(effect.op).zip(proposal.places.get(effect.op));
            let reached = match own {
                // What an op does to its own path.
                Some((op, place)) if std::ptr::eq(op.path(), effect.pointer) => {
                    self.reaches(effect, place)
                }
                _ => self.reaches(effect, &self.schema.place(effect.pointer)),
            };
            if !reached {
                continue;
            }
            let at = effect.pointer;
            // An element that is put in may be the one that is reached later.
            let alone = proposal.effects.iter().filter(|other| other.may_change(at)).count() == 1;
            let within = self.holds(at);
            let known = (proposal.outcome.before(at), proposal.outcome.after(at));
            let certain = match (effect.touch, known) {
                // Where an object stands already, nothing happens.
                (Touch::Open, _) => false,
                (Touch::Remove, _) => {
                    // What comes after an element moves up, and may be the same as it was.
                    let element = at.split_last().is_some_and(|(_, last)| index(&last).is_some());
                    alone && within && !element && is_remove(proposal, effect.op)
                }
                (_, (Known::Value(before), Known::Value(after))) => within && before != after,
                _ => false,
            };
            if certain {
                report.push(violation(at).op(effect.op));
            } else {
                report.needs_current(NO_OP);
            }
        }
    }

    /// Whether such a field stands at the effect's place, above it, or beneath it.
    fn reaches(&self, effect: &Effect<'_, '_>, place: &Place<'_>) -> bool {
        if effect.touch == Touch::Open && place.is_object() {
            // What stands beneath is not reached by it.
            return place.is_read_only() || self.holds(effect.pointer);
        }
        let appended = effect.pointer.is_append();
        let beneath = match effect.value {
            // Nothing stood there before, so that only what the value names is written.
            Some(value) if appended => place.holds_read_only() && names_read_only(value, place),
            _ => place.holds_read_only(),
        };
        place.is_read_only()
            || beneath
            || place.shifts_read_only()
            || self.fields.iter().any(|field| {
                field.overlaps(effect.pointer)
                    || match field.pointer() {
                        Some(field) => effect.may_change(&field),
                        None => {
                            array_of(effect.pointer).is_some_and(|array| stands_in(field, &array))
                        }
                    }
            })
    }

    /// Whether `pointer` is such a field, or lies within one.
    fn holds(&self, pointer: &Pointer<'_>) -> bool {
        let mut text = pointer.text();
        loop {
            let Ok(above) = Pointer::parse(text) else { return false };
            if self.fields.iter().any(|field| field.matches(&above)) {
                return true;
            }
            match text.rsplit_once('/') {
                Some((parent, _)) => text = parent,
                None => return self.schema.place(pointer).is_read_only(),
            }
        }
    }

    /// Walks both documents where they differ, as they do here.
    fn compare(
        &self,
        before: Option<&Value<'_>>,
        after: Option<&Value<'_>>,
        place: &Place<'_>,
        at: &Pointer<'_>,
        report: &mut Report,
    ) {
        if place.is_read_only() || self.fields.iter().any(|field| field.matches(at)) {
            return report.push(violation(at));
        }
        for (near, token) in differing(before, after) {
            let before = before.and_then(|value| member(value, near, &token));
            let after = after.and_then(|value| member(value, near, &token));
            self.compare(before, after, &place.child(&token), &at.join(&token), report);
        }
    }
}

/// The array in which the effect may shift elements, if it is one.
fn array_of<'p>(pointer: &'p Pointer<'_>) -> Option<Pointer<'p>> {
    let (array, last) = pointer.may_be_element().then(|| pointer.split_last()).flatten()?;
    (last == "-" || index(&last).is_some()).then_some(array)
}

/// Whether `field` lies in an element of `array`.
fn stands_in(field: &Pattern, array: &Pointer<'_>) -> bool {
    let element = field.tokens().nth(array.tokens().count());
    let is_element = element.is_some_and(|token| token.is_none_or(|text| index(text).is_some()));
    is_element && field.overlaps(array)
}

/// Whether `value` sets a field that is `readOnly`.
fn names_read_only(value: &Value<'_>, place: &Place<'_>) -> bool {
    if place.is_read_only() {
        return true;
    }
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| names_read_only(value, &place.child(name)))
        }
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .any(|(index, value)| names_read_only(value, &place.child(&index.to_string()))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_remove(proposal: &Proposal<'_, '_>, index: usize) -> bool {
    matches!(proposal.patch.ops.get(index), Some(Op::Remove { .. }))
}

fn violation(at: &Pointer<'_>) -> Violation {
    Violation::new(Code::FieldImmutable, "this field cannot be changed; leave it out").at(at.text())
}

fn member<'v, 'a>(value: &'v Value<'a>, near: usize, token: &str) -> Option<&'v Value<'a>> {
    match value {
        Value::Object(members) => members.get_near(near, token),
        Value::Array(elements) => elements.get(index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The names and indexes of what stands in one value and not in the other, or differs, in their order,
/// with where in it they stand.
fn differing<'v>(
    before: Option<&'v Value<'_>>,
    after: Option<&'v Value<'_>>,
) -> Vec<(usize, Cow<'v, str>)> {
    let mut found = Vec::new();
    parts(before, |near, token, value| {
        // Most are as they were.
        if after.and_then(|after| member(after, near, &token)) != Some(value) {
            found.push((near, token));
        }
    });
    parts(after, |near, token, _| {
        if before.and_then(|before| member(before, near, &token)).is_none() {
            found.push((near, token));
        }
    });
    found.sort_by(|(_, one), (_, other)| one.cmp(other));
    found
}

/// Tells `each` of what stands in `value`: where in it, by which name or index, and what it is.
fn parts<'v, 'a>(
    value: Option<&'v Value<'a>>,
    mut each: impl FnMut(usize, Cow<'v, str>, &'v Value<'a>),
) {
    match value {
        Some(Value::Object(members)) => {
            let members = members.iter().enumerate();
            members.for_each(|(at, (name, value))| each(at, Cow::Borrowed(name), value));
        }
        Some(Value::Array(elements)) => {
            let elements = elements.iter().enumerate();
            elements.for_each(|(at, value)| each(at, Cow::Owned(at.to_string()), value));
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
    }
}
