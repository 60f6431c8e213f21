//! What came of the changes, counted by what is new about them.

use super::judged::{Finding, Said};
use super::record::{Decided, Record};

use std::collections::BTreeMap;

/// What a change came to under another policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Outcome {
    NewlyRefused,
    NewlyPermitted,
    Unchanged,
    /// A fact is missing.
    Unknown,
}

impl Outcome {
    pub(super) const ALL: [Self; 4] =
        [Self::NewlyRefused, Self::NewlyPermitted, Self::Unchanged, Self::Unknown];

    /// The name as it is printed.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NewlyRefused => "newly refused",
            Self::NewlyPermitted => "newly permitted",
            Self::Unchanged => "unchanged",
            Self::Unknown => "unknown",
        }
    }
}

/// What changes have in common that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) outcome: Outcome,
    pub(super) rule: &'static str,
    /// The code that refuses now, or did; why it is not known.
    pub(super) why: &'static str,
    pub(super) partner: String,
    pub(super) request: String,
}

/// How many there are, and one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) changes: u64,
    /// The first one: when it came, and its id.
    pub(super) first: (String, String),
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) outcomes: [u64; 4],
    /// Changes of which nothing was decided then.
    pub(super) undecided: u64,
    /// Lines that are no records.
    pub(super) unreadable: u64,
    pub(super) groups: BTreeMap<Group, Count>,
}

impl Tally {
    pub(super) fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).copied().unwrap_or_default()
    }

    /// Counts a change of which the old policy said one thing, and the new one says another.
    pub(super) fn count(&mut self, record: &Record<'_>, old: &Said, new: &Said) {
        let (outcome, reasons): (_, Vec<Finding>) = match (old, new) {
            (_, Said::Unknown { rule, why }) | (Said::Unknown { rule, why }, _) => {
                (Outcome::Unknown, vec![Finding { rule, code: why }])
            }
            (Said::Permit, Said::Refuse(found)) => (Outcome::NewlyRefused, found.clone()),
            (Said::Refuse(found), Said::Permit) => (Outcome::NewlyPermitted, found.clone()),
            (Said::Permit, Said::Permit) | (Said::Refuse(_), Said::Refuse(_)) => {
                (Outcome::Unchanged, Vec::new())
            }
        };
        if let Some(count) = self.outcomes.get_mut(outcome as usize) {
            *count += 1;
        }
        let mut counted: Vec<Finding> = Vec::with_capacity(reasons.len());
        for reason in reasons {
            if counted.contains(&reason) {
                continue;
            }
            counted.push(reason);
            let group = Group {
                outcome,
                rule: reason.rule,
                why: reason.code,
                partner: record.partner.clone(),
                request: format!("{} {}", record.method, record.route),
            };
            let first = || (record.time.clone(), record.request_id.clone());
            let count = self.groups.entry(group);
            count.or_insert_with(|| Count { changes: 0, first: first() }).changes += 1;
        }
    }

    /// Adds what somebody else has counted.
    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.undecided += other.undecided;
        self.unreadable += other.unreadable;
        for (own, other) in self.outcomes.iter_mut().zip(other.outcomes) {
            *own += other;
        }
        for (group, count) in other.groups {
            match self.groups.get_mut(&group) {
                Some(own) => {
                    own.changes += count.changes;
                    if count.first < own.first {
                        own.first = count.first;
                    }
                }
                None => drop(self.groups.insert(group, count)),
            }
        }
    }

    /// The groups, those with the most changes first.
    pub(super) fn sorted(&self) -> Vec<(&Group, &Count)> {
        let mut all: Vec<_> = self.groups.iter().collect();
        all.sort_by(|(one, few), (other, many)| {
            let by_outcome = one.outcome.cmp(&other.outcome);
            by_outcome.then(many.changes.cmp(&few.changes)).then_with(|| one.cmp(other))
        });
        all
    }
}

/// What was said then, as far as it was decided.
pub(super) fn said_then(decided: &Decided) -> Option<Said> {
    match decided {
        Decided::Permit => Some(Said::Permit),
        Decided::Refuse(codes) => {
            let then = |code: &crate::violation::Code| Finding { rule: "then", code: code.slug() };
            Some(Said::Refuse(codes.iter().map(then).collect()))
        }
        Decided::Nothing => None,
    }
}
