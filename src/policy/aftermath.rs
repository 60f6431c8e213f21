//! What a second look at a document tells of a change whose answer was lost.
//!
//! The change was pinned to one version. Where the document has left that version, the upstream can
//! no longer apply it; what it is now may tell whether it did.

use super::facts::{Caller, Change, Current, Facts};
use super::route::Route;
use super::schema::Place;
use super::tag::IfMatch;
use crate::json::Value;
use crate::patch::{Pointer, apply};

use bytes::Bytes;

/// What the document says of a change that was pinned to a version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// It has left that version, and is what the change makes of it.
    InEffect,
    /// It does not tell.
    Unclear,
    /// It is that version still.
    Untouched,
}

impl Aftermath {
    /// What `now`, read after the loss, says of the change `body`, which was judged by `before` and
    /// pinned to it. What the API keeps by itself is not looked at: the place of the tag, and what
    /// the schema calls `readOnly`, unless the change touches it.
    pub fn of(route: &Route, body: &Bytes, before: &Current<'_>, now: &Current<'_>) -> Self {
        let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, body);
        let (Some(pin), Some(tag)) = (before.tag(), now.tag()) else { return Self::Unclear };
        let Ok(Change::Patch(patch)) = &facts.change else { return Self::Unclear };
        let Ok(after) = apply(patch, before.document.borrowed()) else { return Self::Unclear };
        let resource = route.resource.as_deref();
        let place = resource.map(|resource| resource.schema.root());
        let both = (&before.document, &after);
        let eyes = Eyes { tag: resource.and_then(|resource| resource.tag.as_ref()) };
        let is_made = |document| {
            eyes.alike((Some(both.0), Some(both.1)), Some(document), place.as_ref(), &Pointer::ROOT)
        };
        match pin.matches(tag) {
            false if is_made(&now.document) => Self::InEffect,
            // A change that makes no difference could have been applied without leaving a trace.
            true if now.document == before.document && !is_made(&before.document) => {
                Self::Untouched
            }
            true | false => Self::Unclear,
        }
    }
}

/// Compares what a change should have made with what is there.
struct Eyes<'r> {
    tag: Option<&'r Pointer<'static>>,
}

type Maybe<'v, 'a> = Option<&'v Value<'a>>;

