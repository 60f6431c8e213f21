//! The shapes that hold at a place, and how a token leads from one place to the next.

use super::class::DataClass;
use super::fit::Kinds;
use super::{Rest, Shape};
use crate::patch::{Pointer, pointer};
use crate::policy::names::Names;

use std::collections::HashMap;

/// The most places that are worked out at load.
const SPOTS: usize = 10_000;
/// The most pointers whose places are looked up as a whole.
const POINTERS: usize = 1_000;

/// The most branches that are followed side by side.
const BRANCHES: usize = 64;

/// A place, and what follows from its core.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) core: Core,
    pub(super) holds_read_only: bool,
    pub(super) may_be_container: bool,
    /// The kinds of values of which nothing counts but what stands beneath; others may fit as well.
    pub(super) kinds: Kinds,
    /// The names that have to be there where an object stands here.
    pub(super) required: Vec<Box<str>>,
    /// The places of the names that are listed.
    pub(super) children: Names<usize>,
    /// The place of every element alike.
    pub(super) element: Option<usize>,
}

/// What makes two places the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Core {
    /// All of these hold here.
    pub(super) holds: Vec<usize>,
    /// Of each set one must hold, or nothing need hold where a branch says nothing of the place.
    pub(super) either: Vec<Vec<Self>>,
    /// Whether there were more branches than are followed: only the whole document can tell.
    pub(super) lost: bool,
    /// Whether the schema says anything of the place.
    pub(super) described: bool,
    /// Whether nothing may stand here.
    pub(super) forbidden: bool,
    /// Whether it, or what stands above it, is `readOnly`.
    pub(super) read_only: bool,
    /// Whom what stands here concerns: as the schema marks the place itself, else what is above it.
    pub(super) class: Option<DataClass>,
    pub(super) whole_on_write: Option<&'static str>,
    pub(super) whole_on_remove: Option<&'static str>,
}

impl Spot {
    pub(super) fn root(shapes: &[Shape]) -> Self {
        Self::of(Core { described: true, ..Core::default() }.holding(&[0], shapes), shapes)
    }

    fn of(core: Core, shapes: &[Shape]) -> Self {
        Self {
            holds_read_only: core.holds_read_only(shapes),
            may_be_container: core.may_be_container(shapes),
            kinds: core.kinds(shapes),
            required: core.required(shapes),
            core,
            children: Names::default(),
            element: None,
        }
    }

    /// Every place that `shapes` list by name, the whole document first.
    pub(super) fn all(shapes: &[Shape]) -> Vec<Self> {
        let root = Self::root(shapes);
        let mut known = HashMap::from([(root.core.clone(), 0)]);
        let mut spots = vec![root];
        let mut at = 0;
        while let Some(spot) = spots.get(at).cloned() {
            let mut place = |token: &str| {
                let core = spot.core.step(token, shapes);
                if let Some(known) = known.get(&core) {
                    return Some(*known);
                }
                let next = spots.len();
                (next < SPOTS).then(|| {
                    known.insert(core.clone(), next);
                    spots.push(Self::of(core, shapes));
                    next
                })
            };
            let names = spot.names(shapes);
            let children = names.iter().filter_map(|name| Some((Box::from(*name), place(name)?)));
            let children = Names::new(children);
            let element = if spot.core.elements_are_alike(shapes) { place("-") } else { None };
            // In an object such a name leads to what the schema does not tell apart from elements.
            let indexed = names.iter().any(|name| *name == "-" || pointer::index(name).is_some());
            if let Some(spot) = spots.get_mut(at) {
                (spot.children, spot.element) = (children, element);
                if indexed {
                    spot.kinds = spot.kinds.without_objects();
                }
            }
            at += 1;
        }
        spots
    }

    /// The places of `spots` by their pointers, those with the fewest tokens first; with each whether
    /// something `readOnly` may move when it comes or goes.
    pub(super) fn by_pointer(spots: &[Self]) -> Names<(usize, bool)> {
        let mut found = vec![(Pointer::ROOT, (0, false))];
        let mut at = 0;
        while let Some((pointer, (spot, _))) = found.get(at).cloned() {
            let spot = spots.get(spot);
            let names = spot.into_iter().flat_map(|spot| {
                spot.children.names().chain(spot.element.is_some().then_some("-"))
            });
            let children = names.filter_map(|name| {
                let spot = spot?;
                Some((pointer.join(name), (spot.child(name)?, spot.shifts(name))))
            });
            let room = POINTERS.saturating_sub(found.len());
            let children: Vec<_> = children.take(room).collect();
            found.extend(children);
            at += 1;
        }
        Names::new(found.into_iter().map(|(pointer, known)| (pointer.text().into(), known)))
    }

