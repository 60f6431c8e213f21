//! The case file, as text: for each route requests that the policy permits, and some that it refuses.
//! Each is put to the judge before it is written down.

mod ask;
mod requests;

use super::draft::Draft;
use super::outline::{Body, Outline, Route};
use super::policy::note;
use super::yaml::{after, flow, quoted};
use crate::policy::Policy;

use ask::{Given, Said, ask};
use requests::{Request, permitted, refused, steps};

use serde_json::Value;

use std::fmt::Write as _;

/// More states than this make more steps than anybody reads.
const STATES: usize = 8;
/// How many requests of a kind are written down for a route.
const EACH: usize = 2;
/// How many rows a table has.
const ROWS: usize = 60;

/// The case file for `outline`, whose policy was compiled to `policy`, and the routes of which no request
/// is known that is permitted.
pub(super) fn cases(
    outline: &Outline,
    drafts: &[Draft<'_>],
    policy: &Policy,
    head: &str,
) -> (String, Vec<String>) {
    let mut writer = Writer { text: head.to_owned(), stored: Vec::new() };
    let about = format!(
        "What the policy for {} has to say, as `patchgate test` asks it. These cases are made up from the schema: put those in their place that matter.",
        outline.title
    );
    note(&mut writer.text, 0, &about);
    let policy_file = quoted(&format!("{}.yaml", outline.name));
    let _ = write!(
        writer.text,
        "apiVersion: patchgate/v1\nkind: Cases\npolicy: {policy_file}\n\ncases:\n"
    );
    let mut without = Vec::new();
    for route in &outline.routes {
        let draft = route.body.resource();
        let draft = draft.and_then(|name| drafts.iter().find(|draft| draft.resource.name == name));
        let document = draft.and_then(|draft| draft.samples().document(true, &draft.kind.shown));
        let asking = Asking { policy, route, draft, document: document.as_ref() };
        let taken = asking.taken();
        if taken.is_empty() {
            without.push(route.id.clone());
        }
        match &route.body {
            Body::JsonPatch(_) => {
                let (bare, given): (Vec<_>, Vec<_>) =
                    taken.into_iter().partition(|(_, needed)| !needed);
                writer.rows(&asking, "a place that is open takes what fits", &bare, false);
                writer.rows(
                    &asking,
                    "a place that is open takes what fits the stored document",
                    &given,
                    true,
                );
            }
            Body::Document(_) | Body::MergePatch(_) | Body::None => {
                for (request, needed) in taken.iter().take(EACH) {
                    writer.case(&asking, request, &Said::Permit, *needed);
                }
            }
        }
        for (request, said, needed) in asking.refused().iter().take(EACH) {
            writer.case(&asking, request, said, *needed);
        }
        if asking.takes_every_step() {
            writer.steps(&asking);
        }
    }
    (writer.text, without)
}

/// A route, and all that it takes to ask the judge about it.
#[derive(Clone, Copy, Debug)]
struct Asking<'a> {
    policy: &'a Policy,
    route: &'a Route,
    draft: Option<&'a Draft<'a>>,
    /// What is stored, if anything can be made up.
    document: Option<&'a Value>,
}

impl<'a> Asking<'a> {
    fn ask(&self, body: &Value, stored: Option<&Value>) -> (Said, bool) {
        let route = self.policy.routes.iter().find(|asked| *asked.id == *self.route.id);
        let given = Given { tag: self.route.if_match, stored };
        route.map_or((Said::NeedsCurrent, false), |route| ask(self.policy, route, body, given))
    }

    /// What is permitted, the first of each name; and whether what is stored was looked at.
    fn taken(&self) -> Vec<(Request, bool)> {
        let mut taken: Vec<(Request, bool)> = Vec::new();
        for request in permitted(self.route, self.draft, self.document) {
            if taken.len() < ROWS && !taken.iter().any(|(known, _)| known.name == request.name) {
                let (said, needed) = self.ask(&request.body, self.document);
                if said == Said::Permit {
                    taken.push((request, needed));
                }
            }
        }
        taken
    }

