//! All that a rule may look at.

use super::route::{BodyForm, Route};
use super::schema::{Place, Schema};
use super::tag::{EntityTag, IfMatch};
use crate::json::{self, Bounds, Unreadable, Value};
use crate::patch::{self, Effect, Inapplicable, Known, Op, Partial, Patch, Pointer, apply};
use crate::violation::{Code, Violation, Violations};

use bytes::Bytes;

use std::cell::OnceCell;
use std::sync::Arc;

/// A request, as the rules see it.
#[derive(Debug)]
pub struct Facts<'f> {
    pub(super) route: &'f Route,
    pub(super) caller: Caller<'f>,
    pub(super) if_match: &'f IfMatch,
    pub(super) body: &'f Bytes,
    pub(super) change: Result<Change<'f>, Violations>,
    /// What is known of the stored document, though it is not at hand.
    known: &'f [(Pointer<'f>, Value<'f>)],
}

/// Who is calling; by default nobody in particular.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'c> {
    /// The id of the partner.
    pub partner: &'c str,
    /// The roles that it has.
    pub roles: &'c [String],
}

/// What a request asks for.
#[derive(Debug)]
pub enum Change<'f> {
    /// A document to be stored as it is.
    Document(Value<'f>),
    /// Nothing: the route takes no body.
    Nothing,
    /// A change of a stored document.
    Patch(Patch<'f>),
}

impl<'f> Facts<'f> {
    /// The condition that the caller set.
    pub fn if_match(&self) -> &'f IfMatch {
        self.if_match
    }

    /// The ops of its patch; none where the body is no patch, or cannot be read.
    pub fn ops(&self) -> &[Op<'f>] {
        match &self.change {
            Ok(Change::Patch(patch)) => &patch.ops,
            Ok(Change::Document(_) | Change::Nothing) | Err(_) => &[],
        }
    }

    /// Reads the request; what cannot be read is a fact as well, and the judge refuses it.
    pub fn read(
        route: &'f Route,
        caller: Caller<'f>,
        if_match: &'f IfMatch,
        body: &'f Bytes,
    ) -> Self {
        Self { route, caller, if_match, body, change: read_change(route, body), known: &[] }
    }

    /// The facts of a request that was made long ago: what it asked for, as it was written down, and
    /// what was at some places of the document then. No bytes are left that could be sent.
    pub fn told(
        route: &'f Route,
        caller: Caller<'f>,
        if_match: &'f IfMatch,
        mut change: Change<'f>,
        known: &'f [(Pointer<'f>, Value<'f>)],
    ) -> Self {
        static NOTHING: Bytes = Bytes::new();
        if let Change::Patch(patch) = &mut change {
            fold_case(patch, route);
        }
        Self { route, caller, if_match, body: &NOTHING, change: Ok(change), known }
    }
}

fn read_change<'f>(route: &Route, body: &'f Bytes) -> Result<Change<'f>, Violations> {
    let bounds = route.bounds;
    match route.body {
        BodyForm::JsonPatch => {
            let mut patch = Patch::read(body, bounds, route.unknown_members)?;
            fold_case(&mut patch, route);
            Ok(Change::Patch(patch))
        }
        BodyForm::MergePatch => {
            let mut patch = Patch::read_merge(body, bounds)?;
            if fold_case(&mut patch, route) {
                refuse_twins(&patch)?;
            }
            Ok(Change::Patch(patch))
        }
        BodyForm::Document => read_document(body, bounds).map(Change::Document),
        BodyForm::Replacement => {
            let value = read_document(body, bounds)?;
            let ops = vec![Op::Replace { path: Pointer::ROOT, value }];
            Ok(Change::Patch(Patch { ops }))
        }
        BodyForm::Nothing if body.is_empty() => Ok(Change::Nothing),
        BodyForm::Nothing => {
            let message = "the route takes no body, but one was sent";
            Err(Violation::new(Code::BodyUnexpected, message).into())
        }
    }
}