    /// Whether what is put in or taken out at `token` may move an element to where something beneath
    /// it is `readOnly`, or from there: where all are alike, each tells of itself.
    pub(super) fn shifts(&self, token: &str) -> bool {
        let is_element = || token == "-" || pointer::index(token).is_some();
        self.holds_read_only && self.element.is_none() && is_element()
    }

    /// Where `token` leads, if that was worked out at load.
    pub(super) fn child(&self, token: &str) -> Option<usize> {
        if self.element.is_some() && (token == "-" || pointer::index(token).is_some()) {
            return self.element;
        }
        self.children.get(token).copied()
    }

    /// Where `token` leads.
    pub(super) fn step(&self, token: &str, shapes: &[Shape]) -> Self {
        Self::of(self.core.step(token, shapes), shapes)
    }

    /// The names that are listed beneath, in their order.
    pub(super) fn names<'s>(&self, shapes: &'s [Shape]) -> Vec<&'s str> {
        let mut names = self.core.names(shapes);
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Core {
    fn holding(mut self, more: &[usize], shapes: &[Shape]) -> Self {
        self.holds.extend_from_slice(more);
        self.read_only |= self.closure(shapes).any(|shape| shape.read_only);
        self.class = self.mark(shapes).or(self.class);
        self
    }

    /// The shapes that hold here with those they refer to, each once.
    pub(super) fn closure<'s>(
        &self,
        shapes: &'s [Shape],
    ) -> impl Iterator<Item = &'s Shape> + use<'s> {
        let mut found: Vec<usize> = Vec::with_capacity(self.holds.len());
        let mut open = self.holds.clone();
        while let Some(at) = open.pop() {
            if !found.contains(&at) {
                found.push(at);
                open.extend(shapes.get(at).iter().flat_map(|shape| &shape.also));
            }
        }
        found.into_iter().filter_map(|at| shapes.get(at))
    }

    fn step(&self, token: &str, shapes: &[Shape]) -> Self {
        let mut child = Self {
            read_only: self.read_only,
            class: self.class,
            whole_on_write: self.whole_on_write,
            whole_on_remove: self.whole_on_remove,
            lost: self.lost,
            ..Self::default()
        };
        let mut holds = Vec::new();
        let mut either: Vec<Vec<Self>> = Vec::new();
        let mut branch = None;
        for shape in self.closure(shapes) {
            child.whole_on_write = child.whole_on_write.or(shape.whole_on_write);
            child.whole_on_remove = child.whole_on_remove.or(shape.whole_on_remove);
            match shape.step(token) {
                Step::Unsaid => {}
                Step::Forbidden => child.forbidden = true,
                Step::To(next) => {
                    child.described = true;
                    holds.extend(next);
                }
            }
            either.extend(shape.either.iter().map(|branches| {
                branches.iter().map(|at| Self::default().holding(&[*at], shapes)).collect()
            }));
        }
        for branches in either.iter().chain(&self.either) {
            let mut places: Vec<Self> = Vec::with_capacity(branches.len());
            for place in branches.iter().map(|place| place.step(token, shapes)) {
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            child.described |= places.iter().any(|place| place.described && !place.forbidden);
            child.read_only |= !places.is_empty() && places.iter().all(|place| place.read_only);
            branch = branch.max(places.iter().filter_map(|place| place.class).max());
            // What says nothing of the place says nothing beneath it either. Were it kept, places
            // that recurse would never be the same.
            if !places.iter().all(Self::says_nothing) {
                child.either.push(places);
            }
        }
        if child.branches() > BRANCHES {
            // Branches that recurse multiply with every token. Beyond this the whole document
            // decides: it is asked for, and until then nothing may change here.
            child.either.clear();
            child.lost = true;
        }
        if child.lost {
            (child.described, child.read_only) = (true, true);
            branch = Some(DataClass::Personal);
        }
        child.class = branch.or(child.class);
        let mut child = child.holding(&holds, shapes);
        child.class = child.class.max(branch);
        child
    }

    /// Whether anything may stand here and beneath, as far as this alone tells.
    fn says_nothing(&self) -> bool {
        let told = self.described || self.forbidden || self.read_only || self.lost;
        !told && self.holds.is_empty() && self.either.is_empty()
    }

    /// How many places there are in its sets, and in theirs.
    fn branches(&self) -> usize {
        self.either.iter().flatten().map(|place| 1 + place.branches()).sum()
    }

    /// Whether any index, and `-`, leads to the same place.
    fn elements_are_alike(&self, shapes: &[Shape]) -> bool {
        self.either.is_empty()
            && self.closure(shapes).all(|shape| {
                !shape.object && shape.array && shape.prefix.is_empty() && shape.either.is_empty()
            })
    }

    /// What is required of an object here, each name once.
    fn required(&self, shapes: &[Shape]) -> Vec<Box<str>> {
        let mut names: Vec<Box<str>> =
            self.closure(shapes).flat_map(|shape| shape.required.iter().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn holds_read_only(&self, shapes: &[Shape]) -> bool {
        self.closure(shapes).any(|shape| shape.holds_read_only)
            || self.either.iter().flatten().any(|place| place.holds_read_only(shapes))
    }

    fn may_be_container(&self, shapes: &[Shape]) -> bool {
        self.closure(shapes).all(|shape| shape.object || shape.array)
            && self
                .either
                .iter()
                .all(|places| places.iter().any(|place| place.may_be_container(shapes)))
    }

    pub(super) fn may_be_object(&self, shapes: &[Shape]) -> bool {
        !self.forbidden
            && self.closure(shapes).all(|shape| shape.object)
            && (self.either.iter())
                .all(|places| places.iter().any(|place| place.may_be_object(shapes)))
    }

    pub(super) fn is_object(&self, shapes: &[Shape]) -> bool {
        self.closure(shapes).any(|shape| !shape.array && !shape.scalar)
            || (self.either.iter()).any(|places| places.iter().all(|place| place.is_object(shapes)))
    }

    /// Why what stands here must be seen whole once it holds only some of its members.
    pub(super) fn whole_within(&self, shapes: &[Shape]) -> Option<&'static str> {
        let own = self.closure(shapes).find_map(|shape| shape.whole_on_remove);
        let branches = || self.either.iter().flatten();
        own.or_else(|| branches().find_map(|place| place.whole_within(shapes)))
    }

    fn names<'s>(&self, shapes: &'s [Shape]) -> Vec<&'s str> {
        let own = self.closure(shapes);
        let branches = self.closure(shapes).flat_map(|shape| shape.either.iter().flatten());
        let branches = branches.map(|at| Self::default().holding(&[*at], shapes));
        own.flat_map(|shape| shape.properties.keys().map(String::as_str))
            .chain(branches.flat_map(|place| place.names(shapes)))
            .chain(self.either.iter().flatten().flat_map(|place| place.names(shapes)))
            .collect()
    }
}

