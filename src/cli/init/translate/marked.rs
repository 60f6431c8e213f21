//! Members that are there in one direction only, by all that is said of a schema: those that are
//! `readOnly` or `writeOnly`.

use super::Translation;
use crate::cli::init::reference::target;
use crate::cli::init::source::Dialect;

use serde_json::Value;

use std::collections::BTreeSet;

/// How many schemas may lead from one to the next.
const DEPTH: usize = 8;

impl<'t> Translation<'t> {
    /// The members of `schema` that are `readOnly` or `writeOnly`.
    pub(super) fn marked(&self, schema: &Value) -> BTreeSet<String> {
        self.marked_within(schema, 0)
    }

    fn marked_within(&self, schema: &Value, depth: usize) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if depth > DEPTH {
            return found;
        }
        for (name, member) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            if self.is_marked(member, depth) {
                found.insert(name.clone());
            }
        }
        for part in self.parts(schema) {
            found.append(&mut self.marked_within(part, depth + 1));
        }
        found
    }

    fn is_marked(&self, schema: &Value, depth: usize) -> bool {
        let is = |keyword: &str| schema.get(keyword) == Some(&Value::Bool(true));
        let counts = self.dialect == Dialect::V31 || schema.get("$ref").is_none();
        let own = counts && (is("readOnly") || is("writeOnly"));
        own || depth < DEPTH
            && self.parts(schema).iter().any(|part| self.is_marked(part, depth + 1))
    }

    /// What holds where `schema` does.
    fn parts<'s>(&self, schema: &'s Value) -> Vec<&'s Value>
    where
        't: 's,
    {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let pointer = reference.and_then(|reference| target(self.root, reference).ok());
        let referred = pointer.and_then(|pointer| self.root.pointer(&pointer));
        let all = schema.get("allOf").and_then(Value::as_array);
        referred.into_iter().chain(all.into_iter().flatten()).collect()
    }
}