impl Eyes<'_> {
    /// Whether `now` is what stands `after` the change, but for what the API keeps by itself.
    fn alike(
        &self,
        (before, after): (Maybe<'_, '_>, Maybe<'_, '_>),
        now: Maybe<'_, '_>,
        place: Option<&Place<'_>>,
        at: &Pointer<'_>,
    ) -> bool {
        let is_theirs = place.is_some_and(Place::is_read_only) || self.tag == Some(at);
        if after == now || is_theirs && before == after {
            return true;
        }
        let beneath = |token: &str, [before, after, now]: [Maybe<'_, '_>; 3]| {
            let place = place.map(|place| place.child(token));
            self.alike((before, after), now, place.as_ref(), &at.join(token))
        };
        match (after, now) {
            (Some(Value::Object(made)), Some(Value::Object(found))) => {
                let mut names = made.iter().chain(found.iter()).map(|(name, _)| &**name);
                let was = |name: &str| match before {
                    Some(Value::Object(was)) => was.get(name),
                    _ => None,
                };
                names.all(|name| beneath(name, [was(name), made.get(name), found.get(name)]))
            }
            (Some(Value::Array(made)), Some(Value::Array(found))) => {
                let was = |index: usize| match before {
                    Some(Value::Array(was)) => was.get(index),
                    _ => None,
                };
                let mut pairs = made.iter().zip(found).enumerate();
                made.len() == found.len()
                    && pairs.all(|(index, (made, found))| {
                        beneath(&index.to_string(), [was(index), Some(made), Some(found)])
                    })
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Bounds;
    use crate::patch::UnknownMembers;
    use crate::policy::route::{BodyForm, LostAnswer};
    use crate::policy::schema::Schema;
    use crate::policy::{Resource, StateSource};

    use serde_json::json;

    use std::sync::Arc;

    fn route() -> Route {
        let schema = json!({ "properties": {
            "changedAt": { "readOnly": true },
            "lines": { "items": { "properties": { "id": { "readOnly": true } } } },
        }});
        let resource = Resource {
            name: "any".into(),
            schema: Arc::new(Schema::new(&schema).unwrap()),
            graph: None,
            folds_case: false,
            tag: Some(Pointer::parse("/eTag").unwrap()),
        };
        Route {
            id: "a".into(),
            template: "/a".into(),
            methods: vec!["PATCH".to_owned()],
            params: Vec::new(),
            body: BodyForm::JsonPatch,
            media_types: Vec::new(),
            gzip: false,
            max_body: 4096,
            bounds: Bounds { items: 100, values: 100, depth: 9, string: 100 },
            unknown_members: UnknownMembers::Refuse,
            query: false,
            trailing_slashes: 0,
            state: StateSource::Fetch { advisory: false },
            lost_answer: LostAnswer::Resolve,
            links: Vec::new(),
            resource: Some(Arc::new(resource)),
            audience: crate::policy::Audience::default(),
            rules: Vec::new(),
            warn: Vec::new(),
            observe: false,
        }
    }

    /// What `now` says of `patch`, pinned to `before`.
    fn aftermath(before: &str, patch: &str, now: &str) -> Aftermath {
        let route = route();
        let (before, now) = (before.replace('\'', "\""), now.replace('\'', "\""));
        let body = Bytes::from(patch.replace('\'', "\""));
        let read = |text| Current::read(&route, None, text).unwrap();
        Aftermath::of(&route, &body, &read(before.as_bytes()), &read(now.as_bytes()))
    }

    const BEFORE: &str = r"{'eTag':'\'1\'','a':1,'changedAt':1,'lines':[{'id':1,'n':1}]}";

    #[test]
    fn only_a_document_that_has_left_the_version_and_is_what_was_wanted_is_in_effect() {
        let before = BEFORE;
        let patch = "[{'op':'replace','path':'/a','value':2}]";
        for (now, expected) in [
            (r"{'eTag':'\'2\'','a':2,'changedAt':1,'lines':[{'id':1,'n':1}]}", Aftermath::InEffect),
            (r"{'eTag':'\'2\'','a':2,'changedAt':9,'lines':[{'id':7,'n':1}]}", Aftermath::InEffect),
            (r"{'eTag':'\'2\'','a':2,'lines':[{'n':1}]}", Aftermath::InEffect),
            (r"{'eTag':'\'2\'','a':2,'changedAt':1,'lines':[{'id':1,'n':2}]}", Aftermath::Unclear),
            (r"{'eTag':'\'2\'','a':2,'changedAt':1,'lines':[]}", Aftermath::Unclear),
            (r"{'eTag':'\'2\'','a':2,'b':1,'lines':[{'id':1,'n':1}]}", Aftermath::Unclear),
            (r"{'eTag':'\'2\'','a':1,'changedAt':1,'lines':[{'id':1,'n':1}]}", Aftermath::Unclear),
            (r"{'eTag':'W/\'2\'','a':2,'changedAt':1}", Aftermath::Unclear),
            (r"{'a':2,'changedAt':1,'lines':[{'id':1,'n':1}]}", Aftermath::Unclear),
            (before, Aftermath::Untouched),
            (r"{'eTag':'\'1\'','a':2,'changedAt':1,'lines':[{'id':1,'n':1}]}", Aftermath::Unclear),
            ("[]", Aftermath::Unclear),
        ] {
            let escaped = |text: &str| text.replace(r"\'", "\\\"");
            assert_eq!(aftermath(&escaped(before), patch, &escaped(now)), expected, "{now}");
        }
    }

    #[test]
    fn a_change_that_makes_no_difference_or_does_not_apply_is_never_called_untouched() {
        let before = BEFORE.replace(r"\'", "\\\"");
        let moved = before.replace("\"1", "\"2");
        let same = "[{'op':'replace','path':'/a','value':1}]";
        assert_eq!(aftermath(&before, same, &before), Aftermath::Unclear);
        assert_eq!(aftermath(&before, same, &moved), Aftermath::InEffect);
        let inapplicable = "[{'op':'remove','path':'/b'}]";
        assert_eq!(aftermath(&before, inapplicable, &before), Aftermath::Unclear);
        assert_eq!(aftermath(&before, "no patch", &before), Aftermath::Unclear);
    }

    #[test]
    fn what_the_api_keeps_by_itself_counts_where_the_change_touches_it() {
        let before = BEFORE.replace(r"\'", "\\\"");
        let patch = "[{'op':'replace','path':'/changedAt','value':5}]";
        let moved = before.replace("\"1", "\"2");
        assert_eq!(aftermath(&before, patch, &moved), Aftermath::Unclear);
        let made = moved.replace("'changedAt':1", "'changedAt':5");
        assert_eq!(aftermath(&before, patch, &made), Aftermath::InEffect);
    }
}
