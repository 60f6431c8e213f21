//! The policy: routes, the rules each has, and the one judge that asks them.

pub mod aftermath;
mod audience;
pub mod difference;
pub mod facts;
pub mod graph;
pub mod links;
mod names;
pub mod patch_schema;
pub mod pattern;
pub mod record;
pub mod resource;
pub mod route;
pub mod rule;
pub mod schema;
pub mod tag;
pub mod verdict;

pub use aftermath::Aftermath;
pub use audience::{Audience, Closed};
pub use facts::{Caller, Change, Current, Facts};
pub use record::{Disclosure, Shown};
pub use resource::Resource;
pub use route::{LostAnswer, NormalPath, Resolution, Route, Routes, StateSource};
pub use rule::Rule;
pub use tag::{EntityTag, IfMatch};
pub use verdict::{Answer, Judgement, Need, Permit, Step, Verdict};

use crate::patch::Inapplicable;
use crate::violation::{Code, Violation, Violations};

use facts::Proposal;
use graph::Graph;
use route::BodyForm;
use rule::Report;

/// What is allowed, for every route.
#[derive(Debug, Default)]
pub struct Policy {
    /// The name the policy gives itself.
    pub name: String,
    /// The routes and their rules.
    pub routes: Routes,
    /// In which form callers are told of a refusal.
    pub errors: ErrorForm,
}

/// The form of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorForm {
    /// The error envelope of the Partner Center API.
    PartnerCenter,
    /// Problem details (RFC 9457).
    #[default]
    Problem,
}

impl Policy {
    /// The resources that have states, each once.
    pub fn graphs(&self) -> Vec<(&Resource, &Graph)> {
        let mut found: Vec<(&Resource, &Graph)> = Vec::new();
        for resource in self.routes.iter().filter_map(|route| route.resource.as_deref()) {
            let is_known = found.iter().any(|(other, _)| other.name == resource.name);
            if let (false, Some(graph)) = (is_known, &resource.graph) {
                found.push((resource, graph));
            }
        }
        found
    }

    /// Judges a request, with the current representation if it is at hand.
    ///
    /// Without it, a rule that cannot tell makes the verdict [`Verdict::NeedsCurrent`] where the
    /// route reads the state, and what the route's policy says where it does not.
    pub fn judge(&self, facts: &Facts<'_>, current: Option<&Current<'_>>) -> Judgement {
        let mut report = Report::default();
        match &facts.change {
            Err(violations) => return report.refuse(violations.clone()),
            Ok(Change::Patch(patch)) => match Proposal::new(patch, facts, current) {
                Err(inapplicable) => report.push(does_not_apply(&inapplicable)),
                Ok(proposal) => report.ask_all(facts.route, |rule, report| {
                    rule.check_patch(facts, &proposal, report);
                }),
            },
            Ok(Change::Document(document)) => report.ask_all(facts.route, |rule, report| {
                rule.check_document(facts, document, report);
            }),
            Ok(Change::Nothing) => report.ask_all(facts.route, |rule, report| {
                rule.check_request(facts, report);
            }),
        }
        if let Some(current) = current
            && !facts.if_match.holds(current.tag())
        {
            let message = "`If-Match` names another version than the one that is stored now";
            report.push(Violation::new(Code::IfMatchFailed, message));
        }
        if facts.route.body != BodyForm::JsonPatch {
            report.forget_ops();
        }
        if facts.route.observe {
            return report.observe(facts);
        }
        decide(facts, current, report)
    }
}

/// What the rules' answers come to.
fn decide(facts: &Facts<'_>, current: Option<&Current<'_>>, report: Report) -> Judgement {
    if !report.violations.is_empty() {
        return report.into_refusal();
    }
    let need = report.answers.need();
    let (pin, advisory) = match (current, need, facts.route.state) {
        (None, None, _) | (None, Some(_), StateSource::Never { permit: true }) => (None, false),
        (None, Some(_), StateSource::Fetch { .. }) => {
            return report.conclude(Verdict::NeedsCurrent(Need::new()));
        }
        (Some(current), None, state) => match (current.tag(), state) {
            (Some(tag), _) => (Some(tag.clone()), false),
            (None, StateSource::Fetch { advisory: true }) => (None, true),
            (None, _) => {
                let message = "the version that was judged has no strong entity tag to pin it by";
                return report.refuse(Violation::new(Code::CurrentUnknown, message).into());
            }
        },
        (None, Some(why), StateSource::Never { permit: false }) | (Some(_), Some(why), _) => {
            let message = format!("{why}, and the policy does not read the current state");
            return report.refuse(Violation::new(Code::CurrentUnknown, message).into());
        }
    };
    report.conclude(Verdict::Permit(Permit::new(facts.body.clone(), pin, advisory)))
}

fn does_not_apply(inapplicable: &Inapplicable) -> Violation {
    let message = format!("the op does not apply to the current document: {}", inapplicable.reason);
    Violation::new(Code::PatchInapplicable, message).op(inapplicable.op).at(&*inapplicable.pointer)
}

impl Report {
    /// Asks each rule of `route` by `check`.
    fn ask_all(&mut self, route: &Route, check: impl Fn(&Rule, &mut Self)) {
        for rule in &route.rules {
            let name = rule.name();
            self.ask(name, route.warn.contains(&name), |report| check(rule, report));
        }
    }

    fn refuse(self, violations: Violations) -> Judgement {
        self.conclude(Verdict::Refuse(violations))
    }

    fn into_refusal(mut self) -> Judgement {
        let violations = std::mem::take(&mut self.violations);
        self.refuse(violations)
    }

    /// Lets everything pass that could be read, with a warning for each violation. Nothing is
    /// fetched for it and nothing pinned: the request goes on as it came.
    fn observe(mut self, facts: &Facts<'_>) -> Judgement {
        let violations = std::mem::take(&mut self.violations);
        self.warnings.append(violations);
        self.conclude(Verdict::Permit(Permit::new(facts.body.clone(), None, false)))
    }

    fn conclude(self, verdict: Verdict) -> Judgement {
        let Self { warnings, answers, step, .. } = self;
        Judgement { verdict, warnings, answers, step }
    }
}