fn read_document(body: &Bytes, bounds: Bounds) -> Result<Value<'_>, Violations> {
    let bounds = Bounds { items: bounds.values, ..bounds };
    json::read(body, bounds).map_err(|found| patch::unreadable_body(found, bounds).into())
}

/// Writes names as the schema has them, where their case does not count; says whether it does not.
fn fold_case(patch: &mut Patch<'_>, route: &Route) -> bool {
    let resource = route.resource.as_ref().filter(|resource| resource.folds_case);
    if let Some(resource) = resource {
        patch.map_pointers(|pointer| resource.schema.fold(pointer));
    }
    resource.is_some()
}

/// Two members that are one once their case does not count have no order that all would keep.
fn refuse_twins(patch: &Patch<'_>) -> Result<(), Violations> {
    let mut places: Vec<&str> = patch.ops.iter().map(|op| op.path().text()).collect();
    places.sort_unstable();
    match places.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => {
            let message = "an object names a member twice, in two cases that the API takes for one";
            let violation = Violation::new(Code::BodyDuplicateMember, message);
            Err(violation.at(pair.first().copied().unwrap_or_default()).into())
        }
        None => Ok(()),
    }
}

/// The representation that is stored upstream now.
#[derive(Debug)]
pub struct Current<'c> {
    pub(super) tag: Option<EntityTag>,
    pub(super) document: Value<'c>,
    /// The schema that somebody asked about first, and whether the document fits it.
    fits: OnceCell<(Arc<Schema>, bool)>,
}

impl<'c> Current<'c> {
    /// Reads a representation; its tag is the one in `header`, else the string at the place that
    /// the route's resource names. It has one only if that is strong, and ASCII, so that it can be
    /// sent as it is.
    ///
    /// # Errors
    ///
    /// When it is not JSON that can be judged.
    pub fn read(route: &Route, header: Option<&str>, body: &'c [u8]) -> Result<Self, Unreadable> {
        // What the upstream stores is not a caller's to bound; only its depth and size are.
        let bounds = Bounds { items: usize::MAX, values: 200_000, depth: 64, string: 1 << 20 };
        let document = json::read(body, bounds)?;
        let held = route.resource.as_ref().and_then(|resource| resource.tag.as_ref());
        let held = held.and_then(|pointer| patch::apply::find(&document, pointer));
        let text = header.or_else(|| held.and_then(Value::as_str));
        let tag = text.filter(|text| text.is_ascii()).and_then(EntityTag::parse);
        let tag = tag.filter(|tag| !tag.is_weak());
        Ok(Self { tag, document, fits: OnceCell::new() })
    }

    /// The same with a text of its own, and with what is known of it.
    pub fn into_owned(self) -> Current<'static> {
        let Self { tag, document, fits } = self;
        Current { tag, document: document.into_owned(), fits }
    }

    /// How many bytes it takes up, more or less, beside its text.
    pub fn weight(&self) -> usize {
        /// A value, and its name.
        const EACH: usize = 2 * std::mem::size_of::<Value<'_>>();
        self.document.size() * EACH
    }

    /// Whether the document fits `schema`, so far as that is known or nobody has asked about another one.
    pub(super) fn fits(&self, schema: &Arc<Schema>) -> bool {
        let asked = || (Arc::clone(schema), schema.fits(&self.document));
        let (known, fits) = self.fits.get_or_init(asked);
        *fits && Arc::ptr_eq(known, schema)
    }

    /// The strong entity tag it carries.
    pub fn tag(&self) -> Option<&EntityTag> {
        self.tag.as_ref()
    }
}

/// A patch as the rules see it: its ops, where they land, and what comes of them.
#[derive(Debug)]
pub(super) struct Proposal<'o, 'f> {
    pub(super) patch: &'o Patch<'f>,
    /// What its ops do, in order.
    pub(super) effects: Vec<Effect<'o, 'f>>,
    /// What the schema says of the `path` of each op.
    pub(super) places: Vec<Place<'o>>,
    pub(super) outcome: Outcome<'o, 'f>,
}

