//! `operations`: the op is one of those allowed.

use super::Report;
use crate::patch::OpName;
use crate::policy::facts::Proposal;
use crate::violation::{Code, Violation};

/// The ops that a patch may use.
#[derive(Clone, Debug)]
pub struct Operations {
    /// The allowed ones.
    pub allowed: Vec<OpName>,
    /// Whether a patch without any op passes.
    pub empty: bool,
}

impl Operations {
    pub(super) fn check(&self, proposal: &Proposal<'_, '_>, report: &mut Report) {
        let patch = proposal.patch;
        if patch.ops.is_empty() && !self.empty {
            report.push(Violation::new(Code::PatchEmpty, "the patch holds no op"));
        }
        for (index, op) in patch.ops.iter().enumerate() {
            if !self.allowed.contains(&op.name()) {
                let message = format!("the op `{}` is not allowed here", op.name());
                let accepted = self.allowed.iter().map(|op| op.as_str());
                report.push(
                    Violation::new(Code::OpForbidden, message)
                        .op(index)
                        .at(op.path().text())
                        .accepted(accepted),
                );
            }
        }
    }
}
