//! What a policy says of a change that was recorded: yes, no, or that a fact is missing.

use super::record::{Decided, Hidden, Record, Told};
use crate::json::Value;
use crate::patch::{Op, Patch, Pointer};
use crate::policy::difference::Difference;
use crate::policy::rule::Name;
use crate::policy::{
    Answer, Caller, Change, Closed, Facts, NormalPath, Policy, Resolution, Route, StateSource,
    Verdict,
};
use crate::violation::{Code, Violation};

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The id of callers that are no known partner.
const UNKNOWN: &str = "unknown";

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Permit,
    /// No, as these rules find, by these codes.
    Refuse(Vec<Finding>),
    /// It cannot be said: what the rule lacks.
    Unknown {
        rule: &'static str,
        why: &'static str,
    },
}

/// What a rule finds, or what the gateway itself says before any rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    pub(super) code: &'static str,
}

/// The rules that are the same in two policies, route by route: what was permitted by them once is
/// permitted by them again.
#[derive(Debug, Default)]
pub(super) struct Same {
    /// By method and route, as differences name them.
    changed: HashMap<String, HashSet<Name>>,
    /// The routes of which nothing is known to be the same.
    others: HashSet<String>,
}

impl Same {
    /// What is the same, where these are the differences.
    pub(super) fn but(differences: &[Difference]) -> Self {
        let mut same = Self::default();
        for difference in differences {
            match difference.rule {
                Some(rule) => {
                    let changed = same.changed.entry(difference.route.clone()).or_default();
                    changed.insert(rule);
                    // It asks the schema which fields are `readOnly`.
                    if rule == Name::Schema {
                        changed.insert(Name::Immutable);
                    }
                }
                None if matches!(&*difference.at, "body" | "case" | "mode" | "state" | "") => {
                    same.others.insert(difference.route.clone());
                }
                None => {}
            }
        }
        same
    }

    fn has(&self, route: &str, rule: Name) -> bool {
        let changed = self.changed.get(route).is_some_and(|changed| changed.contains(&rule));
        !changed && !self.others.contains(route)
    }
}

/// What `policy` says of the change in `record`. What was permitted by rules that are the `same` is so
/// again.
pub(super) fn judge(policy: &Policy, record: &Record<'_>, same: Option<&Same>) -> Said {
    let refused = |code| Said::Refuse(vec![Finding { rule: "route", code }]);
    let Some(normal) = NormalPath::of(&record.target) else { return refused("head-malformed") };
    let route = match policy.routes.resolve(&record.method, &normal) {
        Resolution::Found(route) => route,
        Resolution::MethodNotAllowed(_) => return refused("method-not-allowed"),
        Resolution::Unknown => return refused("unrouted"),
    };
    let caller = Caller { partner: &record.partner, roles: &record.roles };
    match route.audience.admit(caller, record.partner != UNKNOWN) {
        Err(Closed::ToPartner) => return refused("not-admitted"),
        Err(Closed::ToUnknown) => return refused("unidentified"),
        Ok(()) => {}
    }
    if route.body.as_str() != record.form {
        return refused("media-type-unsupported");
    }
    let (change, hidden) = match &record.told {
        Told::Whole { change, hidden } => (change, hidden),
        Told::Part => return Said::Unknown { rule: "record", why: "it does not tell every op" },
        Told::Unreadable => return unreadable(&record.decided),
    };
    if route.observe {
        return Said::Permit;
    }
    let known = state(record, route);
    let facts = |known| Facts::told(route, caller, &record.if_match, copy(change), known);
    // What would have the gateway read the stored document, which then is judged as a whole.
    let reads = policy.judge(&facts(&[]), None).answers.need().is_some()
        && matches!(route.state, StateSource::Fetch { .. });
    let judgement = policy.judge(&facts(&known), None);
    let key = Difference::key(&record.method, &route.template);
    let then = Then { record, same: same.map(|same| (same, &*key)), reads };
    let doubt = Doubt { route, change, hidden };
    let mut certain = then.refusals();
    if let Verdict::Refuse(violations) = &judgement.verdict {
        certain.extend(violations.iter().filter(|found| doubt.spares(found)).map(finding));
    }
    if !certain.is_empty() {
        return Said::Refuse(certain);
    }
    if reads && record.tag.is_none() {
        return Said::Unknown { rule: "state", why: WHOLE };
    }
    for rule in &route.rules {
        let name = rule.name();
        let lacks = match judgement.answers.of(name) {
            Answer::NeedsCurrent(_) if route.state == (StateSource::Never { permit: true }) => None,
            Answer::NeedsCurrent(why) => Some(why),
            Answer::Violated(_) => Some(HIDDEN),
            Answer::Pass | Answer::Unasked if reads && name == Name::Schema => Some(WHOLE),
            Answer::Pass | Answer::Unasked => doubt.is_of(name).then_some(HIDDEN),
            Answer::Warned(_) => None,
        };
        if let (Some(why), false, false) = (lacks, then.passed(name), route.warn.contains(&name)) {
            return Said::Unknown { rule: name.as_str(), why };
        }
    }
    Said::Permit
}

