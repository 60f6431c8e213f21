//! The kinds of demand a route can make; one file each.

mod immutable;
mod operations;
mod paths;
mod precondition;
mod schema;
mod together;
mod transition;

pub use immutable::Immutable;
pub use operations::Operations;
pub use paths::{AllowedPath, Paths};
pub use precondition::Precondition;
pub use schema::FitsSchema;
pub use together::Together;
pub use transition::{Edits, Transition};

use super::facts::{Facts, Proposal};
use super::route::BodyForm;
use super::verdict::{Answer, Answers, Step};
use crate::json::Value;
use crate::violation::{Code, Violation, Violations};

/// One demand a route makes.
///
/// A closed set on purpose: a new kind is a new variant, and the compiler then lists every place
/// that has to know about it.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Fields that cannot be changed.
    Immutable(Immutable),
    /// The ops that are allowed.
    Operations(Operations),
    /// The places that may be reached.
    Paths(Paths),
    /// Conditions that the caller must set.
    Precondition(Precondition),
    /// Values that fit the schema.
    Schema(FitsSchema),
    /// Fields that change only together.
    Together(Together),
    /// States, and the steps between them.
    Transition(Transition),
}

/// The name of a kind of rule, in logs, metrics and explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// [`Rule::Immutable`]
    Immutable,
    /// [`Rule::Operations`]
    Operations,
    /// [`Rule::Paths`]
    Paths,
    /// [`Rule::Precondition`]
    Precondition,
    /// [`Rule::Schema`]
    Schema,
    /// [`Rule::Together`]
    Together,
    /// [`Rule::Transition`]
    Transition,
}

impl Name {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 7] = [
        Self::Immutable,
        Self::Operations,
        Self::Paths,
        Self::Precondition,
        Self::Schema,
        Self::Together,
        Self::Transition,
    ];

    /// The name as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immutable => "immutable",
            Self::Operations => "operations",
            Self::Paths => "paths",
            Self::Precondition => "precondition",
            Self::Schema => "schema",
            Self::Together => "together",
            Self::Transition => "transition",
        }
    }
}

impl Rule {
    /// What kind of rule it is.
    pub fn name(&self) -> Name {
        match self {
            Self::Immutable(_) => Name::Immutable,
            Self::Operations(_) => Name::Operations,
            Self::Paths(_) => Name::Paths,
            Self::Precondition(_) => Name::Precondition,
            Self::Schema(_) => Name::Schema,
            Self::Together(_) => Name::Together,
            Self::Transition(_) => Name::Transition,
        }
    }

    /// Whether it could find anything in a body of this form.
    pub fn looks_at(&self, body: BodyForm) -> bool {
        let (changes, makes) = match body {
            BodyForm::Document => (false, true),
            BodyForm::JsonPatch | BodyForm::MergePatch | BodyForm::Replacement => (true, false),
            BodyForm::Nothing => (false, false),
        };
        match self {
            Self::Immutable(rule) => changes && rule.has_fields(),
            Self::Operations(_) | Self::Paths(_) => changes,
            Self::Precondition(_) => true,
            Self::Schema(_) => changes || makes,
            // What replaces the whole changes all of its fields together.
            Self::Together(_) => changes && body != BodyForm::Replacement,
            Self::Transition(rule) => changes || makes && !rule.graph.initial().is_empty(),
        }
    }

    /// Holds a patch against the rule.
    pub(super) fn check_patch(
        &self,
        facts: &Facts<'_>,
        proposal: &Proposal<'_, '_>,
        report: &mut Report,
    ) {
        match self {
            Self::Immutable(rule) => rule.check(proposal, report),
            Self::Operations(rule) => rule.check(proposal, report),
            Self::Paths(rule) => rule.check(proposal, report),
            Self::Precondition(rule) => rule.check(facts, report),
            Self::Schema(rule) => rule.check(proposal, report),
            Self::Together(rule) => rule.check(proposal, report),
            Self::Transition(rule) => rule.check(facts.caller, proposal, report),
        }
    }

    /// Holds a whole document against the rule.
    pub(super) fn check_document(
        &self,
        facts: &Facts<'_>,
        document: &Value<'_>,
        report: &mut Report,
    ) {
        match self {
            Self::Precondition(rule) => rule.check(facts, report),
            Self::Schema(rule) => rule.check_document(document, report),
            Self::Transition(rule) => rule.check_document(document, report),
            Self::Immutable(_) | Self::Operations(_) | Self::Paths(_) | Self::Together(_) => {}
        }
    }

    /// Holds a request without a body against the rule.
    pub(super) fn check_request(&self, facts: &Facts<'_>, report: &mut Report) {
        match self {
            Self::Precondition(rule) => rule.check(facts, report),
            Self::Immutable(_)
            | Self::Operations(_)
            | Self::Paths(_)
            | Self::Schema(_)
            | Self::Together(_)
            | Self::Transition(_) => {}
        }
    }
}

/// What the rules have said so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) violations: Violations,
    pub(super) warnings: Violations,
    pub(super) answers: Answers,
    /// The step that the patch makes, once both of its ends are known.
    pub(super) step: Option<Step>,
    need: Option<&'static str>,
}

impl Report {
    /// Adds a violation.
    pub(super) fn push(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Whether the op at `index` has been blamed with `code`.
    pub(super) fn has(&self, code: Code, index: usize) -> bool {
        self.violations.iter().any(|found| found.code == code && found.op == Some(index))
    }

    /// Forgets which ops are to blame: a caller who sent no ops knows only of places.
    pub(super) fn forget_ops(&mut self) {
        self.violations.forget_ops();
        self.warnings.forget_ops();
    }

    /// Says that the rule cannot tell without the current state, and why.
    pub(super) fn needs_current(&mut self, why: &'static str) {
        self.need = Some(why);
    }

    /// Asks the rule called `name` and notes its answer. One that only warns asks for nothing.
    pub(super) fn ask(&mut self, name: Name, warns: bool, check: impl FnOnce(&mut Self)) {
        let before = self.violations.len();
        let kept = warns.then(|| std::mem::take(&mut self.violations));
        self.need = None;
        check(self);
        let before = if warns { 0 } else { before };
        let found = self.violations.len() - before;
        if found > 0 {
            self.violations.found_by(name.as_str(), before);
        }
        if let Some(kept) = kept {
            let warnings = std::mem::replace(&mut self.violations, kept);
            self.warnings.append(warnings);
        }
        let answer = match (found, self.need, warns) {
            (0, Some(why), false) => Answer::NeedsCurrent(why),
            (0, _, _) => Answer::Pass,
            (found, _, false) => Answer::Violated(found),
            (found, _, true) => Answer::Warned(found),
        };
        self.answers.set(name, answer);
    }
}
