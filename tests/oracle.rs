//! A second judge, which knows the current document. It is naive on purpose: it applies with plain
//! code, walks the schema as it is written, validates the whole, and compares. It shares no code
//! with the first one.
#![allow(clippy::wildcard_enum_match_arm, reason = "the values are those of another crate")]

mod apply;
mod merge;
mod place;

use crate::promises::world::{STATES, TAKERS, World};
use place::Places;

use jsonschema::Validator;
use serde_json::Value;

/// The judge of one world.
pub struct Oracle<'w> {
    world: &'w World,
    validator: Validator,
    places: Places<'w>,
}

/// The tokens of a pointer, unescaped.
pub fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}

impl<'w> Oracle<'w> {
    pub fn new(world: &'w World) -> Self {
        let validator = jsonschema::options().should_validate_formats(true).build(&world.schema);
        let validator = validator.expect("a schema");
        Self { world, validator, places: Places::of(&world.schema) }
    }

    /// Whether `document` fits the schema.
    pub fn fits(&self, document: &Value) -> bool {
        self.validator.is_valid(document)
    }

    /// What `patch` makes of `document`, whatever the rules say; nothing where it does not apply.
    pub fn apply(patch: &Value, document: &Value) -> Option<Value> {
        apply::apply(patch, document)
    }

    /// What `patch` may make of `before`, or why it may not.
    pub fn judge(&self, patch: &Value, before: &Value) -> Result<Value, String> {
        let ops = patch.as_array().expect("a patch");
        if ops.is_empty() {
            return Err("there is no op".into());
        }
        for op in ops {
            self.allows(op)?;
            self.describes(op)?;
        }
        let after = apply::apply(patch, before).ok_or("the patch does not apply")?;
        if !self.fits(&after) {
            return Err("the result does not fit the schema".into());
        }
        self.keeps(before, &after)?;
        self.steps(ops, before, &after)?;
        self.may_edit(ops, before)?;
        Ok(after)
    }

    /// The op is in the list, and every place it reaches is allowed for it.
    fn allows(&self, op: &Value) -> Result<(), String> {
        let name = text(op, "op");
        if !self.world.ops.iter().any(|known| known.as_str() == name) {
            return Err(format!("`{name}` is not allowed"));
        }
        let entries = |pointer: &str, subtree: bool| {
            let pointer = tokens(pointer);
            self.world.paths.iter().any(|(pattern, deep)| {
                matches(pattern, &pointer) && (!subtree || *deep || pattern.ends_with("**"))
            })
        };
        if let Some(from) = op["from"].as_str()
            && !entries(from, true)
        {
            return Err(format!("`{from}` is not allowed with all beneath it"));
        }
        let path = text(op, "path");
        let container = op["value"].is_object()
            || op["value"].is_array()
            || self.places.at(&tokens(path), None).container;
        if !entries(path, name != "test" && container) {
            return Err(format!("`{path}` is not allowed"));
        }
        Ok(())
    }

    /// The schema describes every place that is named, and lets each value stand where it is put.
    fn describes(&self, op: &Value) -> Result<(), String> {
        if let Some(from) = op["from"].as_str() {
            self.knows(&tokens(from))?;
        }
        let path = tokens(text(op, "path"));
        let said = self.places.at(&path, op.get("value"));
        if !said.described || said.forbidden {
            return self.knows(&path);
        }
        match op.get("value") {
            Some(_) if !said.fits => Err("the value does not fit its place".into()),
            Some(value) if op["op"] != "test" => self.knows_all(&path, value),
            _ => Ok(()),
        }
    }

    fn knows(&self, place: &[String]) -> Result<(), String> {
        let Some((last, above)) = place.split_last() else { return Ok(()) };
        let said = self.places.at(place, None);
        if said.described && !said.forbidden {
            return Ok(());
        }
        let names = self.places.names(above);
        let variant = |name: &String| name.to_lowercase() == last.to_lowercase();
        let known = names.contains(last) || !names.iter().any(variant);
        if said.forbidden || !self.world.undescribed || !known {
            return Err(format!("the schema does not describe {place:?}"));
        }
        Ok(())
    }