const WHOLE: &str = "the stored document is not known";
const HIDDEN: &str = "a value is not told";

fn finding(violation: &Violation) -> Finding {
    Finding { rule: violation.rule.unwrap_or("judge"), code: violation.code.slug() }
}

/// A body that no policy could read stays one; another policy may have other bounds.
fn unreadable(decided: &Decided) -> Said {
    let always = |code: &Code| {
        matches!(
            code,
            Code::BodyDuplicateMember
                | Code::BodyNotJson
                | Code::NumberImprecise
                | Code::OpMemberMissing
                | Code::OpUnknown
                | Code::PatchNotArray
                | Code::PointerMalformed
        )
    };
    match decided {
        Decided::Refuse(codes) if codes.iter().any(always) => {
            let codes = codes.iter().filter(|code| always(code));
            Said::Refuse(codes.map(|code| Finding { rule: "reading", code: code.slug() }).collect())
        }
        Decided::Permit | Decided::Refuse(_) | Decided::Nothing => {
            Said::Unknown { rule: "reading", why: "the body could not be read" }
        }
    }
}

/// The values of the fields of the state that the document was in, where the record tells it.
fn state(record: &Record<'_>, route: &Route) -> Vec<(Pointer<'static>, Value<'static>)> {
    let graph = route.resource.as_ref().and_then(|resource| resource.graph.as_ref());
    let (Some(from), Some(graph)) = (&record.from, graph) else { return Vec::new() };
    let values: Vec<&str> = from.split('/').collect();
    if values.len() != graph.fields().len() {
        return Vec::new();
    }
    let value = |text: &str| Value::String(Cow::Owned(text.to_owned()));
    graph.fields().iter().cloned().zip(values.into_iter().map(value)).collect()
}

fn copy<'l>(change: &Change<'l>) -> Change<'l> {
    match change {
        Change::Document(value) => Change::Document(value.clone()),
        Change::Nothing => Change::Nothing,
        Change::Patch(patch) => Change::Patch(Patch { ops: patch.ops.clone() }),
    }
}

/// What the policy that was in force tells of rules that are the same in it.
struct Then<'t> {
    record: &'t Record<'t>,
    same: Option<(&'t Same, &'t str)>,
    /// Whether the stored document would be read.
    reads: bool,
}

impl Then<'_> {
    fn is_same(&self, name: Name) -> bool {
        self.same.is_some_and(|(same, key)| same.has(key, name))
    }

    /// Whether this rule had nothing against the change, and so has nothing again.
    fn passed(&self, name: Name) -> bool {
        let passed = match &self.record.decided {
            Decided::Permit => true,
            // All rules were asked, and none but that of the states found anything.
            Decided::Refuse(codes) => {
                name != Name::Transition
                    && self.record.tag.is_some()
                    && codes.iter().all(|code| rule_of(*code) == Some(Name::Transition))
            }
            Decided::Nothing => false,
        };
        passed && self.is_same(name)
    }

    /// What such rules found then, and find again.
    fn refusals(&self) -> Vec<Finding> {
        let Decided::Refuse(codes) = &self.record.decided else { return Vec::new() };
        let again = |code: &&Code| {
            // That one is found only where the document is read, whichever rule wants it.
            let is_met = **code != Code::ResultInvalid || self.reads;
            is_met && rule_of(**code).is_some_and(|name| self.is_same(name))
        };
        let finding = |code: &Code| Finding {
            rule: rule_of(*code).map_or("judge", Name::as_str),
            code: code.slug(),
        };
        codes.iter().filter(again).map(finding).collect()
    }
}

