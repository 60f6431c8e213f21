//! What a schema says of a place, read off the schema as it is written, anew for each question.

use super::apply::index;
use super::escape;

use jsonschema::Validator;
use regex::Regex;
use serde_json::{Value, json};

use std::cell::RefCell;
use std::collections::HashMap;

/// The places of one schema.
pub struct Places<'s> {
    schema: &'s Value,
    engine: Engine<'s>,
    patterns: RefCell<HashMap<&'s str, Regex>>,
    said: RefCell<HashMap<Vec<String>, Said>>,
}

/// Says whether a value fits the sub-schema at a pointer into the schema, alone.
type Engine<'s> = Box<dyn Fn(&str, &Value) -> bool + 's>;

/// What is said of one place, and of a value there.
#[derive(Clone, Copy)]
pub struct Said {
    pub described: bool,
    pub forbidden: bool,
    pub read_only: bool,
    /// Whether an object or an array may stand there; and whether nothing but an object may.
    pub container: bool,
    pub object: bool,
    pub fits: bool,
}

/// Where one token leads from one sub-schema.
enum Step {
    Open,
    Closed,
    To(Vec<String>),
}

impl<'s> Places<'s> {
    pub fn of(schema: &'s Value) -> Self {
        let validators = RefCell::new(HashMap::<String, Validator>::new());
        Self::with(schema, move |at, value| {
            let mut validators = validators.borrow_mut();
            let known = validators.entry(at.to_owned());
            known.or_insert_with(|| validator(schema, at)).is_valid(value)
        })
    }

    /// The same, as another engine has it.
    pub fn with(schema: &'s Value, engine: impl Fn(&str, &Value) -> bool + 's) -> Self {
        let engine = Box::new(engine);
        Self { schema, engine, patterns: <_>::default(), said: <_>::default() }
    }

    /// What is said of the place at `tokens`, were `value` to stand there.
    pub fn at(&self, tokens: &[String], value: Option<&Value>) -> Said {
        if value.is_some() {
            return self.say("", tokens, value);
        }
        let mut said = self.said.borrow_mut();
        *said.entry(tokens.to_vec()).or_insert_with(|| self.say("", tokens, None))
    }

    /// The names that are listed beneath the place at `tokens`.
    pub fn names(&self, tokens: &[String]) -> Vec<String> {
        self.listed("", tokens)
    }

    fn say(&self, at: &str, tokens: &[String], value: Option<&Value>) -> Said {
        let parts = self.parts(at);
        let read_only = parts.iter().any(|part| self.keyword(part, "readOnly") == &json!(true));
        let Some((token, rest)) = tokens.split_first() else {
            return Said {
                described: true,
                forbidden: false,
                read_only,
                container: parts.iter().all(|part| self.takes(part, &["object", "array"])),
                object: parts.iter().any(|part| self.keyword(part, "type") == "object"),
                fits: value.is_none_or(|value| (self.engine)(at, value)),
            };
        };
        let (described, forbidden, object) = (false, false, false);
        let mut all = Said { described, forbidden, read_only, container: true, object, fits: true };
        for part in &parts {
            match self.step(part, token) {
                Step::Open => {}
                Step::Closed => all.forbidden |= rest.is_empty(),
                Step::To(next) => {
                    for said in next.iter().map(|next| self.say(next, rest, value)) {
                        all.described |= said.described;
                        all.forbidden |= said.forbidden;
                        all.read_only |= said.read_only;
                        all.container &= said.container;
                        all.object |= said.object;
                        all.fits &= said.fits;
                    }
                }
            }
            for (branches, or_none) in self.sets(part) {
                let said: Vec<Said> =
                    branches.iter().map(|branch| self.say(branch, tokens, value)).collect();
                all.described |= said.iter().any(|said| said.described && !said.forbidden);
                all.read_only |= !or_none && said.iter().all(|said| said.read_only);
                all.container &= or_none || said.iter().any(|said| said.container);
                all.object |= !or_none && said.iter().all(|said| said.object);
                let fits = |said: &Said| !said.forbidden && (!said.described || said.fits);
                all.fits &= or_none || said.iter().any(fits);
            }
        }
        all.fits &= !all.forbidden;
        all
    }

    fn listed(&self, at: &str, tokens: &[String]) -> Vec<String> {
        let mut names = Vec::new();
        for part in self.parts(at) {
            match tokens.split_first() {
                None => {
                    let listed = self.keyword(&part, "properties").as_object();
                    names.extend(listed.into_iter().flat_map(|members| members.keys().cloned()));
                }
                Some((token, rest)) => {
                    if let Step::To(next) = self.step(&part, token) {
                        names.extend(next.iter().flat_map(|next| self.listed(next, rest)));
                    }
                }
            }
            let branches = self.sets(&part).into_iter().flat_map(|(branches, _)| branches);
            names.extend(branches.flat_map(|branch| self.listed(&branch, tokens)));
        }
        names
    }