    /// Every name within `value` is described as well.
    fn knows_all(&self, place: &[String], value: &Value) -> Result<(), String> {
        let within = |token: &str| [place, &[token.to_owned()]].concat();
        match value {
            Value::Object(members) => members.iter().try_for_each(|(name, value)| {
                let place = within(name);
                self.knows(&place)?;
                let said = self.places.at(&place, None);
                if said.described { self.knows_all(&place, value) } else { Ok(()) }
            }),
            Value::Array(elements) => (elements.iter().enumerate())
                .try_for_each(|(at, value)| self.knows_all(&within(&at.to_string()), value)),
            _ => Ok(()),
        }
    }

    /// What cannot be changed has not changed.
    fn keeps(&self, before: &Value, after: &Value) -> Result<(), String> {
        let mut pointers = Vec::new();
        pointers_of("", before, &mut pointers);
        pointers_of("", after, &mut pointers);
        for pointer in pointers {
            let place = tokens(&pointer);
            let kept = self.world.immutable.iter().any(|pattern| matches(pattern, &place))
                || self.places.at(&place, None).read_only;
            if kept && before.pointer(&pointer) != after.pointer(&pointer) {
                return Err(format!("`{pointer}` was changed"));
            }
        }
        Ok(())
    }

    /// Where the governed fields are touched, a state follows a state, and a step leads there.
    fn steps(&self, ops: &[Value], before: &Value, after: &Value) -> Result<(), String> {
        let touched = |field: &str| {
            let field = tokens(field);
            let above = |place: &Vec<String>| place.starts_with(&field) || field.starts_with(place);
            ops.iter().flat_map(written).any(|place| above(&place))
        };
        let (status, sub) = (touched("/status"), touched("/sub"));
        if self.world.together && status != sub {
            return Err("the state is changed in one field only".into());
        }
        let step = (state(before), state(after));
        match step {
            _ if !(status || sub) => Ok(()),
            (Some(from), Some(to)) if self.may_step(from, to) => Ok(()),
            _ => Err(format!("no step leads from {:?} to {:?}", step.0, step.1)),
        }
    }

    /// The last line about the step says who may take it.
    fn may_step(&self, from: usize, to: usize) -> bool {
        let mut lines = self.world.steps.iter().rev();
        let Some(line) = lines.find(|line| (line.0, line.1) == (from, to)) else { return false };
        let (id, roles) = &self.world.caller;
        match TAKERS[line.2] {
            ([], []) => true,
            (partners, named) => {
                partners.contains(id) || named.iter().any(|role| roles.iter().any(|r| r == role))
            }
        }
    }

    /// In a frozen state nothing else is touched.
    fn may_edit(&self, ops: &[Value], before: &Value) -> Result<(), String> {
        let frozen = state(before).is_some_and(|state| STATES[state].starts_with("C/"));
        let free =
            |place: &Vec<String>| ["status", "sub", "free"].iter().any(|name| place == &[*name]);
        if self.world.frozen && frozen && !ops.iter().flat_map(written).all(|place| free(&place)) {
            return Err("the document is frozen".into());
        }
        Ok(())
    }
}

/// The places that an op writes, or takes away.
fn written(op: &Value) -> Vec<Vec<String>> {
    let place = |member: &str| tokens(text(op, member));
    match text(op, "op") {
        "test" => vec![],
        "move" => vec![place("from"), place("path")],
        _ => vec![place("path")],
    }
}

fn state(document: &Value) -> Option<usize> {
    let name = format!("{}/{}", document["status"].as_str()?, document["sub"].as_str()?);
    STATES.iter().position(|known| *known == name)
}

fn text<'v>(op: &'v Value, member: &str) -> &'v str {
    op[member].as_str().expect("a string")
}

fn matches(pattern: &str, place: &[String]) -> bool {
    let pattern = tokens(pattern);
    let one = |own: &String, token: &String| own == token || own == "*" && token != "-";
    match pattern.split_last() {
        Some((last, above)) if last == "**" => {
            place.len() >= above.len()
                && above.iter().zip(place).all(|(own, token)| one(own, token))
        }
        _ => {
            place.len() == pattern.len()
                && pattern.iter().zip(place).all(|(own, token)| one(own, token))
        }
    }
}

/// The pointers to `value`, which stands at `at`, and to all within it.
pub fn pointers_of(at: &str, value: &Value, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers_of(&format!("{at}/{name}"), value, found);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                pointers_of(&format!("{at}/{index}"), value, found);
            }
        }
        _ => {}
    }
}
