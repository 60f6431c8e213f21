//! The judge's answer: permit, refuse, or *needs the current state*.

use super::tag::EntityTag;
use crate::violation::Violations;

use bytes::Bytes;

use std::fmt;

/// What the policy says of a request.
#[derive(Debug)]
pub enum Verdict {
    /// The demand cannot be judged without the representation that is stored now.
    NeedsCurrent(Need),
    /// It may be sent.
    Permit(Permit),
    /// It may not.
    Refuse(Violations),
}

/// Proof that the verdict was yes. It carries the very bytes that were judged, and is the only
/// thing that opens the upstream.
pub struct Permit {
    body: Bytes,
    pin: Option<EntityTag>,
    advisory: bool,
}

/// Without the body, which must not be logged.
impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Permit");
        debug.field("pin", &self.pin).field("advisory", &self.advisory);
        debug.finish_non_exhaustive()
    }
}

impl Permit {
    pub(super) fn new(body: Bytes, pin: Option<EntityTag>, advisory: bool) -> Self {
        Self { body, pin, advisory }
    }

    /// The bytes that were judged.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The bytes that were judged, and the version.
    pub fn into_parts(self) -> (Bytes, Option<EntityTag>) {
        (self.body, self.pin)
    }

    /// The version that was judged: what `If-Match` must say upstream. `None` when the verdict
    /// holds for every version, and the caller's own condition goes upstream as it came.
    pub fn pin(&self) -> Option<&EntityTag> {
        self.pin.as_ref()
    }

    /// Whether the judged version could not be pinned, and the policy lets it pass all the same.
    pub fn is_advisory(&self) -> bool {
        self.advisory
    }
}

/// Proof that the judge asked for the current state; the only thing that opens a fetch.
#[derive(Debug)]
pub struct Need {
    _private: (),
}

impl Need {
    pub(super) fn new() -> Self {
        Self { _private: () }
    }
}

/// A step between two states, each by its place among those of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// The state before.
    pub from: usize,
    /// The state after.
    pub to: usize,
}

/// What one rule said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// The route has no such rule, or the judge did not come to it.
    #[default]
    Unasked,
    /// Nothing against it.
    Pass,
    /// It cannot tell without the current state; the text says why.
    NeedsCurrent(&'static str),
    /// So many violations.
    Violated(usize),
    /// So many violations, of which the policy only warns.
    Warned(usize),
}

/// A verdict, and what each rule said on the way to it.
#[derive(Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What the policy warns of without refusing it.
    pub warnings: Violations,
    /// What each rule said.
    pub answers: Answers,
    /// The step that the change makes, allowed or not; `None` where it changes no governed field,
    /// or where one of the states is not known or not of the graph.
    pub step: Option<Step>,
}

/// What each rule said, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers([Answer; super::rule::Name::ALL.len()]);

impl Answers {
    /// What the rule called `name` said.
    pub fn of(&self, name: super::rule::Name) -> Answer {
        self.0.get(name as usize).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, name: super::rule::Name, answer: Answer) {
        if let Some(slot) = self.0.get_mut(name as usize) {
            *slot = answer;
        }
    }

    /// Why the current state is needed, if a rule needs it.
    pub fn need(&self) -> Option<&'static str> {
        self.0.iter().find_map(|answer| match answer {
            Answer::NeedsCurrent(why) => Some(*why),
            Answer::Unasked | Answer::Pass | Answer::Violated(_) | Answer::Warned(_) => None,
        })
    }
}