    fn keyword(&self, at: &str, name: &str) -> &'s Value {
        const NULL: &Value = &Value::Null;
        self.schema.pointer(at).and_then(|schema| schema.get(name)).unwrap_or(NULL)
    }

    /// The sub-schema at `at`, and those that hold with it.
    fn parts(&self, at: &str) -> Vec<String> {
        let mut parts = vec![at.to_owned()];
        let mut seen = 0;
        while let Some(part) = parts.get(seen).cloned() {
            seen += 1;
            let target = self.keyword(&part, "$ref").as_str().and_then(|r| r.strip_prefix('#'));
            let all = self.keyword(&part, "allOf").as_array().map_or(0, Vec::len);
            let all = (0..all).map(|branch| format!("{part}/allOf/{branch}"));
            for next in target.map(str::to_owned).into_iter().chain(all) {
                if !parts.contains(&next) {
                    parts.push(next);
                }
            }
        }
        parts
    }

    /// The sets of which one may hold, and whether none need hold.
    fn sets(&self, at: &str) -> Vec<(Vec<String>, bool)> {
        let mut sets = Vec::new();
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = self.keyword(at, keyword).as_array() {
                let each = (0..branches.len()).map(|branch| format!("{at}/{keyword}/{branch}"));
                sets.push((each.collect(), false));
            }
        }
        for keyword in ["then", "else"] {
            if !self.keyword(at, "if").is_null() && !self.keyword(at, keyword).is_null() {
                sets.push((vec![format!("{at}/{keyword}")], true));
            }
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            let members = self.keyword(at, keyword).as_object().into_iter().flatten();
            let schemas = members.filter(|(_, value)| !value.is_array());
            let each = schemas.map(|(name, _)| format!("{at}/{keyword}/{}", escape(name)));
            sets.extend(each.map(|branch| (vec![branch], true)));
        }
        sets
    }

    /// Whether a value of one of the `kinds` may stand there, by `type`, `const` and `enum`.
    fn takes(&self, at: &str, kinds: &[&str]) -> bool {
        let kind = |value: &Value| match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            _ => "scalar",
        };
        let listed = |keyword: &str| match self.keyword(at, keyword) {
            Value::Null => true,
            Value::Array(listed) if keyword == "enum" => {
                listed.iter().any(|value| kinds.contains(&kind(value)))
            }
            value => kinds.contains(&kind(value)),
        };
        let typed = match self.keyword(at, "type") {
            Value::String(own) => kinds.contains(&own.as_str()),
            Value::Array(own) => own.iter().any(|own| kinds.iter().any(|kind| own == kind)),
            _ => true,
        };
        typed && listed("const") && listed("enum")
    }

    fn step(&self, at: &str, token: &str) -> Step {
        let element = token == "-" || index(token).is_some();
        match (self.takes(at, &["object"]), element && self.takes(at, &["array"])) {
            (true, false) => self.member(at, token),
            (false, true) => self.element(at, token),
            (false, false) => Step::Closed,
            // Nobody knows whether an object or an array stands there.
            (true, true) => match (self.member(at, token), self.element(at, token)) {
                (Step::Closed, other) | (other, Step::Closed) => other,
                (Step::To(next), Step::Open) | (Step::Open, Step::To(next)) => Step::To(next),
                (Step::Open, Step::Open) | (Step::To(_), Step::To(_)) => Step::Open,
            },
        }
    }

    fn member(&self, at: &str, name: &str) -> Step {
        let mut next = Vec::new();
        if self.keyword(at, "properties").get(name).is_some() {
            next.push(format!("{at}/properties/{}", escape(name)));
        }
        for (pattern, _) in self.keyword(at, "patternProperties").as_object().into_iter().flatten()
        {
            let mut patterns = self.patterns.borrow_mut();
            let known = patterns.entry(pattern);
            if known.or_insert_with(|| Regex::new(pattern).expect("a pattern")).is_match(name) {
                next.push(format!("{at}/patternProperties/{}", escape(pattern)));
            }
        }
        if next.is_empty() { self.rest(at, "additionalProperties") } else { Step::To(next) }
    }

    fn element(&self, at: &str, token: &str) -> Step {
        // Before 2020-12, `items` lists the first elements, and `additionalItems` says of the rest.
        let (listed, rest) = match self.keyword(at, "items").is_array() {
            true => ("items", "additionalItems"),
            false => ("prefixItems", "items"),
        };
        let prefix = self.keyword(at, listed).as_array().map_or(0, Vec::len);
        match index(token) {
            Some(index) if index < prefix => Step::To(vec![format!("{at}/{listed}/{index}")]),
            None if prefix > 0 => Step::Open,
            _ => self.rest(at, rest),
        }
    }

    fn rest(&self, at: &str, keyword: &str) -> Step {
        match self.keyword(at, keyword) {
            Value::Null | Value::Bool(true) => Step::Open,
            Value::Bool(false) => Step::Closed,
            _ => Step::To(vec![format!("{at}/{keyword}")]),
        }
    }
}

/// Of the sub-schema at `at`, alone.
fn validator(schema: &Value, at: &str) -> Validator {
    let mut whole = schema.clone();
    whole["$id"] = json!("urn:whole");
    let reference = format!("urn:whole#{}", fragment(at));
    let schema = json!({"$ref": reference, "$defs": {"whole": whole}});
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).expect("a schema")
}

/// `pointer` as it stands in a reference: a pattern holds what no fragment may.
pub fn fragment(pointer: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$/".contains(&byte);
    let written = |byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    pointer.bytes().map(written).collect()
}