/// Where one token leads from one shape.
enum Step {
    Unsaid,
    Forbidden,
    To(Vec<usize>),
}

impl Shape {
    fn step(&self, token: &str) -> Step {
        let index = if token == "-" { Some(usize::MAX) } else { pointer::index(token) };
        match index {
            Some(index) if self.array && !self.object => self.element(index),
            // Whether an object or an array stands here is not known: neither is demanded.
            Some(index) if self.array => match (self.member(token), self.element(index)) {
                (Step::To(shapes), Step::Unsaid) | (Step::Unsaid, Step::To(shapes)) => {
                    Step::To(shapes)
                }
                (Step::Forbidden, other) | (other, Step::Forbidden) => other,
                (_, _) => Step::Unsaid,
            },
            _ if self.object => self.member(token),
            _ => Step::Forbidden,
        }
    }

    fn member(&self, name: &str) -> Step {
        let mut found: Vec<usize> = self.properties.get(name).copied().into_iter().collect();
        let matching = self.patterns.iter().filter(|(pattern, _)| pattern.is_match(name));
        found.extend(matching.map(|(_, at)| *at));
        if found.is_empty() { self.additional.step() } else { Step::To(found) }
    }

    fn element(&self, index: usize) -> Step {
        match self.prefix.get(index) {
            Some(at) => Step::To(vec![*at]),
            // What is appended may land on any index.
            None if index == usize::MAX && !self.prefix.is_empty() => Step::Unsaid,
            None => self.items.step(),
        }
    }
}

impl Rest {
    fn step(&self) -> Step {
        match self {
            Self::Open => Step::Unsaid,
            Self::Closed => Step::Forbidden,
            Self::Is(at) => Step::To(vec![*at]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Schema;
    use super::*;
    use crate::json::Value;

    use serde_json::json;

    #[test]
    fn places_recurse_in_branches_that_say_nothing_of_what_is_beneath() {
        let node = json!({"type": "object", "oneOf": [{"required": ["next"]}, {"required": ["kids"]}],
            "properties": {"next": {"$ref": "#/$defs/node"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}}});
        let schema =
            json!({"$defs": {"node": node}, "properties": {"r": {"$ref": "#/$defs/node"}}});
        let schema = Schema::new(&schema).expect("a schema");
        assert!(schema.spots.len() < 10, "there are {} places", schema.spots.len());
        let deep = pointer::Pointer::parse("/r/next/kids/0/next").expect("a pointer");
        assert!(
            schema.place(&deep).is_described()
                && schema.place(&deep.join("other")).fits(&Value::Null)
        );
    }
}
