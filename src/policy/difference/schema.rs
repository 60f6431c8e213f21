//! Two JSON Schemas, keyword by keyword.

use super::{Found, Turn};
use crate::policy::schema::{Formats, Schema};

use serde_json::{Map, Value};

use std::cmp::Ordering;

/// What says nothing about which values fit.
const ANNOTATIONS: [&str; 9] = [
    "$comment",
    "$id",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "title",
    "writeOnly",
];
/// Keywords with one sub-schema: what widens it widens the whole.
const ONE: [&str; 6] =
    ["additionalItems", "additionalProperties", "else", "items", "propertyNames", "then"];
/// Keywords with sub-schemas by name.
const NAMED: [&str; 5] =
    ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];
/// Keywords with a list of sub-schemas.
const LISTS: [&str; 3] = ["allOf", "anyOf", "prefixItems"];
/// Keywords of which more is asked by a larger number, and by a smaller one.
const LEAST: [&str; 5] = ["exclusiveMinimum", "minItems", "minLength", "minProperties", "minimum"];
const MOST: [&str; 6] =
    ["exclusiveMaximum", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum"];
/// Keywords that demand something, and of which nothing else is known.
const DEMANDS: [&str; 10] = [
    "const",
    "contains",
    "dependencies",
    "dependentRequired",
    "format",
    "if",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
];
/// Keywords that go by what others have looked at: beside them nothing can be told apart.
const REST: [&str; 2] = ["unevaluatedItems", "unevaluatedProperties"];
/// Keywords beneath which a wider sub-schema may let less through.
const TURNING: [&str; 4] = ["contains", "if", "not", "oneOf"];

/// Compares the schemas of two documents.
pub(super) fn compare(old: &Value, new: &Value, found: &mut Found<'_>) {
    if old != new {
        let is_open = |schema| refers_within_turning(schema, false) || has(schema, &REST);
        let is_open = is_open(old) || is_open(new);
        Walk { is_open, found }.schemas(Some(old), Some(new), "#");
    }
}

/// Compares what formats are: whether they demand anything.
pub(super) fn compare_formats(old: &Schema, new: &Schema, found: &mut Found<'_>) {
    let named = |schema: &Schema| has(schema.source(), &["format"]);
    if old.formats() == new.formats() || !(named(old) && named(new)) {
        return;
    }
    let (turn, message) = match new.formats() {
        Formats::Assert => (Turn::Narrows, "formats demand something now"),
        Formats::Annotate => (Turn::Widens, "formats no longer demand anything"),
    };
    let turns = |schema: &Schema| has(schema.source(), &TURNING) || has(schema.source(), &REST);
    let is_open = turns(old) || turns(new);
    found.push(if is_open { Turn::Unclear } else { turn }, "#", message);
}

/// Whether one of `keywords` stands somewhere.
fn has(value: &Value, keywords: &[&str]) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, inner)| keywords.contains(&&**name) || has(inner, keywords))
        }
        Value::Array(all) => all.iter().any(|inner| has(inner, keywords)),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether something beneath a keyword that turns around what widens refers to a definition.
fn refers_within_turning(value: &Value, within: bool) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, inner)| {
            let is_reference = matches!(&**name, "$ref" | "$dynamicRef" | "$recursiveRef");
            within && is_reference
                || refers_within_turning(inner, within || TURNING.contains(&&**name))
        }),
        Value::Array(all) => all.iter().any(|inner| refers_within_turning(inner, within)),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

struct Walk<'w, 'f> {
    /// Whether more at one place may be less of the whole: something is referred to where that is so, and
    /// a reference may lead anywhere; or keywords go by what others have looked at.
    is_open: bool,
    found: &'w mut Found<'f>,
}

impl Walk<'_, '_> {
    fn push(&mut self, turn: Turn, at: &str, message: impl Into<String>) {
        let turn = if self.is_open { Turn::Unclear } else { turn };
        self.found.push(turn, at, message);
    }

