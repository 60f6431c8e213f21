//! `operations`: the op is one of those allowed.

use super::Report;
use crate::patch::{Op, OpName};
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
        let nothing = |op: &Op<'_>| matches!(op, Op::Open { path } if path.is_root());
        if patch.ops.iter().all(nothing) && !self.empty {
            report.push(Violation::new(Code::PatchEmpty, "the patch changes nothing"));
        }
        for (index, op) in patch.ops.iter().enumerate() {
            if !self.allowed.contains(&op.name()) && !proposal.goes_through(index) {
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
