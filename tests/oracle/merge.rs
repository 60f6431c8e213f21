//! Merge patches (RFC 7396), judged as plainly as JSON Patches are.

use super::{Oracle, tokens};

use serde_json::{Value, json};

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

    /// What `patch` may make of `before`, or why it may not.
    pub fn judge_merge(&self, patch: &Value, before: &Value) -> Result<Value, String> {
        let mut ops = Vec::new();
        let mut opened = Vec::new();
        self.set("", patch, before, &mut ops, &mut opened)?;
        if patch.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err("nothing is set".into());
        }
        for op in &ops {
            self.allows(op)?;
            self.describes(op)?;
        }
        let after = Self::merge(patch, before);
        if !self.fits(&after) {
            return Err("the result does not fit the schema".into());
        }
        self.keeps(before, &after)?;
        self.steps(&ops, before, &after)?;
        self.may_edit(&[ops, opened].concat(), before)?;
        Ok(after)
    }

    /// The members that are set and unset, as ops; and those that become objects.
    fn set(
        &self,
        at: &str,
        patch: &Value,
        before: &Value,
        ops: &mut Vec<Value>,
        opened: &mut Vec<Value>,
    ) -> Result<(), String> {
        match patch {
            Value::Object(members) => {
                let made = json!({"op": "add", "path": at, "value": {}});
                if !at.is_empty() {
                    self.knows(&tokens(at))?;
                    // `/d` is the one place of every world where only an object may stand.
                    if members.is_empty() || at != "/d" {
                        self.allows(&made)?;
                    }
                    if !before.pointer(at).is_some_and(Value::is_object) {
                        opened.push(made);
                    }
                }
                members.iter().try_for_each(|(name, value)| {
                    self.set(&format!("{at}/{name}"), value, before, ops, opened)
                })?;
            }
            Value::Null if !at.is_empty() => ops.push(json!({"op": "remove", "path": at})),
            value => ops.push(json!({"op": "add", "path": at, "value": value})),
        }
        Ok(())
    }
}
