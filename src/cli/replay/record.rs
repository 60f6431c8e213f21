//! A record of the audit log, read back into what was asked for and what became of it.

use crate::json::{self, Bounds, List, Object, Value};
use crate::patch::{Op, Patch, Pointer};
use crate::policy::{Change, EntityTag, IfMatch};
use crate::violation::Code;

use std::borrow::Cow;

/// The form that the log itself bounds.
const BOUNDS: Bounds = Bounds { depth: 128, items: 10_000, values: 1 << 20, string: 1 << 20 };

/// What a line of the log is.
#[derive(Debug)]
pub(super) enum Line<'l> {
    /// About a change.
    Change(Box<Record<'l>>),
    /// About the log itself.
    Event,
}

/// A change that was judged.
#[derive(Debug)]
pub(super) struct Record<'l> {
    pub(super) request_id: String,
    pub(super) time: String,
    pub(super) partner: String,
    pub(super) roles: Vec<String>,
    /// The id of the route that it took then.
    pub(super) route: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) form: String,
    pub(super) if_match: IfMatch,
    /// The state that the document was in.
    pub(super) from: Option<String>,
    /// The version of the document that it was judged by as a whole, if it was.
    pub(super) tag: Option<String>,
    pub(super) told: Told<'l>,
    pub(super) decided: Decided,
}

/// What was asked for, as far as it was written down.
#[derive(Debug)]
pub(super) enum Told<'l> {
    /// All of it. `hidden` are the ops of which only the kind of the value is known.
    Whole { change: Change<'l>, hidden: Vec<Hidden> },
    /// Some ops are missing.
    Part,
    /// It could not be read then.
    Unreadable,
}

/// An op of which the value is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    pub(super) op: usize,
    /// Whether the value holds others.
    pub(super) is_container: bool,
}

/// What the policy said then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    Permit,
    Refuse(Vec<Code>),
    /// It came to no verdict: the current state could not be read, or somebody left.
    Nothing,
}

impl<'l> Line<'l> {
    /// Reads a line.
    pub(super) fn read(line: &'l [u8]) -> Option<Self> {
        let Ok(Value::Object(mut members)) = json::read(line, BOUNDS) else { return None };
        if members.get("event").is_some() {
            return Some(Self::Event);
        }
        let form = text(&members, "form")?.to_owned();
        let told = match members.remove("ops")? {
            Value::Null => Told::Unreadable,
            Value::Array(_) if is_cut(&members)? => Told::Part,
            Value::Array(ops) => told(ops, &form)?,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => return None,
        };
        Some(Self::Change(Box::new(Record {
            request_id: text(&members, "request_id")?.to_owned(),
            time: text(&members, "time")?.to_owned(),
            partner: text(&members, "partner").unwrap_or_default().to_owned(),
            roles: list(&members, "roles")?,
            route: text(&members, "route").unwrap_or_default().to_owned(),
            method: text(&members, "method")?.to_owned(),
            target: text(&members, "target")?.to_owned(),
            if_match: if_match(text(&members, "if_match")?)?,
            from: text(&members, "from").map(str::to_owned),
            tag: text(&members, "tag").map(str::to_owned),
            decided: decided(&members)?,
            form,
            told,
        })))
    }
}

fn text<'m>(members: &'m Object<'_>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

fn is_cut(members: &Object<'_>) -> Option<bool> {
    Some(members.get("ops_more")?.to_string() != "0")
}

fn list(members: &Object<'_>, name: &str) -> Option<Vec<String>> {
    let Some(Value::Array(all)) = members.get(name) else { return None };
    all.iter().map(|one| one.as_str().map(str::to_owned)).collect()
}

/// A condition like the one that was set; which versions it named was not written down.
fn if_match(text: &str) -> Option<IfMatch> {
    let tags = |tag: &str| EntityTag::parse(tag).map(|tag| IfMatch::Tags(vec![tag]));
    match text {
        "absent" => Some(IfMatch::Absent),
        "any" => Some(IfMatch::Any),
        "malformed" => Some(IfMatch::Malformed),
        "tags" => tags("\"\""),
        "weak" => tags("W/\"\""),
        _ => None,
    }
}

fn decided(members: &Object<'_>) -> Option<Decided> {
    let was_sent = text(members, "outcome") == Some("unknown");
    Some(match text(members, "decision") {
        Some("permit" | "advisory") => Decided::Permit,
        // What was lost on the way had been permitted.
        Some("reject") if was_sent => Decided::Permit,
        Some("refuse") => {
            let codes = list(members, "codes")?;
            Decided::Refuse(codes.iter().filter_map(|code| Code::from_slug(code)).collect())
        }
        _ => Decided::Nothing,
    })
}

fn told<'l>(ops: List<'l, Value<'l>>, form: &str) -> Option<Told<'l>> {
    let mut hidden = Vec::new();
    if form == "none" {
        return Some(Told::Whole { change: Change::Nothing, hidden });
    }
    let mut patch = Patch { ops: Vec::with_capacity(ops.len()) };
    for (at, op) in ops.into_iter().enumerate() {
        let Value::Object(mut members) = op else { return None };
        let value = match members.remove("value") {
            Some(Value::Object(told)) => Some(value(at, told, &mut hidden)?),
            Some(_) => return None,
            None => None,
        };
        let op = owned(members.remove("op")?)?;
        if op == "document" {
            return Some(Told::Whole { change: Change::Document(value?), hidden });
        }
        let path = Pointer::parse(owned(members.remove("path")?)?).ok()?;
        let mut from =
            || members.remove("from").and_then(owned).and_then(|from| Pointer::parse(from).ok());
        patch.ops.push(match (&*op, value) {
            ("add", Some(value)) => Op::Add { path, value },
            ("replace", Some(value)) => Op::Replace { path, value },
            ("test", Some(value)) => Op::Test { path, value },
            ("add", None) if form == "merge-patch" => Op::Open { path },
            ("remove", None) if form == "merge-patch" => Op::Unset { path },
            ("remove", None) => Op::Remove { path },
            ("move", None) => Op::Move { from: from()?, path },
            ("copy", None) => Op::Copy { from: from()?, path },
            _ => return None,
        });
    }
    Some(Told::Whole { change: Change::Patch(patch), hidden })
}

fn owned(value: Value<'_>) -> Option<Cow<'_, str>> {
    if let Value::String(text) = value { Some(text) } else { None }
}

/// The value that is told; else one of its kind in its place, and that it is not told.
fn value<'l>(op: usize, mut told: Object<'l>, hidden: &mut Vec<Hidden>) -> Option<Value<'l>> {
    if let Some(value) = told.remove("clear") {
        return Some(value);
    }
    let kind = told.remove("redacted").or_else(|| told.remove("kind"))?;
    let stands_in: &'static [u8] = match kind.as_str()? {
        "array" => b"[]",
        "boolean" => b"true",
        "null" => b"null",
        "number" => b"0",
        "object" => b"{}",
        "string" => b"\"\"",
        _ => return None,
    };
    let value = json::read(stands_in, BOUNDS).ok()?;
    // There is but one null.
    if value != Value::Null {
        hidden.push(Hidden { op, is_container: value.is_container() });
    }
    Some(value)
}