    /// Two sub-schemas at one place; one that is missing lets everything through.
    fn schemas(&mut self, old: Option<&Value>, new: Option<&Value>, at: &str) {
        if old == new {
            return;
        }
        let is_closed = |schema: Option<&Value>| schema == Some(&Value::Bool(false));
        let empty = Map::new();
        let members = |schema: Option<&Value>| match schema {
            Some(Value::Object(members)) => members.clone(),
            _ => empty.clone(),
        };
        match (is_closed(old), is_closed(new)) {
            (true, false) => return self.push(Turn::Widens, at, "something may stand there"),
            (false, true) => return self.push(Turn::Narrows, at, "nothing may stand there"),
            (true, true) | (false, false) => {}
        }
        let (old, new) = (members(old), members(new));
        let mut keywords: Vec<&String> = old.keys().chain(new.keys()).collect();
        keywords.sort();
        keywords.dedup();
        for keyword in keywords {
            let (was, is) = (old.get(keyword), new.get(keyword));
            if was != is {
                self.keyword(keyword, was, is, &format!("{at}/{}", escaped(keyword)));
            }
        }
    }

    fn keyword(&mut self, keyword: &str, old: Option<&Value>, new: Option<&Value>, at: &str) {
        match keyword {
            _ if ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-") => {}
            "readOnly" | "uniqueItems" => {
                let is = |value: Option<&Value>| value == Some(&Value::Bool(true));
                match (is(old), is(new)) {
                    (false, true) => self.push(Turn::Narrows, at, "is so now"),
                    (true, false) => self.push(Turn::Widens, at, "is no longer so"),
                    (true, true) | (false, false) => {}
                }
            }
            "type" | "enum" | "required" => self.lists(keyword, old, new, at),
            // A list of sub-schemas, as drafts up to 2019-09 have it.
            "items" if is_list(old) || is_list(new) => self.both(old, new, at),
            _ if LEAST.contains(&keyword) => self.numbers(old, new, at, Ordering::Greater),
            _ if MOST.contains(&keyword) => self.numbers(old, new, at, Ordering::Less),
            _ if ONE.contains(&keyword) => self.schemas(old, new, at),
            _ if NAMED.contains(&keyword) => self.named(keyword, old, new, at),
            _ if LISTS.contains(&keyword) => self.branches(keyword, old, new, at),
            _ if DEMANDS.contains(&keyword) => self.both(old, new, at),
            _ => self.push(Turn::Unclear, at, "is another"),
        }
    }

    /// What can be there or not, and of which nothing else is known.
    fn both(&mut self, old: Option<&Value>, new: Option<&Value>, at: &str) {
        match (old, new) {
            (None, Some(_)) => self.push(Turn::Narrows, at, "is new"),
            (Some(_), None) => self.push(Turn::Widens, at, "is gone"),
            _ => self.push(Turn::Unclear, at, "is another"),
        }
    }

    /// Lists of which each member lets more through; of `required`, less.
    fn lists(&mut self, keyword: &str, old: Option<&Value>, new: Option<&Value>, at: &str) {
        let (Some(was), Some(is)) = (members_of(old), members_of(new)) else {
            let is_required = keyword == "required";
            if !is_required {
                return self.both(old, new, at);
            }
            let (was, is) = (members_of(old), members_of(new));
            return self.changes(&was.unwrap_or_default(), &is.unwrap_or_default(), at, true);
        };
        let is_type = keyword == "type";
        // Every integer is a number.
        let whole = |all: &[Value]| -> Vec<Value> {
            let has = all.iter().any(|one| one == "number");
            all.iter().filter(|one| !(is_type && has && *one == "integer")).cloned().collect()
        };
        let (was, is) = (whole(&was), whole(&is));
        let narrower = |wide: &[Value], narrow: &[Value]| {
            is_type
                && wide.contains(&Value::from("number"))
                && narrow.contains(&Value::from("integer"))
        };
        match (narrower(&was, &is), narrower(&is, &was)) {
            (true, _) => {
                let rest: Vec<Value> = is.iter().filter(|one| *one != "integer").cloned().collect();
                self.changes(&was, &rest, at, false);
            }
            (_, true) => {
                let rest: Vec<Value> =
                    was.iter().filter(|one| *one != "integer").cloned().collect();
                self.changes(&rest, &is, at, false);
            }
            (false, false) => self.changes(&was, &is, at, keyword == "required"),
        }
    }

