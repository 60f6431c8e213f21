//! A second judge, by plain means: what may not follow what.

use crate::promises::world::{STATES, World};

use serde_json::Value;

/// Why `after` may not follow `before`, by other means than the judge's.
pub fn wrong(world: &World, before: &Value, after: &Value) -> Option<String> {
    let validator = jsonschema::validator_for(&world.schema).expect("a schema");
    if !validator.is_valid(after) {
        return Some("the result does not fit the schema".into());
    }
    let state = |document: &Value| {
        let text = |key: &str| document[key].as_str().unwrap_or("?").to_owned();
        format!("{}/{}", text("status"), text("sub"))
    };
    let at = |state: &str| STATES.iter().position(|known| *known == state);
    let (from, to) = (state(before), state(after));
    if from != to {
        let edge = at(&from).zip(at(&to));
        if !edge.is_some_and(|edge| world.steps.contains(&edge)) {
            return Some(format!("no edge from {from} to {to}"));
        }
    }
    if world.frozen && from.starts_with("C/") && at(&from).is_some() {
        let rest = |document: &Value| {
            let mut document = document.clone();
            for key in ["status", "sub", "free"] {
                document.as_object_mut().map(|members| members.remove(key));
            }
            document
        };
        if rest(before) != rest(after) {
            return Some("a frozen document was changed".into());
        }
    }
    let mut kept = vec!["/n".to_owned(), "/d/a".into(), "/d".into(), "/t/0".into()];
    kept.retain(|field| world.immutable.contains(&field.as_str()));
    let read_only = |pointer: &str| world.schema.pointer(pointer).is_some();
    if read_only("/properties/n/readOnly") {
        kept.push("/n".into())
    }
    if read_only("/properties/d/properties/a/readOnly") {
        kept.push("/d/a".into())
    }
    if read_only("/properties/t/items/properties/id/readOnly")
        || world.immutable.contains(&"/t/*/id")
    {
        // `items` speaks of what comes after `prefixItems`.
        let prefixed =
            read_only("/properties/t/prefixItems") && !world.immutable.contains(&"/t/*/id");
        kept.extend((usize::from(prefixed)..5).map(|index| format!("/t/{index}/id")));
    }
    kept.into_iter()
        .find(|field| before.pointer(field) != after.pointer(field))
        .map(|field| format!("{field} was changed"))
}
