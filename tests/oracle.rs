//! A second judge, which knows the current document. It is naive on purpose: it applies with plain
//! code, walks the schema as it is written, validates the whole, and compares. It shares no code
//! with the first one.
#![allow(clippy::wildcard_enum_match_arm, reason = "the values are those of another crate")]

mod apply;
mod merge;
pub mod place;

use crate::promises::world::{STATES, TAKERS, World};
use place::Places;

use patchgate::patch::OpName;

use jsonschema::Validator;
use serde_json::Value;

use std::fmt;

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

/// A token as it stands in a pointer.
fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
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

    /// What `patch` may make of `before`, or all that is wrong with it.
    pub fn judge(&self, patch: &Value, before: &Value) -> Result<Value, Vec<Wrong>> {
        let ops = patch.as_array().expect("a patch");
        let Some(after) = apply::apply(patch, before) else {
            return Err(vec![Wrong::of("", "patch", "the patch does not apply")]);
        };
        let mut wrong = Vec::new();
        if ops.is_empty() {
            wrong.push(Wrong::of("operations", "op", "there is no op"));
        }
        for op in ops {
            wrong.extend(self.allows(op));
            wrong.extend(self.describes(op).err());
        }
        self.check(ops, ops, before, after, wrong)
    }

    /// Adds what is wrong with the result, and with the way there. What the policy only warns of
    /// is not wrong.
    fn check(
        &self,
        ops: &[Value],
        edits: &[Value],
        before: &Value,
        after: Value,
        mut wrong: Vec<Wrong>,
    ) -> Result<Value, Vec<Wrong>> {
        if !self.fits(&after) {
            wrong.push(Wrong::of("schema", "result", "the result does not fit the schema"));
        }
        wrong.extend(self.keeps(before, &after).err());
        wrong.extend(self.together(ops).err());
        wrong.extend(self.steps(ops, before, &after).err());
        wrong.extend(self.may_edit(edits, before).err());
        wrong.retain(|wrong| !self.world.warn.iter().any(|name| name.as_str() == wrong.rule));
        if wrong.is_empty() { Ok(after) } else { Err(wrong) }
    }

    /// The step that the ops make, where they touch a governed field and both of its ends are states.
    pub fn step(ops: &[Value], before: &Value, after: &Value) -> Option<(usize, usize)> {
        let touches = touched(ops, "/status") || touched(ops, "/sub");
        Some((state(before)?, state(after)?)).filter(|_| touches)
    }

    /// The op is in the list, and every place it reaches is allowed for it.
    fn allows(&self, op: &Value) -> Vec<Wrong> {
        let name = text(op, "op");
        let listed = |ops: &[OpName]| ops.iter().any(|known| known.as_str() == name);
        let mut wrong = Vec::new();
        if !listed(&self.world.ops) {
            wrong.push(Wrong::of("operations", "op", format!("`{name}` is not allowed")));
        }
        let entries = |pointer: &str, subtree: bool| {
            let pointer = tokens(pointer);
            self.world.paths.iter().any(|(pattern, deep)| {
                matches(pattern, &pointer) && (!subtree || *deep || pattern.ends_with("**"))
            }) && listed(&self.world.path_ops)
        };
        let mut reach = |pointer: &str, subtree: bool| {
            if !entries(pointer, subtree) {
                let why = format!("`{name}` is not allowed at `{pointer}`");
                wrong.push(Wrong::of("paths", "path", why));
            }
        };
        if let Some(from) = op["from"].as_str() {
            reach(from, true);
        }
        let path = text(op, "path");
        let container = op["value"].is_object()
            || op["value"].is_array()
            || self.places.at(&tokens(path), None).container;
        reach(path, name != "test" && container);
        wrong
    }

    /// The schema describes every place that is named, and lets each value stand where it is put.
    fn describes(&self, op: &Value) -> Result<(), Wrong> {
        if let Some(from) = op["from"].as_str() {
            self.knows(&tokens(from))?;
        }
        let path = tokens(text(op, "path"));
        let said = self.places.at(&path, op.get("value"));
        if !said.described || said.forbidden {
            return self.knows(&path);
        }
        match op.get("value") {
            Some(_) if !said.fits => {
                Err(Wrong::of("schema", "value", "the value does not fit its place"))
            }
            Some(value) if op["op"] != "test" => self.knows_all(&path, value),
            _ => Ok(()),
        }
    }

    fn knows(&self, place: &[String]) -> Result<(), Wrong> {
        let Some((last, above)) = place.split_last() else { return Ok(()) };
        let said = self.places.at(place, None);
        if said.described && !said.forbidden {
            return Ok(());
        }
        let names = self.places.names(above);
        let variant = |name: &String| name.to_lowercase() == last.to_lowercase();
        let known = names.contains(last) || !names.iter().any(variant);
        if said.forbidden || !self.world.undescribed || !known {
            let why = format!("the schema does not describe {place:?}");
            return Err(Wrong::of("schema", "place", why));
        }
        Ok(())
    }

    /// Every name within `value` is described as well.
    fn knows_all(&self, place: &[String], value: &Value) -> Result<(), Wrong> {
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
    fn keeps(&self, before: &Value, after: &Value) -> Result<(), Wrong> {
        let mut pointers = Vec::new();
        pointers_of("", before, &mut pointers);
        pointers_of("", after, &mut pointers);
        for pointer in pointers {
            let place = tokens(&pointer);
            let kept = self.world.immutable.iter().any(|pattern| matches(pattern, &place))
                || self.places.at(&place, None).read_only;
            if kept && before.pointer(&pointer) != after.pointer(&pointer) {
                return Err(Wrong::of("immutable", "kept", format!("`{pointer}` was changed")));
            }
        }
        Ok(())
    }

    /// The governed fields are touched together.
    fn together(&self, ops: &[Value]) -> Result<(), Wrong> {
        if self.world.together && touched(ops, "/status") != touched(ops, "/sub") {
            return Err(Wrong::of("together", "alone", "the state is changed in one field only"));
        }
        Ok(())
    }

    /// Where the governed fields are touched, a state follows a state, and a step leads there.
    fn steps(&self, ops: &[Value], before: &Value, after: &Value) -> Result<(), Wrong> {
        if !touched(ops, "/status") && !touched(ops, "/sub") {
            return Ok(());
        }
        let (Some(from), Some(to)) = (state(before), state(after)) else {
            return Err(Wrong::of("transition", "state", "it is in no state, before or after"));
        };
        // The last line about the step says who may take it.
        let mut lines = self.world.steps.iter().rev();
        let Some(line) = lines.find(|line| (line.0, line.1) == (from, to)) else {
            let why = format!("no step leads from {} to {}", STATES[from], STATES[to]);
            return Err(Wrong::of("transition", "step", why));
        };
        let (partners, roles) = TAKERS[line.2];
        let (id, own) = &self.world.caller;
        let everybody = partners.is_empty() && roles.is_empty();
        if !everybody
            && !partners.contains(id)
            && !roles.iter().any(|role| own.iter().any(|o| o == role))
        {
            return Err(Wrong::of("transition", "taker", "the step is for others"));
        }
        Ok(())
    }

    /// In a frozen state nothing else is touched.
    fn may_edit(&self, ops: &[Value], before: &Value) -> Result<(), Wrong> {
        let frozen = state(before).is_some_and(|state| STATES[state].starts_with("C/"));
        let free =
            |place: &Vec<String>| ["status", "sub", "free"].iter().any(|name| place == &[*name]);
        if self.world.frozen && frozen && !ops.iter().flat_map(written).all(|place| free(&place)) {
            return Err(Wrong::of("transition", "frozen", "the document is frozen"));
        }
        Ok(())
    }
}

/// What is wrong: the rule that is broken, in what way, and why.
pub struct Wrong {
    pub rule: &'static str,
    pub kind: &'static str,
    why: String,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Wrong {
    fn of(rule: &'static str, kind: &'static str, why: impl Into<String>) -> Self {
        Self { rule, kind, why: why.into() }
    }

    /// What decides, where only this rule is broken.
    pub fn decided(&self) -> &'static str {
        match self.kind {
            "alone" => "only one field of the state",
            "frozen" => "only what is frozen",
            "kept" => "only what is kept",
            "op" => "only its op",
            "patch" => "only its patch",
            "path" => "only its path",
            "place" => "only its place",
            "result" => "only its result",
            "state" => "only the state",
            "step" => "only the step",
            "taker" => "only who takes it",
            "value" => "only its value",
            other => other,
        }
    }
}

/// Whether an op writes at, above or beneath the field.
fn touched(ops: &[Value], field: &str) -> bool {
    let field = tokens(field);
    let above = |place: &Vec<String>| place.starts_with(&field) || field.starts_with(place);
    ops.iter().flat_map(written).any(|place| above(&place))
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
                pointers_of(&format!("{at}/{}", escape(name)), value, found);
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