    /// What is refused, and for nothing but what it is about.
    fn refused(&self) -> Vec<(Request, Said, bool)> {
        let all = refused(self.route, self.draft, self.document).into_iter();
        let asked = all.filter_map(|(request, code)| {
            let (said, needed) = self.ask(&request.body, self.document);
            let is_it =
                matches!(&said, Said::Refuse(codes) if codes.iter().all(|told| *told == code));
            is_it.then_some((request, said, needed))
        });
        asked.collect()
    }

    fn takes_every_step(&self) -> bool {
        let states = self.draft.and_then(|draft| draft.states.as_ref());
        let (Body::JsonPatch(_), Some(states), Some(document)) =
            (&self.route.body, states, self.document)
        else {
            return false;
        };
        states.names.len() <= STATES
            && (steps(states, document).iter())
                .all(|(before, body)| self.ask(body, Some(before)).0 == Said::Permit)
    }

    /// What is stored, and the name that it has in the file.
    fn stored(&self) -> Option<(&'a str, &'a Value)> {
        Some((self.draft?.kind.name.as_str(), self.document?))
    }
}

/// The file, as far as it is written.
#[derive(Debug)]
struct Writer {
    text: String,
    /// The documents that are written down already, by the names of their kinds.
    stored: Vec<String>,
}

impl Writer {
    fn head(&mut self, asking: &Asking<'_>, name: &str, needed: bool) {
        let route = &asking.route.id;
        let name = quoted(&format!("{route}, {name}"));
        let _ = writeln!(self.text, "  - name: {name}\n    route: {}", quoted(route));
        let stored = asking.stored().filter(|_| needed);
        match (stored, asking.route.if_match) {
            (None, false) => return,
            (None, true) => return self.text.push_str("    given: { if_match: '\"1\"' }\n"),
            (Some(_), false) => self.text.push_str("    given:\n"),
            (Some(_), true) => self.text.push_str("    given:\n      if_match: '\"1\"'\n"),
        }
        if let Some((kind, document)) = stored {
            let line = match self.has(kind) {
                true => format!("current: *{kind}"),
                false => after(document, 6, &format!("current: &{kind}")),
            };
            let _ = writeln!(self.text, "      {line}");
            if !self.has(kind) {
                self.stored.push(kind.to_owned());
            }
        }
    }

    fn case(&mut self, asking: &Asking<'_>, request: &Request, said: &Said, needed: bool) {
        self.head(asking, &request.name, needed);
        let known = asking.stored().filter(|(kind, _)| self.has(kind));
        let line = match (&request.body, known) {
            (Value::Null, _) => None,
            (body, Some((kind, document))) if body == document => Some(format!("body: *{kind}")),
            (body, _) if request.is_patch => Some(after(body, 4, "patch:")),
            (body, _) => Some(after(body, 4, "body:")),
        };
        if let Some(line) = line {
            let _ = writeln!(self.text, "    {line}");
        }
        let expect = match said {
            Said::Permit => "permit".to_owned(),
            Said::NeedsCurrent => "needs-current".to_owned(),
            Said::Refuse(codes) => flow(&codes.iter().copied().collect()),
        };
        let _ = writeln!(self.text, "    expect: {expect}");
    }

    /// A table of patches that are permitted.
    fn rows(&mut self, asking: &Asking<'_>, name: &str, taken: &[(Request, bool)], needed: bool) {
        if taken.is_empty() {
            return;
        }
        self.head(asking, name, needed);
        self.text.push_str("    expect: permit\n    each:\n");
        for (request, _) in taken {
            let _ = writeln!(self.text, "      - {}", after(&request.body, 8, "patch:"));
        }
    }

    /// A table of every step between two states.
    fn steps(&mut self, asking: &Asking<'_>) {
        self.head(asking, "a step from any state to any other is allowed", true);
        self.text
            .push_str("    expect: permit\n    each:\n      - { from: [\"*\"], to: [\"*\"] }\n");
    }

    fn has(&self, kind: &str) -> bool {
        self.stored.iter().any(|known| known == kind)
    }
}
