//! `precondition`: `If-Match` is there where it is demanded, and is one that can match.

use super::Report;
use crate::policy::facts::Facts;
use crate::policy::tag::{EntityTag, IfMatch};
use crate::violation::{Code, Violation};

/// What is demanded of `If-Match`.
#[derive(Clone, Debug)]
pub struct Precondition {
    /// Whether it has to be there.
    pub required: bool,
}

impl Precondition {
    pub(super) fn check(&self, facts: &Facts<'_>, report: &mut Report) {
        const HOW: &str =
            "`If-Match: \"…\"` with the entity tag of the version you read, quotes included";
        match facts.if_match {
            IfMatch::Absent if self.required => {
                let message = "this route demands `If-Match`; read the resource first and send its entity tag";
                report.push(Violation::new(Code::IfMatchRequired, message).accepted([HOW]));
            }
            IfMatch::Malformed => {
                let message =
                    "`If-Match` is neither `*` nor a list of entity tags in double quotes";
                report.push(Violation::new(Code::IfMatchMalformed, message).accepted([HOW]));
            }
            IfMatch::Tags(tags) if tags.iter().all(EntityTag::is_weak) => {
                let message = "`If-Match` names only weak entity tags, which never match";
                report.push(Violation::new(Code::IfMatchWeak, message).accepted([HOW]));
            }
            IfMatch::Absent | IfMatch::Any | IfMatch::Tags(_) => {}
        }
    }
}
