//! `together`: fields that mean something only as a whole are changed in one patch.

use super::Report;
use crate::patch::Pointer;
use crate::policy::facts::Proposal;
use crate::violation::{Code, Violation};

/// Fields of which either none or all are changed.
#[derive(Clone, Debug)]
pub struct Together {
    /// The fields.
    pub fields: Vec<Pointer<'static>>,
}

impl Together {
    pub(super) fn check(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        let fields = self.fields.iter();
        let changed: Vec<_> = fields.clone().filter(|field| proposal.may_change(field)).collect();
        if changed.is_empty() || changed.len() == self.fields.len() {
            return;
        }
        let kept: Vec<_> = fields.filter(|field| !changed.contains(field)).collect();
        let list = |fields: &[&Pointer<'_>]| {
            let quoted: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
            quoted.join(", ")
        };
        let message = format!("{} changes only together with {}", list(&changed), list(&kept));
        let missing =
            kept.iter().map(|field| format!(r#"{{"op":"replace","path":"{field}","value":…}}"#));
        let at = changed.first().map(|field| field.text().to_owned()).unwrap_or_default();
        let violation = Violation::new(Code::FieldsSeparated, message).at(at).accepted(missing);
        let first = proposal
            .effects
            .iter()
            .find(|effect| changed.iter().any(|field| effect.may_change(field)));
        report.push(match first {
            Some(effect) => violation.op(effect.op),
            None => violation,
        });
    }
}
