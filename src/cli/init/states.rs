//! The states of a resource, where its schema looks as if it had some: a field called like one, whose
//! values are listed.

use super::view::{Branches, View};
use crate::json::Value as Json;
use crate::patch::Pointer;
use crate::policy::schema::Schema;

use serde_json::Value;

use std::borrow::Cow;

/// The ends of names that states have, the likeliest first.
const CALLED: [&str; 4] = ["status", "state", "phase", "stage"];
/// More values than this are a list of something else.
const MOST: usize = 40;

/// A field whose values look like states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct States {
    /// The pointer to it.
    pub(super) field: String,
    pub(super) names: Vec<String>,
    /// The one that documents begin in, if the schema has it as its default.
    pub(super) initial: Option<String>,
    /// Whether a document may lack the field, and so be in no state.
    pub(super) may_lack: bool,
    /// Other fields that look like it.
    pub(super) others: Vec<String>,
}

impl States {
    /// Those of the resource that `written`, which was compiled to `schema`, describes; or why a field
    /// that is called like one has none.
    pub(super) fn of(
        written: &Value,
        schema: &Schema,
    ) -> Result<Option<Self>, Vec<(String, &'static str)>> {
        let view = View::of(written, Branches::All);
        let mut named: Vec<(usize, &str)> =
            view.names().into_iter().filter_map(|name| Some((rank(name)?, name))).collect();
        named.sort_unstable();
        let (mut found, mut why): (Vec<Self>, Vec<_>) = (Vec::new(), Vec::new());
        for (_, name) in named {
            let member = view.member(name);
            let Some(Value::Array(values)) = member.keyword("enum") else { continue };
            let field = Pointer::ROOT.join(name);
            let place = schema.place(&field);
            let names: Vec<String> =
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let fits = |name: &String| place.fits(&Json::String(Cow::Borrowed(name)));
            if place.is_read_only() || !(2..=MOST).contains(&names.len()) {
                continue;
            }
            if names.len() < values.len() {
                why.push((name.to_owned(), "looks like a state and may be no text, which no state is; no `states` are drafted"));
                continue;
            }
            if names.iter().any(|name| name.is_empty() || name.contains('/') || name == "*")
                || !names.iter().all(fits)
            {
                why.push((name.to_owned(), "looks like a state and has values that no state can be called; no `states` are drafted"));
                continue;
            }
            let default = member.keyword("default").and_then(Value::as_str).map(str::to_owned);
            let initial = default.filter(|name| names.contains(name));
            let may_lack = !view.required().contains(&name);
            found.push(Self {
                field: field.text().to_owned(),
                names,
                initial,
                may_lack,
                others: Vec::new(),
            });
        }
        let mut found = found.into_iter();
        match found.next() {
            Some(first) => {
                let others = found.map(|other| other.field).collect();
                Ok(Some(Self { others, ..first }))
            }
            None if why.is_empty() => Ok(None),
            None => Err(why),
        }
    }
}

/// How much `name` is called like a state, if it is at all: the lower, the more.
fn rank(name: &str) -> Option<usize> {
    let last = super::names::kebab(name);
    let last = last.rsplit('-').next().unwrap_or_default();
    let called = CALLED.iter().position(|called| *called == last)?;
    Some(if name.eq_ignore_ascii_case(last) { called } else { called + CALLED.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn states(properties: &Value) -> Result<Option<States>, Vec<(String, &'static str)>> {
        let written = json!({ "type": "object", "required": ["status"], "properties": properties });
        States::of(&written, &Schema::new(&written).expect("a schema"))
    }

    #[test]
    fn a_listed_field_that_is_called_like_a_state_is_one() {
        let found = states(&json!({
            "orderState": { "enum": ["x", "y"] },
            "status": { "enum": ["new", "done"], "default": "new" },
        }));
        let (field, names) = ("/status".to_owned(), vec!["new".to_owned(), "done".to_owned()]);
        let others = vec!["/orderState".to_owned()];
        let expected =
            States { field, names, initial: Some("new".into()), may_lack: false, others };
        assert_eq!(found, Ok(Some(expected)));
        for nothing in [
            json!({ "status": { "type": "string" } }),
            json!({ "status": { "enum": ["only"] } }),
            json!({ "status": { "enum": ["a", "b"], "readOnly": true } }),
            json!({ "estate": { "enum": ["a", "b"] } }),
            json!({ "statusText": { "enum": ["a", "b"] } }),
        ] {
            assert_eq!(states(&nothing), Ok(None), "{nothing}");
        }
        for values in [json!(["a", "b", null]), json!(["a/b", "c"]), json!(["", "c"])] {
            assert!(states(&json!({ "stage": { "enum": values } })).is_err(), "{values}");
        }
    }
}