/// The rule that finds this, where what it finds depends on values or on the stored document.
fn rule_of(code: Code) -> Option<Name> {
    match code {
        Code::FieldImmutable => Some(Name::Immutable),
        Code::NameCaseVariant
        | Code::PointerUndescribed
        | Code::ResultInvalid
        | Code::ValueInvalid => Some(Name::Schema),
        Code::StateForbidden | Code::StateFrozen | Code::TransitionForbidden => {
            Some(Name::Transition)
        }
        Code::BodyDuplicateMember
        | Code::BodyNotJson
        | Code::BodyTooDeep
        | Code::BodyTooLarge
        | Code::BodyUnexpected
        | Code::CurrentUnknown
        | Code::FieldsSeparated
        | Code::IfMatchFailed
        | Code::IfMatchMalformed
        | Code::IfMatchRequired
        | Code::IfMatchWeak
        | Code::NumberImprecise
        | Code::OpForbidden
        | Code::OpMemberMissing
        | Code::OpMemberUnknown
        | Code::OpUnknown
        | Code::PatchEmpty
        | Code::PatchInapplicable
        | Code::PatchNotArray
        | Code::PointerForbidden
        | Code::PointerMalformed
        | Code::TooManyOps => None,
    }
}

/// What values that are not told leave open.
struct Doubt<'d> {
    route: &'d Route,
    change: &'d Change<'d>,
    hidden: &'d [Hidden],
}

impl Doubt<'_> {
    /// Whether it may hide something from the rule called `name`.
    fn is_of(&self, name: Name) -> bool {
        let holds_more = || self.hidden.iter().any(|hidden| hidden.is_container);
        match name {
            // They look at places, and at most at the kind of a value.
            Name::Operations | Name::Paths | Name::Precondition | Name::Together => false,
            Name::Immutable => holds_more() || self.is_entangled(),
            Name::Schema => !self.hidden.is_empty(),
            Name::Transition => {
                self.is_entangled()
                    || self.hidden.iter().any(|hidden| self.bears_on_state(hidden.op))
            }
        }
    }

    /// Whether a value that is not told may come to stand at another place, or tells of what stood
    /// there.
    fn is_entangled(&self) -> bool {
        let carries =
            |op: &Op<'_>| matches!(op, Op::Copy { .. } | Op::Move { .. } | Op::Test { .. });
        match self.change {
            Change::Patch(patch) => !self.hidden.is_empty() && patch.ops.iter().any(carries),
            Change::Document(_) | Change::Nothing => false,
        }
    }

    fn bears_on_state(&self, op: usize) -> bool {
        let graph = self.route.resource.as_ref().and_then(|resource| resource.graph.as_ref());
        let Some(graph) = graph else { return false };
        match self.change {
            Change::Patch(patch) => patch
                .ops
                .get(op)
                .is_some_and(|op| graph.fields().iter().any(|field| op.path().overlaps(field))),
            Change::Document(_) | Change::Nothing => true,
        }
    }

    /// Whether what was found is so whatever the values are.
    fn spares(&self, found: &Violation) -> bool {
        let Some(name) = Name::ALL.into_iter().find(|name| Some(name.as_str()) == found.rule)
        else {
            // What is said beside the rules, as that it cannot be decided.
            return self.hidden.is_empty();
        };
        if !self.is_of(name) {
            return true;
        }
        let about = |hidden: &Hidden| found.op.is_none_or(|op| op == hidden.op);
        let names_place = matches!(found.code, Code::PointerUndescribed | Code::NameCaseVariant);
        let is_of_other_op = !self.hidden.iter().any(about);
        name == Name::Schema && (is_of_other_op || names_place && found.op.is_some())
    }
}