/// The documents before and after the change, as far as they are known.
#[derive(Debug)]
pub(super) enum Outcome<'o, 'f> {
    /// Judged by the patch alone. What it tells is worked out once some rule asks.
    Partial {
        patch: &'o Patch<'f>,
        known: &'o [(Pointer<'f>, Value<'f>)],
        around: OnceCell<(Partial<'o, 'f>, Partial<'o, 'f>)>,
    },
    /// Judged against the current document.
    Whole { current: &'o Current<'f>, after: Value<'o> },
}

impl<'o, 'f> Proposal<'o, 'f> {
    pub(super) fn new(
        patch: &'o Patch<'f>,
        facts: &'o Facts<'f>,
        current: Option<&'o Current<'f>>,
    ) -> Result<Self, Inapplicable> {
        let (resource, known) = (facts.route.resource.as_deref(), facts.known);
        let outcome = match current {
            None => Outcome::Partial { patch, known, around: OnceCell::new() },
            Some(current) => {
                let after = apply(patch, current.document.borrowed())?;
                Outcome::Whole { current, after }
            }
        };
        let places = resource.map_or_else(Vec::new, |resource| {
            patch.ops.iter().map(|op| resource.schema.place(op.path())).collect()
        });
        let mut effects = Vec::with_capacity(patch.ops.len());
        effects.extend(patch.effects());
        Ok(Self { patch, effects, places, outcome })
    }

    /// The ops with their index and what the schema says of the place they point to.
    pub(super) fn ops(&self) -> impl Iterator<Item = (usize, &'o Op<'f>, &Place<'o>)> {
        self.patch.ops.iter().zip(&self.places).enumerate().map(|(at, (op, place))| (at, op, place))
    }

    /// Whether the op at `index` only makes sure of an object that a merge patch goes through, so
    /// that what is set in it is all that is written. (Where something else may stand, or where
    /// nothing is set in it, it is itself what is written.)
    pub(super) fn goes_through(&self, index: usize) -> bool {
        let Some(Op::Open { path }) = self.patch.ops.get(index) else { return false };
        let next = self.patch.ops.get(index + 1);
        path.is_root()
            || next.is_some_and(|next| path.covers(next.path()))
                && self.places.get(index).is_some_and(Place::is_object)
    }

    /// Whether `path`, which leads to `place`, leads behind the last element of an array, whatever the
    /// document is: in an object `-` is a name as any other.
    pub(super) fn leads_behind_all(&self, path: &Pointer<'_>, place: &Place<'_>) -> bool {
        let is_array = |(above, _): (Pointer<'_>, _)| !place.schema().place(&above).may_be_object();
        matches!(self.outcome, Outcome::Partial { .. })
            && path.is_append()
            && path.split_last().is_some_and(is_array)
    }

    /// Whether some op may change what stands at `pointer`.
    pub(super) fn may_change(&self, pointer: &Pointer<'_>) -> bool {
        self.effects.iter().any(|effect| effect.may_change(pointer))
    }
}

impl<'o> Outcome<'o, '_> {
    /// What stands at `pointer` before the change.
    pub(super) fn before(&self, pointer: &Pointer<'_>) -> Known<'_, 'o> {
        match self {
            Self::Partial { patch, known, around } => {
                around.get_or_init(|| Partial::around(patch, known)).0.at(pointer)
            }
            Self::Whole { current, .. } => found(&current.document, pointer),
        }
    }

    /// What stands at `pointer` after it.
    pub(super) fn after(&self, pointer: &Pointer<'_>) -> Known<'_, 'o> {
        match self {
            Self::Partial { patch, known, around } => {
                around.get_or_init(|| Partial::around(patch, known)).1.at(pointer)
            }
            Self::Whole { after, .. } => found(after, pointer),
        }
    }
}

fn found<'d, 'a>(document: &'d Value<'a>, pointer: &Pointer<'_>) -> Known<'d, 'a> {
    patch::apply::find(document, pointer).map_or(Known::Absent, Known::Value)
}
