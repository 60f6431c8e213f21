//! Merge patches (RFC 7396), judged as plainly as JSON Patches are.

use super::{Oracle, Wrong, escape, text, tokens};

use serde_json::{Value, json};

/// The document that results, or all that is wrong.
type Judged = Result<Value, Vec<Wrong>>;

impl Oracle<'_> {
    /// What `patch` makes of `target`, as the RFC writes it.
    pub fn merge(patch: &Value, target: &Value) -> Value {
        let Value::Object(members) = patch else { return patch.clone() };
        let mut target = target.as_object().cloned().unwrap_or_default();
        for (name, value) in members {
            let old = target.remove(name).unwrap_or_default();
            if !value.is_null() {
                target.insert(name.clone(), Self::merge(value, &old));
            }
        }
        target.into()
    }

    /// What `patch` may make of `before`, or all that is wrong with it; and the step that it makes.
    pub fn judge_merge(&self, patch: &Value, before: &Value) -> (Judged, Option<(usize, usize)>) {
        let (mut ops, mut opened, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        self.set("", patch, &mut ops, &mut opened, &mut wrong);
        if patch.as_object().is_some_and(serde_json::Map::is_empty) {
            wrong.push(Wrong::of("operations", "op", "nothing is set"));
        }
        for op in &ops {
            wrong.extend(self.allows(op));
            wrong.extend(self.describes(op).err());
        }
        let after = Self::merge(patch, before);
        let touching = [&ops[..], &opened].concat();
        let step = Self::step(&touching, before, &after);
        // Where an object is, going through it changes nothing.
        opened.retain(|made| !before.pointer(text(made, "path")).is_some_and(Value::is_object));
        let edits = [ops, opened].concat();
        (self.check(&touching, &edits, before, after, wrong), step)
    }

    /// The members that are set and unset, as ops; and the objects that are gone through.
    fn set(
        &self,
        at: &str,
        patch: &Value,
        ops: &mut Vec<Value>,
        opened: &mut Vec<Value>,
        wrong: &mut Vec<Wrong>,
    ) {
        match patch {
            Value::Object(members) => {
                let made = json!({"op": "add", "path": at, "value": {}});
                if !at.is_empty() {
                    wrong.extend(self.knows(&tokens(at)).err());
                    if members.is_empty() || !self.places.at(&tokens(at), None).object {
                        wrong.extend(self.allows(&made));
                    }
                    opened.push(made);
                }
                for (name, value) in members {
                    self.set(&format!("{at}/{}", escape(name)), value, ops, opened, wrong);
                }
            }
            Value::Null if !at.is_empty() => ops.push(json!({"op": "remove", "path": at})),
            value => ops.push(json!({"op": "add", "path": at, "value": value})),
        }
    }
}
