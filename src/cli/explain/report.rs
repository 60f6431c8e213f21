//! A judgement as people and as programs read it.

use super::origin::Origin;
use super::told;
use crate::cli::caller::Caller;
use crate::cli::paint::Paint;
use crate::policy::rule::Name;
use crate::policy::{Answer, Facts, Judgement, Policy, Route, Verdict};
use crate::violation::{Violation, Violations};

use serde_json::{Value, json};

use std::fmt::Write as _;

/// A judgement, and what it was made of.
#[derive(Debug)]
pub(super) struct Report<'r> {
    pub(super) method: &'r str,
    pub(super) route: &'r Route,
    pub(super) policy: &'r Policy,
    pub(super) facts: &'r Facts<'r>,
    pub(super) judgement: &'r Judgement,
    pub(super) origin: &'r Origin<'r>,
    /// Who calls, where a gateway file tells.
    pub(super) caller: Option<&'r Caller>,
}

impl Report<'_> {
    /// As text.
    pub(super) fn text(&self) -> String {
        let paint = Paint::of_stdout();
        let mut text = String::new();
        let (template, id, name) = (&self.route.template, &self.route.id, &self.policy.name);
        let _ = writeln!(text, "{} {template}  (route {id}, policy {name})\n", self.method);
        if let Some(caller) = self.caller {
            let _ = writeln!(text, "{}", caller.text("  "));
        }
        for (index, op) in self.facts.ops().iter().enumerate() {
            let from = op.from().map(|from| format!(" from {from}")).unwrap_or_default();
            let allowing = self.origin.allowing(op.name(), op.path());
            let line = allowing.map(|line| format!("  {line}")).unwrap_or_default();
            let _ = writeln!(text, "  op {index}  {} {}{from}{line}", op.name(), op.path());
        }
        if let Some((from, to)) = self.origin.step() {
            let _ = writeln!(text, "  step  {from} → {to}");
        }
        text.push('\n');
        for (name, answer) in self.answers() {
            let said = match answer {
                Answer::Unasked => continue,
                Answer::Pass => "pass".to_owned(),
                Answer::NeedsCurrent(why) => format!("needs the current state: {why}"),
                Answer::Warned(count) => format!("{count} of which the policy only warns"),
                Answer::Violated(1) => "1 violation".to_owned(),
                Answer::Violated(count) => format!("{count} violations"),
            };
            let line = self.origin.rule(name);
            let _ = writeln!(text, "  {:<13} {said:<13} {line}", name.as_str());
        }
        match &self.judgement.verdict {
            Verdict::Permit(permit) => {
                let pinned =
                    permit.pin().map(|tag| format!(", pinned to the version {}", tag.as_str()));
                let _ = writeln!(text, "\n{}{}", paint.good("permit"), pinned.unwrap_or_default());
            }
            Verdict::NeedsCurrent(_) => {
                text.push_str(
                    "\nneeds the current state: give the stored document with `--current FILE`\n",
                );
            }
            Verdict::Refuse(violations) => {
                let _ = writeln!(text, "\n{}", paint.bad("refuse"));
                self.list(violations, &mut text);
            }
        }
        if !self.judgement.warnings.is_empty() {
            text.push_str("\nwarnings\n");
            self.list(&self.judgement.warnings, &mut text);
        }
        text
    }

    fn list(&self, violations: &Violations, text: &mut String) {
        for violation in violations {
            let _ = writeln!(text, "{}", told(violation));
            if let (Some(rule), Some(line)) = (violation.rule, self.origin.violation(violation)) {
                let _ = writeln!(text, "    rule: {rule}, {line}");
            }
            if let Some(keyword) = self.origin.keyword(violation) {
                let _ = writeln!(text, "    schema: {keyword}");
            }
        }
        if violations.more() > 0 {
            let _ = writeln!(text, "  … and {} more", violations.more());
        }
    }

    /// As JSON; `docs/testing-policies.md` describes it.
    pub(super) fn json(&self) -> Value {
        let ops = self.facts.ops().iter().map(|op| {
            let mut told = json!({ "op": op.name().as_str(), "path": op.path().text() });
            add(&mut told, "from", op.from().map(|from| from.text().into()));
            add(&mut told, "at", self.origin.allowing(op.name(), op.path()).map(Value::from));
            told
        });
        let rules = self.answers().filter_map(|(name, answer)| {
            let (said, count, why) = match answer {
                Answer::Unasked => return None,
                Answer::Pass => ("pass", None, None),
                Answer::NeedsCurrent(why) => ("needs-current", None, Some(why)),
                Answer::Violated(count) => ("violated", Some(count), None),
                Answer::Warned(count) => ("warned", Some(count), None),
            };
            let at = self.origin.rule(name);
            let mut told = json!({ "rule": name.as_str(), "answer": said, "at": at });
            add(&mut told, "count", count.map(Value::from));
            add(&mut told, "why", why.map(Value::from));
            Some(told)
        });
        let none = Violations::default();
        let (verdict, violations, pin) = match &self.judgement.verdict {
            Verdict::Permit(permit) => ("permit", &none, permit.pin()),
            Verdict::NeedsCurrent(_) => ("needs-current", &none, None),
            Verdict::Refuse(violations) => ("refuse", violations, None),
        };
        let mut told = json!({
            "method": self.method,
            "path": *self.route.template,
            "route": *self.route.id,
            "policy": self.policy.name,
            "verdict": verdict,
            "ops": ops.collect::<Vec<_>>(),
            "rules": rules.collect::<Vec<_>>(),
            "violations": self.entries(violations),
            "warnings": self.entries(&self.judgement.warnings),
        });
        let step = self.origin.step().map(|(from, to)| json!({ "from": from, "to": to }));
        add(&mut told, "step", step);
        add(&mut told, "caller", self.caller.map(Caller::json));
        add(&mut told, "pin", pin.map(|tag| tag.as_str().into()));
        add(&mut told, "more", Some(violations.more()).filter(|more| *more > 0).map(Value::from));
        told
    }

    fn entries(&self, violations: &Violations) -> Vec<Value> {
        let entry = |violation: &Violation| {
            let mut told = json!({
                "code": violation.code.slug(),
                "message": violation.message,
                "accepted": violation.accepted,
            });
            add(&mut told, "op", violation.op.map(Value::from));
            add(&mut told, "pointer", violation.pointer.as_deref().map(Value::from));
            add(&mut told, "rule", violation.rule.map(Value::from));
            add(&mut told, "keyword", violation.keyword.as_deref().map(Value::from));
            add(&mut told, "at", self.origin.violation(violation).map(Value::from));
            add(&mut told, "schema", self.origin.keyword(violation).map(Value::from));
            told
        };
        violations.iter().map(entry).collect()
    }

    fn answers(&self) -> impl Iterator<Item = (Name, Answer)> {
        Name::ALL.into_iter().map(|name| (name, self.judgement.answers.of(name)))
    }
}

/// Adds a member that is there.
fn add(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Value::Object(members), Some(value)) = (object, value) {
        members.insert(name.to_owned(), value);
    }
}
