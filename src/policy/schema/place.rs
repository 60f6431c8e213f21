//! What a schema says of one place in a document.

use super::{Misfit, Rest, Schema, Shape};
use crate::json::Value;
use crate::patch::pointer;

/// A place in a document, and the sub-schemas that hold there.
#[derive(Clone, Debug)]
pub struct Place<'s> {
    schema: &'s Schema,
    /// All of these hold here.
    holds: Vec<usize>,
    /// Of each set one must hold, or nothing need hold where a branch says nothing of the place.
    either: Vec<Vec<Self>>,
    /// Whether the schema says anything of the place.
    described: bool,
    /// Whether nothing may stand here.
    forbidden: bool,
    /// Whether it, or what stands above it, is `readOnly`.
    read_only: bool,
    whole_on_write: Option<&'static str>,
    whole_on_remove: Option<&'static str>,
}

/// Why a change at a place cannot be judged by itself.
pub type Need = Option<&'static str>;

impl<'s> Place<'s> {
    pub(super) fn root(schema: &'s Schema) -> Self {
        Self { described: true, ..Self::nowhere(schema) }.holding(&[0])
    }

    fn nowhere(schema: &'s Schema) -> Self {
        Self {
            schema,
            holds: Vec::new(),
            either: Vec::new(),
            described: false,
            forbidden: false,
            read_only: false,
            whole_on_write: None,
            whole_on_remove: None,
        }
    }

    fn holding(mut self, shapes: &[usize]) -> Self {
        self.holds.extend_from_slice(shapes);
        self.read_only |= self.closure().iter().any(|(_, shape)| shape.read_only);
        self
    }

    /// The shapes that hold here with those they refer to, each once.
    fn closure(&self) -> Vec<(usize, &'s Shape)> {
        let mut found: Vec<(usize, &Shape)> = Vec::with_capacity(self.holds.len());
        let mut open: Vec<usize> = self.holds.clone();
        while let Some(at) = open.pop() {
            if found.iter().any(|(known, _)| *known == at) {
                continue;
            }
            if let Some(shape) = self.schema.shapes.get(at) {
                found.push((at, shape));
                open.extend(&shape.also);
            }
        }
        found
    }

    /// The place of the member or element `token`.
    #[must_use]
    pub fn child(&self, token: &str) -> Self {
        let mut child = Self::nowhere(self.schema);
        child.read_only = self.read_only;
        child.whole_on_write = self.whole_on_write;
        child.whole_on_remove = self.whole_on_remove;
        let mut holds = Vec::new();
        let closure = self.closure();
        let either = closure.iter().flat_map(|(_, shape)| &shape.either).map(|branches| {
            branches.iter().map(|at| Self::nowhere(self.schema).holding(&[*at])).collect::<Vec<_>>()
        });
        let either: Vec<Vec<Self>> = either.chain(self.either.iter().cloned()).collect();
        for (_, shape) in &closure {
            child.whole_on_write = child.whole_on_write.or(shape.whole_on_write);
            child.whole_on_remove = child.whole_on_remove.or(shape.whole_on_remove);
            match shape.step(token) {
                Step::Unsaid => {}
                Step::Forbidden => child.forbidden = true,
                Step::To(shapes) => {
                    child.described = true;
                    holds.extend(shapes);
                }
            }
        }
        for branches in either {
            let places: Vec<Self> = branches.iter().map(|branch| branch.child(token)).collect();
            child.described |= places.iter().any(|place| place.described && !place.forbidden);
            child.read_only |= !places.is_empty() && places.iter().all(|place| place.read_only);
            child.either.push(places);
        }
        child.holding(&holds)
    }

    /// Whether the schema says what may stand here.
    pub fn is_described(&self) -> bool {
        self.described && !self.forbidden
    }

    /// Whether the schema lets nothing stand here.
    pub fn is_forbidden(&self) -> bool {
        self.forbidden
    }

    /// Whether it, or what stands above it, is `readOnly`.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether something beneath it is `readOnly`.
    pub fn holds_read_only(&self) -> bool {
        self.closure().iter().any(|(_, shape)| shape.holds_read_only)
            || self.either.iter().flatten().any(Self::holds_read_only)
    }

    /// Whether a value with others in it may stand here.
    pub fn may_be_container(&self) -> bool {
        let closure = self.closure();
        closure.iter().all(|(_, shape)| shape.object || shape.array)
            && self.either.iter().all(|places| places.iter().any(Self::may_be_container))
    }

    /// Whether an array may stand here, but no object.
    pub fn is_array(&self) -> bool {
        self.closure().iter().any(|(_, shape)| shape.array && !shape.object)
    }

    /// Why the whole must be seen once something is written here, or taken away.
    pub fn whole(&self, removed: bool) -> Need {
        if removed { self.whole_on_remove } else { self.whole_on_write }
    }

    /// Whether `value` may stand here, as far as it can be told without what stands around it.
    pub fn fits(&self, value: &Value<'_>) -> bool {
        !self.forbidden
            && self.holds.iter().all(|at| {
                self.schema.validators.get(*at).is_none_or(|validator| validator.is_valid(value))
            })
            && self.either.iter().all(|places| {
                // A branch that says nothing of the place lets anything stand there.
                places
                    .iter()
                    .any(|place| !place.forbidden && (!place.described || place.fits(value)))
            })
    }

    /// In which ways `value` does not fit.
    pub fn misfits(&self, value: &Value<'_>) -> Vec<Misfit> {
        let misfit = self.holds.iter().find(|at| {
            self.schema.validators.get(**at).is_some_and(|validator| !validator.is_valid(value))
        });
        match misfit {
            Some(at) => self.schema.explain(*at, value),
            None => self.schema.explain(usize::MAX, value),
        }
    }

    /// The names that are described beneath this place.
    pub fn names(&self) -> Vec<&'s str> {
        let own = self.closure().into_iter().flat_map(|(at, _)| self.schema.names(at));
        let branches = self.either.iter().flatten().flat_map(Self::names);
        let mut names: Vec<&str> = own.chain(branches).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The described name that `token` is in another case, if it is one and not itself described.
    pub fn case_variant(&self, token: &str) -> Option<&'s str> {
        let folded = token.to_lowercase();
        let names = self.names();
        if names.contains(&token) {
            return None;
        }
        names.into_iter().find(|name| name.to_lowercase() == folded)
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
