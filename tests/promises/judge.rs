//! What the judge says of one patch.

use patchgate::policy::rule::Name;
use patchgate::policy::{
    Answer, Caller, Current, Facts, IfMatch, Judgement, Policy, Route, Verdict,
};

use bytes::Bytes;
use serde_json::Value;

/// The verdict, and what else the judge tells.
pub struct Judged {
    /// Whether it permits; nothing where it needs the current state.
    pub permits: Option<bool>,
    pub why: String,
    /// The rules that are violated.
    pub violated: Vec<&'static str>,
    pub step: Option<(usize, usize)>,
}

pub fn judge(route: &Route, caller: Caller<'_>, patch: &Value, current: Option<&Value>) -> Judged {
    let body = Bytes::from(patch.to_string());
    let facts = Facts::read(route, caller, &IfMatch::Absent, &body);
    let text = current.map(Value::to_string);
    let current = (text.as_deref())
        .map(|text| Current::read(route, Some("\"tag\""), text.as_bytes()).expect("a document"));
    let judgement = Policy::default().judge(&facts, current.as_ref());
    if let Some(text) = &text {
        remembers(route, &facts, text, &judgement);
    }
    let (permits, why) = match judgement.verdict {
        Verdict::NeedsCurrent(_) => (None, "the current state decides".into()),
        Verdict::Permit(permit) => {
            let pin = permit.pin().map(|tag| tag.as_str());
            assert_eq!(pin, current.map(|_| "\"tag\""), "what is pinned is what was judged");
            assert_eq!(permit.body(), &body, "judged bytes are sent bytes");
            (Some(true), "permitted".into())
        }
        Verdict::Refuse(found) => {
            let told: Vec<_> = found.iter().map(ToString::to_string).collect();
            (Some(false), told.join("; "))
        }
    };
    let is_violated = |name: &Name| matches!(judgement.answers.of(*name), Answer::Violated(_));
    let violated = Name::ALL.into_iter().filter(is_violated).map(Name::as_str).collect();
    let step = judgement.step.map(|step| (step.from, step.to));
    Judged { permits, why, violated, step }
}

/// What is remembered of a document, with what was found out about it, tells the same once more.
fn remembers(route: &Route, facts: &Facts<'_>, text: &str, judgement: &Judgement) {
    let kept = Current::read(route, Some("\"tag\""), text.as_bytes()).expect("a document");
    let nothing = Bytes::from_static(b"[]");
    let other = Facts::read(route, Caller::default(), &IfMatch::Absent, &nothing);
    drop(Policy::default().judge(&other, Some(&kept)));
    let kept = kept.into_owned();
    for _ in 0..2 {
        let again = Policy::default().judge(facts, Some(&kept));
        assert_eq!(format!("{:?}", again.verdict), format!("{:?}", judgement.verdict));
    }
}
