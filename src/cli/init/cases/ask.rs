//! What the judge says of a request, before it becomes a case.

use crate::policy::{Caller, Current, Facts, IfMatch, Policy, Route, Verdict};

use bytes::Bytes;
use serde_json::Value;

/// The tag of what is stored.
const TAG: &str = "\"1\"";

/// What a request is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'g> {
    /// Whether it names the tag of what is stored.
    pub(super) tag: bool,
    /// What is stored, should it be asked for.
    pub(super) stored: Option<&'g Value>,
}

/// What the judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    NeedsCurrent,
    Permit,
    /// The codes of the violations.
    Refuse(Vec<&'static str>),
}

/// What it says of `body` on the route `asked`, and whether it looked at what is stored.
pub(super) fn ask(policy: &Policy, asked: &Route, body: &Value, given: Given<'_>) -> (Said, bool) {
    let body = match (body, body.as_str()) {
        (Value::Null, _) => Bytes::new(),
        (_, Some(text)) => Bytes::from(text.to_owned()),
        (_, None) => Bytes::from(body.to_string()),
    };
    let if_match = IfMatch::parse(given.tag.then_some(TAG.as_bytes()));
    let facts = Facts::read(asked, Caller::default(), &if_match, &body);
    let first = said(policy.judge(&facts, None).verdict);
    let stored = given.stored.filter(|_| first == Said::NeedsCurrent).map(Value::to_string);
    let current =
        stored.as_ref().and_then(|text| Current::read(asked, Some(TAG), text.as_bytes()).ok());
    match current {
        Some(current) => (said(policy.judge(&facts, Some(&current)).verdict), true),
        None => (first, false),
    }
}

fn said(verdict: Verdict) -> Said {
    match verdict {
        Verdict::NeedsCurrent(_) => Said::NeedsCurrent,
        Verdict::Permit(_) => Said::Permit,
        Verdict::Refuse(found) => {
            Said::Refuse(found.iter().map(|violation| violation.code.slug()).collect())
        }
    }
}