    fn changes(&mut self, old: &[Value], new: &[Value], at: &str, demands: bool) {
        let (more, less) = match demands {
            true => (Turn::Narrows, Turn::Widens),
            false => (Turn::Widens, Turn::Narrows),
        };
        for one in new.iter().filter(|one| !old.contains(one)) {
            self.push(more, at, format!("`{}` is new", plain(one)));
        }
        for one in old.iter().filter(|one| !new.contains(one)) {
            self.push(less, at, format!("`{}` is gone", plain(one)));
        }
    }

    /// Numbers of which one that compares as `stricter` lets less through.
    fn numbers(&mut self, old: Option<&Value>, new: Option<&Value>, at: &str, stricter: Ordering) {
        let (Some(was), Some(is)) = (old.and_then(Value::as_f64), new.and_then(Value::as_f64))
        else {
            // `exclusiveMinimum: true`, as draft 4 has it, counts as a number that is another.
            return match (old, new) {
                (None, Some(new)) => self.push(Turn::Narrows, at, format!("{new} is new")),
                (Some(old), None) => self.push(Turn::Widens, at, format!("{old} is gone")),
                _ => self.push(Turn::Unclear, at, "is another"),
            };
        };
        let turn = match is.partial_cmp(&was) {
            Some(Ordering::Equal) => return,
            Some(order) if order == stricter => Turn::Narrows,
            Some(_) => Turn::Widens,
            None => Turn::Unclear,
        };
        self.push(turn, at, format!("{} instead of {}", text(new), text(old)));
    }

    fn named(&mut self, keyword: &str, old: Option<&Value>, new: Option<&Value>, at: &str) {
        let empty = Map::new();
        let members = |value: Option<&Value>| match value {
            Some(Value::Object(members)) => members.clone(),
            _ => empty.clone(),
        };
        let (old, new) = (members(old), members(new));
        let is_definitions = matches!(keyword, "$defs" | "definitions");
        for (name, is) in &new {
            let at = format!("{at}/{}", escaped(name));
            match old.get(name) {
                Some(was) => self.schemas(Some(was), Some(is), &at),
                // It counts where it is referred to.
                None if is_definitions => {}
                // More places are described, and values are held to more.
                None => self.push(Turn::Unclear, &at, "is described"),
            }
        }
        for name in old.keys().filter(|name| !new.contains_key(*name) && !is_definitions) {
            let at = format!("{at}/{}", escaped(name));
            self.push(Turn::Unclear, &at, "is no longer described");
        }
    }

    fn branches(&mut self, keyword: &str, old: Option<&Value>, new: Option<&Value>, at: &str) {
        let list = |value: Option<&Value>| match value {
            Some(Value::Array(all)) => all.clone(),
            _ => Vec::new(),
        };
        if keyword == "anyOf" && (old.is_none() || new.is_none()) {
            return self.both(old, new, at);
        }
        let (old, new) = (list(old), list(new));
        if old.len() != new.len() && keyword == "prefixItems" {
            // What was an element like all others no longer is, or is one.
            return self.push(Turn::Unclear, at, "is of another length");
        }
        if old.len() == new.len() {
            for place in 0..old.len() {
                self.schemas(old.get(place), new.get(place), &format!("{at}/{place}"));
            }
            return;
        }
        let (more, less) = match keyword {
            "anyOf" => (Turn::Widens, Turn::Narrows),
            _ => (Turn::Narrows, Turn::Widens),
        };
        let gone = old.iter().filter(|one| !new.contains(one)).count();
        let come = new.iter().filter(|one| !old.contains(one)).count();
        match (come, gone) {
            (_, 0) => self.push(more, at, format!("{come} more")),
            (0, _) => self.push(less, at, format!("{gone} fewer")),
            _ => self.push(Turn::Unclear, at, "are others"),
        }
    }
}

fn is_list(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Array(_)))
}

/// The members of a list; a single one counts as a list.
fn members_of(value: Option<&Value>) -> Option<Vec<Value>> {
    match value {
        Some(Value::Array(all)) => Some(all.clone()),
        Some(one) => Some(vec![one.clone()]),
        None => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}
